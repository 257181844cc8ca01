//! `partita worker`: processes that run tasks, each watched by a nanny in this process.

use std::io::Write;
use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use partita::{Code, Error};
use partita_deploy::{Ask, Crew, End, NannyOptions, Rules, Shares, Status, WorkerCommand, WorkerSpec, worker_main};
use partita_local::memory_of_machine;
use partita_net::address::Address;

use super::{Tls, find_scheduler, tls_files};
use crate::config::{Flag, Settings, Value};
use crate::exit::{self, Stop};

/// Runs workers until Ctrl-C.
#[derive(Args)]
pub struct Worker {
    /// The scheduler: host:port, or the whole link that it printed; default 127.0.0.1:8786
    address: Option<String>,
    /// The file that the scheduler wrote, instead of an address
    #[arg(long, value_name = "FILE")]
    scheduler_file: Option<String>,
    /// Address on which others read this worker's chunks; default: the one from which the scheduler is reached
    #[arg(long)]
    host: Option<String>,
    /// Port of that address; default: any that is free
    #[arg(long)]
    port: Option<String>,
    /// No second process that watches and restarts the worker
    #[arg(long)]
    no_nanny: bool,
    /// Program to start as workers, for operators of your own; its main begins with partita::run()
    #[arg(long, value_name = "FILE", conflicts_with = "no_nanny")]
    program: Option<PathBuf>,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    tls: Tls,
}

/// The flags that say how large workers are and how long they live.
#[derive(Args)]
pub struct Size {
    /// Tasks that a worker runs at a time; default: its share of the cores
    #[arg(long, value_name = "N")]
    nthreads: Option<String>,
    /// Memory of one worker: 4GiB, 0.5 of the machine's, auto, none
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,
    /// Name of the worker, unique in its cluster
    #[arg(long)]
    name: Option<String>,
    /// Worker processes
    #[arg(long, value_name = "N")]
    nworkers: Option<String>,
    /// Folder for spilled chunks
    #[arg(long, value_name = "FOLDER")]
    local_directory: Option<String>,
    /// What tasks may ask for: "GPU=2 LICENSE=1"
    #[arg(long, value_name = "NAME=AMOUNT")]
    resources: Option<String>,
    /// End after so long without the scheduler, default 30s
    #[arg(long, value_name = "TIME")]
    death_timeout: Option<String>,
    /// Retire and start again after so long
    #[arg(long, value_name = "TIME")]
    lifetime: Option<String>,
}

impl Size {
    pub fn flags(&self) -> [Flag<'_>; 8] {
        [
            ("worker.nthreads", "--nthreads", self.nthreads.as_deref()),
            ("worker.memory-limit", "--memory-limit", self.memory_limit.as_deref()),
            ("worker.name", "--name", self.name.as_deref()),
            ("worker.nworkers", "--nworkers", self.nworkers.as_deref()),
            ("worker.local-directory", "--local-directory", self.local_directory.as_deref()),
            ("worker.resources", "--resources", self.resources.as_deref()),
            ("worker.death-timeout", "--death-timeout", self.death_timeout.as_deref()),
            ("worker.lifetime", "--lifetime", self.lifetime.as_deref()),
        ]
    }
}

