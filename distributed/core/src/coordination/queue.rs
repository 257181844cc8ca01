//! Queues: values in the order in which they were put, each for one receiver.
//!
//! It refuses to lose or reorder a value, and to let a later call overtake an earlier one. Invariants: a queue exists exactly while it
//! holds values or is waited for, never both; one waits for room only while the queue is full.

use std::collections::{BTreeMap, VecDeque};

use partita_graph::{Code, Failure};

use super::book::{Book, Call, Line, Outcome, Place, Ticket};
use super::check::Found;
use super::limits::{MAX_BATCH, check_objects, check_value, cost};
use super::protocol::{Answer, Bytes, Name, QueueAsk};
use super::snapshot::QueueView;
use crate::protocol::Tick;

#[derive(Default)]
pub(super) struct Queues(BTreeMap<Name, Queue>);

enum Queue {
    /// Nothing is in it, and somebody wants something.
    Awaited(Line<Take>),
    /// Something is in it.
    Filled(Filled),
}

struct Filled {
    /// 0 for any number.
    maxsize: u32,
    items: VecDeque<Bytes>,
    /// Values that wait for room.
    line: Line<Bytes>,
}

/// How much a call takes.
#[derive(Clone, Copy)]
enum Take {
    One,
    UpTo(u32),
}

impl Queues {
    pub fn ask(&mut self, book: &mut Book, call: Call, name: Name, ask: QueueAsk) -> Outcome {
        match ask {
            QueueAsk::Put { value, maxsize, timeout } => self.put(book, call, name, value, (maxsize, timeout)),
            QueueAsk::Get { timeout } => self.get(book, call, name, Take::One, timeout),
            QueueAsk::GetBatch { count: Some(0), .. } => {
                let what = format!("a batch of 0 values is asked of queue `{name}`");
                Err(Failure::new(Code::InvalidOption, what).help("ask for one value or more, or for all"))
            }
            QueueAsk::GetBatch { count, timeout } => self.get(book, call, name, Take::UpTo(count.unwrap_or(u32::MAX)), timeout),
            QueueAsk::PutBack { values, maxsize } => self.put_back(book, name, values.into(), maxsize),
            QueueAsk::Size => Ok(Some(Answer::Count(match self.0.get(&name) {
                Some(Queue::Filled(filled)) => filled.items.len() as u64,
                Some(Queue::Awaited(_)) | None => 0,
            }))),
        }
    }

    fn put(&mut self, book: &mut Book, call: Call, name: Name, value: Bytes, (maxsize, timeout): (u32, Option<Tick>)) -> Outcome {
        check_value(&value)?;
        match self.0.get_mut(&name) {
            Some(Queue::Awaited(_)) => {
                self.hand_over(book, &name, &mut VecDeque::from([value]));
                Ok(Some(Answer::Done))
            }
            Some(Queue::Filled(filled)) if filled.maxsize != maxsize => {
                let what = format!("queue `{name}` has maxsize {}, and {maxsize} is given", filled.maxsize);
                Err(Failure::new(Code::OtherNumber, what).help("use one maxsize for one name: whoever puts first fixes it"))
            }
            Some(Queue::Filled(filled)) => {
                book.check_bytes(cost(&value))?;
                if filled.has_room() {
                    book.keep(&value);
                    filled.items.push_back(value);
                    return Ok(Some(Answer::Done));
                }
                let outcome = filled.line.join(book, call, Place::Queue(name), timeout, value.clone())?;
                if outcome.is_none() {
                    book.keep(&value);
                }
                Ok(outcome)
            }
            None => {
                check_objects(self.0.len(), "queues")?;
                book.check_bytes(cost(&value))?;
                book.keep(&value);
                self.0.insert(name, Queue::Filled(Filled::new(maxsize, VecDeque::from([value]))));
                Ok(Some(Answer::Done))
            }
        }
    }

    fn get(&mut self, book: &mut Book, call: Call, name: Name, take: Take, timeout: Option<Tick>) -> Outcome {
        match self.0.get_mut(&name) {
            Some(Queue::Awaited(line)) => line.join(book, call, Place::Queue(name), timeout, take),
            Some(Queue::Filled(filled)) => {
                let taken = take.out_of(&mut filled.items);
                taken.iter().for_each(|value| book.let_go(value));
                filled.refill(book);
                if filled.items.is_empty() {
                    self.0.remove(&name);
                }
                Ok(Some(take.answer(taken)))
            }
            None if timeout == Some(0) => Ok(Some(Answer::TimedOut)),
            None => {
                check_objects(self.0.len(), "queues")?;
                let mut line = Line::default();
                let outcome = line.join(book, call, Place::Queue(name.clone()), timeout, take)?;
                self.0.insert(name, Queue::Awaited(line));
                Ok(outcome)
            }
        }
    }

