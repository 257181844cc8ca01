//! A cluster on this host: a scheduler in this process, workers in processes of their own, a nanny for each in this process.
//!
//! It refuses to know what workers run. Invariant: when it is dropped, its processes and folders are gone, whatever they did.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use partita_graph::{Code, Failure};
use partita_net::scheduler::{self, Server};
use partita_net::security::ServerSecurity;

use crate::care::{Ask, End, Rules};
use crate::crew::{Crew, Member, Status};
use crate::nanny::{NannyOptions, Voice};
use crate::process::WorkerCommand;
use crate::spec::{WORKER_VARIABLE, WorkerSpec, random_bytes};

/// Settings of a [`LocalCluster`].
#[derive(Clone)]
pub struct LocalOptions {
    /// Worker processes. Default 1.
    pub workers: usize,
    /// Tasks that each runs at a time. Default: its share of the cores.
    pub threads_per_worker: Option<usize>,
    /// Bytes of memory of each; 0 for no limit. Default: its share of this machine's.
    pub memory_limit: Option<u64>,
    /// Where scheduler and workers listen. Default: loopback.
    pub host: String,
    /// The scheduler's port. Default 0: any that is free.
    pub port: u16,
    /// Whether connections are encrypted. Default: no, a secret keeps others out; loopback is this host alone.
    pub tls: bool,
    /// Where folders for spilled chunks are made. Default: the system's for temporary files.
    pub local_directory: Option<PathBuf>,
    /// How long the workers may take to join. Default 60 s.
    pub start_timeout: Duration,
    /// When workers are killed and how they are started again.
    pub rules: Rules,
    /// What else the scheduler is told; host, port and security come from above.
    pub scheduler: scheduler::Options,
    /// What else each worker is told; address, host, threads, memory and folder come from above, names are made from its name.
    pub worker: WorkerSpec,
    /// How a worker process is started. Default: this program again, which must call [`crate::worker_main`] first thing.
    pub worker_command: WorkerCommand,
    /// Remarks for people, for example that a worker died. By default they go to standard error.
    pub voice: Voice,
}

impl Default for LocalOptions {
    fn default() -> Self {
        let rules = Rules { stop: Duration::from_secs(5), ..Rules::default() };
        Self {
            workers: 1,
            threads_per_worker: None,
            memory_limit: None,
            host: "127.0.0.1".into(),
            port: 0,
            tls: false,
            local_directory: None,
            start_timeout: Duration::from_secs(60),
            scheduler: scheduler::Options { state_file: false, ..scheduler::Options::new(ServerSecurity::plain(None)) },
            worker: WorkerSpec { name: "worker".into(), stop_timeout: rules.stop, ..WorkerSpec::new("") },
            rules,
            worker_command: Arc::new(this_program),
            voice: Arc::new(|line| eprintln!("partita: {line}")),
        }
    }
}

/// This program again. The path of its file stays right when the file was replaced meanwhile.
fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()))
}

/// A scheduler and its workers on this host. Dropping it ends them.
pub struct LocalCluster {
    crew: Arc<Crew>,
    server: Arc<Server>,
    staff: Arc<Mutex<Staff>>,
    options: LocalOptions,
}

/// Nannies that are meant to have a worker, in the order in which they were hired, and how many were ever hired.
type Staff = (Vec<Member>, usize);

impl LocalCluster {
    /// Starts all of it and waits until the workers have joined.
    ///
    /// # Errors
    /// [`Code::WorkerStart`] with the worker's last words; [`Code::PortTaken`]; [`Code::InvalidOption`] inside of a worker
    /// process, which happens when a program does not call its worker's main function before it starts a cluster.
    pub fn start(options: LocalOptions) -> Result<Self, Failure> {
        if std::env::var_os(WORKER_VARIABLE).is_some() {
            return Err(Failure::new(Code::InvalidOption, "a cluster was to be started by a process that is itself a worker of one")
                .help("let `main` begin with `partita::run();`: worker processes are this same program, and serve from there"));
        }
        let security = match options.tls {
            true => ServerSecurity::new_cluster(None)?,
            false => ServerSecurity::plain(Some(random_bytes())),
        };
        let told = scheduler::Options { host: options.host.clone(), port: options.port, security, ..options.scheduler.clone() };
        let server = Arc::new(Server::start(told)?);
        let cluster = Self { crew: Arc::new(Crew::new()?), server, staff: Arc::default(), options };
        cluster.scale(cluster.options.workers);
        let limit = cluster.options.start_timeout;
        cluster.wait_joined(limit)?;
        Ok(cluster)
    }

    /// Where clients connect, with the right to do so.
    pub fn address(&self) -> String {
        self.server.client_address().to_string()
    }

    /// The scheduler itself.
    pub fn scheduler(&self) -> Arc<Server> {
        self.server.clone()
    }

