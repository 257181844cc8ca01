//! How the program ends, and what an interrupt does.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use partita::{Client, Code, Error};

/// Why a command did not do what it was asked.
pub enum Stop {
    /// The library's own words.
    Failed(Error),
    /// Standard output is closed (`| head`): nobody reads any more.
    Closed,
}

impl From<Error> for Stop {
    fn from(failure: Error) -> Self {
        Stop::Failed(failure)
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Stop::Closed,
            _ => Stop::Failed(Error::new(Code::Unreadable, format!("output cannot be written: {error}"))),
        }
    }
}

/// The exit code of a command, its failure printed.
pub fn run(outcome: Result<(), Stop>) -> ExitCode {
    match outcome {
        Ok(()) | Err(Stop::Closed) => ExitCode::SUCCESS,
        Err(Stop::Failed(mut failure)) => {
            // A user of the program has no source line to look at.
            failure.origin = None;
            eprintln!("{failure}");
            match failure.code {
                Code::Cancelled => ExitCode::from(130),
                Code::NoSuchFile | Code::IsDirectory | Code::NoMatch | Code::InvalidOption | Code::ColumnNotFound => ExitCode::from(2),
                _ => ExitCode::from(1),
            }
        }
    }
}

static ASKED: AtomicBool = AtomicBool::new(false);

/// Fails when Ctrl-C was pressed before there was anything to cancel.
pub fn check_interrupted() -> Result<(), Error> {
    match ASKED.load(Ordering::SeqCst) {
        true => Err(Error::new(Code::Cancelled, "interrupted before the computation started")),
        false => Ok(()),
    }
}

/// The first Ctrl-C cancels the computation cleanly, a second one ends the program at once.
pub fn cancel_on_interrupt(client: &Client) {
    let client = client.clone();
    let handler = move || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("interrupted: stopping the computation; once more to quit at once");
        client.cancel_all();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("note: Ctrl-C will end the program at once ({error})");
    }
}
