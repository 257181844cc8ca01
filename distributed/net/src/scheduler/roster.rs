//! Who has which name, and which operators must be known: what is compared when a worker joins and when a graph comes.
//!
//! It refuses to know links and machines. Invariants: a name belongs to one worker; every seated worker knows every operator
//! that a live graph may give it, because whoever comes second, graph or worker, is the one that is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::protocol::{About, ClientId, WorkerId};
use partita_graph::{Code, Failure, Layer};

/// An operator that live graphs use, and who may have to run it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    operator: Arc<str>,
    /// Names or hosts; empty for all.
    workers: Vec<String>,
    /// Whose graphs.
    client: ClientId,
}

/// How a need came about, and how many graphs have it: a client may have a hundred thousand graphs of one operator.
struct Use {
    /// The first layer.
    layer: Arc<str>,
    /// What the client is called.
    client: String,
    graphs: usize,
}

struct Seat {
    worker: WorkerId,
    host: String,
    nanny: Option<u128>,
    operators: Arc<BTreeSet<String>>,
    /// Nothing is heard of it at the moment.
    lost: bool,
}

#[derive(Default)]
struct Book {
    seats: BTreeMap<String, Seat>,
    needs: BTreeMap<Need, Use>,
    /// Lists of operators that seated workers have: usually one, shared by all.
    lists: Vec<Arc<BTreeSet<String>>>,
}

/// Names and operators, shared by the door and the owner.
#[derive(Default)]
pub(super) struct Roster(Mutex<Book>);

impl Need {
    fn concerns(&self, name: &str, host: &str) -> bool {
        self.workers.is_empty() || self.workers.iter().any(|wanted| wanted == name || wanted == host)
    }

    fn refusal(&self, worker: &str, client: &str, layer: &str) -> Failure {
        let what = format!("worker `{worker}` does not know the operator `{}` that a graph of client `{client}` uses", self.operator);
        Failure::new(Code::UnknownOperator, what).detail("layer", layer).help(
            "start the worker from the program that defines the operator, with `partita worker ADDRESS --program ./that-program`, or \
                 scheduler, workers and clients from one release",
        )
    }
}

impl Book {
    fn check(&self, about: &About, operators: &BTreeSet<String>, nanny: Option<u128>) -> Result<(), Failure> {
        if let Some(seat) = self.seats.get(&about.name)
            && !seat.gives_way(nanny)
        {
            let what = format!("a worker called `{}` is connected already, from {}", about.name, seat.host);
            return Err(Failure::new(Code::DuplicateName, what).help("choose another --name, or leave it out to have one made"));
        }
        let lacking = |(need, _): &(&Need, &Use)| need.concerns(&about.name, &about.host) && !operators.contains(&*need.operator);
        match self.needs.iter().find(lacking) {
            Some((need, first)) => Err(need.refusal(&about.name, &first.client, &first.layer)),
            None => Ok(()),
        }
    }
}

impl Seat {
    /// A process that cannot be heard any more, or that has the same nanny as the newcomer, was reborn.
    fn gives_way(&self, nanny: Option<u128>) -> bool {
        self.lost || (nanny.is_some() && nanny == self.nanny)
    }
}

impl Roster {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether such a worker could take a seat now.
    pub fn check(&self, about: &About, operators: &[String], nanny: Option<u128>) -> Result<(), Failure> {
        self.book().check(about, &operators.iter().cloned().collect(), nanny)
    }

    /// Takes the seat of this name; returns the worker that had it and is gone, if there was one.
    pub fn sit(&self, worker: WorkerId, about: &About, operators: Vec<String>, nanny: Option<u128>) -> Result<Option<WorkerId>, Failure> {
        let operators: BTreeSet<String> = operators.into_iter().collect();
        let mut book = self.book();
        book.check(about, &operators, nanny)?;
        book.lists.retain(|list| Arc::strong_count(list) > 1);
        let list = match book.lists.iter().find(|list| ***list == operators) {
            Some(list) => list.clone(),
            None => {
                let list = Arc::new(operators);
                book.lists.push(list.clone());
                list
            }
        };
        let seat = Seat { worker, host: about.host.clone(), nanny, operators: list, lost: false };
        Ok(book.seats.insert(about.name.clone(), seat).map(|old| old.worker))
    }

    /// Whether the worker of this name can be heard; another worker that has the name now is not touched.
    pub fn set_lost(&self, name: &str, worker: WorkerId, lost: bool) {
        if let Some(seat) = self.book().seats.get_mut(name).filter(|seat| seat.worker == worker) {
            seat.lost = lost;
        }
    }

    /// The name is free, unless another worker has it now.
    pub fn leave(&self, name: &str, worker: WorkerId) {
        let mut book = self.book();
        if book.seats.get(name).is_some_and(|seat| seat.worker == worker) {
            book.seats.remove(name);
        }
    }

