//! Results that are too large to come with the answer: they are read from the workers that hold them.
//!
//! It refuses to give up early: a holder that cannot be reached is one of several, a chunk that moved is looked up again, a
//! chunk that was lost is made again by the cluster and waited for. Invariants: a value that cannot be encoded or decoded is an
//! error at once, because it will not get better; a chunk that some worker should have and nobody hands out is an error when
//! the patience of the options is over.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use partita_core::protocol::{Piece, WorkerId};
use partita_graph::{Chunk, Code, Failure, Key};
use partita_local::{Ends, Packed};

use super::remote::Inner;
use super::run::Shared;
use crate::flight::FetchError;
use crate::message::{Answer, Located, PeerAddress, Question};

/// The shortest and the longest pause before a chunk is looked up again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Where a run's results are, as the scheduler said last.
pub(super) struct Places {
    holders: HashMap<Key, Vec<WorkerId>>,
    peers: BTreeMap<WorkerId, PeerAddress>,
}

/// What was read, or why not: values that cannot be encoded or decoded stay so.
type Read = HashMap<Key, Result<Chunk, Failure>>;

/// What asking one holder of each chunk did not give.
#[derive(Default)]
struct Round {
    failed: Vec<Key>,
    last: Option<Failure>,
    /// It was broken off, because one value is of no use.
    broken_off: bool,
}

impl Places {
    fn of(located: Located) -> Self {
        let holders = located.chunks.into_iter().map(|(key, _, holders)| (key, holders)).collect();
        Self { holders, peers: located.peers.into_iter().collect() }
    }

    /// Holder number `turn` of this chunk.
    fn holder(&self, key: Key, turn: usize) -> Option<&PeerAddress> {
        self.peers.get(self.holders.get(&key)?.get(turn)?)
    }
}

