//! What a script may wait for and what it may demand.

use std::collections::BTreeSet;

use partita_core::protocol::RunId;
use partita_graph::Key;

use super::{Player, number, run_id};

impl Player {
    /// `r1 ended`, `x#0 of r1 ended`, `x#0 runs`, `3 of x wait`, `x#0 stored`, `3 of x stored`, `3 of x ran`, `ada gone`, `nothing moves`
    pub(super) fn holds(&self, words: &[&str]) -> Result<bool, String> {
        match *words {
            [run, "ended"] => Ok(self.cluster.runs.get(&run_id(run)?).is_none_or(|state| state.left || state.outcome.is_some())),
            [keys, "of", run, "ended"] => {
                let state = self.cluster.runs.get(&run_id(run)?).ok_or("it was not submitted")?;
                Ok(self.layers.keys(keys)?.iter().all(|key| state.has_ended(key)))
            }
            [name, "gone"] => Ok(!self.cluster.names.contains_key(&self.id(name)?)),
            ["nothing", "runs"] => Ok(self.cluster.nodes.values().all(|node| node.running.is_empty())),
            [key, "runs"] => {
                let keys = self.layers.keys(key)?;
                let mut nodes = self.cluster.nodes.values().filter(|node| !node.doomed);
                Ok(nodes.any(|node| node.running.keys().any(|(key, _)| keys.contains(key))))
            }
            [key, "runs", "at", name] => {
                let keys = self.layers.keys(key)?;
                let node = self.cluster.nodes.get(&self.id(name)?);
                Ok(node.is_some_and(|node| node.running.keys().any(|(key, _)| keys.contains(key))))
            }
            [key, "stored"] => Ok(self.layers.keys(key)?.iter().all(|key| !self.cluster.scheduler.holders(*key).is_empty())),
            [count, "of", keys, "stored"] => {
                let stored = self.layers.keys(keys)?.iter().filter(|key| !self.cluster.scheduler.holders(**key).is_empty()).count();
                Ok(stored as u64 >= number(Some(count))?)
            }
            [count, "of", keys, "wait"] => {
                let keys = self.layers.keys(keys)?;
                let waiting = self.cluster.nodes.values().flat_map(|node| &node.waiting);
                Ok(waiting.filter(|(key, _)| keys.contains(key)).count() as u64 >= number(Some(count))?)
            }
            [count, "of", keys, "ran"] => Ok(self.ran(keys, None)? >= number(Some(count))?),
            ["nothing", "moves"] => Ok(self.cluster.idle()),
            ["nothing", "wanted"] => Ok(self.cluster.scheduler.snapshot().layers.is_empty()),
            _ => Err("it cannot be waited for".into()),
        }
    }

    /// How often the tasks ran: on that worker, or on all.
    fn ran(&self, keys: &str, name: Option<&str>) -> Result<u64, String> {
        let keys = self.layers.keys(keys)?;
        let worker = name.map(|name| self.id(name)).transpose()?;
        let counted = |(key, at): &&(Key, _)| keys.contains(key) && worker.is_none_or(|worker| worker == *at);
        Ok(self.cluster.starts.iter().filter(counted).count() as u64)
    }

