//! Who has which name, and which operators must be known: what is compared when a worker joins and when a graph comes.
//!
//! It refuses to know links and machines. Invariants: a name belongs to one worker; every seated worker knows every operator
//! that a live graph may give it, because whoever comes second, graph or worker, is the one that is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::protocol::{About, RunId, WorkerId};
use partita_graph::{Code, Failure, Layer};

/// An operator that a live graph uses, and who may have to run it.
struct Need {
    operator: Arc<str>,
    layer: Arc<str>,
    /// Names or hosts; empty for all.
    workers: Vec<String>,
    /// Whose graph.
    client: String,
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
    needs: BTreeMap<RunId, Vec<Need>>,
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

    fn refusal(&self, worker: &str) -> Failure {
        let what =
            format!("worker `{worker}` does not know the operator `{}` that a graph of client `{}` uses", self.operator, self.client);
        Failure::new(Code::UnknownOperator, what).detail("layer", &*self.layer).help(
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
        let lacking = |need: &&Need| need.concerns(&about.name, &about.host) && !operators.contains(&*need.operator);
        match self.needs.values().flatten().find(lacking) {
            Some(need) => Err(need.refusal(&about.name)),
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

    /// From now on these layers may be given to workers.
    pub fn need(&self, run: RunId, client: &str, layers: &[Arc<Layer>]) -> Result<(), Failure> {
        let needs = needs_of(client, layers);
        let mut book = self.book();
        for need in &needs {
            let lacking = |(name, seat): &(&String, &Seat)| need.concerns(name, &seat.host) && !seat.operators.contains(&*need.operator);
            // Also one that cannot be heard at the moment: it would have the operators to lack when it comes back.
            if let Some((name, _)) = book.seats.iter().find(lacking) {
                return Err(need.refusal(name));
            }
        }
        book.needs.insert(run, needs);
        Ok(())
    }

    /// The run is over.
    pub fn no_longer(&self, run: RunId) {
        self.book().needs.remove(&run);
    }
}

/// Each operator once for each set of workers.
fn needs_of(client: &str, layers: &[Arc<Layer>]) -> Vec<Need> {
    let mut seen: BTreeSet<(Arc<str>, Vec<String>)> = BTreeSet::new();
    let mut needs = Vec::new();
    for layer in layers {
        let workers = layer.annotations.as_ref().map(|wishes| wishes.workers.clone()).unwrap_or_default();
        for step in &layer.kernel.steps {
            let operator = step.op.payload.name.clone();
            if seen.insert((operator.clone(), workers.clone())) {
                needs.push(Need { operator, layer: layer.name.clone(), workers: workers.clone(), client: client.to_owned() });
            }
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
        roster.need(RunId(1), "ann", &[layer("x", &[])]).expect("known");
        let refused = roster.need(RunId(2), "ann", &[layer("y", &[])]).expect_err("unknown to a");
        assert_eq!(refused.code, Code::UnknownOperator);
        assert!(refused.what.contains("`a`") && refused.what.contains("`y`") && refused.what.contains("`ann`"), "{refused}");
        assert_eq!(sit(&roster, 2, "b", &["y"], None).expect_err("x is needed").code, Code::UnknownOperator);
        roster.no_longer(RunId(1));
        sit(&roster, 2, "b", &["y"], None).expect("x is not needed any more");
    }

    #[test]
    fn only_those_who_may_run_it_must_know_it() {
        let roster = Roster::default();
        sit(&roster, 1, "a", &["x"], None).expect("free");
        roster.need(RunId(1), "ann", &[layer("y", &["b"])]).expect("a will not get it");
        assert_eq!(sit(&roster, 2, "b", &["x"], None).expect_err("b will").code, Code::UnknownOperator);
        sit(&roster, 3, "c", &["x"], None).expect("c will not");
    }
}
