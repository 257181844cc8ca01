//! What a worker says, as bytes.
//!
//! It refuses to know what the messages do. Invariant: a message is read without any that came before it.
//!
//! Each item begins with its kind; the highest bit of the kind says that the item's layer is that of the item before it.

use ::bytes::Bytes;
use partita_core::protocol::{ToScheduler, WorkerId};
use partita_graph::{Failure, Key, LayerId};

use super::{Reader, Writer, read_failure, write_failure};
use crate::message::WorkerToScheduler;

const MACHINE: u8 = 0;
const PATHS: u8 = 1;
const RETIRE: u8 = 2;
const LEFT: u8 = 3;

const FINISHED: u8 = 0;
/// With notes or a value.
const FINISHED_MORE: u8 = 1;
const FAILED: u8 = 2;
const STARTED: u8 = 3;
const MISSING: u8 = 4;
const REPLICATED: u8 = 5;
const RETRACTED: u8 = 6;
const KEPT: u8 = 7;
const ENDED: u8 = 8;
const ACQUIRE_FAILED: u8 = 9;
const LOST: u8 = 10;
const MEMORY: u8 = 11;
const WAITS: u8 = 12;
const RESUMES: u8 = 13;
const TOLD: u8 = 14;
const WHO_HAS: u8 = 15;
const SAME_LAYER: u8 = 0x80;

/// Least bytes of an item.
const ITEM: usize = 2;

/// A worker's message as bytes.
pub fn encode_said(message: &WorkerToScheduler) -> Bytes {
    let mut out = Writer::default();
    match message {
        WorkerToScheduler::Machine(items) => {
            out = Writer::with_capacity(16 + 24 * items.len());
            out.byte(MACHINE);
            out.number(items.len() as u64);
            let mut last = None;
            for item in items {
                write_item(&mut out, item, &mut last);
            }
        }
        WorkerToScheduler::Paths { query, missing } => {
            out.byte(PATHS);
            out.number(*query);
            out.number(missing.len() as u64);
            for path in missing {
                out.text(path);
            }
        }
        WorkerToScheduler::Retire => out.byte(RETIRE),
        WorkerToScheduler::Left => out.byte(LEFT),
    }
    out.finish()
}

/// Kind and key.
#[inline]
fn head(out: &mut Writer, kind: u8, key: &Key, last: &mut Option<LayerId>) {
    if *last == Some(key.layer) {
        out.byte(kind | SAME_LAYER);
    } else {
        *last = Some(key.layer);
        out.byte(kind);
        out.fixed(key.layer.0);
    }
    out.number(key.index.into());
}

fn tried(out: &mut Writer, kind: u8, key: &Key, attempt: u32, last: &mut Option<LayerId>) {
    head(out, kind, key, last);
    out.number(attempt.into());
}

fn workers(out: &mut Writer, list: &[WorkerId]) {
    out.number(list.len() as u64);
    for worker in list {
        out.number(worker.0.into());
    }
}

#[inline]
fn write_item(out: &mut Writer, item: &ToScheduler, last: &mut Option<LayerId>) {
    match item {
        ToScheduler::Finished { key, attempt, nbytes, micros, notes, value } => {
            let more = !notes.is_empty() || value.is_some();
            tried(out, if more { FINISHED_MORE } else { FINISHED }, key, *attempt, last);
            out.number(*nbytes);
            out.number(*micros);
            if more {
                out.number(notes.len() as u64);
                for note in notes {
                    out.text(note);
                }
                out.byte(value.is_some().into());
                if let Some(value) = value {
                    out.bytes(value);
                }
            }
        }
        ToScheduler::Failed { key, attempt, failure } => {
            tried(out, FAILED, key, *attempt, last);
            write_failure(out, failure);
        }
        ToScheduler::Started { key, attempt } => tried(out, STARTED, key, *attempt, last),
        ToScheduler::Waits(key, attempt) => tried(out, WAITS, key, *attempt, last),
        ToScheduler::Resumes(key, attempt) => tried(out, RESUMES, key, *attempt, last),
        ToScheduler::Told { key, attempt, done, total } => {
            tried(out, TOLD, key, *attempt, last);
            out.number(*done);
            out.number(*total);
        }
        ToScheduler::MissingInput { key, attempt, input, asked } => {
            tried(out, MISSING, key, *attempt, last);
            out.fixed(input.layer.0);
            out.number(input.index.into());
            workers(out, asked);
        }
        ToScheduler::WhoHas(key) => head(out, WHO_HAS, key, last),
        ToScheduler::Replicated(key) => head(out, REPLICATED, key, last),
        ToScheduler::Retracted(key, attempt) => tried(out, RETRACTED, key, *attempt, last),
        ToScheduler::Kept(key, attempt) => tried(out, KEPT, key, *attempt, last),
        ToScheduler::Ended(key, attempt) => tried(out, ENDED, key, *attempt, last),
        ToScheduler::AcquireFailed { key, asked } => {
            head(out, ACQUIRE_FAILED, key, last);
            workers(out, asked);
        }
        ToScheduler::Lost(key) => head(out, LOST, key, last),
        ToScheduler::Memory { managed, spilled, spilled_total, paused, rss } => {
            out.byte(MEMORY);
            out.number(*managed);
            out.number(*spilled);
            out.number(*spilled_total);
            out.byte((*paused).into());
            out.number(*rss);
        }
    }
}

