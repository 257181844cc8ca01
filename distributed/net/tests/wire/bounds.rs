//! Bytes that nobody encoded: cut off, changed, random. Decoders answer with a failure or a value, and never hold much more
//! than they were given. Their starting points are the committed corpus of the fuzz targets.
//!
//! It refuses to be the fuzzer; it replays what the fuzzer starts from, with a fixed seed.

use std::path::PathBuf;

use bytes::Bytes;
use partita_net::link::{frame, session::Session};
use partita_net::security::{SchedulerFile, join};
use partita_net::wire::*;

use crate::corpus::{assert_none, others};
use crate::decoders::decode;

/// All targets; each has a folder of the corpus.
const TARGETS: &[&str] =
    &["session", "hello", "to_worker", "to_scheduler", "client", "graph", "join", "scheduler_file", "value", "ticket", "frames"];

fn folder(target: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus")).join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = folder(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_corpus_and_thousands_of_changes_of_it_make_no_decoder_panic() {
    for target in TARGETS {
        let corpus = corpus(target);
        assert!(corpus.len() >= 2, "the corpus of {target} has {} files", corpus.len());
        let mut random = fastrand::Rng::with_seed(8786);
        for round in 0..5_000 {
            let mut bytes = corpus[round % corpus.len()].clone();
            if round >= corpus.len() {
                change(&mut bytes, &corpus, &mut random);
            }
            decode(target, &bytes);
        }
    }
}

/// What a fuzzer does to bytes.
fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.u8(..)),
            2 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            3 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.usize(0..5)],
            4 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ => {
                let other = &corpus[random.usize(0..corpus.len())];
                let from = random.usize(0..=other.len());
                let to = random.usize(from..=other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
}

/// The corpus is made of the messages of the other tests: `UPDATE_CORPUS=1` writes it anew.
#[test]
fn the_corpus_is_what_is_said() {
    let mut said: Vec<(&str, Vec<Vec<u8>>)> = Vec::new();
    let mut encoder = WorkerEncoder::default();
    let mut stream = Writer::default();
    for message in crate::messages::to_worker() {
        stream.bytes(&encoder.encode(&message).unwrap());
    }
    let mut short = Writer::default();
    short.bytes(&WorkerEncoder::default().encode(&crate::messages::to_worker()[1]).unwrap());
    said.push(("to_worker", vec![stream.into_vec(), short.into_vec()]));
    let mut to_scheduler: Vec<Vec<u8>> = crate::messages::said().iter().map(|message| encode_said(message).to_vec()).collect();
    to_scheduler.extend(crate::messages::nannies().0.iter().map(|message| encode_nanny(message).to_vec()));
    said.push(("to_scheduler", to_scheduler));
    let mut client: Vec<Vec<u8>> = crate::messages::told().iter().map(|message| encode_told(message).to_vec()).collect();
    client.push(encode_told_some(&crate::messages::told()[..4], usize::MAX).0.to_vec());
    client.extend(crate::messages::asked().iter().map(|message| encode_asked(message).unwrap().to_vec()));
    said.push(("client", client));
    let mut small = partita_graph::Graph::default();
    let id = small.add(crate::messages::layer(1000));
    small.want_all(id);
    let graphs = [crate::graphs::graph(), small, crate::graphs::huge_and_empty(), crate::graphs::empty_columns(2)];
    said.push(("graph", graphs.iter().map(|graph| encode_graph(graph).unwrap()).collect()));
    let hello = partita_net::message::Hello::new(partita_net::message::PeerInfo::Client { name: "a client".into() });
    let nanny = partita_net::message::PeerInfo::Nanny { id: 1, host: "h".into(), worker_name: "w".into() };
    let hellos = [hello, partita_net::message::Hello::new(nanny)].map(|hello| frame::hello(&hello)[frame::PREFIX..].to_vec());
    said.push(("hello", hellos.into()));
    said.push(("session", sessions()));
    let request = join::Request {
        protocol: 1,
        version: "0.1.0".into(),
        token: [7; 32],
        role: partita_net::security::Role::Worker,
        public_key: vec![4; 65],
    };
    said.push(("join", vec![request.encode(), vec![1, 2, 3, 4, 1, 9]]));
    let file = SchedulerFile { address: "tcp://127.0.0.1:8786".into(), cluster: "plain".into(), pid: 1, protocol: 1 };
    let text = format!("tls://[::1]:8786?join={}.{}", "0f".repeat(32), "a0".repeat(32));
    said.push(("scheduler_file", vec![serde_json::to_vec(&file).unwrap(), text.into_bytes()]));
    let value = |chunk| encode_value(&chunk).unwrap();
    let chunks = [partita_graph::Chunk::new(partita_graph::Plain(1i64)), partita_graph::Chunk::new(partita_graph::Plain(vec![1u8, 2]))];
    said.push(("value", chunks.map(value).into()));
    said.push(("frames", data_connections()));
    said.push(("ticket", vec![b"00000000000000ab#7".to_vec(), b"ffffffffffffffff#4294967295/12".to_vec()]));
    let others = said.iter().flat_map(|(target, messages)| others(&folder(target), messages));
    assert_none(&others.collect::<Vec<_>>());
}

/// What is said on a data connection behind its magic: a greeting with a secret and two requests, and four answers.
fn data_connections() -> Vec<Vec<u8>> {
    use partita_graph::{Key, LayerId};
    let sized = |body: Vec<u8>| [&(body.len() as u32).to_le_bytes()[..], &body].concat();
    let piece = |index, part: Option<u32>| (Key::new(LayerId(7), index), part);
    let request = |pieces: Vec<(Key, Option<u32>)>| sized(postcard::to_stdvec(&pieces).unwrap());
    let asked = [vec![1], vec![3; 32], request(vec![piece(1, None), piece(2, Some(4))]), request(vec![piece(300, None)])].concat();
    // A head begins with the number of its kind: here it is, busy, missing.
    let here =
        |parts: bool, sections: Vec<(&str, Vec<u8>, Vec<u64>)>| sized([vec![0], postcard::to_stdvec(&(parts, sections)).unwrap()].concat());
    let padded = |byte: u8, len: usize| [vec![byte; len], vec![0; len.next_multiple_of(64) - len]].concat();
    let whole = [here(false, vec![("bytes", vec![1, 2], vec![3])]), padded(5, 3)].concat();
    let parts = here(true, vec![("i64", vec![], vec![8]), ("bytes", vec![9], vec![0, 70])]);
    let parts = [parts, padded(1, 8), padded(2, 70)].concat();
    let answered = [whole, sized(vec![2]), parts, sized(vec![1])].concat();
    assert_eq!(partita_net::flight::read_said(&asked), (2, 0));
    assert_eq!(partita_net::flight::read_said(&answered).1, 4);
    vec![asked, answered]
}

/// What two ends of a session say to each other.
fn sessions() -> Vec<Vec<u8>> {
    let mut session = Session::new(1 << 20);
    session.push(Bytes::from_static(b"a message"));
    session.push(Bytes::from(vec![7; 300]));
    session.ask_ack();
    session.push_close("enough");
    let mut out = std::collections::VecDeque::new();
    session.write(&mut bytes::BytesMut::new(), &mut out);
    let said: Vec<u8> = out.iter().flatten().copied().collect();
    let mut ack = bytes::BytesMut::new();
    frame::put_ack(&mut ack, 0);
    let refused = frame::refused(&partita_graph::Failure::internal("no"));
    vec![said, ack.to_vec(), refused.to_vec()]
}
