//! `partita local`: a scheduler and workers on this host, ended together.

use std::sync::Arc;

use clap::Args;
use partita_deploy::{LocalCluster, LocalOptions};

use super::worker::{Size, again, rules, spec};
use super::{Http, serve_pages};
use crate::config::{Flag, Settings};
use crate::exit::Stop;

/// Runs a scheduler and workers on this host until Ctrl-C.
#[derive(Args)]
pub struct Local {
    /// Worker processes
    #[arg(short = 'n', long = "workers", value_name = "N", conflicts_with = "nworkers")]
    workers: Option<String>,
    /// Control port, default 8786; 0 for any that is free
    #[arg(long)]
    port: Option<String>,
    /// File that tells clients how to connect
    #[arg(long, value_name = "FILE")]
    scheduler_file: Option<String>,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    http: Http,
}

impl Local {
    fn flags(&self) -> Vec<Flag<'_>> {
        let mut flags = vec![
            ("worker.nworkers", "-n", self.workers.as_deref()),
            ("scheduler.port", "--port", self.port.as_deref()),
            ("scheduler.scheduler-file", "--scheduler-file", self.scheduler_file.as_deref()),
        ];
        // The number of workers may be written in Dask's way too, but a flag that was not given must not hide the other.
        flags.extend(self.size.flags().into_iter().filter(|(_, _, given)| given.is_some()));
        flags.extend(self.http.flags());
        flags
    }

    /// Serves until it is told to end.
    pub fn run(self) -> Result<(), Stop> {
        let settings = Settings::load(&self.flags())?;
        let workers = settings.count("worker.nworkers").max(1);
        let mut spec = spec(&settings, "", workers)?;
        if spec.name.is_empty() {
            spec.name = "worker".into();
        }
        let mut scheduler = super::scheduler::options(&settings)?;
        scheduler.host = "127.0.0.1".into();
        let cluster = LocalCluster::start(LocalOptions {
            workers: workers as usize,
            port: scheduler.port,
            tls: true,
            threads_per_worker: Some(spec.threads),
            memory_limit: Some(spec.memory_limit),
            local_directory: spec.folder.clone(),
            rules: rules(&settings, &spec),
            worker: spec,
            scheduler,
            worker_command: again(),
            ..LocalOptions::default()
        })?;
        let (stop, stopped) = std::sync::mpsc::channel();
        let told = stop.clone();
        partita_deploy::on_stop(move |times| match times {
            // Nobody waits any more when this cannot be sent.
            1 => drop(told.send("it was stopped".to_string())),
            _ => std::process::exit(130),
        });
        let server = cluster.scheduler();
        let pages = serve_pages(&settings, &server)?;
        super::scheduler::introduce(&server, pages.as_ref(), false)?;
        let watched = Arc::clone(&server);
        std::thread::spawn(move || {
            let ended = watched.wait();
            let _ = stop.send(ended.unwrap_or_else(|failure| failure.to_string()));
        });
        let reason = stopped.recv().unwrap_or_default();
        drop(pages);
        cluster.close();
        eprintln!("the cluster has ended: {reason}");
        Ok(())
    }
}
