//! Thousands of random events, each compared with the model: contention for few names, holders that die, calls that are withdrawn,
//! leases that run out while they are used.

use partita_core::coordination::{
    Ask, Bytes, Coordination, Event, EventAsk, HolderId, LeaseId, LockAsk, Name, OwnerId, QueueAsk, RequestId, SemaphoreAsk, Snapshot,
    TopicAsk, VariableAsk,
};

use super::model::{Model, number_in};
use super::script::assert_nobody;

const SEEDS: u64 = 24;
const EVENTS: u64 = 1_500;
const HOLDERS: u64 = 6;

/// Numbers that are the same for the same seed everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len() as u64) as usize]) }
    }

    fn timeout(&mut self) -> Option<u64> {
        match self.below(3) {
            0 => None,
            1 => Some(0),
            _ => Some(1 + self.below(30)),
        }
    }
}

/// One run of the machine beside the model.
struct Trial {
    random: Random,
    machine: Coordination,
    model: Model,
    now: u64,
    /// Those that live, and the last that was made.
    holders: Vec<HolderId>,
    made: u64,
    requests: u64,
    values: u64,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let holders = (1..=HOLDERS).map(HolderId).collect();
        let (machine, model) = (Coordination::new(), Model::default());
        Self { random: Random(seed), machine, model, now: 0, holders, made: HOLDERS, requests: 0, values: 0 }
    }

    fn handle(&mut self, event: Event) {
        self.model.before(self.now, &event);
        let mut out = Vec::new();
        self.machine.handle(self.now, event, &mut out);
        out.into_iter().for_each(|action| self.model.after(action));
        self.machine.check();
        self.model.settled(&self.machine);
    }

    /// Time passes, and something happens.
    fn step(&mut self) {
        let passed = if self.random.one_in(20) { 25 } else { self.random.below(3) };
        self.now += passed;
        let event = self.event();
        // For calls that wait it is all the same whether the machine was told before that time has passed.
        let waits = matches!(event, Event::Ask { what: Ask::Lock(_, LockAsk::Acquire { .. }), .. })
            || matches!(event, Event::Ask { what: Ask::Semaphore(_, SemaphoreAsk::Acquire { .. }), .. });
        if !waits || self.random.one_in(2) {
            self.handle(Event::Tick);
        }
        self.handle(event);
    }

    fn event(&mut self) -> Event {
        match self.random.below(40) {
            0 => {
                let at = self.random.below(HOLDERS) as usize;
                self.made += 1;
                Event::HolderGone(std::mem::replace(&mut self.holders[at], HolderId(self.made)))
            }
            1..=3 => self.withdrawal(),
            _ => {
                let (holder, what) = self.ask();
                self.requests += 1;
                Event::Ask { holder, request: RequestId(self.requests), what }
            }
        }
    }

    /// Of a call that waits, of one that brought something, or of one that never was.
    fn withdrawal(&mut self) -> Event {
        let calls: Vec<(HolderId, RequestId)> = match self.random.below(4) {
            0 => self.model.locks.values().map(|(holder, request, _)| (*holder, *request)).collect(),
            1 => self.model.leases.values().map(|lease| lease.by).collect(),
            _ => self.model.open.iter().map(|(request, open)| (open.holder, *request)).collect(),
        };
        let (holder, request) = self.random.pick(&calls).unwrap_or((self.holders[0], RequestId(0)));
        Event::Withdraw { holder, request }
    }

    fn holder(&mut self) -> HolderId {
        self.holders[self.random.below(HOLDERS) as usize]
    }

    fn value(&mut self) -> Bytes {
        self.values += 1;
        self.values.to_le_bytes().to_vec().into()
    }

    fn ask(&mut self) -> (HolderId, Ask) {
        let holder = self.holder();
        match self.random.below(20) {
            0..=5 => self.ask_lock(holder),
            6..=11 => self.ask_semaphore(holder),
            12..=16 => (holder, self.ask_queue()),
            17 => (holder, self.ask_event()),
            18 => (holder, self.ask_variable()),
            _ => (holder, self.ask_topic()),
        }
    }

    /// Releases are by who has it, mostly.
    fn ask_lock(&mut self, holder: HolderId) -> (HolderId, Ask) {
        let name: Name = self.random.pick(&["lock1", "lock2"]).expect("two names").into();
        let owner = OwnerId(self.random.below(2));
        match self.random.below(10) {
            0 => (holder, Ask::Lock(name, LockAsk::IsHeld)),
            1 => (holder, Ask::Lock(name, LockAsk::Release { owner })),
            2..=4 => match self.model.locks.get(&name).copied() {
                Some((holder, _, owner)) => (holder, Ask::Lock(name, LockAsk::Release { owner })),
                None => (holder, Ask::Lock(name, LockAsk::IsHeld)),
            },
            _ => (holder, Ask::Lock(name, LockAsk::Acquire { owner, timeout: self.random.timeout() })),
        }
    }

    fn ask_semaphore(&mut self, holder: HolderId) -> (HolderId, Ask) {
        let name: Name = self.random.pick(&["semaphore1", "semaphore3"]).expect("two names").into();
        let leases: Vec<LeaseId> = self.model.leases.keys().copied().collect();
        let known = self.random.pick(&leases);
        let honest = known.filter(|_| !self.random.one_in(8)).map(|lease| &self.model.leases[&lease]);
        let (of, by) = honest.map_or((name.clone(), holder), |lease| (lease.name.clone(), lease.by.0));
        let lease = known.unwrap_or(LeaseId(self.random.below(9)));
        match self.random.below(20) {
            0 => (holder, Ask::Semaphore(name, SemaphoreAsk::Value)),
            1 if self.random.one_in(3) => (holder, Ask::Semaphore(name, SemaphoreAsk::Close)),
            1..=5 => (by, Ask::Semaphore(of, SemaphoreAsk::Release(lease))),
            6..=11 => (by, Ask::Semaphore(of, SemaphoreAsk::Refresh(lease))),
            _ => {
                let (max_leases, lease) = (number_in(&name), 1 + self.random.below(30));
                (holder, Ask::Semaphore(name, SemaphoreAsk::Acquire { max_leases, lease, timeout: self.random.timeout() }))
            }
        }
    }

    fn ask_queue(&mut self) -> Ask {
        let name: Name = self.random.pick(&["queue0", "queue1", "queue3"]).expect("three names").into();
        let (maxsize, timeout) = (number_in(&name), self.random.timeout());
        let what = match self.random.below(20) {
            0 => QueueAsk::Size,
            1 => QueueAsk::PutBack { values: (0..self.random.below(4)).map(|_| self.value()).collect(), maxsize },
            2..=9 => QueueAsk::Put { value: self.value(), maxsize, timeout },
            10..=12 => QueueAsk::GetBatch { count: Some(1 + self.random.below(3) as u32), timeout },
            13 => QueueAsk::GetBatch { count: None, timeout },
            _ => QueueAsk::Get { timeout },
        };
        Ask::Queue(name, what)
    }

    fn ask_event(&mut self) -> Ask {
        let what = match self.random.below(5) {
            0 => EventAsk::Set,
            1 => EventAsk::Clear,
            2 => EventAsk::IsSet,
            _ => EventAsk::Wait { timeout: self.random.timeout() },
        };
        Ask::Event("event1".into(), what)
    }

    fn ask_variable(&mut self) -> Ask {
        let what = match self.random.below(4) {
            0 => VariableAsk::Set(self.value()),
            1 => VariableAsk::Delete,
            _ => VariableAsk::Get { timeout: self.random.timeout() },
        };
        Ask::Variable("variable1".into(), what)
    }

    fn ask_topic(&mut self) -> Ask {
        let what = match self.random.below(4) {
            0 => TopicAsk::Subscribe,
            1 => TopicAsk::Unsubscribe,
            _ => TopicAsk::Publish(self.value()),
        };
        Ask::Topic("topic1".into(), what)
    }

    /// Everybody goes; then somebody clears up what may be left: values and set events.
    fn end(mut self) {
        for holder in std::mem::take(&mut self.holders) {
            self.handle(Event::HolderGone(holder));
        }
        let left = self.machine.snapshot();
        assert_nobody(&left);
        assert_eq!(self.machine.next_deadline(), None);
        let events = left.events.into_iter().map(|event| Ask::Event(event.name, EventAsk::Clear));
        let variables = left.variables.into_iter().map(|variable| Ask::Variable(variable.name, VariableAsk::Delete));
        let queues = left.queues.into_iter().map(|queue| Ask::Queue(queue.name, QueueAsk::GetBatch { count: None, timeout: None }));
        for what in events.chain(variables).chain(queues) {
            self.requests += 1;
            self.handle(Event::Ask { holder: HolderId(self.made + 1), request: RequestId(self.requests), what });
        }
        assert_eq!(self.machine.snapshot(), Snapshot::default());
    }
}

#[test]
fn a_model_agrees_with_everything_that_is_answered() {
    for seed in 0..SEEDS {
        let mut trial = Trial::new(seed);
        (0..EVENTS).for_each(|_| trial.step());
        trial.end();
    }
}

/// The trial is no sleep: each rare thing happens in it.
#[test]
fn rare_things_happen_in_the_trial() {
    let (mut oversubscribed, mut expired, mut waiting) = (0, 0, 0);
    for seed in 0..SEEDS / 4 {
        let mut trial = Trial::new(seed);
        for _ in 0..EVENTS {
            trial.step();
            let shown = format!("{:?}", trial.machine.snapshot());
            oversubscribed += usize::from(shown.contains("state: Over"));
            expired += usize::from(shown.contains("state: Expired"));
            waiting += usize::from(trial.model.open.len() > 3);
        }
    }
    assert!(oversubscribed > 50 && expired > 500 && waiting > 100, "{oversubscribed}, {expired}, {waiting}");
}
