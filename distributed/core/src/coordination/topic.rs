//! Topics: messages for whoever is subscribed at the moment.
//!
//! It refuses to keep a message for who comes later. Invariant: a topic exists exactly while somebody is subscribed.

use std::collections::{BTreeMap, BTreeSet};

use super::book::{Book, Outcome};
use super::check::Found;
use super::limits::{check_objects, check_value};
use super::protocol::{Action, Answer, Bytes, HolderId, Name, TopicAsk};
use super::snapshot::TopicView;

#[derive(Default)]
pub(super) struct Topics(BTreeMap<Name, BTreeSet<HolderId>>);

impl Topics {
    pub fn ask(&mut self, book: &mut Book, holder: HolderId, name: Name, ask: TopicAsk) -> Outcome {
        match ask {
            TopicAsk::Subscribe => self.subscribe(book, holder, name),
            TopicAsk::Unsubscribe => {
                self.unsubscribe(book, holder, &name);
                Ok(Some(Answer::Done))
            }
            TopicAsk::Publish(message) => self.publish(book, &name, message),
        }
    }

    fn subscribe(&mut self, book: &mut Book, holder: HolderId, name: Name) -> Outcome {
        match self.0.get(&name) {
            Some(subscribers) if subscribers.contains(&holder) => return Ok(Some(Answer::Done)),
            Some(_) => {}
            None => check_objects(self.0.len(), "topics")?,
        }
        book.check_holder(holder)?;
        book.change(holder, |record| {
            record.topics.insert(name.clone());
        });
        self.0.entry(name).or_default().insert(holder);
        Ok(Some(Answer::Done))
    }

    pub fn unsubscribe(&mut self, book: &mut Book, holder: HolderId, name: &Name) {
        let Some(subscribers) = self.0.get_mut(name) else { return };
        if subscribers.remove(&holder) {
            book.change(holder, |record| {
                record.topics.remove(name);
            });
        }
        if subscribers.is_empty() {
            self.0.remove(name);
        }
    }

    fn publish(&self, book: &mut Book, name: &Name, message: Bytes) -> Outcome {
        check_value(&message)?;
        let subscribers = self.0.get(name);
        let deliver = |holder: &HolderId| Action::Deliver { holder: *holder, topic: name.clone(), message: message.clone() };
        book.out.extend(subscribers.into_iter().flatten().map(deliver));
        Ok(Some(Answer::Count(subscribers.map_or(0, |subscribers| subscribers.len() as u64))))
    }

    pub fn check(&self, found: &mut Found) {
        for (name, subscribers) in &self.0 {
            assert!(!subscribers.is_empty(), "topic {name} has no subscribers");
            subscribers.iter().for_each(|holder| found.subscribing(*holder, name.clone()));
        }
    }

    pub fn view(&self) -> Vec<TopicView> {
        let view = |(name, subscribers): (&Name, &BTreeSet<HolderId>)| TopicView {
            name: name.clone(),
            subscribers: subscribers.iter().copied().collect(),
        };
        self.0.iter().map(view).collect()
    }
}
