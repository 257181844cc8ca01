//! What clients and the scheduler say to each other, as bytes.
//!
//! It refuses to know what the messages do. Invariant: a submitted graph that is read is valid and of bounded size.

use ::bytes::Bytes;
use partita_graph::{Failure, Key, LayerId, Progress};

use super::graph::{read_graph, write_graph};
use super::{Reader, Writer, read_failure, write_failure};
use crate::message::{ClientToScheduler, SchedulerToClient};

const SUBMIT: u8 = 0;
const CANCEL: u8 = 1;
const RELEASE: u8 = 2;
const ASK: u8 = 3;
const GOODBYE: u8 = 4;

/// A client's message as bytes. Fails with `ClosureOnCluster` and `NotEncodable` for graphs that cannot be sent.
pub fn encode_asked(message: &ClientToScheduler) -> Result<Bytes, Failure> {
    let mut out = Writer::default();
    let numbered = |out: &mut Writer, tag, number: u64| {
        out.byte(tag);
        out.number(number);
    };
    match message {
        ClientToScheduler::Submit { run, graph } => {
            numbered(&mut out, SUBMIT, *run);
            write_graph(&mut out, graph)?;
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
        SUBMIT => ClientToScheduler::Submit { run: reader.number()?, graph: read_graph(&mut reader)? },
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
    (reader.byte().ok()? == SUBMIT).then(|| reader.number().ok())?
}

const DONE: u8 = 0;
const FAILED: u8 = 1;
const VALUE: u8 = 2;
const NOTE: u8 = 3;
const PROGRESS: u8 = 4;
const ANSWER: u8 = 5;
const REFUSAL: u8 = 6;
const CLOSING: u8 = 7;

/// A message to a client as bytes.
pub fn encode_told(message: &SchedulerToClient) -> Bytes {
    let mut out = Writer::default();
    let numbered = |out: &mut Writer, tag, number: u64| {
        out.byte(tag);
        out.number(number);
    };
    match message {
        SchedulerToClient::Done(run) => numbered(&mut out, DONE, *run),
        SchedulerToClient::Failed(run, failure) => {
            numbered(&mut out, FAILED, *run);
            write_failure(&mut out, failure);
        }
        SchedulerToClient::Value(run, key, value) => {
            numbered(&mut out, VALUE, *run);
            out.fixed(key.layer.0);
            out.number(key.index.into());
            out.bytes(value);
        }
        SchedulerToClient::Note(run, text) => {
            numbered(&mut out, NOTE, *run);
            out.text(text);
        }
        SchedulerToClient::Progress(run, progress) => {
            numbered(&mut out, PROGRESS, *run);
            write_progress(&mut out, progress);
        }
        SchedulerToClient::Answer { query, answer: Ok(answer) } => {
            numbered(&mut out, ANSWER, *query);
            out.plain(answer);
        }
        SchedulerToClient::Answer { query, answer: Err(failure) } => {
            numbered(&mut out, REFUSAL, *query);
            write_failure(&mut out, failure);
        }
        SchedulerToClient::Closing(reason) => {
            out.byte(CLOSING);
            out.text(reason);
        }
    }
    out.finish()
}

/// And back, without copying values.
pub fn decode_told(bytes: Bytes) -> Result<SchedulerToClient, Failure> {
    let mut reader = Reader::new(&bytes);
    let message = match reader.byte()? {
        DONE => SchedulerToClient::Done(reader.number()?),
        FAILED => SchedulerToClient::Failed(reader.number()?, read_failure(&mut reader)?),
        VALUE => {
            let run = reader.number()?;
            let key = Key::new(LayerId(reader.fixed()?), reader.small()?);
            SchedulerToClient::Value(run, key, bytes.slice_ref(reader.bytes()?))
        }
        NOTE => SchedulerToClient::Note(reader.number()?, reader.text()?.into()),
        PROGRESS => SchedulerToClient::Progress(reader.number()?, read_progress(&mut reader)?),
        ANSWER => SchedulerToClient::Answer { query: reader.number()?, answer: Ok(reader.plain()?) },
        REFUSAL => SchedulerToClient::Answer { query: reader.number()?, answer: Err(read_failure(&mut reader)?) },
        CLOSING => SchedulerToClient::Closing(reader.text()?.into()),
        _ => return reader.unknown(),
    };
    reader.end().map(|()| message)
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
