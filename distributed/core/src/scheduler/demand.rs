//! Tasks that not every worker may run: those whose layer names workers, or resources that one must have free. Layers with the
//! same demand share a queue.
//!
//! It refuses to look at all workers again while none of them has room: a queue that found nobody waits until a worker that
//! fits says something.

use std::collections::{BTreeMap, BTreeSet};

use partita_graph::{Annotations, Layer, Milli};

use super::Scheduler;
use super::queue::Queue;
use super::record::TaskId;
use super::workers::WorkerRecord;
use crate::protocol::{About, WorkerId};

/// What a task asks of the worker that runs it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Needs {
    /// Names or hosts; empty for all.
    pub workers: Vec<String>,
    pub others: bool,
    pub resources: BTreeMap<String, Milli>,
}

/// The tasks with one demand.
pub(super) struct Demand {
    pub needs: Needs,
    /// Layers that have it.
    layers: u32,
    /// Connected workers that could run them.
    pub fitting: BTreeSet<WorkerId>,
    pub ready: Queue,
    /// Nobody had room when it was last tried.
    full: bool,
}

/// All demands.
#[derive(Default)]
pub(super) struct Demands {
    list: Vec<Option<Demand>>,
    index: BTreeMap<Needs, u32>,
    /// Those with ready tasks.
    active: BTreeSet<u32>,
}

impl Needs {
    fn of(wishes: &Annotations) -> Option<Self> {
        let needs = Self { workers: wishes.workers.clone(), others: wishes.allow_other_workers, resources: wishes.resources.clone() };
        (!needs.workers.is_empty() || !needs.resources.is_empty()).then_some(needs)
    }

    pub fn names(&self, about: &About) -> bool {
        self.workers.is_empty() || self.workers.iter().any(|name| *name == about.name || *name == about.host)
    }

    /// The resource that such a worker will never have enough of.
    pub fn lacks(&self, about: &About) -> Option<(&String, Milli)> {
        let has = |name: &String| about.resources.get(name).copied().unwrap_or(0);
        self.resources.iter().find(|(name, amount)| has(name) < **amount).map(|(name, amount)| (name, *amount))
    }
}

impl Demand {
    fn refit<'a>(&mut self, workers: impl Iterator<Item = (WorkerId, &'a WorkerRecord)>) {
        let able: Vec<(WorkerId, bool)> = workers
            .filter(|(_, record)| self.needs.lacks(&record.about).is_none())
            .map(|(id, record)| (id, self.needs.names(&record.about)))
            .collect();
        self.fitting = able.iter().filter(|(_, named)| *named).map(|(id, _)| *id).collect();
        if self.fitting.is_empty() && self.needs.others {
            self.fitting = able.iter().map(|(id, _)| *id).collect();
        }
        self.full = false;
    }
}

impl Demands {
    pub fn any(&self) -> bool {
        !self.active.is_empty()
    }

    pub fn get(&self, demand: u32) -> &Demand {
        self.list[demand as usize].as_ref().expect("a demand in use")
    }

    /// Those with ready tasks.
    pub fn active(&self) -> impl Iterator<Item = &Demand> {
        self.active.iter().map(|demand| self.get(*demand))
    }

    /// All that are in use: their number, and how many layers have them.
    pub fn uses(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.list.iter().enumerate().filter_map(|(at, demand)| Some((at as u32, demand.as_ref()?.layers)))
    }

    fn known(&mut self, demand: u32) -> &mut Demand {
        self.list[demand as usize].as_mut().expect("a demand in use")
    }

    pub fn queue(&mut self, demand: u32, priority: u64, first: TaskId, end: u32) {
        self.active.insert(demand);
        self.known(demand).ready.insert(priority, first, end);
    }

    /// A layer that had this demand is gone.
    pub fn leave(&mut self, demand: Option<u32>) {
        let Some(demand) = demand else { return };
        let record = self.known(demand);
        record.layers -= 1;
        if record.layers == 0 {
            self.index.remove(&self.list[demand as usize].take().expect("just seen").needs);
            self.active.remove(&demand);
        }
    }
}