impl Worker {
    fn flags(&self) -> Vec<Flag<'_>> {
        let mut flags = vec![
            ("worker.host", "--host", self.host.as_deref()),
            ("worker.port", "--port", self.port.as_deref()),
            ("worker.nanny", "--no-nanny", self.no_nanny.then_some("false")),
        ];
        flags.extend(self.size.flags());
        flags.extend(self.tls.flags());
        flags
    }

    /// Serves until it is told to end.
    pub fn run(self) -> ExitCode {
        match self.prepare() {
            Ok((specs, settings)) if settings.flag("worker.nanny") => exit::run(watch(specs, &settings, self.command())),
            Ok((specs, _)) => match &specs[..] {
                [spec] => worker_main(spec, start),
                _ => exit::run(Err(Error::new(Code::InvalidOption, "several workers need nannies")
                    .help("leave out --no-nanny or --nworkers")
                    .into())),
            },
            Err(failure) => exit::run(Err(failure.into())),
        }
    }

    /// What is started as a worker.
    fn command(&self) -> WorkerCommand {
        match self.program.clone() {
            Some(program) => Arc::new(move || Command::new(&program)),
            None => again(),
        }
    }

    fn prepare(&self) -> Result<(Vec<WorkerSpec>, Settings), Error> {
        let settings = Settings::load(&self.flags())?;
        let address = find_scheduler(self.address.as_deref(), self.scheduler_file.as_deref(), "worker.address", &settings)?;
        let mut spec = spec(&settings, &address.to_string(), settings.count("worker.nworkers").max(1))?;
        spec.host = match settings.text("worker.host") {
            Some(host) => host,
            None => own_host(&address)?,
        };
        spec.data_port = settings.port("worker.port");
        let workers = settings.count("worker.nworkers").max(1);
        if workers > 1 && spec.data_port > 0 {
            return Err(Error::new(Code::InvalidOption, "several workers cannot share a port").help("leave out --port or --nworkers"));
        }
        Ok((named(spec, workers), settings))
    }
}

/// The one place that needs operators: everything that this program can run becomes a worker.
fn start(spec: &WorkerSpec) -> Result<partita_net::worker::Worker, Error> {
    partita::start_worker(spec)
}

/// How this program is started again as a worker: its `main` finds the specification in the environment. The argument is for
/// those who list processes.
pub fn again() -> WorkerCommand {
    Arc::new(|| {
        let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()));
        command.arg("worker");
        command
    })
}

/// One for each worker. A name stays when the process is another.
fn named(spec: WorkerSpec, workers: u64) -> Vec<WorkerSpec> {
    let base = match spec.name.as_str() {
        "" => format!("{}-{}", host_name(), std::process::id()),
        name => name.to_string(),
    };
    let name = |at: u64| if workers == 1 { base.clone() } else { format!("{base}-{at}") };
    (0..workers).map(|at| WorkerSpec { name: name(at), ..spec.clone() }).collect()
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("worker").to_string()
}

/// Everything that the settings say about one of so many workers.
pub fn spec(settings: &Settings, address: &str, workers: u64) -> Result<WorkerSpec, Error> {
    let mut spec = WorkerSpec::new(address);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    spec.threads = match settings.value("worker.nthreads") {
        Value::Count(threads) => threads as usize,
        _ => (cores / workers.max(1) as usize).max(1),
    };
    spec.memory_limit = match settings.value("worker.memory-limit") {
        Value::Bytes(bytes) => bytes,
        Value::Number(share) => (memory_of_machine() as f64 * share) as u64,
        Value::Auto => (memory_of_machine() as f64 * (spec.threads as f64 / cores as f64).min(1.0 / workers.max(1) as f64)) as u64,
        _ => 0,
    };
    let share = |key: &str| settings.number(key);
    spec.shares =
        Shares { target: share("worker.memory.target"), spill: share("worker.memory.spill"), pause: share("worker.memory.pause") };
    if let Value::Bytes(most) = settings.value("worker.memory.max-spill") {
        spec.max_spill = most;
    }
    spec.name = settings.text("worker.name").unwrap_or_default();
    spec.resources = settings.resources("worker.resources");
    spec.folder = settings.path("worker.local-directory");
    spec.lifetime = settings.span("worker.lifetime");
    let never = Duration::from_secs(10 * 365 * 86400);
    spec.death_timeout = settings.span("worker.death-timeout").unwrap_or(never);
    spec.stop_timeout = settings.span("nanny.stop-timeout").unwrap_or(never);
    spec.tls = tls_files(settings)?;
    spec.storage =
        Some(settings.storage()).filter(|options| !options.is_empty()).map(|options| ("s3://".into(), options)).into_iter().collect();
    Ok(spec)
}

