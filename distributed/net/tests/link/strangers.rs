//! Callers that do not speak our protocol, or not yet: garbage, silence, other programs, other versions.
//!
//! It refuses to trust that a listener survived: after each stranger a link is opened.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use partita_graph::Code;
use partita_net::address::{Address, Scheme};
use partita_net::link::{Limits, LinkEvent, Listener, connect, frame};
use partita_net::message::PeerInfo;
use partita_net::security::{Role, Security, ServerSecurity, join};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::port::{Port, client, next, quick, raw_request, raw_request_over, raw_session, stranger};

const PLAIN: Security = Security::Plain { secret: None };

async fn still_serves(port: &mut Port) {
    let security = port.security.issue(Role::Client).unwrap();
    let (link, _events, _) = connect(&port.address(), &security, client()).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    link.send(Bytes::from_static(b"x"));
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Message(Bytes::from_static(b"x")));
}

/// Sends bytes, and returns what came back until the connection was closed.
async fn throw(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    let reading = async {
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..n]);
        }
    };
    assert!(timeout(Duration::from_secs(10), reading).await.is_ok(), "the connection was not closed");
    answer
}

#[tokio::test]
async fn garbage_is_turned_away_with_one_line_and_without_harm() {
    for security in [ServerSecurity::plain(None), ServerSecurity::new_cluster(None).unwrap()] {
        let mut port = Port::bind(security).await;
        for (garbage, words) in [
            (&b"\x00\x01\x02\x03\x04\x05"[..], "neither TLS nor HTTP/2"),
            (b"\x16\x03\x01\x00\x05garbage", ""),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "neither TLS nor HTTP/2"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ""),
            (b"PRI * nonsense nonsense nonsense", ""),
        ] {
            let before = port.door.refusals.lock().unwrap().len();
            throw(port.number(), garbage).await;
            port.refused(words).await;
            let after = || port.door.refusals.lock().unwrap().len();
            while after() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(after(), before + 1, "one line for each");
        }
        still_serves(&mut port).await;
    }
}