    fn put_back(&mut self, book: &mut Book, name: Name, mut values: VecDeque<Bytes>, maxsize: u32) -> Outcome {
        values.iter().try_for_each(check_value)?;
        book.check_bytes(values.iter().map(cost).sum())?;
        if !self.0.contains_key(&name) {
            check_objects(self.0.len(), "queues")?;
        }
        self.hand_over(book, &name, &mut values);
        if !values.is_empty() {
            values.iter().for_each(|value| book.keep(value));
            let queue = self.0.entry(name).or_insert_with(|| Queue::Filled(Filled::new(maxsize, VecDeque::new())));
            let Queue::Filled(filled) = queue else { unreachable!("whoever waited took something, and none waits any more") };
            values.append(&mut filled.items);
            filled.items = values;
        }
        Ok(Some(Answer::Done))
    }

    /// Gives values to those who wait, in order, as far as they reach.
    fn hand_over(&mut self, book: &mut Book, name: &Name, values: &mut VecDeque<Bytes>) {
        let Some(Queue::Awaited(line)) = self.0.get_mut(name) else { return };
        while !values.is_empty()
            && let Some(waiter) = line.serve(book)
        {
            let answer = waiter.wants.answer(waiter.wants.out_of(values));
            book.answer(waiter.call, Ok(answer));
        }
        if line.is_empty() {
            self.0.remove(name);
        }
    }

    /// A call that waited gives up.
    pub fn leave(&mut self, book: &mut Book, name: &Name, ticket: Ticket) {
        match self.0.get_mut(name).expect("one waits for what exists") {
            Queue::Filled(filled) => {
                let waiter = filled.line.leave(book, ticket);
                book.let_go(&waiter.wants);
            }
            Queue::Awaited(line) => {
                line.leave(book, ticket);
                if line.is_empty() {
                    self.0.remove(name);
                }
            }
        }
    }

    pub fn check(&self, found: &mut Found) {
        for (name, queue) in &self.0 {
            let place = Place::Queue(name.clone());
            match queue {
                Queue::Awaited(line) => {
                    assert!(!line.is_empty(), "queue {name} is empty and not waited for");
                    found.waiting(line, &place);
                }
                Queue::Filled(filled) => {
                    assert!(!filled.items.is_empty(), "queue {name} holds nothing");
                    assert!(filled.line.is_empty() || !filled.has_room(), "queue {name} has room and a value waits for it");
                    filled.items.iter().for_each(|value| found.keeping(value));
                    filled.line.iter().for_each(|(_, waiter)| found.keeping(&waiter.wants));
                    found.waiting(&filled.line, &place);
                }
            }
        }
    }

    pub fn view(&self) -> Vec<QueueView> {
        let view = |(name, queue): (&Name, &Queue)| match queue {
            Queue::Awaited(line) => QueueView { name: name.clone(), getting: line.holders(), ..QueueView::default() },
            Queue::Filled(filled) => QueueView {
                name: name.clone(),
                maxsize: filled.maxsize,
                items: filled.items.len() as u64,
                nbytes: filled.items.iter().map(|value| value.len() as u64).sum(),
                getting: Vec::new(),
                putting: filled.line.holders(),
            },
        };
        self.0.iter().map(view).collect()
    }
}

impl Filled {
    fn new(maxsize: u32, items: VecDeque<Bytes>) -> Self {
        Self { maxsize, items, line: Line::default() }
    }

    fn has_room(&self) -> bool {
        self.maxsize == 0 || self.items.len() < self.maxsize as usize
    }

    /// Lets values in that wait, as far as there is room.
    fn refill(&mut self, book: &mut Book) {
        while self.has_room()
            && let Some(waiter) = self.line.serve(book)
        {
            self.items.push_back(waiter.wants);
            book.answer(waiter.call, Ok(Answer::Done));
        }
    }
}

impl Take {
    /// The first of the values, at least one when there is one.
    fn out_of(self, values: &mut VecDeque<Bytes>) -> Vec<Bytes> {
        let most = match self {
            Self::One => 1,
            Self::UpTo(count) => count as usize,
        };
        let (mut fitting, mut bytes) = (0, 0);
        for value in values.iter().take(most) {
            bytes += value.len();
            if fitting > 0 && bytes > MAX_BATCH {
                break;
            }
            fitting += 1;
        }
        values.drain(..fitting).collect()
    }

    fn answer(self, mut taken: Vec<Bytes>) -> Answer {
        match self {
            Self::One => Answer::Value(taken.pop().expect("a value was there")),
            Self::UpTo(_) => Answer::Values(taken),
        }
    }
}
