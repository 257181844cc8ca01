//! What peers say on a data connection: a greeting, requests for many pieces, and for each piece a head and its bytes.
//!
//! It refuses to know where chunks are. HTTP/2 copies every byte twice more on arrival, so peers do without it: after the
//! greeting, whose first bytes no HTTP client sends, both sides read and write bodies where they lie. Invariant: every length
//! is compared with its limit before memory is taken for it.
//!
//! ```text
//! caller:  MAGIC  1 secret[32] | 0                        once
//! listener: 0 welcome | 1 not trusted                      once
//! caller:  len:u32  postcard(Vec<Piece>)                   any number of times
//! listener: for each piece  len:u32 postcard(Head) body    until the last piece or the first `Busy`
//! body:    the buffers, each followed by zeros up to a multiple of 64 bytes
//! ```

use std::time::Duration;

use partita_core::protocol::Piece;
use partita_graph::{Buffer, Code, Encoded, Failure};
use partita_local::Packed;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::aligned::{Landing, padded};
use crate::address::Secret;

/// The first bytes of a data connection.
pub const MAGIC: [u8; 8] = *b"partita\x01";
/// The first bytes of an HTTP/2 connection.
pub const HTTP2: [u8; 8] = *b"PRI * HT";
/// Largest request in bytes: about a hundred thousand pieces.
const MAX_REQUEST: u32 = 2 << 20;
/// Largest head in bytes: headers of values are small, but a chunk may have thousands of parts.
const MAX_HEAD: u32 = 16 << 20;
/// Buffers below this are copied together, so that small chunks go out in one packet.
const SMALL: usize = 32 << 10;
/// Of a body so much must arrive, or be taken by the other side, within the patience for silence.
pub const STRETCH: usize = 1 << 20;
const ZEROS: [u8; 64] = [0; 64];

/// Says that the greeting was accepted.
pub const WELCOME: u8 = 0;
/// Says that it was not.
pub const NOT_TRUSTED: u8 = 1;

/// What comes before the bytes of a piece.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Head {
    /// The bytes follow.
    Here {
        /// Whether the value is made of parts, one for each section.
        parts: bool,
        /// One unless `parts`.
        sections: Vec<Section>,
    },
    /// Too many are served at the moment; neither this piece nor those after it come.
    Busy,
    /// It is not held here.
    Missing,
    /// It cannot be sent.
    Failed(#[serde(with = "crate::wire::flat")] Failure),
}

/// One value.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    kind: String,
    header: Vec<u8>,
    buffers: Vec<u64>,
}

fn broken(e: std::io::Error) -> Failure {
    Failure::new(Code::Unreachable, "a data connection broke").detail("the system says", e.to_string())
}

fn garbled(what: &str) -> Failure {
    Failure::new(Code::WrongProtocol, format!("a data connection carried {what}"))
}

/// Greets as the caller.
pub async fn greet(stream: &mut (impl AsyncWrite + Unpin), secret: Option<&Secret>) -> Result<(), Failure> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(u8::from(secret.is_some()));
    bytes.extend(secret.into_iter().flatten());
    stream.write_all(&bytes).await.map_err(broken)
}

