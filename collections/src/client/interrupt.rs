//! Ctrl-C: the first cancels what runs, cleanly; the second ends the program. For programs that ask for it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use partita_graph::{Code, Failure};

use super::Client;

static ASKED: AtomicBool = AtomicBool::new(false);
static CLIENTS: Mutex<Vec<Client>> = Mutex::new(Vec::new());

impl Client {
    /// From now on the first Ctrl-C (or SIGTERM) cancels everything that runs on this client, so that what waits for it gets
    /// [`Code::Cancelled`], threads stop and spilled files go; a second one ends the program with exit code 130.
    ///
    /// Without this call Ctrl-C ends the program at once, as in any program; spilled files are then removed by the next one.
    ///
    /// # Errors
    /// The program has installed a handler of its own.
    pub fn cancel_on_ctrl_c(&self) -> Result<(), Failure> {
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.is_empty() {
            ctrlc::set_handler(interrupt)
                .map_err(|e| Failure::new(Code::Unsupported, format!("Ctrl-C is handled by someone else: {e}")))?;
        }
        clients.push(self.clone());
        Ok(())
    }

    /// Whether Ctrl-C was pressed since a client handles it.
    pub fn interrupted() -> bool {
        ASKED.load(Ordering::SeqCst)
    }
}

fn interrupt() {
    if ASKED.swap(true, Ordering::SeqCst) {
        std::process::exit(130);
    }
    eprintln!("interrupted: stopping the computation; once more to quit at once");
    CLIENTS.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Client::cancel_all);
}
