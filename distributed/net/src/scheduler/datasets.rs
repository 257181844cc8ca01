//! Published results: runs that belong to nobody and outlive whoever asked for them.
//!
//! It refuses to know what the results are: what a client needs to use them is opaque. Invariant: a published name has a run
//! of its own, so the publisher's handle may be dropped.

use std::sync::Arc;

use partita_core::protocol::{ClientId, Ending, RunId, SchedulerEvent};
use partita_graph::{Code, Failure};

use super::owner::Owner;
use crate::message::Answer;
use crate::wire;

/// Bytes of what a client may attach to a name.
const MOST_META: usize = 16 << 20;

/// One published name.
pub(super) struct Dataset {
    pub run: RunId,
    meta: Arc<[u8]>,
}

impl Owner {
    pub fn publish(&mut self, name: String, run: RunId, meta: Vec<u8>) -> Result<Answer, Failure> {
        if self.datasets.contains_key(&name) {
            let what = format!("a dataset called `{name}` is published already");
            return Err(Failure::new(Code::DuplicateName, what).help("choose another name, or unpublish it first"));
        }
        if meta.len() > MOST_META {
            return Err(Failure::new(Code::TooLarge, format!("a dataset's description has {} bytes, at most {MOST_META}", meta.len())));
        }
        let book = self.runs.get(&run).expect("looked up before");
        let (own, graph) = self.open_run(ClientId(0), 0, "of a published dataset", book.graph())?;
        self.datasets.insert(name, Dataset { run: own, meta: meta.into() });
        self.event(SchedulerEvent::Submit { run: own, client: ClientId(0), graph, ending: Ending::Together });
        Ok(Answer::Done)
    }

    pub fn unpublish(&mut self, name: &str) -> Result<Answer, Failure> {
        let dataset = self.datasets.remove(name).ok_or_else(|| self.no_dataset(name))?;
        self.event(SchedulerEvent::Release(dataset.run));
        self.close_run(dataset.run);
        Ok(Answer::Done)
    }

    pub fn dataset(&self, name: &str) -> Result<Answer, Failure> {
        let dataset = self.datasets.get(name).ok_or_else(|| self.no_dataset(name))?;
        let book = self.runs.get(&dataset.run).expect("a dataset has a run");
        let graph = wire::encode_graph(&book.graph())?;
        Ok(Answer::Dataset { meta: dataset.meta.to_vec(), graph, located: self.locate(book.keys()) })
    }

    fn no_dataset(&self, name: &str) -> Failure {
        let known: Vec<&str> = self.datasets.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::new(Code::InvalidOption, format!("no dataset called `{name}` is published")).detail("published", known)
    }
}
