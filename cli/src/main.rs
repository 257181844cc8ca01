//! The `partita` program. Data and results go to standard output, everything else to standard error.
//!
//! Exit codes: 0 done, 1 the computation failed, 2 the command line or an option cannot be used, 130 interrupted.

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "cluster")]
mod config;
mod demo;
mod exit;
mod explain;
mod groupby;
mod look;
mod tpch;

use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// Freed memory goes back quickly and small allocations of many threads do not wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 the computation failed, 2 the command line or an option cannot be used, 130 interrupted.\n\
    Progress goes to standard error; PARTITA_PROGRESS=auto|plain|json|off chooses its form.";

#[derive(Parser)]
#[command(name = "partita", version = VERSION, about = "Data frames in partitions, on all your cores", after_help = EXIT_CODES)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

/// The allocator asks for huge pages for each thread's first few kilobytes, and the system clears each of them: a fifth of the time
/// of the main job. Where the system does not know the switch, nothing is lost.
fn small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Name, version, and what it was built as.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (protocol 5)");

#[derive(Subcommand)]
enum Command {
    /// Aggregate CSV files by keys: partita groupby 'data/*.csv' --by origin --mean dep_delay
    #[command(alias = "group-by")]
    Groupby(groupby::Groupby),
    /// Print the first rows of CSV files
    Head(look::Head),
    /// Print the columns and types of CSV files
    Schema(look::Schema),
    /// Write TPC-H lineitem as CSV into a temporary folder, run the main job on it, show result, plan and time
    Demo(demo::Demo),
    /// Run the 22 TPC-H queries: partita tpch --sf 1 --query 1..22
    Tpch(tpch::Tpch),
    /// Run a scheduler: the process that workers and clients connect to
    #[cfg(feature = "cluster")]
    Scheduler(cluster::Scheduler),
    /// Run workers for a scheduler
    #[cfg(feature = "cluster")]
    Worker(cluster::Worker),
    /// Run a scheduler and workers on this host: partita local -n 4
    #[cfg(feature = "cluster")]
    Local(cluster::Local),
    /// Ask a running scheduler: info, workers, story, retire, shutdown, …
    #[cfg(feature = "cluster")]
    Cluster(cluster::Cluster),
    /// Show settings: what holds, and why
    #[cfg(feature = "cluster")]
    Config(config::Config),
    /// Explain an error code, for example E0107
    Explain(explain::Explain),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

fn main() -> std::process::ExitCode {
    small_pages();
    // A process that a nanny started serves here, whatever its arguments are.
    #[cfg(feature = "cluster")]
    partita::run();
    let program = Program::parse();
    #[cfg(feature = "cluster")]
    if let Command::Groupby(_) | Command::Head(_) | Command::Schema(_) | Command::Tpch(_) = &program.command
        && let Err(failure) = config::reach_stores()
    {
        return exit::run(Err(failure.into()));
    }
    exit::run(match program.command {
        Command::Groupby(groupby) => groupby.run(),
        Command::Head(head) => head.run(),
        Command::Schema(schema) => schema.run(),
        Command::Demo(demo) => demo.run(),
        Command::Tpch(tpch) => tpch.run(),
        #[cfg(feature = "cluster")]
        Command::Scheduler(scheduler) => scheduler.run(),
        // A worker without a nanny ends with the code that a nanny would be told.
        #[cfg(feature = "cluster")]
        Command::Worker(worker) => return worker.run(),
        #[cfg(feature = "cluster")]
        Command::Local(local) => local.run(),
        #[cfg(feature = "cluster")]
        Command::Cluster(cluster) => cluster.run(),
        #[cfg(feature = "cluster")]
        Command::Config(config) => config.run(),
        Command::Explain(explain) => explain.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Program::command(), "partita", &mut script);
            std::io::stdout().write_all(&script).map_err(exit::Stop::from)
        }
    })
}
