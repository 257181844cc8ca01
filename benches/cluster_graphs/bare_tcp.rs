//! Bare TCP between two processes on loopback: what no cluster can beat on this machine.
//!
//! It refuses to know partita. Invariant: the other side is a process of its own, as it is in what is compared.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use crate::{Outcome, Part, say};

/// The other side: `echo`, or `send N`.
pub fn other_side(part: &str) -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    say(&listener.local_addr()?.to_string())?;
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let ended = match part.strip_prefix("send ") {
        Some(bytes) => send_on_demand(&mut stream, bytes.parse()?),
        None => echo(&mut stream),
    };
    // The measuring side hangs up when it has seen enough.
    ended.or_else(|error| if error.kind() == io::ErrorKind::UnexpectedEof { Ok(()) } else { Err(error.into()) })
}

fn echo(stream: &mut TcpStream) -> io::Result<()> {
    let mut message = [0; 64];
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
}

/// For each byte that comes, all of a block of memory goes.
fn send_on_demand(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    let block = vec![7; bytes];
    loop {
        stream.read_exact(&mut [0])?;
        stream.write_all(&block)?;
    }
}

/// 64 bytes to another process and back.
pub fn round_trips(repeat: u32) -> Outcome<Vec<f64>> {
    let other = Part::start("echo")?;
    let mut stream = TcpStream::connect(&other.said)?;
    stream.set_nodelay(true)?;
    let mut seconds = Vec::new();
    for turn in 0..repeat + 100 {
        let begun = Instant::now();
        stream.write_all(&[1; 64])?;
        stream.read_exact(&mut [0; 64])?;
        if turn >= 100 {
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    Ok(seconds)
}

/// The fastest that bytes go from the memory of one process to another: read into a small buffer again and again, or, when they
/// are kept, into new memory, which a receiver of chunks has to do.
pub fn copies(bytes: u64, repeat: u32, kept: bool) -> Outcome<Vec<f64>> {
    let other = Part::start(&format!("send {bytes}"))?;
    let mut stream = TcpStream::connect(&other.said)?;
    let mut seconds = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    // The first round, whose memory the system hands out for the first time, is not measured.
    for turn in 0..=repeat {
        let begun = Instant::now();
        stream.write_all(&[1])?;
        let mut all = Vec::with_capacity(if kept { bytes as usize } else { 0 });
        let mut left = bytes;
        while left > 0 {
            let most = buffer.len().min(left as usize);
            let read = match kept {
                true => (&mut stream).take(left).read_to_end(&mut all)?,
                false => stream.read(&mut buffer[..most])?,
            };
            match read {
                0 => return Err("fewer bytes than were sent".into()),
                read => left -= read as u64,
            }
        }
        if turn > 0 {
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    Ok(seconds)
}