impl Inner {
    /// The chunks of these keys, in order. Blocks.
    pub fn bring(&self, shared: &Shared, keys: &[Key]) -> Result<Vec<Chunk>, Failure> {
        let mut read = Read::with_capacity(keys.len());
        let mut until = Instant::now() + self.options.patience;
        let mut pause = PAUSES.0;
        let mut known = shared.places();
        loop {
            let dones = shared.dones();
            let places = match known.take() {
                Some(places) => places,
                None => self.locate(shared)?,
            };
            let left = keys.iter().copied().filter(|key| !read.contains_key(key)).collect();
            let (lost, last) = self.read_from(&places, left, &mut read, true);
            if let Some(failure) = read.values().find_map(|read| read.as_ref().err()) {
                return Err(failure.clone());
            }
            if keys.iter().all(|key| read.contains_key(key)) {
                return keys.iter().map(|key| read[key].clone()).collect();
            }
            if lost {
                // The cluster makes it again, and says so; that takes as long as it takes, so the patience starts anew.
                shared.wait_for_another_done(dones, Instant::now() + PAUSES.1)?;
                until = Instant::now() + self.options.patience;
            } else if Instant::now() >= until {
                return Err(unreachable(last, self.options.patience));
            } else {
                shared.wait_for_another_done(dones, Instant::now() + pause)?;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }

    /// The chunks of these keys, which have ended well, each by itself; the numbers are their places among those that are wanted.
    /// Blocks.
    pub fn bring_each(&self, shared: &Shared, ends: &Ends, keys: HashMap<Key, usize>) -> Read {
        let mut read = Read::with_capacity(keys.len());
        let mut until = Instant::now() + self.options.patience;
        let mut pause = PAUSES.0;
        loop {
            let dones = shared.dones();
            // Meanwhile somebody may have forgotten one, or it was lost and cannot be made again.
            for (key, at) in keys.iter().filter(|(key, _)| !read.contains_key(*key)).collect::<Vec<_>>() {
                if let Some(Err(failure)) = ends.outcome(*at) {
                    read.insert(*key, Err(failure));
                }
            }
            let left: Vec<Key> = keys.keys().copied().filter(|key| !read.contains_key(key)).collect();
            if left.is_empty() {
                return read;
            }
            let end_all = |failure: Failure, mut read: Read| {
                for key in keys.keys() {
                    read.entry(*key).or_insert_with(|| Err(failure.clone()));
                }
                read
            };
            let places = match self.ask_places(Question::LocateKeys(left.clone())) {
                Ok(places) => places,
                Err(failure) => return end_all(failure, read),
            };
            let (lost, last) = self.read_from(&places, left, &mut read, false);
            if keys.keys().all(|key| read.contains_key(key)) {
                return read;
            }
            let moment = if lost { PAUSES.1 } else { pause };
            if lost {
                until = Instant::now() + self.options.patience;
            } else if Instant::now() >= until {
                return end_all(unreachable(last, self.options.patience), read);
            } else {
                pause = (pause * 2).min(PAUSES.1);
            }
            if let Err(failure) = shared.wait_for_another_done(dones, Instant::now() + moment) {
                return end_all(failure, read);
            }
        }
    }

    /// Reads what can be read, from one holder after the other. Whether some chunk has no holder, and what a holder that cannot be
    /// reached said last. With `whole` the first value that is of no use ends it.
    fn read_from(&self, places: &Places, left: Vec<Key>, read: &mut Read, whole: bool) -> (bool, Option<Failure>) {
        let (mut there, lost): (Vec<Key>, Vec<Key>) = left.into_iter().partition(|key| places.holder(*key, 0).is_some());
        let mut last = None;
        for turn in 0.. {
            if there.is_empty() {
                break;
            }
            let round = self.fetch_from(places, turn, &there, read, whole);
            if round.broken_off {
                break;
            }
            last = round.last.or(last);
            there = round.failed.into_iter().filter(|key| places.holder(*key, turn + 1).is_some()).collect();
        }
        (!lost.is_empty(), last)
    }

    fn locate(&self, shared: &Shared) -> Result<Arc<Places>, Failure> {
        let places = Arc::new(self.ask_places(Question::Locate { run: shared.number })?);
        shared.set_places(places.clone());
        Ok(places)
    }

    fn ask_places(&self, what: Question) -> Result<Places, Failure> {
        let (done, answer) = mpsc::channel();
        self.ask_then(what, Box::new(move |answered| drop(done.send(answered))));
        match answer.recv().map_err(|_| Failure::internal("a question was dropped without an answer"))?? {
            Answer::Located(located) => Ok(Places::of(located)),
            other => Err(Failure::internal(format!("the scheduler answered something else than was asked: {other:?}"))),
        }
    }

    /// Asks for each chunk one of its holders; all that one worker has in one request.
    fn fetch_from(&self, places: &Places, turn: usize, keys: &[Key], read: &mut Read, whole: bool) -> Round {
        let mut requests: BTreeMap<PeerAddress, Vec<Piece>> = BTreeMap::new();
        for key in keys {
            if let Some(holder) = places.holder(*key, turn) {
                requests.entry(holder.clone()).or_default().push((*key, None));
            }
        }
        let (done, brought) = mpsc::channel();
        for (holder, pieces) in requests {
            let (peers, done) = (self.peers.clone(), done.clone());
            self.runtime.spawn(async move {
                let mut each = |(key, _): Piece, packed: Result<Packed, FetchError>| {
                    // Nobody listens when an earlier chunk could not be decoded.
                    let _ = done.send((key, holder.clone(), packed));
                };
                peers.fetch_each(&holder, &pieces, &mut each).await;
            });
        }
        drop(done);
        let mut round = Round::default();
        for (key, holder, packed) in brought {
            let at = crate::address::place(&holder.host, holder.port);
            match packed {
                // Decoded here, so that large frames do not hold up what else is heard.
                Ok(packed) => drop(read.insert(key, packed.open(&self.registry))),
                Err(FetchError::NotEncodable(failure) | FetchError::Decode(failure)) => {
                    read.insert(key, Err(failure.detail("worker", at)));
                }
                Err(FetchError::Gone(failure)) => {
                    round.last = Some(failure.detail("worker", at));
                    round.failed.push(key);
                }
                Err(FetchError::Missing | FetchError::Busy) => round.failed.push(key),
            }
            if whole && matches!(read.get(&key), Some(Err(_))) {
                round.broken_off = true;
                break;
            }
        }
        round
    }
}

fn unreachable(last: Option<Failure>, patience: Duration) -> Failure {
    let failure = Failure::new(Code::Unreachable, format!("a result could not be read from the workers that hold it within {patience:?}"))
        .help("this program must reach the workers' data ports: open them in the firewall, or set --host of the workers");
    match last {
        Some(cause) => failure.cause(cause),
        None => failure,
    }
}
