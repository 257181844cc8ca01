//! A web server of files with ranges that counts what it sends, and whose bodies break off at times when that is asked for. It can play a
//! store: who may ask, and what there is, says a function.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// By name; in stores the name of the bucket is the first part of it.
pub type Files = BTreeMap<String, Vec<u8>>;
/// What a store answers where no file is asked for, or by somebody who may not: status and body, for the address behind the first slash as it
/// was sent, and the headers in small letters.
pub type Answers = fn(&Files, &str, &[String]) -> Option<(&'static str, String)>;

/// Files by name, and the bytes of all bodies that were sent.
pub struct Server {
    files: Files,
    answers: Option<Answers>,
    /// Every so many bodies one breaks off halfway.
    breaks: Option<usize>,
    bodies: AtomicUsize,
    sent: AtomicUsize,
}

impl Server {
    /// Serves files; returns the address before their names.
    pub fn start(files: Files, breaks: Option<usize>) -> (Arc<Self>, String) {
        Self::run(files, breaks, None)
    }

    /// Serves files as a store does.
    pub fn store(files: Files, answers: Answers) -> (Arc<Self>, String) {
        Self::run(files, None, Some(answers))
    }

    fn run(files: Files, breaks: Option<usize>, answers: Option<Answers>) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(Self { files, answers, breaks, bodies: AtomicUsize::new(0), sent: AtomicUsize::new(0) });
        let answering = server.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = answering.clone();
                std::thread::spawn(move || server.answer(connection));
            }
        });
        (server, address)
    }

    fn answer(&self, mut connection: TcpStream) {
        let mut request = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
        let Some(first) = request.next() else { return };
        let headers: Vec<String> = request.take_while(|line| !line.is_empty()).map(|line| line.to_ascii_lowercase()).collect();
        let asked = first.split(' ').nth(1).unwrap_or("").trim_start_matches('/');
        if let Some((status, body)) = self.answers.and_then(|answers| answers(&self.files, asked, &headers)) {
            let body = if first.starts_with("GET") { body } else { String::new() };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = connection.write_all(answer.as_bytes());
            return;
        }
        let Some(content) = self.files.get(&decoded(asked.split('?').next().unwrap_or(""))) else {
            let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        };
        let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes=")?.split_once('-'));
        let (status, start, end) = match range {
            Some((start, end)) => ("206 Partial Content", start.parse().unwrap(), content.len().min(end.parse::<usize>().unwrap() + 1)),
            None => ("200 OK", 0, content.len()),
        };
        let place = if range.is_some() { format!("Content-Range: bytes {start}-{}/{}\r\n", end - 1, content.len()) } else { String::new() };
        // Clients that know a mark of the content go on by themselves where a body broke off; others have to be made to.
        let mark = if self.answers.is_some() { format!("ETag: \"of-{}\"\r\n", content.len()) } else { String::new() };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{place}{mark}Accept-Ranges: bytes\r\nLast-Modified: Sat, 21 Nov 2026 07:00:00 GMT\r\n\
             Connection: close\r\n\r\n",
            end - start
        );
        let _ = connection.write_all(head.as_bytes());
        if first.starts_with("GET") {
            self.sent.fetch_add(end - start, Ordering::Relaxed);
            let before = self.bodies.fetch_add(1, Ordering::Relaxed);
            let breaks = self.breaks.is_some_and(|every| before % every == every - 1);
            let _ = connection.write_all(&content[start..if breaks { start + (end - start) / 2 } else { end }]);
        }
    }

    /// Bodies that were sent so far.
    pub fn requests(&self) -> usize {
        self.bodies.load(Ordering::Relaxed)
    }

    /// Bytes that the work had sent.
    pub fn cost<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let before = self.sent.load(Ordering::Relaxed);
        let result = work();
        (result, self.sent.load(Ordering::Relaxed) - before)
    }
}

/// A name as it is before it becomes part of an address.
pub fn decoded(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let coded =
            (*first == b'%').then(|| more.get(..2)).flatten().and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(coded.unwrap_or(*first));
        rest = if coded.is_some() { &more[2..] } else { more };
    }
    String::from_utf8(bytes).unwrap()
}
