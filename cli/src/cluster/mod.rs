//! Clusters from the command line: `partita scheduler`, `partita worker`, `partita local`, `partita cluster`.
//!
//! It refuses to know the machines and what travels between processes. Invariant: every flag is a setting too, so a flag, a
//! variable and a line of a file mean the same.

mod ask;
mod local;
mod scheduler;
mod show;
mod worker;

use std::path::PathBuf;

use clap::Args;
use partita::{Code, Error};
use partita_dashboard::{Dashboard, Options};
use partita_net::address::{Address, Scheme, is_loopback};

pub use ask::Cluster;
pub use local::Local;
pub use scheduler::Scheduler;
pub use worker::Worker;

use crate::config::{Flag, Settings};

/// Which certificates are used and whether any are.
#[derive(Args)]
pub struct Tls {
    /// PEM file of the authority that all certificates of the cluster come from
    #[arg(long, value_name = "FILE")]
    tls_ca_file: Option<String>,
    /// PEM file of this process's certificate
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// PEM file of its key
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// No encryption
    #[arg(long)]
    insecure: bool,
    /// No encryption, although other hosts can reach or are reached
    #[arg(long)]
    insecure_off_loopback: bool,
}

impl Tls {
    fn flags(&self) -> [Flag<'_>; 5] {
        [
            ("tls.ca-file", "--tls-ca-file", self.tls_ca_file.as_deref()),
            ("tls.cert", "--tls-cert", self.tls_cert.as_deref()),
            ("tls.key", "--tls-key", self.tls_key.as_deref()),
            ("tls.insecure", "--insecure", switch(self.insecure || self.insecure_off_loopback)),
            ("tls.insecure-off-loopback", "--insecure-off-loopback", switch(self.insecure_off_loopback)),
        ]
    }
}

/// A switch that was not given says nothing.
fn switch(given: bool) -> Option<&'static str> {
    given.then_some("true")
}

/// Authority, certificate and key, when they are set; all or none.
fn tls_files(settings: &Settings) -> Result<Option<(PathBuf, PathBuf, PathBuf)>, Error> {
    let [ca, cert, key] = ["tls.ca-file", "tls.cert", "tls.key"].map(|key| settings.path(key));
    match (ca, cert, key) {
        (Some(ca), Some(cert), Some(key)) => Ok(Some((ca, cert, key))),
        (None, None, None) => Ok(None),
        _ => Err(Error::new(Code::InvalidOption, "certificates of your own need three files")
            .help("give --tls-ca-file, --tls-cert and --tls-key")),
    }
}

/// The scheduler to talk to: the one that was named, or described by a file, or set, or the one on this host.
fn find_scheduler(named: Option<&str>, file: Option<&str>, setting: &str, settings: &Settings) -> Result<Address, Error> {
    let text = match (named, file) {
        (Some(_), Some(_)) => {
            return Err(
                Error::new(Code::InvalidOption, "the scheduler is named twice").help("give an address or a scheduler file, not both")
            );
        }
        (Some(named), None) => named.to_string(),
        (None, Some(file)) => partita_net::scheduler::read_file(file.as_ref())?,
        (None, None) => settings.text(setting).unwrap_or_else(|| "127.0.0.1:8786".into()),
    };
    let mut address: Address = text.parse()?;
    if settings.flag("tls.insecure") && address.scheme == Scheme::Auto {
        address.scheme = Scheme::Plain;
    }
    address.insecure_off_loopback |= settings.flag("tls.insecure-off-loopback");
    Ok(address)
}

/// The flags of the HTTP pages.
#[derive(Args)]
pub struct Http {
    /// Port of the HTTP pages, default 8787
    #[arg(long, value_name = "PORT", conflicts_with = "dashboard_address")]
    http_port: Option<String>,
    /// The same with an address: 0.0.0.0:8787, or :8787
    #[arg(long, value_name = "ADDRESS")]
    dashboard_address: Option<String>,
    /// No HTTP pages
    #[arg(long)]
    no_dashboard: bool,
}

impl Http {
    fn flags(&self) -> Vec<Flag<'_>> {
        let mut flags = vec![("scheduler.http-port", "--http-port", self.http_port.as_deref())];
        if let Some(address) = &self.dashboard_address {
            let (host, port) = address.rsplit_once(':').unwrap_or(("", address));
            let host = host.trim_matches(['[', ']']);
            flags.push(("scheduler.http-host", "--dashboard-address", Some(host).filter(|host| !host.is_empty())));
            flags.push(("scheduler.http-port", "--dashboard-address", Some(port)));
        }
        flags.push(("scheduler.http", "--no-dashboard", self.no_dashboard.then_some("false")));
        flags
    }
}

/// The pages of a scheduler in this process. A port that was chosen on purpose is the only one that will do.
fn serve_pages(settings: &Settings, server: &std::sync::Arc<partita_net::scheduler::Server>) -> Result<Option<Dashboard>, Error> {
    if !settings.flag("scheduler.http") {
        return Ok(None);
    }
    let host = settings.text("scheduler.http-host").unwrap_or_else(|| "127.0.0.1".into());
    if !is_loopback(&host) && !settings.flag("tls.insecure-off-loopback") {
        let what = format!("HTTP pages on `{host}` were refused: they are not encrypted, and anybody who reaches them may read them");
        let help = "leave them on loopback and look at them through `ssh -L 8787:127.0.0.1:8787 HOST`; \
            if it is meant, write `tls.insecure-off-loopback = true` into partita.toml";
        return Err(Error::new(Code::Insecure, what).help(help));
    }
    let options = Options {
        host,
        port: settings.port("scheduler.http-port"),
        exact: settings.all("scheduler.http-port").len() > 1,
        names: std::iter::once(server.client_address().host).collect(),
    };
    Dashboard::start(options, std::sync::Arc::new(show::Show::new(server.clone()))).map(Some)
}
