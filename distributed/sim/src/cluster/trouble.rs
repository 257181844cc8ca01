//! What goes wrong with workers, and how it is put right: deaths, breaks, stops, retirement, new processes.

use partita_core::protocol::{About, Gone, SchedulerEvent, WorkerId};
use partita_core::worker::{self, Worker};

use super::Cluster;
use crate::agree::holder_of;
use crate::happening::{Happening, Trouble};
use crate::node::Node;
use crate::random_graph::OFFERS;

impl Cluster {
    fn every(&self, kind: Trouble) -> u64 {
        match kind {
            Trouble::Death => self.faults.death_every,
            Trouble::Retire => self.faults.retire_every,
            Trouble::Cut => self.faults.cut_every,
            Trouble::Stop => self.faults.stop_every,
            Trouble::Client => self.faults.client_every,
            Trouble::Restart => self.faults.restart_every,
            Trouble::Copies => self.faults.copies_every,
        }
    }

    /// All kinds of trouble begin.
    pub fn begin_troubles(&mut self) {
        for kind in Trouble::ALL {
            let every = self.every(kind);
            if every > 0 {
                let first = self.up_to(every);
                self.after(first, Happening::Trouble(kind));
            }
        }
    }

    pub fn trouble(&mut self, kind: Trouble) -> Result<(), String> {
        let every = self.every(kind);
        if every == 0 {
            return Ok(());
        }
        let next = 1 + self.up_to(2 * every);
        self.after(next, Happening::Trouble(kind));
        match kind {
            Trouble::Client => return self.client_trouble(),
            Trouble::Restart => return self.restart(),
            Trouble::Copies => return self.copies(),
            _ => {}
        }
        let ids: Vec<WorkerId> = self.nodes.iter().filter(|(_, node)| !node.doomed).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let victim = ids[self.rng.usize(0..ids.len())];
        match kind {
            Trouble::Death => {
                let vanish = self.faults.vanish;
                if self.chance(vanish) {
                    self.remove(victim, Gone::Retired);
                } else {
                    self.dies(victim);
                }
            }
            Trouble::Retire => {
                if self.rng.u8(..) < 64 {
                    let patience = self.up_to(20_000);
                    self.after(patience, Happening::Stay(victim));
                }
                return self.tell_scheduler(SchedulerEvent::Retire(victim));
            }
            Trouble::Cut => self.breaks(victim),
            _ => self.stops(victim),
        }
        Ok(())
    }

    /// The process ends, seen by somebody or not.
    pub fn dies(&mut self, victim: WorkerId) {
        let seen = self.faults.seen;
        let seen = self.chance(seen);
        self.kill(victim, seen);
    }

    pub fn kill(&mut self, victim: WorkerId, seen: bool) {
        let executing = seen.then(|| self.nodes.get(&victim).map(|node| node.running.keys().copied().collect()));
        self.remove(victim, Gone::Died { executing: executing.flatten(), why: String::new() });
    }

    /// The process is gone at once; the scheduler notices later, and hears old messages until then and after.
    pub fn remove(&mut self, victim: WorkerId, reason: Gone) {
        let Some(node) = self.nodes.get(&victim) else { return };
        self.excuses.excuse(node.has());
        self.counts.deaths += u64::from(reason != Gone::Retired);
        let doomed = node.doomed;
        self.forget_process(victim);
        if doomed {
            return;
        }
        let notice = self.up_to(self.faults.notice_within);
        self.after(notice, Happening::Noticed(victim, reason));
    }

    /// The process and all that is in it.
    fn forget_process(&mut self, victim: WorkerId) {
        self.nodes.remove(&victim);
        self.forget_inside(victim);
        self.agree_process_ends(holder_of(victim));
        self.requests.retain(|_, request| request.by != victim);
        let asked: Vec<(u64, WorkerId)> =
            self.requests.iter().filter(|(_, request)| request.from == victim).map(|(number, request)| (*number, request.by)).collect();
        for (request, by) in asked {
            let hang = self.faults.hang.max(self.faults.delay);
            let delay = self.up_to(hang);
            self.after(delay, Happening::Closed { by, request });
        }
    }

    pub fn noticed(&mut self, worker: WorkerId, reason: Gone) -> Result<(), String> {
        let name = self.names.remove(&worker);
        if self.faults.rejoin_within > 0 {
            let rejoin = self.up_to(self.faults.rejoin_within);
            self.after(rejoin, Happening::Join { name, repeat: false });
        }
        self.agree_gone(holder_of(worker))?;
        self.tell_scheduler(SchedulerEvent::WorkerGone { worker, reason })
    }

    /// The link breaks: both ways, or one only until it is noticed.
    fn breaks(&mut self, victim: WorkerId) {
        let half = self.faults.half_open;
        let (half, inbound) = (self.chance(half), self.rng.bool());
        if let Some(of) = self.cut(victim, inbound || !half, !inbound || !half) {
            let most = self.faults.cut_for;
            self.plan_break(victim, of, most);
        }
    }

    /// The process is stopped, so that its link is as good as broken.
    pub fn stops(&mut self, victim: WorkerId) {
        let Some(of) = self.cut(victim, true, true) else { return };
        self.nodes.get_mut(&victim).expect("its link was just cut").stopped = true;
        self.counts.stops += 1;
        let most = self.faults.stop_for;
        self.plan_break(victim, of, most);
    }

