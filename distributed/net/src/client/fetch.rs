//! Results that are too large to come with the answer: they are read from the workers that hold them.
//!
//! It refuses to give up early: a holder that cannot be reached is one of several, a chunk that moved is looked up again, a
//! chunk that was lost is made again by the cluster and waited for. Invariants: a value that arrives but cannot be decoded is
//! an error at once, because it will not get better; a holder that is named but never reached is an error when the patience
//! of the options is over.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use partita_core::protocol::WorkerId;
use partita_graph::{Chunk, Code, Encoded, Failure, Key};
use tokio::sync::Semaphore;

use super::remote::Inner;
use super::run::Shared;
use crate::message::{Answer, Located, PeerAddress, Question};
use crate::security::Security;

/// Chunks that one call reads at a time.
const AT_A_TIME: usize = 8;
/// The longest pause before a chunk is looked up again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where a run's results are, as the scheduler said last.
pub(super) struct Places {
    holders: HashMap<Key, Vec<WorkerId>>,
    peers: BTreeMap<WorkerId, PeerAddress>,
}

impl Places {
    fn of(located: Located) -> Self {
        let holders = located.chunks.into_iter().map(|(key, _, holders)| (key, holders)).collect();
        Self { holders, peers: located.peers.into_iter().collect() }
    }

    fn of_key(&self, key: Key) -> Vec<PeerAddress> {
        let holders = self.holders.get(&key).into_iter().flatten();
        holders.filter_map(|holder| self.peers.get(holder).cloned()).collect()
    }
}

/// One chunk's answer: as bytes with its kind, or why no holder gave it.
type Brought = (Key, Result<(String, Encoded), Failure>);

impl Inner {
    /// The chunks of these keys, in order. Blocks.
    pub fn bring(&self, shared: &Shared, keys: Vec<Key>) -> Result<Vec<Chunk>, Failure> {
        let mut chunks: HashMap<Key, Chunk> = HashMap::new();
        let mut until = Instant::now() + self.options.patience;
        let mut pause = Duration::from_millis(20);
        let mut places = shared.places();
        loop {
            let dones = shared.dones();
            let known = match places.take() {
                Some(known) => known,
                None => self.locate(shared)?,
            };
            let left: Vec<Key> = keys.iter().copied().filter(|key| !chunks.contains_key(key)).collect();
            let (there, lost): (Vec<Key>, Vec<Key>) = left.into_iter().partition(|key| !known.of_key(*key).is_empty());
            let mut last = None;
            for (key, brought) in self.fetch_all(&known, &there) {
                match brought {
                    Ok((kind, encoded)) => drop(chunks.insert(key, self.registry.decode_value(&kind, encoded)?)),
                    Err(failure) => last = Some(failure),
                }
            }
            if keys.iter().all(|key| chunks.contains_key(key)) {
                return Ok(keys.iter().map(|key| chunks[key].clone()).collect());
            }
            if !lost.is_empty() {
                // The cluster makes it again, and says so; that takes as long as it takes, so the patience starts anew.
                shared.wait_for_another_done(dones, Instant::now() + LONGEST_PAUSE)?;
                until = Instant::now() + self.options.patience;
            } else if Instant::now() >= until {
                return Err(unreachable(last, self.options.patience));
            } else {
                shared.wait_for_another_done(dones, Instant::now() + pause)?;
                pause = (pause * 2).min(LONGEST_PAUSE);
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

    fn fetch_all(&self, places: &Places, keys: &[Key]) -> mpsc::Receiver<Brought> {
        let (done, brought) = mpsc::channel();
        let gate = Arc::new(Semaphore::new(AT_A_TIME));
        for &key in keys {
            let (holders, security, done, gate) = (places.of_key(key), self.security.clone(), done.clone(), gate.clone());
            self.runtime.spawn(async move {
                let _turn = gate.acquire().await;
                // Nobody listens when an earlier chunk could not be decoded.
                let _ = done.send((key, fetch_from_any(&holders, &security, key).await));
            });
        }
        brought
    }
}

async fn fetch_from_any(holders: &[PeerAddress], security: &Security, key: Key) -> Result<(String, Encoded), Failure> {
    let mut last = Failure::internal("a chunk without holders was fetched");
    for holder in holders {
        match fetch(holder, security, key).await {
            Ok(found) => return Ok(found),
            Err(failure) => last = failure.detail("asked", crate::address::place(&holder.host, holder.port)),
        }
    }
    Err(last)
}

fn unreachable(last: Option<Failure>, patience: Duration) -> Failure {
    let failure = Failure::new(Code::Unreachable, format!("a result could not be read from the workers that hold it within {patience:?}"))
        .help("this program must reach the workers' data ports: open them in the firewall, or set --host of the workers");
    match last {
        Some(cause) => failure.cause(cause),
        None => failure,
    }
}

async fn fetch(holder: &PeerAddress, _security: &Security, key: Key) -> Result<(String, Encoded), Failure> {
    Err(Failure::new(Code::Unsupported, format!("{key} cannot be read from {} yet", holder.host)))
}