#[tokio::test]
async fn a_browser_is_told_where_pages_are() {
    for security in [ServerSecurity::plain(None), ServerSecurity::new_cluster(None).unwrap()] {
        let mut port = Port::bind(security).await;
        let answer = throw(port.number(), b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 421") && answer.contains("8787"), "{answer}");
        port.refused("a request of HTTP/1").await;
        still_serves(&mut port).await;
    }
}

#[tokio::test]
async fn silence_is_not_borne_for_long() {
    for security in [ServerSecurity::plain(None), ServerSecurity::new_cluster(None).unwrap()] {
        let mut port = Port::bind(security).await;
        for beginning in [&b""[..], b"P", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let start = Instant::now();
            throw(port.number(), beginning).await;
            assert!(start.elapsed() < Duration::from_secs(5), "closed soon after the limit of 0.7 s");
        }
        still_serves(&mut port).await;
    }
}

#[tokio::test]
async fn a_stream_without_a_hello_is_ended() {
    let mut port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let security = port.security.issue(Role::Client).unwrap();
    let start = Instant::now();
    let answer = raw_session(port.number(), &security, Vec::new()).await;
    let failure = frame::read_welcome(&answer[frame::PREFIX..]).unwrap_err();
    assert!(failure.what.contains("no hello came within 700ms"), "{failure}");
    assert!(start.elapsed() >= Duration::from_millis(700));
    still_serves(&mut port).await;
}

#[tokio::test]
async fn hellos_that_are_too_large_garbage_or_of_another_version_are_told_apart() {
    let mut port = Port::bind(ServerSecurity::plain(None)).await;
    let refusal = async |body: Vec<Bytes>| {
        let answer = raw_session(port.number(), &PLAIN, body).await;
        frame::read_welcome(&answer[frame::PREFIX..]).unwrap_err()
    };
    let announced = [&[0u8][..], &(frame::HELLO_LIMIT as u32 + 1).to_be_bytes()].concat();
    assert_eq!(refusal(vec![announced.into()]).await.code, Code::TooLarge);
    let mut garbage = BytesMut::new();
    garbage.put_slice(&[0, 0, 0, 0, 3, 1, 2, 3]);
    assert_eq!(refusal(vec![garbage.freeze()]).await.code, Code::WrongProtocol);
    let mut other = client();
    (other.protocol, other.version) = (99, "9.9.9".into());
    let failure = refusal(vec![frame::hello(&other)]).await;
    assert_eq!(failure.code, Code::VersionMismatch);
    assert!(failure.what.contains("9.9.9") && failure.what.contains("protocol 99"), "{failure}");
    assert!(failure.what.contains(partita_net::message::VERSION), "{failure}");
    still_serves(&mut port).await;
}

#[tokio::test]
async fn who_has_no_certificate_can_only_ask_for_one() {
    let mut port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let answer = raw_request_over(stranger(port.number()).await, "/partita.Control/Session", vec![frame::hello(&client())]).await;
    let failure = frame::read_welcome(&answer.unwrap()[frame::PREFIX..]).unwrap_err();
    assert_eq!((failure.code, &*failure.what), (Code::NotTrusted, "the scheduler wants a certificate, and this process has none"));
    let large = Bytes::from(vec![0; join::LIMIT + 6]);
    let failure = raw_request_over(stranger(port.number()).await, "/partita.Control/Join", vec![large]).await.unwrap_err();
    assert!(failure.contains("larger than"), "{failure}");
    let failure = raw_request_over(stranger(port.number()).await, "/partita.Control/Join", vec![Bytes::from_static(&[0; 9])]).await;
    assert!(failure.is_err(), "garbage is no request");
    let failure = raw_request_over(stranger(port.number()).await, "/some.Service/Method", Vec::new()).await.unwrap_err();
    assert_eq!(failure, "there is no such service here");
    // Somebody who joins no cluster is not kept.
    let start = Instant::now();
    let mut idle = stranger(port.number()).await;
    assert!(timeout(Duration::from_secs(10), idle.read_to_end(&mut Vec::new())).await.is_ok());
    assert!(start.elapsed() < Duration::from_secs(5));
    still_serves(&mut port).await;
}

#[tokio::test]
async fn other_services_are_for_those_who_may_be_here() {
    let port = Port::bind(ServerSecurity::plain_with_secret()).await;
    let answer = raw_request(port.number(), &PLAIN, "/some.Service/Method", Vec::new()).await;
    assert_eq!(answer.unwrap_err(), "there is no such service here");
    let reply = tower::service_fn(|_| async { Ok(http::Response::new(tonic::body::Body::empty())) });
    let extra = tower::util::BoxCloneSyncService::new(reply);
    let secret = ServerSecurity::plain(Some([5; 32]));
    let listener = Listener::bind("127.0.0.1", 0, secret, quick(), None, Some(extra)).await.unwrap();
    let answer = raw_request(listener.address().port(), &PLAIN, "/some.Service/Method", Vec::new()).await;
    assert!(answer.unwrap_err().contains("is needed"));
}

#[tokio::test]
async fn what_does_not_answer_or_is_no_scheduler_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    let to = |port| Address::new(Scheme::Plain, "127.0.0.1", port);
    let failure = connect(&to(closed), &PLAIN, client()).await.err().unwrap();
    assert_eq!(failure.code, Code::Unreachable);
    assert!(failure.what.contains("nothing listens at") && failure.to_string().contains("partita scheduler"), "{failure}");
    let failure = connect(&Address::new(Scheme::Plain, "no-such-host.invalid", 1), &PLAIN, client()).await.err().unwrap();
    assert_eq!(failure.code, Code::Unreachable, "{failure}");

    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = http.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = http.accept().await {
            let mut request = [0; 256];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let cluster = ServerSecurity::new_cluster(None).unwrap();
    for security in [PLAIN, cluster.issue(Role::Client).unwrap()] {
        let failure = connect(&to(port), &security, client()).await.err().unwrap();
        assert_eq!(failure.code, Code::WrongProtocol, "{failure}");
        assert!(failure.what.contains("is an HTTP server"), "{failure}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let port = Port::bind(ServerSecurity::plain(None)).await;
    let security = ServerSecurity::plain(None);
    let second = Listener::bind("127.0.0.1", port.number(), security.clone(), Limits::default(), None, None).await;
    let failure = second.err().unwrap();
    assert_eq!(failure.code, Code::PortTaken);
    assert!(failure.what.contains(&port.number().to_string()), "{failure}");
    let failure = Listener::bind("203.0.113.1", 0, security.confirm_off_loopback(), Limits::default(), None, None).await.err().unwrap();
    assert_eq!(failure.code, Code::PortTaken, "{failure}");
}

#[tokio::test]
async fn a_refusal_of_the_scheduler_reaches_the_caller_as_it_was_said() {
    struct Never;
    impl partita_net::link::Admit for Never {
        fn admit(
            &self,
            hello: &partita_net::message::Hello,
            _role: Role,
            _remote: std::net::SocketAddr,
        ) -> Result<partita_net::message::Welcome, partita_graph::Failure> {
            let PeerInfo::Client { name } = &hello.peer else { panic!("a client called") };
            Err(partita_graph::Failure::new(Code::DuplicateName, format!("`{name}` is taken")).help("choose another"))
        }

        fn connected(
            &self,
            _welcome: &partita_net::message::Welcome,
            _hello: partita_net::message::Hello,
            _link: partita_net::link::Link,
            _events: tokio::sync::mpsc::UnboundedReceiver<LinkEvent>,
        ) {
            panic!("it was not admitted");
        }
    }
    let security = ServerSecurity::plain(None);
    let listener = Listener::bind("127.0.0.1", 0, security, quick(), Some(std::sync::Arc::new(Never)), None).await.unwrap();
    let address = Address::new(Scheme::Plain, "127.0.0.1", listener.address().port());
    let failure = connect(&address, &PLAIN, client()).await.err().unwrap();
    assert_eq!(failure.to_string(), "error[E0215]: `a test` is taken\n  help: choose another");
}
