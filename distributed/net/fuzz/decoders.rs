//! What each fuzz target does with its bytes; an ordinary test does the same with the committed corpus.
//!
//! It refuses to know where the bytes come from. Invariant: a decoder answers with a value or a failure, and what it holds
//! afterwards is in proportion to what it was given.

use bytes::Bytes;
use partita_net::link::{frame, session::Session};
use partita_net::message::SchedulerToWorker;
use partita_net::security::{SchedulerFile, join};
use partita_net::wire::*;

/// Does with the bytes what the target of this name is about.
pub fn decode(target: &str, bytes: &[u8]) {
    match target {
        "session" => {
            let (mut splitter, mut session) = (frame::Splitter::default(), Session::new(1 << 20));
            let mut heard = Vec::new();
            for chunk in bytes.chunks(7.max(bytes.len() / 5)) {
                let mut chunk = Bytes::copy_from_slice(chunk);
                while let Ok(Some(body)) = splitter.next(&mut chunk) {
                    if frame::read(body).and_then(|frame| session.heard(frame, &mut heard)).is_err() {
                        return;
                    }
                }
            }
        }
        "hello" => {
            let _ = (frame::read_hello(bytes), frame::read_welcome(bytes));
        }
        "to_worker" => to_worker(bytes),
        "to_scheduler" => {
            if let Ok(partita_net::message::WorkerToScheduler::Machine(items)) = decode_said(bytes) {
                assert!(items.capacity() <= bytes.len());
            }
            let _ = decode_nanny(bytes);
            let _ = decode_to_nanny(bytes);
        }
        "client" => {
            let _ = (decode_asked(bytes), submitted_run(bytes), decode_told(Bytes::copy_from_slice(bytes)));
        }
        "graph" => {
            if let Ok(graph) = decode_graph(bytes) {
                graph.validate().expect("what was decoded is valid");
                assert!(graph.tasks() <= MOST_TASKS);
            }
        }
        "join" => {
            let _ = (join::Request::decode(bytes), join::read_answer(bytes));
        }
        "scheduler_file" => {
            let _ = SchedulerFile::parse(bytes);
            if let Ok(text) = std::str::from_utf8(bytes) {
                let _ = text.parse::<partita_net::address::Address>();
            }
        }
        "value" => {
            let _ = decode_value(bytes, &partita_graph::Registry::default());
        }
        "frames" => {
            let (requests, answers) = partita_net::flight::read_said(bytes);
            // Each has a length of four bytes before it.
            assert!(4 * requests.max(answers) <= bytes.len());
        }
        "ticket" => {
            let _ = partita_net::flight::parse_ticket(bytes);
        }
        other => panic!("there is no fuzz target `{other}`"),
    }
}

/// Several messages, each with its length before it, because each changes how the next one is read.
fn to_worker(bytes: &[u8]) {
    let mut decoder = WorkerDecoder::new(partita_graph::Registry::default());
    let mut reader = Reader::new(bytes);
    while let Ok(message) = reader.bytes() {
        if let Ok(SchedulerToWorker::Machine(items)) = decoder.decode(message) {
            assert!(items.capacity() <= message.len(), "room for no more items than there are bytes");
        }
    }
}