    /// Wants so many workers from now on. More are started; of those that are too many, the last ones leave in peace. Returns
    /// at once; see [`LocalCluster::wait_joined`]. One that holds what cannot be moved to others, as the state of an actor, stays, which is
    /// said as a remark for people, unless none is wanted any more.
    pub fn scale(&self, workers: usize) {
        let mut staff = self.staff.lock().unwrap_or_else(PoisonError::into_inner);
        while staff.0.len() > workers {
            match staff.0.pop() {
                // Nobody is left to whom anything could be moved.
                Some(member) if workers == 0 => self.crew.ask(member, Ask::Stop),
                Some(member) => self.let_go(member),
                None => {}
            }
        }
        while staff.0.len() < workers {
            // A number is not used again: the one that had it may not have left yet.
            let name = self.name_of(Member(staff.1));
            staff.1 += 1;
            staff.0.push(self.crew.hire(self.nanny(name)));
        }
    }

    fn name_of(&self, member: Member) -> String {
        format!("{}-{}", self.options.worker.name, member.0)
    }

    /// Lets one leave after its data was moved. One whose data cannot be moved is of the staff again.
    fn let_go(&self, member: Member) {
        let (crew, staff, voice) = (self.crew.clone(), self.staff.clone(), self.options.voice.clone());
        let (begun, patience) = (Instant::now(), self.options.rules.stop);
        self.server.retire(&self.name_of(member), patience, move |outcome| match outcome {
            Err(failure) if failure.code == Code::NoWorkers && begun.elapsed() < patience => {
                let mut staff = staff.lock().unwrap_or_else(PoisonError::into_inner);
                let at = staff.0.partition_point(|other| *other < member);
                staff.0.insert(at, member);
                voice(&format!("it stays, although fewer workers are wanted: {}", failure.what));
            }
            // It goes. One that has not joined has nothing to lose, and what takes longer than this is made again elsewhere.
            Ok(()) | Err(_) => crew.ask(member, Ask::Stop),
        });
    }

    fn nanny(&self, name: String) -> NannyOptions {
        let options = &self.options;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = options.workers.max(1);
        let mut spec = WorkerSpec { address: self.address(), name, ..options.worker.clone() };
        spec.host.clone_from(&options.host);
        spec.threads = options.threads_per_worker.unwrap_or((cores / share).max(1));
        spec.memory_limit = options.memory_limit.unwrap_or_else(|| partita_local::memory_of_machine() / share as u64);
        spec.folder.clone_from(&options.local_directory);
        let mut nanny = NannyOptions::new(spec, options.worker_command.clone());
        nanny.rules = options.rules.clone();
        nanny.voice = options.voice.clone();
        nanny
    }

    /// Waits until every wanted worker has joined.
    ///
    /// # Errors
    /// [`Code::WorkerStart`] when one cannot be started, or not all have joined within that time; [`Code::Disconnected`] when
    /// the scheduler has ended.
    pub fn wait_joined(&self, limit: Duration) -> Result<(), Failure> {
        let staff = self.staff.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let mine = |all: &[Status]| staff.iter().filter_map(|member| all.get(member.0).cloned()).collect::<Vec<_>>();
        let settled = |all: &[Status]| {
            let mine = mine(all);
            mine.iter().all(|one| one.joined) || mine.iter().any(|one| one.end.is_some())
        };
        let in_time = self.crew.wait(limit, settled);
        let mine = mine(&self.crew.status());
        if let Some(failure) = mine.iter().find_map(|one| one.failure.clone()) {
            return Err(failure);
        }
        if let Some((member, End::SchedulerGone(why))) = mine.iter().zip(0..).find_map(|(one, at)| Some((at, one.end.clone()?))) {
            return Err(Failure::new(Code::Disconnected, format!("worker {member} of this cluster lost the scheduler: {why}")));
        }
        if in_time && mine.iter().all(|one| one.joined) {
            return Ok(());
        }
        let (joined, wanted) = (mine.iter().filter(|one| one.joined).count(), mine.len());
        Err(Failure::new(Code::WorkerStart, format!("{joined} of {wanted} workers have joined after {} s", limit.as_secs())))
    }

    /// The worker processes, in the order in which they were started first; `None` for one that is being started again.
    pub fn pids(&self) -> Vec<Option<u32>> {
        self.workers().into_iter().map(|status| status.pid).collect()
    }

    /// What is known of the workers, in the same order.
    pub fn workers(&self) -> Vec<Status> {
        let all = self.crew.status();
        let staff = self.staff.lock().unwrap_or_else(PoisonError::into_inner);
        staff.0.iter().filter_map(|member| all.get(member.0).cloned()).collect()
    }

    /// Waits until something is true of the workers; false when it is not within that time.
    pub fn wait(&self, limit: Duration, enough: impl Fn(&[Status]) -> bool) -> bool {
        let staff = self.staff.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let mine = |all: &[Status]| staff.iter().filter_map(|member| all.get(member.0).cloned()).collect::<Vec<_>>();
        self.crew.wait(limit, |all| enough(&mine(all)))
    }

    /// Kills a worker's process as the system would for want of memory; its nanny starts another. For tests. False when there
    /// is no such process.
    pub fn kill(&self, worker: usize) -> bool {
        let pid = self.pids().get(worker).copied().flatten().and_then(|pid| i32::try_from(pid).ok());
        pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
    }

    /// Ends workers and scheduler, and waits for that.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        // Nobody will want what the workers hold: they need not move it to each other first.
        self.crew.ask_all(Ask::Kill);
        self.crew.close();
        self.server.close();
    }
}

impl fmt::Debug for LocalCluster {
    /// Without rights: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalCluster({:?})", self.pids())
    }
}
