//! `partita cluster`: questions and orders for a running scheduler.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use partita::graph::{Key, LayerId, Registry};
use partita::{Code, Error};
use partita_net::address::Address;
use partita_net::client::{Options, Remote};
use partita_net::message::{ClusterInfo, WorkerInfo};
use partita_net::security::TlsFiles;

use super::{Tls, find_scheduler, tls_files};
use crate::config::Settings;
use crate::exit::Stop;

/// Asks a running scheduler.
#[derive(Args)]
pub struct Cluster {
    /// The scheduler: host:port, or the whole link that it printed; default 127.0.0.1:8786
    #[arg(short = 's', long = "scheduler", value_name = "ADDRESS", global = true)]
    scheduler: Option<String>,
    /// The file that the scheduler wrote, instead of an address
    #[arg(long, value_name = "FILE", global = true)]
    scheduler_file: Option<String>,
    #[command(flatten)]
    tls: Tls,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The scheduler, and how many workers and clients it has
    Info {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Each worker
    Workers {
        /// One JSON object a worker
        #[arg(long)]
        json: bool,
    },
    /// Let workers leave, after what only they hold was moved
    Retire {
        /// Names of workers
        #[arg(required = true)]
        names: Vec<String>,
        /// How long they may take, for example 30s or 2h; those that take longer stay
        #[arg(long, value_name = "TIME")]
        timeout: Option<String>,
    },
    /// End all runs, forget everything, start the workers again
    Restart,
    /// What happened to a task
    Story {
        /// As it is printed: 16 digits, #, a number
        key: String,
    },
    /// Why a task does not run
    ExplainWait {
        /// As it is printed: 16 digits, #, a number
        key: String,
    },
    /// Write a certificate for a program in another language that reads chunks from data ports: ca.pem, cert.pem, key.pem
    Certificate {
        /// The folder for the files; made when it is missing
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// End the scheduler and its workers
    Shutdown,
}

impl Cluster {
    /// Connects, asks, prints.
    pub fn run(self) -> Result<(), Stop> {
        let mut flags = self.tls.flags().to_vec();
        if let What::Retire { timeout, .. } = &self.what {
            flags.push(("client.retire-timeout", "--timeout", timeout.as_deref()));
        }
        let settings = Settings::load(&flags)?;
        let address = find_scheduler(self.scheduler.as_deref(), self.scheduler_file.as_deref(), "client.address", &settings)?;
        let mut options = Options { name: format!("partita cluster ({})", std::process::id()), ..Options::default() };
        options.timeout = settings.span("client.timeout").unwrap_or(options.timeout);
        options.tls_files = tls_files(&settings)?.map(|(ca, cert, key)| TlsFiles { ca, cert, key });
        let client = Remote::connect_to(address.clone(), options, Registry::default())?;
        self.what.ask(&client, &address, &settings)
    }
}

impl What {
    fn ask(self, client: &Arc<Remote>, address: &Address, settings: &Settings) -> Result<(), Stop> {
        let mut out = std::io::stdout().lock();
        match self {
            What::Info { json: true } => writeln!(out, "{}", info_json(&client.info()?))?,
            What::Info { json: false } => {
                let info = client.info()?;
                writeln!(out, "cluster     {}", info.cluster)?;
                writeln!(
                    out,
                    "scheduler   {} (version {}, process {}, up {} s)",
                    info.address,
                    info.version,
                    info.pid,
                    info.uptime / 1_000_000
                )?;
                let threads: u64 = info.workers.iter().map(|worker| u64::from(worker.about.threads)).sum();
                let memory: u64 = info.workers.iter().map(|worker| worker.about.memory_limit).sum();
                writeln!(out, "workers     {} ({threads} threads, {})", info.workers.len(), bytesize::ByteSize(memory))?;
                writeln!(out, "clients     {} (this one included)", info.clients.len())?;
            }
            What::Workers { json: true } => {
                for worker in &client.info()?.workers {
                    writeln!(out, "{}", worker_json(worker))?;
                }
            }
            What::Workers { json: false } => writeln!(out, "{}", table(&client.info()?.workers))?,
            What::Retire { names, .. } => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let timeout = settings.span("client.retire-timeout").unwrap_or(Duration::MAX);
                for name in client.retire_workers_within(&names, timeout)? {
                    writeln!(out, "{name} has left")?;
                }
            }
            What::Restart => {
                client.restart()?;
                writeln!(out, "the cluster is empty")?;
            }
            What::Story { key } => print(&mut out, client.story(parse_key(&key)?)?, "nothing is known of this task")?,
            What::ExplainWait { key } => print(&mut out, client.explain_wait(parse_key(&key)?)?, "nothing is known of this task")?,
            What::Certificate { out: folder } => certificate(&mut out, address, &folder, settings)?,
            What::Shutdown => {
                client.shutdown()?;
                writeln!(out, "the scheduler ends")?;
            }
        }
        Ok(())
    }
}

/// Joins like any process, and leaves what it was given for another.
fn certificate(out: &mut impl Write, address: &Address, folder: &Path, settings: &Settings) -> Result<(), Stop> {
    if tls_files(settings)?.is_some() {
        return Err(Error::new(Code::InvalidOption, "with certificates of your own the cluster gives none")
            .help("a program that reads from data ports uses one of the same authority")
            .into());
    }
    let exported = partita_net::security::export(address, folder)?;
    writeln!(out, "ca.pem, cert.pem and key.pem are in {}: whoever has them is in the cluster", folder.display())?;
    writeln!(out, "data ports are called {}", exported.server_name)?;
    Ok(())
}

fn print(out: &mut impl Write, lines: Vec<String>, none: &str) -> std::io::Result<()> {
    if lines.is_empty() {
        writeln!(out, "{none}")?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// A key as it is printed, `0000000000000abc#7`; in addresses `/` may stand for `#`.
pub fn parse_key(text: &str) -> Result<Key, Error> {
    let parsed = text.split_once(['#', '/']).and_then(|(layer, index)| {
        let layer = u64::from_str_radix(layer, 16).ok().filter(|_| layer.len() <= 16 && !layer.starts_with('+'))?;
        Some(Key::new(LayerId(layer), index.parse().ok()?))
    });
    parsed.ok_or_else(|| {
        Error::new(Code::InvalidOption, format!("{text:?} is no key of a task")).help("write it as it is printed: 0000000000000abc#7")
    })
}

/// A worker for programs.
pub fn worker_json(worker: &WorkerInfo) -> serde_json::Value {
    let about = &worker.about;
    let resources: serde_json::Map<_, _> =
        about.resources.iter().map(|(name, milli)| (name.clone(), (*milli as f64 / 1000.0).into())).collect();
    serde_json::json!({
        "name": about.name, "host": about.host, "address": partita_net::address::place(&worker.data.host, worker.data.port),
        "pid": worker.pid, "threads": about.threads, "assigned": worker.assigned, "state": state(worker), "nanny": worker.nanny,
        "memory_limit": about.memory_limit, "managed": worker.managed, "spilled": worker.spilled, "rss": worker.rss, "resources": resources,
    })
}

/// The cluster for programs.
pub fn info_json(info: &ClusterInfo) -> serde_json::Value {
    let clients =
        info.clients.iter().map(|client| serde_json::json!({ "name": client.name, "connected": client.connected, "runs": client.runs }));
    serde_json::json!({
        "cluster": info.cluster, "scheduler": info.address, "version": info.version, "pid": info.pid, "uptime_seconds": info.uptime / 1_000_000,
        "workers": info.workers.iter().map(worker_json).collect::<Vec<_>>(), "clients": clients.collect::<Vec<_>>(),
    })
}

fn state(worker: &WorkerInfo) -> &'static str {
    match worker {
        WorkerInfo { connected: false, .. } => "not heard",
        WorkerInfo { retiring: true, .. } => "leaving",
        WorkerInfo { paused: true, .. } => "paused: memory is full",
        WorkerInfo { .. } => "running",
    }
}

fn table(workers: &[WorkerInfo]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(["name", "address", "process", "threads", "tasks", "in memory", "on disk", "resident", "limit", "state"]);
    let size = |bytes: u64| bytesize::ByteSize(bytes).to_string();
    for worker in workers {
        let limit = if worker.about.memory_limit == 0 { "none".into() } else { size(worker.about.memory_limit) };
        table.add_row([
            worker.about.name.clone(),
            partita_net::address::place(&worker.data.host, worker.data.port),
            worker.pid.to_string(),
            worker.about.threads.to_string(),
            worker.assigned.to_string(),
            size(worker.managed),
            size(worker.spilled),
            size(worker.rss),
            limit,
            state(worker).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_printed() {
        let key = Key::new(LayerId(0xabc), 7);
        assert_eq!(parse_key(&key.to_string()).expect("a key"), key);
        assert_eq!(parse_key("abc/7").expect("a key"), key);
        for wrong in ["", "#", "abc", "abc#", "xyz#1", "abc#-1", "+abc#1", "00000000000000abc#1", "abc#99999999999"] {
            assert_eq!(parse_key(wrong).expect_err("no key").code, Code::InvalidOption, "{wrong}");
        }
    }
}