/// The secret of a greeting whose magic was read already.
pub async fn greeted(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Secret>, Failure> {
    match stream.read_u8().await.map_err(broken)? {
        0 => Ok(None),
        1 => {
            let mut secret = [0; 32];
            stream.read_exact(&mut secret).await.map_err(broken)?;
            Ok(Some(secret))
        }
        _ => Err(garbled("a greeting that is none")),
    }
}

/// Asks for pieces.
pub async fn ask(stream: &mut (impl AsyncWrite + Unpin), pieces: &[Piece]) -> Result<(), Failure> {
    let mut bytes = postcard::to_extend(pieces, vec![0; 4]).map_err(|e| Failure::internal(format!("a request: {e}")))?;
    let len = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    stream.write_all(&bytes).await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

/// What is asked for; `None` when the caller has hung up.
pub async fn asked(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<Piece>>, Failure> {
    let mut len = [0; 4];
    match stream.read_exact(&mut len).await {
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    let bytes = sized(stream, u32::from_le_bytes(len), MAX_REQUEST).await?;
    postcard::from_bytes(&bytes).map(Some).map_err(|_| garbled("a request that is none"))
}

/// So many bytes; memory grows with what arrives, not with what is claimed.
async fn sized(stream: &mut (impl AsyncRead + Unpin), len: u32, limit: u32) -> Result<Vec<u8>, Failure> {
    if len > limit {
        return Err(Failure::new(Code::TooLarge, format!("a data connection announced {len} bytes where at most {limit} are accepted")));
    }
    let mut bytes = Vec::with_capacity((len as usize).min(64 << 10));
    stream.take(u64::from(len)).read_to_end(&mut bytes).await.map_err(broken)?;
    match bytes.len() == len as usize {
        true => Ok(bytes),
        false => Err(broken(std::io::ErrorKind::UnexpectedEof.into())),
    }
}

/// The head of the next piece.
pub async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Result<Head, Failure> {
    let len = stream.read_u32_le().await.map_err(broken)?;
    let bytes = sized(stream, len, MAX_HEAD).await?;
    postcard::from_bytes(&bytes).map_err(|_| garbled("an answer that is none"))
}

/// The bytes that follow the head [`Head::Here`], into one allocation.
/// Fails when nothing more arrives for as long as `silence`.
pub async fn body(
    stream: &mut (impl AsyncRead + Unpin),
    parts: bool,
    sections: Vec<Section>,
    silence: Duration,
) -> Result<Packed, Failure> {
    let lens = || sections.iter().flat_map(|section| section.buffers.iter().copied());
    let mut landing = Landing::new(lens())?;
    let mut at = 0;
    while at < landing.total() {
        let end = landing.total().min(at + STRETCH);
        let late = |_| Failure::new(Code::Unreachable, format!("a peer stayed silent for {silence:?}"));
        timeout(silence, stream.read_exact(landing.stretch(at..end))).await.map_err(late)?.map_err(broken)?;
        at = end;
    }
    let mut buffers = landing.buffers(lens()).into_iter();
    let unpack = |section: Section| {
        let buffers = buffers.by_ref().take(section.buffers.len()).collect();
        (section.kind, Encoded { header: section.header, buffers })
    };
    Ok(Packed { parts, sections: sections.into_iter().map(unpack).collect() })
}

/// What can be understood of bytes that came on a data connection, from behind its magic on: as a listener hears them, a greeting and
/// requests; as a caller does, answers with their chunks. How many of each there are before something is refused. It is for fuzz targets,
/// which have bytes and no connection.
pub fn read_said(bytes: &[u8]) -> (usize, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a clock alone takes nothing of the system");
    let (mut requests, mut answers) = (0, 0);
    runtime.block_on(async {
        let mut heard = bytes;
        if greeted(&mut heard).await.is_ok() {
            while let Ok(Some(_)) = asked(&mut heard).await {
                requests += 1;
            }
        }
        let mut heard = bytes;
        while let Ok(head) = head(&mut heard).await {
            if let Head::Here { parts, sections } = head
                && body(&mut heard, parts, sections, Duration::from_secs(1)).await.is_err()
            {
                break;
            }
            answers += 1;
        }
    });
    (requests, answers)
}

/// Answers, written together where they are small.
pub struct Answers<'a, S> {
    stream: &'a mut S,
    pending: Vec<u8>,
    silence: Duration,
}

/// Writes while the other side takes something: whoever has stopped reading must not hold the turn of others.
async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8], silence: Duration) -> Result<(), Failure> {
    for stretch in bytes.chunks(STRETCH) {
        timeout(silence, stream.write_all(stretch)).await.map_err(|_| stopped(silence))?.map_err(broken)?;
    }
    Ok(())
}

fn stopped(silence: Duration) -> Failure {
    Failure::new(Code::Unreachable, format!("a peer read nothing for {silence:?}"))
}

impl<'a, S: AsyncWrite + Unpin> Answers<'a, S> {
    /// Nothing is written before [`Answers::flush`] or a large buffer. Writing fails when the other side takes nothing for as
    /// long as `silence`.
    pub fn new(stream: &'a mut S, silence: Duration) -> Self {
        Self { stream, pending: Vec::new(), silence }
    }

    fn head(&mut self, head: &Head) {
        let at = self.pending.len();
        self.pending.extend([0; 4]);
        self.pending = postcard::to_extend(head, std::mem::take(&mut self.pending)).expect("a head is plain data");
        let len = (self.pending.len() - at - 4) as u32;
        self.pending[at..at + 4].copy_from_slice(&len.to_le_bytes());
    }

    /// Whether the head that begins there is one that the other side accepts.
    fn fits(&self, at: usize) -> bool {
        self.pending.len() - at - 4 <= MAX_HEAD as usize
    }

    /// A head without bytes.
    pub fn refuse(&mut self, head: &Head) {
        self.head(head);
    }

    /// A piece.
    pub async fn piece(&mut self, packed: Packed) -> Result<(), Failure> {
        let lens = |encoded: &Encoded| encoded.buffers.iter().map(|buffer| (**buffer).as_ref().len() as u64).collect();
        let mut buffers: Vec<Buffer> = Vec::new();
        let mut sections = Vec::with_capacity(packed.sections.len());
        for (kind, encoded) in packed.sections {
            sections.push(Section { kind, buffers: lens(&encoded), header: encoded.header });
            buffers.extend(encoded.buffers);
        }
        let at = self.pending.len();
        self.head(&Head::Here { parts: packed.parts, sections });
        if !self.fits(at) {
            self.pending.truncate(at);
            let what = format!("a chunk is described by more than {MAX_HEAD} bytes, the most that is sent");
            self.head(&Head::Failed(Failure::new(Code::TooLarge, what).help("make chunks of fewer parts")));
            return Ok(());
        }
        for buffer in buffers {
            let bytes = (*buffer).as_ref();
            if bytes.len() < SMALL {
                self.pending.extend(bytes);
            } else {
                self.flush().await?;
                write(self.stream, bytes, self.silence).await?;
            }
            self.pending.extend(&ZEROS[..padded(bytes.len() as u64) as usize - bytes.len()]);
            if self.pending.len() >= 2 * SMALL {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Everything goes out now.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        write(self.stream, &self.pending, self.silence).await?;
        self.pending.clear();
        timeout(self.silence, self.stream.flush()).await.map_err(|_| stopped(self.silence))?.map_err(broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_graph::{Chunk, Key, LayerId, Parts, Plain, Registry};

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn what_is_asked_and_answered_arrives() {
        block(async {
            let (mut a, mut b) = tokio::io::duplex(1 << 22);
            let pieces: Vec<Piece> = (0..5).map(|at| (Key::new(LayerId(7), at), (at > 2).then_some(at))).collect();
            greet(&mut a, Some(&[3; 32])).await.expect("open");
            ask(&mut a, &pieces).await.expect("open");
            let mut magic = [0; 8];
            b.read_exact(&mut magic).await.expect("sent");
            assert_eq!(magic, MAGIC);
            assert_eq!(greeted(&mut b).await.expect("sent"), Some([3; 32]));
            assert_eq!(asked(&mut b).await.expect("sent"), Some(pieces));

            let large: Vec<u8> = (0..100_001u32).map(|at| (at * 7) as u8).collect();
            let chunk = Chunk::new(Parts(vec![Chunk::new(Plain(large.clone())), Chunk::new(Plain(5)), Chunk::new(Plain(vec![]))]));
            let mut answers = Answers::new(&mut b, Duration::from_secs(1));
            answers.refuse(&Head::Missing);
            answers.piece(Packed::of(&chunk).expect("plain")).await.expect("open");
            answers.refuse(&Head::Busy);
            answers.flush().await.expect("open");
            assert_eq!(head(&mut a).await.expect("sent"), Head::Missing);
            let Head::Here { parts, sections } = head(&mut a).await.expect("sent") else { panic!("it is here") };
            let again =
                body(&mut a, parts, sections, Duration::from_secs(1)).await.expect("sent").open(&Registry::default()).expect("known");
            assert_eq!(again.part(0).and_then(|part| part.get::<Plain<Vec<u8>>>().map(|bytes| bytes.0 == large)), Some(true));
            assert_eq!(again.0.parts().map(<[_]>::len), Some(3));
            assert_eq!(head(&mut a).await.expect("sent"), Head::Busy);
            drop(a);
            assert_eq!(asked(&mut b).await.expect("a clean end"), None);
        });
    }

    #[test]
    fn a_reader_that_stops_is_given_up() {
        block(async {
            let (_reads_nothing, mut b) = tokio::io::duplex(64 << 10);
            let large = Packed::of(&Chunk::new(Plain(vec![1u8; 1 << 20]))).expect("plain");
            let mut answers = Answers::new(&mut b, Duration::from_millis(30));
            assert_eq!(answers.piece(large).await.expect_err("nobody reads").code, Code::Unreachable);
        });
    }

    #[test]
    fn a_head_that_nobody_accepts_is_not_sent() {
        block(async {
            let (mut a, mut b) = tokio::io::duplex(1 << 10);
            let encoded = Encoded { header: vec![0; MAX_HEAD as usize + 1], buffers: Vec::new() };
            let mut answers = Answers::new(&mut b, Duration::from_secs(1));
            answers.piece(Packed { parts: false, sections: vec![("bytes".into(), encoded)] }).await.expect("nothing is written");
            answers.flush().await.expect("it is small");
            let Head::Failed(failure) = head(&mut a).await.expect("sent") else { panic!("it is too large") };
            assert_eq!(failure.code, Code::TooLarge);
        });
    }

    #[test]
    fn garbage_and_large_claims_are_refused() {
        block(async {
            let large = u32::MAX.to_le_bytes();
            assert_eq!(asked(&mut &large[..]).await.expect_err("too large").code, Code::TooLarge);
            assert_eq!(head(&mut &large[..]).await.expect_err("too large").code, Code::TooLarge);
            let garbage = [&8u32.to_le_bytes()[..], &[0xff; 8]].concat();
            assert_eq!(asked(&mut &garbage[..]).await.expect_err("no request").code, Code::WrongProtocol);
            assert_eq!(head(&mut &garbage[..]).await.expect_err("no head").code, Code::WrongProtocol);
            let short = 100u32.to_le_bytes();
            assert_eq!(head(&mut &short[..]).await.expect_err("cut off").code, Code::Unreachable);
            let huge = Section { kind: "bytes".into(), header: vec![], buffers: vec![u64::MAX, 5] };
            assert_eq!(
                body(&mut &short[..], false, vec![huge], Duration::from_secs(1)).await.err().expect("too large").code,
                Code::TooLarge
            );
        });
    }
}