impl Scheduler {
    /// The demand of a new layer.
    pub(super) fn demand_of(&mut self, layer: &Layer) -> Option<u32> {
        let needs = Needs::of(layer.annotations.as_ref()?)?;
        if let Some(demand) = self.demands.index.get(&needs).copied() {
            self.demands.known(demand).layers += 1;
            return Some(demand);
        }
        let mut demand = Demand { needs: needs.clone(), layers: 1, fitting: BTreeSet::new(), ready: Queue::default(), full: false };
        demand.refit(self.workers.iter());
        let at = self.demands.list.iter().position(Option::is_none).unwrap_or_else(|| {
            self.demands.list.push(None);
            self.demands.list.len() - 1
        });
        self.demands.list[at] = Some(demand);
        self.demands.index.insert(needs, at as u32);
        Some(at as u32)
    }

    /// A worker came or went.
    pub(super) fn refit_demands(&mut self) {
        for demand in self.demands.list.iter_mut().flatten() {
            demand.refit(self.workers.iter());
        }
    }

    /// Gives out tasks with demands. With `urgent_only` those are left for later that are less urgent than the common queue.
    pub(super) fn serve_demands(&mut self, urgent_only: bool) {
        if self.demands.active.is_empty() {
            return;
        }
        for demand in self.demands.active.iter().copied().collect::<Vec<u32>>() {
            let first = self.demands.get(demand).ready.first();
            let urgent = self.roots.first().map_or(u64::MAX, |(priority, _)| priority >> 56);
            if urgent_only && first.is_some_and(|(priority, _)| urgent < priority >> 56) {
                continue;
            }
            self.serve_demand(demand);
            if self.demands.get(demand).ready.is_empty() {
                self.demands.active.remove(&demand);
            }
        }
    }

    fn serve_demand(&mut self, demand: u32) {
        let record = self.demands.get(demand);
        let candidates: Vec<WorkerId> = match record.full {
            true => self.touched.iter().copied().filter(|worker| record.fitting.contains(worker)).collect(),
            false => record.fitting.iter().copied().collect(),
        };
        if candidates.is_empty() {
            return;
        }
        loop {
            let record = self.demands.known(demand);
            let Some((first, end)) = record.ready.pop(&self.slots, Some(demand)) else {
                record.full = false;
                return;
            };
            let Some(worker) = self.best_of(first, demand, &candidates) else {
                self.demands.known(demand).full = true;
                return self.queue_range(Some((first, end)));
            };
            self.queue_range(Some((TaskId { index: first.index + 1, ..first }, end)));
            self.give(first, worker);
            self.workers.reindex(worker, self.config.saturation);
        }
    }

    /// Who of these has room and resources now: where the inputs are soonest, then the least loaded.
    fn best_of(&mut self, task: TaskId, demand: u32, candidates: &[WorkerId]) -> Option<WorkerId> {
        let saturation = self.config.saturation;
        let is_root = self.slot(task.slot).edges.is_empty();
        let needs = &self.demands.get(demand).needs.resources;
        let has_room = |record: &WorkerRecord| {
            let room = if is_root { record.room_for_roots(saturation) } else { record.room(saturation) };
            record.is_usable() && record.assigned() + record.expecting < room && record.offers(needs)
        };
        let usable = |worker: &&WorkerId| self.workers.get(**worker).is_some_and(has_room);
        let mut able: Vec<WorkerId> = candidates.iter().filter(usable).copied().collect();
        if able.is_empty() {
            // Nobody who fits is awake: an idle one must do, or what fills its memory would never be read.
            let fitting = &self.demands.get(demand).fitting;
            let awake = fitting.iter().any(|worker| self.workers.get(*worker).is_some_and(WorkerRecord::is_usable));
            let drowsy = |worker: &&WorkerId| self.workers.get(**worker).is_some_and(|record| record.is_drowsy() && record.offers(needs));
            able = candidates.iter().filter(|_| !awake).filter(drowsy).copied().collect();
        }
        if is_root {
            return able.into_iter().min_by_key(|worker| (self.workers.get(*worker).map(WorkerRecord::load), *worker));
        }
        let mut ranked = Vec::with_capacity(able.len());
        for worker in able {
            let wait = self.workers.get(worker).map_or(0, WorkerRecord::wait);
            ranked.push((self.micros_to(task, worker) + wait, worker));
        }
        ranked.into_iter().min().map(|(_, worker)| worker)
    }
}
