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
use partita_local::Packed;

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

/// What one round of reading gave.
#[derive(Default)]
struct Round {
    chunks: Vec<(Key, Chunk)>,
    failed: Vec<Key>,
    last: Option<Failure>,
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
        let mut chunks: HashMap<Key, Chunk> = HashMap::with_capacity(keys.len());
        let mut until = Instant::now() + self.options.patience;
        let mut pause = PAUSES.0;
        let mut known = shared.places();
        loop {
            let dones = shared.dones();
            let places = match known.take() {
                Some(places) => places,
                None => self.locate(shared)?,
            };
            let left: Vec<Key> = keys.iter().copied().filter(|key| !chunks.contains_key(key)).collect();
            let (mut there, lost): (Vec<Key>, Vec<Key>) = left.into_iter().partition(|key| places.holder(*key, 0).is_some());
            let mut last = None;
            for turn in 0.. {
                if there.is_empty() {
                    break;
                }
                let round = self.fetch_from(&places, turn, &there)?;
                chunks.extend(round.chunks);
                last = round.last.or(last);
                there = round.failed.into_iter().filter(|key| places.holder(*key, turn + 1).is_some()).collect();
            }
            if keys.iter().all(|key| chunks.contains_key(key)) {
                return Ok(keys.iter().map(|key| chunks[key].clone()).collect());
            }
            if !lost.is_empty() {
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

    fn locate(&self, shared: &Shared) -> Result<Arc<Places>, Failure> {
        let (done, answer) = mpsc::channel();
        self.ask_then(Question::Locate { run: shared.number }, Box::new(move |answered| drop(done.send(answered))));
        match answer.recv().map_err(|_| Failure::internal("a question was dropped without an answer"))?? {
            Answer::Located(located) => {
                let places = Arc::new(Places::of(located));
                shared.set_places(places.clone());
                Ok(places)
            }
            other => Err(Failure::internal(format!("the scheduler answered something else than was asked: {other:?}"))),
        }
    }

    /// Asks for each chunk one of its holders; all that one worker has in one request.
    fn fetch_from(&self, places: &Places, turn: usize, keys: &[Key]) -> Result<Round, Failure> {
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
                Ok(packed) => round.chunks.push((key, packed.open(&self.registry)?)),
                Err(FetchError::NotEncodable(failure) | FetchError::Decode(failure)) => return Err(failure.detail("worker", at)),
                Err(FetchError::Gone(failure)) => {
                    round.last = Some(failure.detail("worker", at));
                    round.failed.push(key);
                }
                Err(FetchError::Missing | FetchError::Busy) => round.failed.push(key),
            }
        }
        Ok(round)
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
