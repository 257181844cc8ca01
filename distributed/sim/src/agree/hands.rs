//! What processes have in their hands at one moment, as they see it themselves: who has a lock, who is sure of a lease, which messages came.
//!
//! It refuses to know what the machine thinks. Invariants: no two processes that belong to the cluster have one lock; no more are sure of a
//! lease than there are leases; a subscriber hears what one publisher says in its order, and once.

use std::collections::BTreeMap;

use partita_core::coordination::{Bytes, HolderId, LeaseId, Name};
use partita_core::protocol::Tick;

use super::door::number;
use super::jobs::number_in;

#[derive(Default)]
pub(crate) struct Hands {
    locks: BTreeMap<Name, HolderId>,
    /// Until when who is sure of which.
    sure: BTreeMap<LeaseId, (Name, HolderId, Tick)>,
    /// The last that each subscriber heard of each publisher.
    heard: BTreeMap<(HolderId, u64), u64>,
}

impl Hands {
    pub fn take_lock(&mut self, name: &Name, holder: HolderId) -> Result<(), String> {
        match self.locks.insert(name.clone(), holder) {
            Some(other) => Err(format!("holder {} gets {name} while holder {} has it", holder.0, other.0)),
            None => Ok(()),
        }
    }

    pub fn let_lock_go(&mut self, name: &Name) {
        self.locks.remove(name);
    }

    /// From now on the holder is sure of a lease until then.
    pub fn is_sure(&mut self, now: Tick, name: &Name, holder: HolderId, lease: LeaseId, until: Tick) -> Result<(), String> {
        self.sure.insert(lease, (name.clone(), holder, until));
        let sure = self.sure.values().filter(|(of, _, until)| of == name && *until > now).count();
        let most = number_in(name) as usize;
        if sure > most { Err(format!("{sure} are sure to have one of {most} leases of {name}")) } else { Ok(()) }
    }

    pub fn let_lease_go(&mut self, lease: LeaseId) {
        self.sure.remove(&lease);
    }

    /// A subscriber hears a message.
    pub fn hears(&mut self, holder: HolderId, message: &Bytes) -> Result<(), String> {
        let message = number(message)?;
        match self.heard.insert((holder, message >> 32), message) {
            Some(before) if before >= message => Err(format!("holder {} hears {message:x} after {before:x}", holder.0)),
            _ => Ok(()),
        }
    }

    /// The process is gone, or does not belong to the cluster any more.
    pub fn forget(&mut self, holder: HolderId) {
        self.locks.retain(|_, has| *has != holder);
        self.sure.retain(|_, (_, has, _)| *has != holder);
    }
}
