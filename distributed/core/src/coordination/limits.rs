//! How much there may be of everything, so that no caller makes the scheduler's process run out of memory, and the refusals that name
//! these limits.
//!
//! It refuses to know what is limited; the objects ask before they take something in.

use partita_graph::{Code, Failure};

use super::protocol::Bytes;

/// Bytes of a name.
pub const MAX_NAME: usize = 256;
/// Bytes of one value or message.
pub const MAX_VALUE: usize = 4 << 20;
/// Bytes of all values in queues and variables, those included that wait for room in a queue; each counts [`VALUE_COST`] more.
pub const MAX_BYTES: u64 = 256 << 20;
/// What a value costs beside its own bytes.
pub const VALUE_COST: u64 = 64;
/// Bytes of the values in one answer, unless the first alone has more.
pub const MAX_BATCH: usize = 16 << 20;
/// Objects of one kind.
pub const MAX_OBJECTS: usize = 65_536;
/// What one holder may hold and wait for at a time: locks, leases, subscriptions and open calls together.
pub const MAX_HELD: usize = 65_536;
/// Leases of one semaphore.
pub const MAX_LEASES: u32 = 65_536;
/// Expired leases that a semaphore remembers; then the oldest is forgotten, and its holder learns only that it is not known.
pub const MAX_EXPIRED: usize = 1_024;

/// Letters of a name that is too long, in its refusal.
const SHOWN: usize = 32;

/// Bytes for which a value counts.
pub(super) fn cost(value: &Bytes) -> u64 {
    value.len() as u64 + VALUE_COST
}

pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        return Err(Failure::new(Code::InvalidOption, "an object without a name cannot be found by others").help("give it a name"));
    }
    if name.len() > MAX_NAME {
        let begin: String = name.chars().take(SHOWN).collect();
        let what = format!("the name `{begin}…` has {} bytes, at most {MAX_NAME} are accepted", name.len());
        return Err(Failure::new(Code::TooLarge, what).help("use a shorter name, for example a hash of the long one"));
    }
    Ok(())
}

pub(super) fn check_value(value: &Bytes) -> Result<(), Failure> {
    if value.len() > MAX_VALUE {
        let what = format!("a value has {} bytes, at most {MAX_VALUE} are accepted", value.len());
        return Err(Failure::new(Code::TooLarge, what).help("keep large data in chunks or files, and pass on where it is"));
    }
    Ok(())
}

/// Whether there may be one more of `kind`.
pub(super) fn check_objects(there: usize, kind: &str) -> Result<(), Failure> {
    if there < MAX_OBJECTS {
        return Ok(());
    }
    let what = format!("there are {there} {kind} already, and no more are kept");
    Err(Failure::new(Code::CoordinationFull, what).help("give back what is no longer used; names that differ for every task add up"))
}

/// Whether one holder may hold or wait for one thing more.
pub(super) fn check_held(held: usize) -> Result<(), Failure> {
    if held < MAX_HELD {
        return Ok(());
    }
    let what = format!("this process holds and waits for {held} things already, and may not for more");
    Err(Failure::new(Code::CoordinationFull, what).help("give back locks, leases and subscriptions that are no longer used"))
}

/// Whether so many bytes of values may come to those that there are.
pub(super) fn check_bytes(there: u64, more: u64) -> Result<(), Failure> {
    if there.saturating_add(more) <= MAX_BYTES {
        return Ok(());
    }
    let what = format!("queues and variables hold {there} bytes, and {more} more would pass the limit of {MAX_BYTES}");
    Err(Failure::new(Code::CoordinationFull, what).help("give queues a maxsize, and delete variables that are no longer used"))
}