    /// When the break is noticed, and how it ends.
    fn plan_break(&mut self, victim: WorkerId, of: u32, most: u64) {
        let length = self.up_to(most);
        let unnoticed = self.faults.unnoticed;
        if !self.chance(unnoticed) || length > self.faults.ttl {
            let notice = self.up_to(length.min(self.faults.ttl));
            self.after(notice, Happening::LinkNoticed(victim, of));
        }
        if length > self.faults.ttl {
            self.after(self.faults.ttl, Happening::GivenUp(victim, of));
            self.after(length, Happening::Mended(victim, of));
        } else {
            self.after(length, Happening::Mended(victim, of));
        }
    }

    /// The scheduler gives the worker up, though its process lives and works on until it learns of it.
    pub fn given_up(&mut self, worker: WorkerId, of: u32) -> Result<(), String> {
        let Some(node) = self.nodes.get_mut(&worker).filter(|node| node.link.breaks == of && node.link.lost && !node.doomed) else {
            return Ok(());
        };
        node.doomed = true;
        self.excuses.excuse(node.has());
        self.counts.given_up += 1;
        let ends = self.up_to(self.faults.rejoin_within + 20_000);
        self.after(ends, Happening::Ends(worker));
        self.noticed(worker, Gone::Unreachable)
    }

    pub fn ends(&mut self, worker: WorkerId) -> Result<(), String> {
        self.forget_process(worker);
        Ok(())
    }

    /// The worker may go, and goes. All that anybody wants of it is elsewhere, so nothing runs again for it.
    pub fn retired(&mut self, worker: WorkerId) -> Result<(), String> {
        if !self.names.contains_key(&worker) {
            return Err(format!("worker {} may retire, but it is gone", worker.0));
        }
        // It may have died meanwhile, and that has its own notice.
        if self.nodes.contains_key(&worker) {
            self.counts.retired += 1;
            self.forget_process(worker);
            let notice = self.up_to(self.faults.notice_within);
            self.after(notice, Happening::Noticed(worker, Gone::Retired));
        }
        Ok(())
    }

    /// A worker joins, under the name of one that is gone or under the first that is free.
    pub fn join(&mut self, name: Option<String>, repeat: bool) -> Result<(), String> {
        if repeat && self.faults.join_every > 0 && self.nodes.len() < 6 {
            let delay = self.up_to(2 * self.faults.join_every);
            self.after(delay, Happening::Join { name: None, repeat });
        }
        let reborn = name.is_some() && !self.quiet;
        let taken = self.taken();
        let name = match name {
            Some(name) if taken.contains(name.as_str()) => return Ok(()),
            Some(name) => name,
            None => match OFFERS.iter().find(|offer| !taken.contains(offer.0)) {
                Some(offer) => offer.0.to_string(),
                None => format!("w{}", self.next_worker),
            },
        };
        self.counts.reborn += u64::from(reborn);
        let about = self.about(&name);
        self.join_as(about)
    }

    /// What a worker of this name is and offers.
    pub fn about(&self, name: &str) -> About {
        let memory_limit = if self.faults.limit_told { self.memory_limit } else { 0 };
        let about = About { memory_limit, ..About::plain(name, self.threads) };
        match OFFERS.iter().find(|offer| offer.0 == name) {
            None => about,
            Some((_, host, a, b)) => {
                let resources = [("A", *a), ("B", *b)].into_iter().filter(|(_, offer)| *offer > 0);
                About { host: host.to_string(), resources: resources.map(|(name, offer)| (name.to_string(), offer)).collect(), ..about }
            }
        }
    }

    pub fn join_as(&mut self, about: About) -> Result<(), String> {
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let slow = if self.faults.slow > 1 { self.rng.u64(1..=self.faults.slow) } else { 1 };
        let (fetch_bytes, fetches, fetches_per_peer) = self.faults.fetch;
        let max_spill = self.faults.max_spill;
        let config = worker::Config::new(about.threads, self.memory_limit);
        let machine = Worker::new(worker::Config { fetch_bytes, fetches, fetches_per_peer, max_spill, ..config });
        self.nodes.insert(id, Node::new(machine, slow));
        self.names.insert(id, about.name.clone());
        if self.memory_limit > 0 {
            self.after(500, Happening::Measure(id));
        }
        self.after(self.faults.tick_every, Happening::WorkerTick(id));
        if self.agreed.lively && !self.quiet {
            let threads = self.rng.u32(0..=2);
            self.agrees(holder_of(id), threads);
        }
        self.tell_scheduler(SchedulerEvent::Joined { worker: id, about })
    }

    /// Everything is put right: links are mended, processes go on, clients are back, and there is a worker for every wish.
    pub fn faults_stop(&mut self) -> Result<(), String> {
        (self.faults, self.quiet) = (self.faults.stopped(), true);
        let breaks: Vec<(WorkerId, u32)> = self.nodes.iter().map(|(id, node)| (*id, node.link.breaks)).collect();
        for (worker, of) in breaks {
            self.mended(worker, of)?;
        }
        let lost: Vec<_> = self.clients.iter().filter(|(_, state)| state.lost).map(|(id, _)| *id).collect();
        for client in lost {
            self.client_back(client)?;
        }
        let needed = if self.wishful { OFFERS.len() } else { 1 };
        for (name, ..) in OFFERS.iter().take(needed) {
            self.join(Some(name.to_string()), false)?;
        }
        self.caretaker()
    }
}
