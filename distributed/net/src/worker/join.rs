//! How a worker becomes one: its port first, then the scheduler, then everything that serves.
//!
//! It refuses to give up early: until the death timeout, a scheduler that cannot be reached is one that has not started yet.
//! Invariant: the scheduler learns of a data port only when it is bound.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use partita_core::protocol::{About, WorkerId};
use partita_core::worker::Config;
use partita_graph::{Code, Failure, Registry};
use partita_local::{Host, Pool};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;

use super::outside::Voice;
use super::recorder::Recorder;
use super::shelf::Held;
use super::talk::{self, Office};
use super::{Options, Outcome, SERVED_AT_A_TIME};
use crate::address::Address;
use crate::flight::{Bound, FrameDoor, Peers, Ports};
use crate::link::{self, Limits, Link, LinkEvent};
use crate::message::{Hello, PeerInfo, Welcome};
use crate::security::{Role, Security, ServerSecurity, random};
use crate::wire::{MOST_TO_WORKER, WorkerDecoder};

/// Between two attempts to reach the scheduler, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Joins and begins to serve: the scheduler's link on `control`, chunks where this is called.
pub(super) async fn join(
    control: &Handle,
    address: &Address,
    options: Options,
    pool: Arc<dyn Pool>,
    registry: Registry,
    door: Option<Arc<dyn FrameDoor>>,
) -> Result<Arc<Office>, Failure> {
    let threads = if options.threads == 0 { pool.threads() } else { options.threads }.max(1);
    let Options { target, spill, pause, max_spill, .. } = options;
    let machine = Config { target, spill, pause, max_spill, ..Config::new(threads as u32, options.memory_limit) };
    // Tasks that wait inside stand there too, and others run in their place.
    let slots = threads + partita_local::MOST_WAITING;
    let recorder = options.recorder.as_ref().map(|path| Recorder::create(path, slots)).transpose()?;
    let until = Instant::now() + options.death_timeout;
    let security = patiently(until, || Security::resolve(address, Role::Worker, options.tls.as_ref())).await?;
    let mut accepting = ServerSecurity::of(&security)?;
    if address.insecure_off_loopback {
        accepting = accepting.confirm_off_loopback();
    }
    let bound = Ports::bind(&options.host, options.data_port, &accepting).await?;
    let info = introduce(&options, threads, &bound, &registry);
    let (link, events, welcome) = patiently(until, || meet(control, address, &security, info.clone(), options.death_timeout)).await?;
    let PeerInfo::Worker { about, .. } = info else { unreachable!("made above") };
    let voice = Arc::new(Voice::new(link.clone(), Peers::new(security), recorder));
    let local = partita_local::Options {
        local_directory: options.local_directory.clone(),
        release_memory: options.release_memory,
        check: options.check,
        ..partita_local::Options::default()
    };
    let registry = Arc::new(registry);
    let host = Host::new(local, machine, pool, registry.clone(), voice.clone())?;
    let port = Ports::serve(bound, accepting, Arc::new(Held(host.clone())), door, SERVED_AT_A_TIME);
    let office = Arc::new(Office {
        id: WorkerId(u32::try_from(welcome.id).map_err(|_| Failure::internal("a worker's number has 32 bits"))?),
        name: about.name,
        link,
        host,
        port,
        voice: voice.clone(),
        registry: registry.clone(),
        outcome: Outcome::default(),
        leaving: Mutex::default(),
        asked: AtomicBool::new(false),
        started: Instant::now(),
        death_timeout: options.death_timeout,
        lifetime: options.lifetime,
        heed: options.heed,
        lost: Mutex::default(),
    });
    voice.begin(&office);
    let decoder = WorkerDecoder::new((*registry).clone());
    control.spawn(talk::listen(office.clone(), events, decoder));
    tokio::spawn(talk::tick(office.clone()));
    Ok(office)
}

/// What the scheduler is told of this process.
fn introduce(options: &Options, threads: usize, bound: &Bound, registry: &Registry) -> PeerInfo {
    let data_port = bound.address().port();
    let host = host_name();
    let name = options.name.clone().unwrap_or_else(|| format!("{host}-{data_port}"));
    let about = About { name, host, threads: threads as u32, memory_limit: options.memory_limit, resources: options.resources.clone() };
    let incarnation = if options.incarnation == 0 { u128::from_le_bytes(random()) } else { options.incarnation };
    PeerInfo::Worker {
        about,
        data_port,
        data_host: (!bound.address().ip().is_unspecified()).then(|| options.host.clone()),
        operators: registry.operator_names().map(String::from).collect(),
        pid: std::process::id(),
        incarnation,
        nanny: options.nanny,
    }
}

/// The host's name, for people and for restrictions.
fn host_name() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    let read = || {
        let system = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = system.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
        Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("localhost").to_owned()
    };
    NAME.get_or_init(read).clone()
}

type Met = (Link, UnboundedReceiver<LinkEvent>, Welcome);

async fn meet(control: &Handle, address: &Address, security: &Security, info: PeerInfo, grace: Duration) -> Result<Met, Failure> {
    let (address, security) = (address.clone(), security.clone());
    let limits = Limits { message: MOST_TO_WORKER, grace, ..Limits::default() };
    let connecting = control.spawn(async move { link::connect_with(&address, &security, Hello::new(info), limits).await });
    connecting.await.unwrap_or_else(|_| Err(Failure::internal("the connecting task ended")))
}

/// Tries until the scheduler can be reached. A refusal is final.
async fn patiently<T, F: Future<Output = Result<T, Failure>>>(until: Instant, mut attempt: impl FnMut() -> F) -> Result<T, Failure> {
    let mut pause = PAUSES.0;
    let mut told = false;
    loop {
        match attempt().await {
            Err(failure) if failure.code == Code::Unreachable && Instant::now() + pause < until => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!("waiting for the scheduler: {}", failure.what);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            result => return result,
        }
    }
}