/// And back.
pub fn decode_said(bytes: &[u8]) -> Result<WorkerToScheduler, Failure> {
    decode_said_into(bytes, Vec::new())
}

/// The same; what a worker's machine says is put into a list that has been used before, for its room.
pub fn decode_said_into(bytes: &[u8], mut items: Vec<ToScheduler>) -> Result<WorkerToScheduler, Failure> {
    let mut reader = Reader::new(bytes);
    let message = match reader.byte()? {
        MACHINE => {
            let count = reader.count(ITEM)?;
            items.clear();
            items.reserve(reader.room(count));
            let mut last = None;
            for _ in 0..count {
                items.push(read_item(&mut reader, &mut last)?);
            }
            WorkerToScheduler::Machine(items)
        }
        PATHS => {
            let query = reader.number()?;
            let count = reader.count(1)?;
            let mut missing = Vec::with_capacity(reader.room(count));
            for _ in 0..count {
                missing.push(reader.text()?.to_owned());
            }
            WorkerToScheduler::Paths { query, missing }
        }
        RETIRE => WorkerToScheduler::Retire,
        LEFT => WorkerToScheduler::Left,
        _ => return reader.unknown(),
    };
    reader.end().map(|()| message)
}

fn read_workers(reader: &mut Reader<'_>) -> Result<Vec<WorkerId>, Failure> {
    let count = reader.count(1)?;
    (0..count).map(|_| reader.small().map(WorkerId)).collect()
}

#[inline]
fn read_item(reader: &mut Reader<'_>, last: &mut Option<LayerId>) -> Result<ToScheduler, Failure> {
    let kind = reader.byte()?;
    if kind == MEMORY {
        let (managed, spilled, spilled_total) = (reader.number()?, reader.number()?, reader.number()?);
        return Ok(ToScheduler::Memory { managed, spilled, spilled_total, paused: reader.flag()?, rss: reader.number()? });
    }
    let layer = match (kind & SAME_LAYER != 0, *last) {
        (true, Some(layer)) => layer,
        (true, None) => return reader.unknown(),
        (false, _) => LayerId(reader.fixed()?),
    };
    *last = Some(layer);
    let key = Key::new(layer, reader.small()?);
    Ok(match kind & !SAME_LAYER {
        more @ (FINISHED | FINISHED_MORE) => {
            let (attempt, nbytes, micros) = (reader.small()?, reader.number()?, reader.number()?);
            let (mut notes, mut value) = (Vec::new(), None);
            if more == FINISHED_MORE {
                let count = reader.count(1)?;
                notes.reserve_exact(reader.room(count));
                for _ in 0..count {
                    notes.push(reader.text()?.to_owned());
                }
                if reader.flag()? {
                    value = Some(reader.bytes()?.into());
                }
            }
            ToScheduler::Finished { key, attempt, nbytes, micros, notes, value }
        }
        FAILED => ToScheduler::Failed { key, attempt: reader.small()?, failure: read_failure(reader)? },
        STARTED => ToScheduler::Started { key, attempt: reader.small()? },
        WAITS => ToScheduler::Waits(key, reader.small()?),
        RESUMES => ToScheduler::Resumes(key, reader.small()?),
        TOLD => ToScheduler::Told { key, attempt: reader.small()?, done: reader.number()?, total: reader.number()? },
        MISSING => {
            let attempt = reader.small()?;
            let input = Key::new(LayerId(reader.fixed()?), reader.small()?);
            ToScheduler::MissingInput { key, attempt, input, asked: read_workers(reader)? }
        }
        WHO_HAS => ToScheduler::WhoHas(key),
        REPLICATED => ToScheduler::Replicated(key),
        RETRACTED => ToScheduler::Retracted(key, reader.small()?),
        KEPT => ToScheduler::Kept(key, reader.small()?),
        ENDED => ToScheduler::Ended(key, reader.small()?),
        ACQUIRE_FAILED => ToScheduler::AcquireFailed { key, asked: read_workers(reader)? },
        LOST => ToScheduler::Lost(key),
        _ => return reader.unknown(),
    })
}
