//! What clients and the scheduler say to each other, as bytes.
//!
//! It refuses to know what the messages do. Invariant: a submitted graph that is read is valid and of bounded size.
//!
//! A client says one thing in a message; the scheduler says one or several, one after the other.

use ::bytes::Bytes;
use partita_core::protocol::Ending;
use partita_graph::{Failure, Progress};

use super::graph::{read_graph, write_graph};
use super::keys::{Neighbour, read_keys, write_keys};
use super::{Reader, Writer, read_failure, write_failure};
use crate::message::{ClientToScheduler, KeyNews, SchedulerToClient};

const SUBMIT: u8 = 0;
const CANCEL: u8 = 1;
const RELEASE: u8 = 2;
const ASK: u8 = 3;
const GOODBYE: u8 = 4;
/// A graph whose wanted keys end one by one.
const SUBMIT_EACH: u8 = 5;
const FORGET: u8 = 6;

/// What begins a message about a run or a question.
fn numbered(out: &mut Writer, tag: u8, number: u64) {
    out.byte(tag);
    out.number(number);
}

/// A client's message as bytes. Fails with `ClosureOnCluster` and `NotEncodable` for graphs that cannot be sent.
pub fn encode_asked(message: &ClientToScheduler) -> Result<Bytes, Failure> {
    let mut out = Writer::default();
    match message {
        ClientToScheduler::Submit { run, graph, ending } => {
            let tag = match ending {
                Ending::Together => SUBMIT,
                Ending::Each => SUBMIT_EACH,
            };
            numbered(&mut out, tag, *run);
            write_graph(&mut out, graph)?;
        }
        ClientToScheduler::Forget { run, keys } => {
            numbered(&mut out, FORGET, *run);
            write_keys(&mut out, keys);
        }
        ClientToScheduler::Cancel(run) => numbered(&mut out, CANCEL, *run),
        ClientToScheduler::Release(run) => numbered(&mut out, RELEASE, *run),
        ClientToScheduler::Ask { query, what } => {
            numbered(&mut out, ASK, *query);
            out.plain(what);
        }
        ClientToScheduler::Goodbye => out.byte(GOODBYE),
    }
    Ok(out.finish())
}

/// And back; a submitted graph is validated. The scheduler keeps chunks in arguments as opaque bytes.
pub fn decode_asked(bytes: &[u8]) -> Result<ClientToScheduler, Failure> {
    let mut reader = Reader::new(bytes);
    let message = match reader.byte()? {
        tag @ (SUBMIT | SUBMIT_EACH) => {
            let ending = if tag == SUBMIT { Ending::Together } else { Ending::Each };
            ClientToScheduler::Submit { run: reader.number()?, graph: read_graph(&mut reader)?, ending }
        }
        FORGET => ClientToScheduler::Forget { run: reader.number()?, keys: read_keys(&mut reader)? },
        CANCEL => ClientToScheduler::Cancel(reader.number()?),
        RELEASE => ClientToScheduler::Release(reader.number()?),
        ASK => ClientToScheduler::Ask { query: reader.number()?, what: reader.plain()? },
        GOODBYE => ClientToScheduler::Goodbye,
        _ => return reader.unknown(),
    };
    reader.end().map(|()| message)
}

/// The number of the run when the bytes are a submission, also of a graph that cannot be read: its client is told why.
pub fn submitted_run(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(bytes);
    matches!(reader.byte().ok()?, SUBMIT | SUBMIT_EACH).then(|| reader.number().ok())?
}

const DONE: u8 = 0;
const FAILED: u8 = 1;
const KEYS: u8 = 2;
const NOTE: u8 = 3;
const PROGRESS: u8 = 4;
const ANSWER: u8 = 5;
const REFUSAL: u8 = 6;
const CLOSING: u8 = 7;
const DELIVERED: u8 = 8;

/// Least bytes of a value with its key, and of a failure with its keys.
const ITEM: usize = 2;

/// A message to a client as bytes.
pub fn encode_told(message: &SchedulerToClient) -> Bytes {
    let mut out = Writer::default();
    write_told(&mut out, message);
    out.finish()
}

/// The first of these as one message of about `about` bytes, one of them at least, and how many they are.
pub fn encode_told_some(messages: &[SchedulerToClient], about: usize) -> (Bytes, usize) {
    let (mut out, mut done) = (Writer::default(), 0);
    for message in messages {
        write_told(&mut out, message);
        done += 1;
        if out.len() >= about {
            break;
        }
    }
    (out.finish(), done)
}

