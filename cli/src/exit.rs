//! How the program ends.

use std::process::ExitCode;

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
                Code::NoSuchFile
                | Code::IsDirectory
                | Code::NoMatch
                | Code::InvalidOption
                | Code::ColumnNotFound
                | Code::UnknownSetting => ExitCode::from(2),
                _ => ExitCode::from(1),
            }
        }
    }
}

/// Fails when Ctrl-C was pressed before there was anything to cancel.
pub fn check_interrupted() -> Result<(), Error> {
    match Client::interrupted() {
        true => Err(Error::new(Code::Cancelled, "interrupted before the computation started")),
        false => Ok(()),
    }
}
