//! What is to be said to one client after a round, in as few messages as may be.
//!
//! It refuses to know links and runs. Invariants: what is said of one run keeps its order; news of single keys of a run stand
//! together, however many other things are said between them; no message is much larger than [`PORTION`].

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::message::{KeyNews, SchedulerToClient};
use crate::wire;

/// About how many bytes are one message.
const PORTION: usize = 4 << 20;
/// So many keys, or bytes of values, of one run stand together; more are another item.
const TOGETHER: (usize, usize) = (64 << 10, 1 << 20);

/// What waits to be said to one client.
#[derive(Default)]
pub(super) struct Outbox {
    said: Vec<SchedulerToClient>,
    /// Where news of keys may be added, by the client's numbers of its runs.
    open: BTreeMap<u64, Open>,
}

/// News of keys that may be added to: their place, and how many keys and bytes they are.
struct Open {
    place: usize,
    keys: usize,
    bytes: usize,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Says something that is not about single keys.
    pub fn say(&mut self, what: SchedulerToClient) {
        match &what {
            // News of keys that come after the end of their run are not said before it.
            SchedulerToClient::Done(run) | SchedulerToClient::Failed(run, _) | SchedulerToClient::Keys(run, _) => {
                self.open.remove(run);
            }
            SchedulerToClient::Note(..)
            | SchedulerToClient::Progress(..)
            | SchedulerToClient::Answer { .. }
            | SchedulerToClient::Delivered { .. }
            | SchedulerToClient::Closing(_) => {}
        }
        self.said.push(what);
    }

    /// News of so many keys of a run, with values of so many bytes, are to be added to these.
    pub fn news(&mut self, run: u64, keys: usize, bytes: usize) -> &mut KeyNews {
        if self.open.get(&run).is_some_and(|open| open.keys >= TOGETHER.0 || open.bytes >= TOGETHER.1) {
            self.open.remove(&run);
        }
        let said = &mut self.said;
        let open = self.open.entry(run).or_insert_with(|| {
            said.push(SchedulerToClient::Keys(run, KeyNews::default()));
            Open { place: said.len() - 1, keys: 0, bytes: 0 }
        });
        (open.keys, open.bytes) = (open.keys + keys, open.bytes + bytes);
        match &mut said[open.place] {
            SchedulerToClient::Keys(_, news) => news,
            other => unreachable!("news of keys stand where they were begun, not {other:?}"),
        }
    }

    /// All of it as messages, in order.
    pub fn take(&mut self) -> Vec<Bytes> {
        let said = std::mem::take(&mut self.said);
        self.open.clear();
        let (mut messages, mut rest) = (Vec::new(), &said[..]);
        while !rest.is_empty() {
            let (bytes, count) = wire::encode_told_some(rest, PORTION);
            messages.push(bytes);
            rest = &rest[count..];
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::{Key, LayerId};

    fn key(index: u32) -> Key {
        Key::new(LayerId(1), index)
    }

    fn told(outbox: &mut Outbox) -> (usize, Vec<SchedulerToClient>) {
        let messages = outbox.take();
        assert!(outbox.is_empty());
        let count = messages.len();
        (count, messages.into_iter().flat_map(|bytes| wire::decode_told(bytes).expect("encoded well")).collect())
    }

    fn done(keys: &[u32]) -> KeyNews {
        KeyNews { done: keys.iter().copied().map(key).collect(), ..KeyNews::default() }
    }

    #[test]
    fn news_of_a_run_stand_together_until_its_end() {
        let mut outbox = Outbox::default();
        for (run, index) in [(1, 0), (2, 5), (1, 1), (2, 6)] {
            outbox.news(run, 1, 0).done.push(key(index));
        }
        outbox.say(SchedulerToClient::Done(1));
        outbox.news(1, 1, 0).done.push(key(0));
        outbox.news(2, 1, 0).done.push(key(7));
        let expected = [
            SchedulerToClient::Keys(1, done(&[0, 1])),
            SchedulerToClient::Keys(2, done(&[5, 6, 7])),
            SchedulerToClient::Done(1),
            SchedulerToClient::Keys(1, done(&[0])),
        ];
        assert_eq!(told(&mut outbox), (1, expected.into()));
        assert_eq!(told(&mut outbox), (0, vec![]));
    }

    #[test]
    fn a_hundred_thousand_keys_are_few_messages_and_much_is_several() {
        let mut outbox = Outbox::default();
        for index in 0..100_000 {
            outbox.news(1, 1, 0).done.push(key(index));
        }
        let (messages, items) = told(&mut outbox);
        assert_eq!((messages, items.len()), (1, 2));
        for index in 0..3_000 {
            outbox.news(1, 1, 4096).values.push((key(index), Bytes::from(vec![7; 4096])));
        }
        let (messages, items) = told(&mut outbox);
        assert!((3..6).contains(&messages) && items.len() > 10, "{messages} messages, {} items", items.len());
        let values = |item: &SchedulerToClient| if let SchedulerToClient::Keys(1, news) = item { news.values.len() } else { 0 };
        assert_eq!(items.iter().map(values).sum::<usize>(), 3_000);
    }
}
