//! `partita explain E0107`: the page of an error code.

use std::io::Write;

use clap::Args;
use partita::{Code, Error};

use crate::exit::Stop;

/// Explains an error code; without one, lists all.
#[derive(Args)]
pub struct Explain {
    /// For example E0107
    code: Option<String>,
}

impl Explain {
    /// Prints the page.
    pub fn run(self) -> Result<(), Stop> {
        let mut out = std::io::stdout().lock();
        let Some(text) = self.code else {
            for code in Code::ALL {
                writeln!(out, "{code}  {}", code.title())?;
            }
            return Ok(());
        };
        let wanted = text.trim_start_matches(['E', 'e']).parse::<u16>().ok();
        match Code::ALL.iter().find(|code| Some(**code as u16) == wanted) {
            Some(code) => {
                writeln!(out, "{code}: {}\n\n{}", code.title(), code.page())?;
                Ok(())
            }
            None => Err(Error::new(Code::InvalidOption, format!("`{text}` is no error code")).help("list them: partita explain").into()),
        }
    }
}
