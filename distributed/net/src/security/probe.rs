//! Finding out what listens at an address when the handshake failed, and the answer that partita gives to such a question.
//!
//! It refuses to be needed when all is well. Invariant: a question costs a listener no more than any other refused connection.
//!
//! The question is an HTTP/1 request, because everything that people point at by mistake answers one.

use std::time::Duration;

use partita_graph::{Code, Failure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::open::connect_tcp;
use crate::address::place;

const PATIENCE: Duration = Duration::from_secs(1);

const ENCRYPTED: &str = "partita-transport: tls";
const PLAIN: &str = "partita-transport: plain";

/// Answers a request of HTTP/1 on a port that is not for HTTP: for whoever looked there with a browser, and for [`diagnose`].
pub(crate) async fn answer_http(stream: &mut TcpStream, encrypted: bool) {
    let transport = if encrypted { ENCRYPTED } else { PLAIN };
    let text = "This is a control or data port of partita. Its pages for people are on the HTTP port, 8787 by default.\n";
    let answer = format!(
        "HTTP/1.1 421 Misdirected Request\r\n{transport}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    // The caller is turned away in any case.
    let _ = timeout(PATIENCE, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection, and the caller would not see the answer.
        let mut rest = [0; 1024];
        for _ in 0..16 {
            if stream.read(&mut rest).await? == 0 {
                break;
            }
        }
        std::io::Result::Ok(())
    })
    .await;
}

/// What listens there, if it is not what was expected. `encrypted` is how it was spoken to.
pub(crate) async fn diagnose(host: &str, port: u16, encrypted: bool) -> Option<Failure> {
    let answer = timeout(PATIENCE, ask(host, port)).await.ok()??;
    let at = place(host, port);
    let wrong = |what: String| Some(Failure::new(Code::WrongProtocol, what));
    if answer.contains(PLAIN) && encrypted {
        return wrong(format!("the process at {at} does not encrypt, and this one does"))
            .map(|f| f.help(format!("write tcp://{at} to connect without encryption, or start the other side without `--insecure`")));
    }
    if answer.contains(ENCRYPTED) && !encrypted {
        return wrong(format!("the process at {at} encrypts, and this one was told not to"))
            .map(|f| f.help("leave `--insecure` (or `tcp://`) out, and use the link that `partita scheduler` printed"));
    }
    if answer.contains(PLAIN) || answer.contains(ENCRYPTED) {
        return None;
    }
    if answer.starts_with("HTTP/") {
        let control = if port == 8787 { " (8787 is the port for people)" } else { "" };
        return wrong(format!("{at} is an HTTP server, no control port of partita{control}"))
            .map(|f| f.help("the scheduler's control port is 8786 by default; `partita scheduler` prints it"));
    }
    wrong(format!("something else than partita listens at {at}")).map(|f| f.help("check host and port"))
}

/// The beginning of what is answered to an HTTP request, or nothing when the connection is closed without a word.
async fn ask(host: &str, port: u16) -> Option<String> {
    let mut stream = connect_tcp(host, port).await.ok()?;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    let mut buffer = [0; 512];
    while answer.len() < 2048 {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(n) => answer.extend_from_slice(&buffer[..n]),
        }
    }
    (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
}
