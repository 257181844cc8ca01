//! The session's logic without sockets: random messages, cuts anywhere in a frame, acknowledgements that are lost with them.
//!
//! It refuses to know how connections break in reality; here they break everywhere.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use partita_net::link::frame::{self, Frame, Piece, Splitter};
use partita_net::link::session::{Heard, Session};
use proptest::prelude::*;

/// One end, and the bytes that are on their way to it.
struct Side {
    session: Session,
    splitter: Splitter,
    coming: VecDeque<u8>,
    sent: Vec<Bytes>,
    heard: Vec<Bytes>,
}

fn greeted() -> Splitter {
    let mut splitter = Splitter::default();
    splitter.greeted();
    splitter
}

impl Side {
    fn new() -> Self {
        let session = Session::new(8 << 20);
        Self { session, splitter: greeted(), coming: VecDeque::new(), sent: Vec::new(), heard: Vec::new() }
    }

    fn write(&mut self, to: &mut Side) {
        let mut out = VecDeque::new();
        self.session.write(&mut BytesMut::new(), &mut out);
        out.iter().for_each(|bytes| to.coming.extend(bytes));
    }

    fn read(&mut self, most: usize) {
        let bytes: Vec<u8> = self.coming.drain(..most.min(self.coming.len())).collect();
        let mut chunk = Bytes::from(bytes);
        let mut heard = Vec::new();
        while let Some(body) = self.splitter.next(&mut chunk).unwrap() {
            self.session.heard(frame::read(body).unwrap(), &mut heard).unwrap();
        }
        for heard in heard {
            let Heard::Message(message) = heard else { panic!("nobody closed") };
            self.heard.push(message);
        }
    }
}

fn cut(a: &mut Side, b: &mut Side) {
    for side in [&mut *a, &mut *b] {
        side.coming.clear();
        side.splitter = greeted();
    }
    let (at_a, at_b) = (a.session.received(), b.session.received());
    a.session.resume(at_b).unwrap();
    b.session.resume(at_a).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Push(bool, usize),
    Write(bool),
    Read(bool, usize),
    Tick(bool),
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![20 => 0usize..200, 4 => 10_000usize..40_000, 1 => Just(frame::FRAGMENT), 1 => Just(2 * frame::FRAGMENT + 17)];
    let step = prop_oneof![
        4 => (any::<bool>(), size).prop_map(|(side, size)| Step::Push(side, size)),
        4 => any::<bool>().prop_map(Step::Write),
        4 => (any::<bool>(), prop_oneof![1usize..40, 100usize..3_000_000]).prop_map(|(side, most)| Step::Read(side, most)),
        1 => any::<bool>().prop_map(Step::Tick),
        1 => Just(Step::Cut),
    ];
    proptest::collection::vec(step, 1..90)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn each_message_comes_once_and_in_order(steps in steps()) {
        let (mut a, mut b) = (Side::new(), Side::new());
        let mut number = 0u8;
        for step in steps {
            let (one, other) = match &step {
                Step::Push(true, _) | Step::Write(true) | Step::Read(true, _) | Step::Tick(true) => (&mut a, &mut b),
                _ => (&mut b, &mut a),
            };
            match step {
                Step::Push(_, size) => {
                    number = number.wrapping_add(1);
                    let message = Bytes::from(vec![number; size]);
                    one.session.push(message.clone());
                    one.sent.push(message);
                }
                Step::Write(_) => one.write(other),
                Step::Read(_, most) => one.read(most),
                Step::Tick(_) => one.session.ask_ack(),
                Step::Cut => cut(one, other),
            }
            for (one, other) in [(&a, &b), (&b, &a)] {
                prop_assert!(other.sent.starts_with(&one.heard), "what was heard is the beginning of what was sent");
                let unheard: u64 = one.sent[other.heard.len()..].iter().map(|message| message.len() as u64).sum();
                prop_assert!(one.session.pending_bytes() >= unheard, "what was not heard is kept");
            }
        }
        // The connection is well again: everything arrives, and nothing is kept.
        for _ in 0..100 {
            for _ in 0..2 {
                a.session.ask_ack();
                a.write(&mut b);
                b.read(usize::MAX);
                std::mem::swap(&mut a, &mut b);
            }
        }
        prop_assert!(a.heard == b.sent && b.heard == a.sent);
        prop_assert!(a.session.is_drained() && b.session.is_drained());
        prop_assert_eq!(a.session.pending_bytes() + b.session.pending_bytes(), 0);
    }
}

#[test]
fn what_is_kept_is_bounded_by_acknowledgements_without_a_word_from_the_other_side() {
    let (mut a, mut b) = (Side::new(), Side::new());
    let mut most = 0;
    for _ in 0..2_000 {
        a.session.push(Bytes::from(vec![1; 5_000]));
        a.write(&mut b);
        b.read(usize::MAX);
        b.write(&mut a);
        a.read(usize::MAX);
        most = most.max(a.session.pending_bytes());
    }
    assert!((5_000..=64 * 5_000).contains(&most), "{most} bytes were kept at a time");
}

#[test]
fn lies_about_what_was_received_are_faults() {
    let mut session = Session::new(100);
    session.push(Bytes::from_static(b"one"));
    assert!(session.resume(1).is_err(), "nothing was sent yet");
    assert!(session.heard(Frame::Ack(1), &mut Vec::new()).is_err());
    let mut out = VecDeque::new();
    session.write(&mut BytesMut::new(), &mut out);
    assert!(session.heard(Frame::Ack(2), &mut Vec::new()).is_err());
    assert!(session.heard(Frame::Ack(1), &mut Vec::new()).is_ok());
    assert!(session.resume(0).is_err(), "what was acknowledged is gone");
    let data = |seq, payload: &'static [u8]| Frame::Data { seq, ack: 1, piece: Piece::Last, payload: Bytes::from_static(payload) };
    assert!(session.heard(data(2, b"x"), &mut Vec::new()).is_err(), "one is missing before it");
    assert!(session.heard(data(1, &[0; 101]), &mut Vec::new()).is_err(), "too large");
    assert!(session.heard(data(1, b"x"), &mut Vec::new()).is_ok());
    assert!(session.heard(data(1, b"x"), &mut Vec::new()).is_err(), "a second time");
}