    /// From now on a graph of these layers may be given to workers.
    pub fn need(&self, client: ClientId, name: &str, layers: &[Arc<Layer>]) -> Result<(), Failure> {
        let needs = needs_of(client, layers);
        let mut book = self.book();
        // What is needed already everybody knows who is seated.
        for (need, layer) in needs.iter().filter(|(need, _)| !book.needs.contains_key(*need)) {
            let lacking = |(name, seat): &(&String, &Seat)| need.concerns(name, &seat.host) && !seat.operators.contains(&*need.operator);
            // Also one that cannot be heard at the moment: it would have the operators to lack when it comes back.
            if let Some((worker, _)) = book.seats.iter().find(lacking) {
                return Err(need.refusal(worker, name, layer));
            }
        }
        for (need, layer) in needs {
            book.needs.entry(need).or_insert_with(|| Use { layer, client: name.to_owned(), graphs: 0 }).graphs += 1;
        }
        Ok(())
    }

    /// The graph of these layers is no longer wanted.
    pub fn no_longer(&self, client: ClientId, layers: &[Arc<Layer>]) {
        let mut book = self.book();
        for (need, _) in needs_of(client, layers) {
            let known = book.needs.get_mut(&need).expect("entered when the graph came");
            known.graphs -= 1;
            if known.graphs == 0 {
                book.needs.remove(&need);
            }
        }
    }
}

/// Each operator once for each set of workers, with the first layer that has it.
fn needs_of(client: ClientId, layers: &[Arc<Layer>]) -> BTreeMap<Need, Arc<str>> {
    let mut needs = BTreeMap::new();
    for layer in layers {
        let workers = layer.annotations.as_ref().map(|wishes| wishes.workers.clone()).unwrap_or_default();
        for step in &layer.kernel.steps {
            let need = Need { operator: step.op.payload.name.clone(), workers: workers.clone(), client };
            needs.entry(need).or_insert_with(|| layer.name.clone());
        }
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::{Annotations, Chunk, OpRef, Plain};

    fn layer(operator: &str, only: &[&str]) -> Arc<Layer> {
        let op = OpRef::closure(operator, 1, |_, _| Ok(Chunk::new(Plain(1i64))));
        let mut layer = Layer::single("numbers", 1, op, vec![]);
        let workers = only.iter().map(|name| name.to_string()).collect();
        layer.annotations = Some(Arc::new(Annotations { workers, ..Annotations::default() }));
        Arc::new(layer)
    }

    fn sit(roster: &Roster, id: u32, name: &str, operators: &[&str], nanny: Option<u128>) -> Result<Option<WorkerId>, Failure> {
        roster.sit(WorkerId(id), &About::plain(name, 1), operators.iter().map(|o| o.to_string()).collect(), nanny)
    }

    #[test]
    fn a_name_belongs_to_one_worker_until_it_is_reborn() {
        let roster = Roster::default();
        assert_eq!(sit(&roster, 1, "a", &[], None).expect("free"), None);
        assert_eq!(sit(&roster, 2, "a", &[], None).expect_err("taken").code, Code::DuplicateName);
        roster.set_lost("a", WorkerId(1), true);
        assert_eq!(sit(&roster, 3, "a", &[], Some(7)).expect("reborn"), Some(WorkerId(1)));
        roster.leave("a", WorkerId(1));
        assert_eq!(sit(&roster, 4, "a", &[], Some(8)).expect_err("the first one's end is none of it").code, Code::DuplicateName);
        assert_eq!(sit(&roster, 5, "a", &[], Some(7)).expect("of the same nanny"), Some(WorkerId(3)));
        roster.leave("a", WorkerId(5));
        assert_eq!(sit(&roster, 6, "a", &[], None).expect("free again"), None);
    }

    #[test]
    fn whoever_comes_second_is_refused() {
        let roster = Roster::default();
        sit(&roster, 1, "a", &["x"], None).expect("nothing is needed yet");
        let ann = ClientId(1);
        roster.need(ann, "ann", &[layer("x", &[])]).expect("known");
        roster.need(ann, "ann", &[layer("x", &[]), layer("x", &[])]).expect("known");
        let refused = roster.need(ann, "ann", &[layer("x", &[]), layer("y", &[])]).expect_err("unknown to a");
        assert_eq!(refused.code, Code::UnknownOperator);
        assert!(refused.what.contains("`a`") && refused.what.contains("`y`") && refused.what.contains("`ann`"), "{refused}");
        assert_eq!(sit(&roster, 2, "b", &["y"], None).expect_err("x is needed").code, Code::UnknownOperator);
        roster.no_longer(ann, &[layer("x", &[])]);
        assert_eq!(sit(&roster, 2, "b", &["y"], None).expect_err("x is needed by the second").code, Code::UnknownOperator);
        roster.no_longer(ann, &[layer("x", &[]), layer("x", &[])]);
        sit(&roster, 2, "b", &["y"], None).expect("x is not needed any more");
    }

    #[test]
    fn only_those_who_may_run_it_must_know_it() {
        let roster = Roster::default();
        sit(&roster, 1, "a", &["x"], None).expect("free");
        roster.need(ClientId(1), "ann", &[layer("y", &["b"])]).expect("a will not get it");
        assert_eq!(sit(&roster, 2, "b", &["x"], None).expect_err("b will").code, Code::UnknownOperator);
        sit(&roster, 3, "c", &["x"], None).expect("c will not");
    }
}