    pub(super) fn expect(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            [run, "done"] => {
                self.until(&[run, "ended"])?;
                match &self.cluster.runs[&run_id(run)?].outcome {
                    Some(Ok(_)) => Ok(()),
                    Some(Err(failure)) => Err(format!("it failed: {failure}")),
                    None => Err("nobody waits for it any more".into()),
                }
            }
            [run, "fails", code, ref rest @ ..] => self.fails(run, code, &rest.join(" ")),
            [keys, "of", run, "done"] => self.keys_done(keys, run),
            [keys, "of", run, "fails", code, ref rest @ ..] => self.keys_fail(keys, run, code, &rest.join(" ")),
            // It ends well or badly.
            [run, "settles"] => {
                self.until(&[run, "ended"])?;
                self.settled.insert(run_id(run)?);
                Ok(())
            }
            [run, "notes", ref rest @ ..] => {
                let (notes, text) = (&self.cluster.runs[&run_id(run)?].notes, rest.join(" "));
                kept(notes.iter().any(|note| note.contains(&text)), || format!("its notes are {notes:?}"))
            }
            ["steals", ref rest @ ..] => within(self.cluster.counts.steals, rest),
            ["copies", ref rest @ ..] => within(self.cluster.counts.copies, rest),
            ["values", ref rest @ ..] => within(self.cluster.counts.values, rest),
            ["spills", ref rest @ ..] => within(self.cluster.counts.spills, rest),
            ["not", ref rest @ ..] => kept(!self.holds(rest)?, || "it is so".into()),
            _ => self.expect_of_tasks(words),
        }
    }

    fn expect_of_tasks(&self, words: &[&str]) -> Result<(), String> {
        match *words {
            [keys, "ran", "at", name, ref rest @ ..] if name != "most" && name != "least" => within(self.ran(keys, Some(name))?, rest),
            [keys, "ran", ref rest @ ..] => within(self.ran(keys, None)?, rest),
            [keys, "served", "at", name, ref rest @ ..] => {
                let (keys, worker) = (self.layers.keys(keys)?, self.id(name)?);
                within(self.cluster.served.iter().filter(|(key, from)| keys.contains(key) && *from == worker).count() as u64, rest)
            }
            [keys, "served", "by", ref rest @ ..] => {
                let keys = self.layers.keys(keys)?;
                let servers = self.cluster.served.iter().filter(|(key, _)| keys.contains(key)).map(|(_, from)| *from);
                within(servers.collect::<BTreeSet<_>>().len() as u64, rest)
            }
            [keys, "stored", "at", ref names @ ..] => self.stored_at(keys, names),
            [name, "holds", ref rest @ .., "of", keys] => {
                let (worker, keys) = (self.id(name)?, self.layers.keys(keys)?);
                let held = keys.iter().filter(|key| self.cluster.scheduler.holders(**key).contains(&worker)).count();
                within(held as u64, rest)
            }
            [first, "before", second] => self.before(first, second),
            [name, "has", ref rest @ ..] => {
                let (worker, seen) = (self.id(name)?, self.cluster.scheduler.snapshot());
                let assigned = seen.workers.iter().find(|view| view.id == worker).map_or(0, |view| view.assigned);
                within(u64::from(assigned), rest)
            }
            ["most", most, "of", keys, "at", "a", "time"] => {
                let found = self.cluster.most_at_a_time(&self.layers.keys(keys)?);
                within(found as u64, &[most])
            }
            _ => kept(self.holds(words)?, || "it is not so".into()),
        }
    }

    fn fails(&mut self, run: &str, code: &str, text: &str) -> Result<(), String> {
        self.until(&[run, "ended"])?;
        let id = run_id(run)?;
        self.settled.insert(id);
        match &self.cluster.runs[&id].outcome {
            Some(Err(failure)) if failure.code.to_string() == code && self.layers.named(&failure.to_string()).contains(text) => Ok(()),
            Some(Err(failure)) => Err(format!("it failed in another way: {failure}")),
            _ => Err("it did not fail".into()),
        }
    }

    /// Waits until these keys of a run have ended.
    fn ended(&mut self, keys: &str, run: &str) -> Result<(RunId, Vec<Key>), String> {
        self.until(&[keys, "of", run, "ended"])?;
        Ok((run_id(run)?, self.layers.keys(keys)?))
    }

    fn keys_done(&mut self, keys: &str, run: &str) -> Result<(), String> {
        let (run, keys) = self.ended(keys, run)?;
        for key in keys {
            match self.cluster.runs[&run].ends.get(&key) {
                Some(Ok(_)) => {}
                Some(Err(failure)) => return Err(format!("{key:?} failed: {failure}")),
                None => return Err(format!("{key:?} has no end")),
            }
        }
        Ok(())
    }

    fn keys_fail(&mut self, keys: &str, run: &str, code: &str, text: &str) -> Result<(), String> {
        let (run, keys) = self.ended(keys, run)?;
        for key in keys {
            match self.cluster.runs[&run].ends.get(&key) {
                Some(Err(failure)) if failure.code.to_string() == code && self.layers.named(&failure.to_string()).contains(text) => {}
                Some(Err(failure)) => return Err(format!("{key:?} failed in another way: {failure}")),
                _ => return Err(format!("{key:?} did not fail")),
            }
            self.settled_keys.insert((run, key));
        }
        Ok(())
    }

    fn stored_at(&self, keys: &str, names: &[&str]) -> Result<(), String> {
        let expected = names.iter().map(|name| self.id(name)).collect::<Result<BTreeSet<_>, _>>()?;
        for key in self.layers.keys(keys)? {
            let found: BTreeSet<_> = self.cluster.scheduler.holders(key).into_iter().collect();
            if found != expected {
                return Err(format!("{key:?} is stored at {found:?}"));
            }
        }
        Ok(())
    }

    /// The first task began before the second did.
    fn before(&self, first: &str, second: &str) -> Result<(), String> {
        let (one, two) = (self.layers.key(first)?, self.layers.key(second)?);
        let at = |key: Key| self.cluster.starts.iter().position(|(started, _)| *started == key);
        match (at(one), at(two)) {
            (Some(first), Some(second)) if first < second => Ok(()),
            (Some(_), None) => Ok(()),
            found => Err(format!("they began in the order {found:?}")),
        }
    }
}

/// `5`, `at most 5`, `at least 5`, `between 3 and 29`
fn within(found: u64, words: &[&str]) -> Result<(), String> {
    let (least, most) = match *words {
        ["at", "most", most] => (0, number(Some(most))?),
        ["at", "least", least] => (number(Some(least))?, u64::MAX),
        ["between", least, "and", most] => (number(Some(least))?, number(Some(most))?),
        [exactly] => (number(Some(exactly))?, number(Some(exactly))?),
        _ => return Err("how many?".into()),
    };
    if (least..=most).contains(&found) { Ok(()) } else { Err(format!("it is {found}")) }
}

fn kept(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
