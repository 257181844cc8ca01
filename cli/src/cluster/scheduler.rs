//! `partita scheduler`: the process that all others connect to.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use partita::{Code, Error};
use partita_dashboard::Dashboard;
use partita_net::address::is_loopback;
use partita_net::scheduler::{Options, Server};
use partita_net::security::{ServerSecurity, TlsFiles};

use super::{Http, Tls, serve_pages, tls_files};
use crate::config::{Flag, Settings};
use crate::exit::Stop;

/// Runs a scheduler until Ctrl-C.
#[derive(Args)]
pub struct Scheduler {
    /// Address to listen on, default 127.0.0.1; 0.0.0.0 for all of this host
    #[arg(long)]
    host: Option<String>,
    /// Control port, default 8786; 0 for any that is free
    #[arg(long)]
    port: Option<String>,
    /// File that tells workers and clients how to connect
    #[arg(long, value_name = "FILE")]
    scheduler_file: Option<String>,
    /// End after so long without work and without clients, for example 1h
    #[arg(long, value_name = "TIME")]
    idle_timeout: Option<String>,
    /// Name of the cluster, for people
    #[arg(long)]
    name: Option<String>,
    /// Folder in which the cluster's authority is kept, so that certificates stay valid over a restart of the scheduler
    #[arg(long, value_name = "FOLDER")]
    tls_dir: Option<String>,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    http: Http,
}

impl Scheduler {
    fn flags(&self) -> Vec<Flag<'_>> {
        let mut flags = vec![
            ("scheduler.host", "--host", self.host.as_deref()),
            ("scheduler.port", "--port", self.port.as_deref()),
            ("scheduler.scheduler-file", "--scheduler-file", self.scheduler_file.as_deref()),
            ("scheduler.idle-timeout", "--idle-timeout", self.idle_timeout.as_deref()),
            ("scheduler.name", "--name", self.name.as_deref()),
            ("tls.dir", "--tls-dir", self.tls_dir.as_deref()),
        ];
        flags.extend(self.tls.flags());
        flags.extend(self.http.flags());
        flags
    }

    /// Serves until it is told to end.
    pub fn run(self) -> Result<(), Stop> {
        let settings = Settings::load(&self.flags())?;
        let server = Arc::new(Server::start(options(&settings)?)?);
        // Before anything is printed: whoever reads the lines may send a signal at once.
        let closing = server.clone();
        partita_deploy::on_stop(move |times| match times {
            1 => closing.close(),
            _ => std::process::exit(130),
        });
        let pages = serve_pages(&settings, &server)?;
        introduce(&server, pages.as_ref(), settings.flag("tls.insecure"))?;
        let reason = server.wait()?;
        drop(pages);
        eprintln!("the scheduler has ended: {reason}");
        Ok(())
    }
}

/// Everything that the settings say about a scheduler.
pub fn options(settings: &Settings) -> Result<Options, Error> {
    let mut options = Options::new(security(settings)?);
    options.host = settings.text("scheduler.host").unwrap_or_else(|| "127.0.0.1".into());
    options.port = settings.port("scheduler.port");
    // So that programs of this user on this host need no token.
    options.state_file = true;
    options.name = settings.text("scheduler.name");
    options.scheduler_file = settings.path("scheduler.scheduler-file");
    options.idle_timeout = settings.span("scheduler.idle-timeout");
    let never = std::time::Duration::from_secs(10 * 365 * 86400);
    options.worker_ttl = settings.span("scheduler.worker-ttl").unwrap_or(never);
    options.client_grace = settings.span("scheduler.client-grace").unwrap_or(never);
    options.machine.allowed_failures = u32::try_from(settings.count("scheduler.allowed-failures")).unwrap_or(u32::MAX);
    options.machine.no_workers_timeout = settings.span("scheduler.no-workers-timeout").map(|span| span.as_micros() as u64);
    options.machine.saturation = settings.number("scheduler.saturation").unwrap_or(options.machine.saturation);
    Ok(options)
}

fn security(settings: &Settings) -> Result<ServerSecurity, Error> {
    let files = tls_files(settings)?;
    if settings.flag("tls.insecure") {
        if files.is_some() {
            return Err(
                Error::new(Code::InvalidOption, "certificates are of no use without encryption").help("leave out --insecure, or the files")
            );
        }
        let plain = ServerSecurity::plain(None);
        return Ok(if settings.flag("tls.insecure-off-loopback") { plain.confirm_off_loopback() } else { plain });
    }
    match files {
        Some((ca, cert, key)) => ServerSecurity::files(&TlsFiles { ca, cert, key }),
        None => ServerSecurity::new_cluster(settings.path("tls.dir").as_deref()),
    }
}

/// What people need to go on, ready to be pasted.
pub fn introduce(server: &Server, pages: Option<&Dashboard>, insecure: bool) -> Result<(), Stop> {
    let address = server.client_address();
    let link = server.join_link();
    let mut out = std::io::stdout().lock();
    writeln!(out, "scheduler   {} ({})", server.address(), if insecure { "not encrypted" } else { "encrypted" })?;
    if let Some(pages) = pages {
        writeln!(out, "dashboard   {}", pages.url())?;
        if let Some(note) = pages.note() {
            writeln!(out, "            {note}")?;
        }
    }
    let near = is_loopback(&address.host);
    if near {
        writeln!(out, "workers     partita worker {}", server.address())?;
        writeln!(out, "clients     let client = Client::connect(\"{}\")?;", server.address())?;
        writeln!(out, "other users of this host need the whole link: {link}")?;
        writeln!(out, "other hosts need a scheduler that they can reach: partita scheduler --host 0.0.0.0")?;
    } else {
        writeln!(out, "workers     partita worker '{link}'")?;
        writeln!(out, "clients     let client = Client::connect(\"{link}\")?;")?;
        if !insecure {
            writeln!(out, "the link lets anybody in who has it; on this host {} is enough", format_args!("127.0.0.1:{}", address.port))?;
        }
    }
    writeln!(out, "Ctrl-C ends it")?;
    out.flush()?;
    Ok(())
}