fn write_told(out: &mut Writer, message: &SchedulerToClient) {
    match message {
        SchedulerToClient::Done(run) => numbered(out, DONE, *run),
        SchedulerToClient::Failed(run, failure) => {
            numbered(out, FAILED, *run);
            write_failure(out, failure);
        }
        SchedulerToClient::Keys(run, news) => {
            numbered(out, KEYS, *run);
            write_news(out, news);
        }
        SchedulerToClient::Note(run, text) => {
            numbered(out, NOTE, *run);
            out.text(text);
        }
        SchedulerToClient::Progress(run, progress) => {
            numbered(out, PROGRESS, *run);
            write_progress(out, progress);
        }
        SchedulerToClient::Answer { query, answer: Ok(answer) } => {
            numbered(out, ANSWER, *query);
            out.plain(answer);
        }
        SchedulerToClient::Answer { query, answer: Err(failure) } => {
            numbered(out, REFUSAL, *query);
            write_failure(out, failure);
        }
        SchedulerToClient::Delivered { topic, message } => {
            out.byte(DELIVERED);
            out.text(topic);
            out.bytes(message);
        }
        SchedulerToClient::Closing(reason) => {
            out.byte(CLOSING);
            out.text(reason);
        }
    }
}

/// And back, without copying values: all that the message says, in order.
pub fn decode_told(bytes: Bytes) -> Result<Vec<SchedulerToClient>, Failure> {
    let mut reader = Reader::new(&bytes);
    let mut told = vec![read_told(&mut reader, &bytes)?];
    while !reader.is_done() {
        told.push(read_told(&mut reader, &bytes)?);
    }
    Ok(told)
}

fn read_told(reader: &mut Reader<'_>, bytes: &Bytes) -> Result<SchedulerToClient, Failure> {
    Ok(match reader.byte()? {
        DONE => SchedulerToClient::Done(reader.number()?),
        FAILED => SchedulerToClient::Failed(reader.number()?, read_failure(reader)?),
        KEYS => SchedulerToClient::Keys(reader.number()?, read_news(reader, bytes)?),
        NOTE => SchedulerToClient::Note(reader.number()?, reader.text()?.into()),
        PROGRESS => SchedulerToClient::Progress(reader.number()?, read_progress(reader)?),
        ANSWER => SchedulerToClient::Answer { query: reader.number()?, answer: Ok(reader.plain()?) },
        REFUSAL => SchedulerToClient::Answer { query: reader.number()?, answer: Err(read_failure(reader)?) },
        DELIVERED => SchedulerToClient::Delivered { topic: reader.text()?.into(), message: reader.bytes()?.into() },
        CLOSING => SchedulerToClient::Closing(reader.text()?.into()),
        _ => return reader.unknown(),
    })
}

fn write_news(out: &mut Writer, news: &KeyNews) {
    out.number(news.values.len() as u64);
    let mut last = Neighbour::default();
    for (key, value) in &news.values {
        last.write(out, *key);
        out.bytes(value);
    }
    write_keys(out, &news.done);
    out.number(news.failed.len() as u64);
    for (keys, failure) in &news.failed {
        write_keys(out, keys);
        write_failure(out, failure);
    }
}

fn read_news(reader: &mut Reader<'_>, bytes: &Bytes) -> Result<KeyNews, Failure> {
    let count = reader.count(ITEM)?;
    let mut values = Vec::with_capacity(reader.room(count));
    let mut last = Neighbour::default();
    for _ in 0..count {
        values.push((last.read(reader)?, bytes.slice_ref(reader.bytes()?)));
    }
    let done = read_keys(reader)?;
    let count = reader.count(ITEM)?;
    let mut failed = Vec::with_capacity(reader.room(count));
    for _ in 0..count {
        failed.push((read_keys(reader)?, read_failure(reader)?));
    }
    Ok(KeyNews { values, done, failed })
}

fn write_progress(out: &mut Writer, progress: &Progress) {
    out.number(progress.layers.len() as u64);
    for (name, done, total) in &progress.layers {
        out.text(name);
        out.number(*done);
        out.number(*total);
    }
    out.number(progress.memory);
    out.number(progress.spilled);
    out.number(progress.running);
}

fn read_progress(reader: &mut Reader<'_>) -> Result<Progress, Failure> {
    let count = reader.count(3)?;
    let mut layers = Vec::with_capacity(reader.room(count));
    for _ in 0..count {
        layers.push((reader.text()?.to_owned(), reader.number()?, reader.number()?));
    }
    Ok(Progress { layers, memory: reader.number()?, spilled: reader.number()?, running: reader.number()? })
}