/// Everything that the settings say about nannies.
pub fn rules(settings: &Settings, spec: &WorkerSpec) -> Rules {
    let default = Rules::default();
    Rules {
        memory_limit: spec.memory_limit,
        terminate: settings.number("worker.memory.terminate"),
        hang: settings.span("nanny.hang-timeout"),
        allowed_starts: u32::try_from(settings.count("nanny.allowed-starts")).unwrap_or(u32::MAX),
        longest_pause: settings.span("nanny.longest-pause").unwrap_or(default.longest_pause),
        stop: spec.stop_timeout,
        ..default
    }
}

/// The address of this host from which the scheduler is reached. A scheduler of this host that others reach too is reached by
/// its public address, so that they find the worker as well.
fn own_host(scheduler: &Address) -> Result<String, Error> {
    let near = source_address(scheduler)?;
    let link = || partita_net::scheduler::read_file(&partita_net::scheduler::state_file(scheduler.port)?).ok()?.parse::<Address>().ok();
    match near.is_loopback().then(link).flatten().filter(|public| !public.is_loopback()) {
        Some(public) => Ok(source_address(&public)?.to_string()),
        None => Ok(near.to_string()),
    }
}

/// Nothing is sent for it.
fn source_address(scheduler: &Address) -> Result<IpAddr, Error> {
    let unreachable = |error: std::io::Error| Error::new(Code::Unreachable, format!("{} cannot be reached: {error}", scheduler.place()));
    let target = (scheduler.host.as_str(), scheduler.port).to_socket_addrs().map_err(unreachable)?.next();
    let target = target.ok_or_else(|| Error::new(Code::Unreachable, format!("{} has no address", scheduler.host)))?;
    let any: IpAddr = if target.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).map_err(unreachable)?;
    socket.connect(target).map_err(unreachable)?;
    Ok(socket.local_addr().map_err(unreachable)?.ip())
}

/// Starts a nanny for each, and waits until all have ended.
fn watch(specs: Vec<WorkerSpec>, settings: &Settings, command: WorkerCommand) -> Result<(), Stop> {
    let crew = Arc::new(Crew::new()?);
    let stopping = Arc::downgrade(&crew);
    partita_deploy::on_stop(move |times| match (times, stopping.upgrade()) {
        (1, Some(crew)) => {
            eprintln!("leaving; once more to end at once");
            crew.ask_all(Ask::Stop);
        }
        (2, Some(crew)) => crew.ask_all(Ask::Kill),
        _ => std::process::exit(130),
    });
    for spec in &specs {
        let mut options = NannyOptions::new(spec.clone(), command.clone());
        options.rules = rules(settings, spec);
        crew.hire(options);
    }
    let settled = |all: &[Status]| all.iter().all(|one| one.joined || one.end.is_some());
    while !crew.wait(Duration::from_secs(3600), settled) {}
    let joined = crew.status();
    let mut out = std::io::stdout().lock();
    for (spec, status) in specs.iter().zip(&joined).filter(|(_, status)| status.joined) {
        let memory = match spec.memory_limit {
            0 => "no memory limit".into(),
            bytes => format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64),
        };
        let pid = status.pid.unwrap_or_default();
        writeln!(out, "worker      {} (process {pid}, {} threads, {memory})", spec.name, spec.threads)?;
    }
    out.flush()?;
    drop(out);
    outcome(crew.wait_all())
}

/// The first of them that did not end well.
fn outcome(all: Vec<Status>) -> Result<(), Stop> {
    for status in all {
        if let Some(failure) = status.failure {
            return Err(failure.into());
        }
        if let Some(End::SchedulerGone(why)) = status.end {
            return Err(Error::new(Code::Disconnected, format!("the scheduler is gone: {why}")).into());
        }
    }
    Ok(())
}
