//! What can be seen of processes and folders from outside.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Waits until it is true; fails the test when it is not within that time.
#[track_caller]
pub fn until(what: &str, seconds: u64, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there is such a process, a zombie included.
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

pub fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).expect("a process number")), signal).expect("the process exists");
}

/// Stops a process, and waits until it has stopped: of two signals that wait for a process it takes the lower number first,
/// so a SIGTERM sent right after the SIGSTOP would be heard before it.
pub fn freeze(pid: u32) {
    signal(pid, Signal::SIGSTOP);
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|fields| fields.chars().next())
    };
    until("the process has stopped", 10, || state() == Some('T'));
}

/// Children of this process that were not reaped.
pub fn zombies() -> Vec<u32> {
    let own = std::process::id();
    let children =
        std::fs::read_dir("/proc").expect("a list of processes").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let dead = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or("").split(' ');
        fields.next() == Some("Z") && fields.next() == Some(&own.to_string())
    };
    children.filter(dead).collect()
}

/// How many entries a folder has.
pub fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}
