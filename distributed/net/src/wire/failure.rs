//! Failures as bytes. A chain of causes is a list, so that reading one nests no deeper than a list does.
//!
//! It refuses to know which codes there are: they travel as numbers, and one that this program does not know is a fault of its
//! own. Invariant: at most [`CAUSES`] causes travel; the innermost of more are left out.

use partita_graph::{Code, DataPlace, Failure, Origin, TaskPlace};
use serde::{Deserialize, Serialize};

use super::bytes::{Reader, Writer};

/// How many causes of causes travel.
const CAUSES: usize = 16;

#[derive(Serialize)]
struct Said<'a> {
    what: &'a str,
    details: &'a [(String, String)],
    help: Option<&'a str>,
    origin: Option<&'a Origin>,
    data: Option<&'a DataPlace>,
    task: Option<&'a TaskPlace>,
    advice: Option<&'a [u8]>,
}

#[derive(Deserialize)]
struct Heard {
    what: String,
    details: Vec<(String, String)>,
    help: Option<String>,
    origin: Option<Origin>,
    data: Option<DataPlace>,
    task: Option<TaskPlace>,
    advice: Option<Vec<u8>>,
}

/// Writes a failure with its causes.
pub fn write_failure(out: &mut Writer, failure: &Failure) {
    let chain: Vec<&Failure> = std::iter::successors(Some(failure), |failure| failure.cause.as_deref()).take(CAUSES).collect();
    out.number(chain.len() as u64);
    for failure in chain {
        out.number(failure.code as u16 as u64);
        out.plain(&Said {
            what: &failure.what,
            details: &failure.details,
            help: failure.help.as_deref(),
            origin: failure.origin.as_ref(),
            data: failure.data.as_ref(),
            task: failure.task.as_ref(),
            advice: failure.advice.as_deref(),
        });
    }
}

/// Reads a failure.
pub fn read_failure(reader: &mut Reader<'_>) -> Result<Failure, Failure> {
    let count = reader.count(2)?;
    if count == 0 || count > CAUSES {
        return reader.unknown();
    }
    let mut chain = Vec::with_capacity(reader.room(count));
    for _ in 0..count {
        let number = reader.number()?;
        let code = Code::ALL.iter().find(|code| **code as u16 as u64 == number).copied().unwrap_or(Code::Internal);
        let heard: Heard = reader.plain()?;
        let mut failure = Failure::new(code, heard.what);
        failure.details = heard.details;
        failure.help = heard.help;
        failure.origin = heard.origin;
        failure.data = heard.data;
        failure.task = heard.task;
        failure.advice = heard.advice;
        chain.push(failure);
    }
    let innermost = chain.pop().expect("there is at least one");
    Ok(chain.into_iter().rev().fold(innermost, |cause, failure| failure.cause(cause)))
}

/// A failure within plain data: `#[serde(with = "crate::wire::flat")]`. What serde derives for causes of causes nests as deep as
/// the bytes say; this does not.
pub mod flat {
    use partita_graph::Failure;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::{Reader, Writer, read_failure, write_failure};

    /// As bytes.
    pub fn serialize<S: Serializer>(failure: &Failure, to: S) -> Result<S::Ok, S::Error> {
        let mut out = Writer::default();
        write_failure(&mut out, failure);
        to.serialize_bytes(&out.into_vec())
    }

    /// And back.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Failure, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        read_failure(&mut Reader::new(bytes)).map_err(|failure| de::Error::custom(&failure.what))
    }
}
