//! What a data port says to strangers, to peers and to any Arrow Flight client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use partita_core::protocol::Piece;
use partita_graph::{Chunk, Code, Encoded, Failure, Key, LayerId, Parts, Plain, Registry};
use partita_local::Packed;
use partita_net::address::{Secret, hex};
use partita_net::flight::{FetchError, FlightMessage, FrameDoor, Peers, Ports, Refusal, Shelf};
use partita_net::message::PeerAddress;
use partita_net::security::{Role, Security, ServerSecurity};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LAYER: LayerId = LayerId(0xabc);

/// Chunk 0 is a number, 1 large bytes, 2 parts, 3 cannot be sent, 4 takes a while; others are missing.
struct Few;

fn key(index: u32) -> Key {
    Key::new(LAYER, index)
}

fn large() -> Vec<u8> {
    (0..3_000_000u32).map(|at| ((at * 31) >> 4) as u8).collect()
}

impl Shelf for Few {
    fn pack(&self, (key, part): Piece) -> Result<Packed, Refusal> {
        let parts = || Chunk::new(Parts((0..5u8).map(|at| Chunk::new(Plain(vec![at; 100]))).collect()));
        let chunk = match (key.index, part) {
            (0, None) => Chunk::new(Plain(42)),
            (1, None) => Chunk::new(Plain(large())),
            (2, None) => parts(),
            (2, Some(part)) => parts().part(part).ok_or(Refusal::Missing)?,
            (3, None) => return Err(Refusal::Failed(Failure::new(Code::NotEncodable, "it is shy"))),
            (4, None) => {
                std::thread::sleep(Duration::from_millis(700));
                Chunk::new(Plain(4))
            }
            _ => return Err(Refusal::Missing),
        };
        Packed::of(&chunk).map_err(Refusal::Failed)
    }

    fn nbytes(&self, (key, _): Piece) -> u64 {
        // All but the first may take a while.
        if key.index == 0 { 8 } else { 1 << 30 }
    }

    fn list(&self, limit: usize) -> Vec<(Key, u64)> {
        (0..4).map(|index| (key(index), 10)).take(limit).collect()
    }
}

/// Says that bytes are frames of one column, to see what becomes of its messages.
struct Door;

impl FrameDoor for Door {
    fn messages(&self, kind: &str, encoded: &Encoded) -> Result<Option<Vec<FlightMessage>>, Failure> {
        Ok((kind == "bytes").then(|| vec![(b"schema".to_vec(), vec![]), (b"batch".to_vec(), encoded.buffers.clone())]))
    }
}

#[derive(Clone, PartialEq, Message)]
struct Data {
    #[prost(bytes = "vec", tag = "2")]
    header: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    metadata: Vec<u8>,
    #[prost(bytes = "vec", tag = "1000")]
    body: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Ticket {
    #[prost(bytes = "vec", tag = "1")]
    text: Vec<u8>,
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

async fn port(security: &ServerSecurity, at_a_time: usize) -> (Ports, PeerAddress) {
    let bound = Ports::bind("127.0.0.1", 0, security).await.expect("a port");
    let port = Ports::serve(bound, security.clone(), Arc::new(Few), Some(Arc::new(Door)), at_a_time);
    let address = PeerAddress { host: "127.0.0.1".into(), port: port.address().port() };
    (port, address)
}

fn secret(security: &ServerSecurity) -> Secret {
    match security.issue(Role::Client).expect("the cluster's own") {
        Security::Plain { secret } => secret.expect("it has one"),
        Security::Tls(_) => panic!("it is plain"),
    }
}

fn number(chunk: &Chunk) -> Option<i64> {
    chunk.get::<Plain<i64>>().map(|number| number.0)
}

#[test]
fn many_pieces_in_one_request_each_with_its_own_answer() {
    for security in [ServerSecurity::plain_with_secret(), crate::cluster::tls()] {
        run(async {
            let worker = security.issue(Role::Worker).expect("the cluster's own");
            let (_port, address) = port(&ServerSecurity::of(&worker).expect("it has a certificate"), 4).await;
            let peers = Peers::new(security.issue(Role::Client).expect("the cluster's own"));
            let wanted: Vec<Piece> =
                vec![(key(0), None), (key(9), None), (key(1), None), (key(2), Some(3)), (key(3), None), (key(2), None), (key(0), None)];
            for _ in 0..3 {
                let got = peers.fetch(&address, &wanted, &Registry::default()).await;
                assert_eq!(got.iter().map(|(piece, _)| *piece).collect::<Vec<_>>(), wanted);
                let chunk = |at: usize| got[at].1.as_ref().expect("it is there");
                assert_eq!((number(chunk(0)), number(chunk(6))), (Some(42), Some(42)));
                assert_eq!(got[1].1.as_ref().err(), Some(&FetchError::Missing));
                assert!(chunk(2).get::<Plain<Vec<u8>>>().is_some_and(|bytes| bytes.0 == large()));
                assert!(chunk(3).get::<Plain<Vec<u8>>>().is_some_and(|bytes| bytes.0 == [3; 100]));
                assert!(matches!(&got[4].1, Err(FetchError::NotEncodable(failure)) if failure.what == "it is shy"));
                assert_eq!(chunk(5).0.parts().map(<[_]>::len), Some(5));
            }
        });
    }
}

#[test]
fn a_port_that_serves_others_says_so_and_later_serves() {
    run(async {
        let security = ServerSecurity::plain(None);
        let (_port, address) = port(&security, 1).await;
        let peers = Peers::new(Security::Plain { secret: None });
        let slow = tokio::spawn({
            let (peers, address) = (peers.clone(), address.clone());
            async move { peers.fetch(&address, &[(key(4), None)], &Registry::default()).await }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let wanted = [(key(0), None), (key(1), None)];
        let busy = peers.fetch(&address, &wanted, &Registry::default()).await;
        assert!(busy.iter().all(|(_, answer)| matches!(answer, Err(FetchError::Busy))), "{busy:?}");
        assert_eq!(number(slow.await.expect("no panic")[0].1.as_ref().expect("it comes")), Some(4));
        assert!(peers.fetch(&address, &wanted, &Registry::default()).await.iter().all(|(_, answer)| answer.is_ok()));
    });
}

#[test]
fn a_port_that_is_closed_is_gone_and_one_that_came_back_is_found() {
    run(async {
        let security = ServerSecurity::plain(None);
        let (first, address) = port(&security, 4).await;
        let peers = Peers::new(Security::Plain { secret: None });
        let wanted = [(key(0), None)];
        assert!(peers.fetch(&address, &wanted, &Registry::default()).await[0].1.is_ok());
        first.close();
        drop(first);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(matches!(peers.fetch(&address, &wanted, &Registry::default()).await[0].1, Err(FetchError::Gone(_))));
        let bound = Ports::bind("127.0.0.1", address.port, &security).await.expect("the port is free again");
        let _again = Ports::serve(bound, security, Arc::new(Few), None, 4);
        assert!(peers.fetch(&address, &wanted, &Registry::default()).await[0].1.is_ok());
    });
}

#[test]
fn strangers_get_nothing() {
    run(async {
        let security = ServerSecurity::plain_with_secret();
        let (_port, address) = port(&security, 4).await;
        for wrong in [None, Some([7; 32])] {
            let got = Peers::new(Security::Plain { secret: wrong }).fetch(&address, &[(key(0), None)], &Registry::default()).await;
            assert!(matches!(&got[0].1, Err(FetchError::Gone(failure)) if failure.code == Code::NotTrusted), "{got:?}");
        }
        for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"partita\x01\x07", b"partita\x09xxxxxxxxxxxxx", &[0xff; 100]] {
            let mut stream = tokio::net::TcpStream::connect((address.host.as_str(), address.port)).await.expect("it listens");
            stream.write_all(garbage).await.expect("it accepts");
            let mut answer = Vec::new();
            // Closed or reset, at once: nothing of a chunk comes.
            let _ = tokio::time::timeout(Duration::from_secs(8), stream.read_to_end(&mut answer)).await.expect("it hangs up");
            assert!(answer.len() < 300, "{}", answer.len());
        }
        let other = crate::cluster::tls().issue(Role::Worker).expect("of another cluster");
        let (_port, address) =
            port(&ServerSecurity::of(&crate::cluster::tls().issue(Role::Worker).expect("its own")).expect("fine"), 4).await;
        assert!(matches!(Peers::new(other).fetch(&address, &[(key(0), None)], &Registry::default()).await[0].1, Err(FetchError::Gone(_))));
    });
}

/// What DoGet and its like answer: messages and the status.
async fn call(address: &PeerAddress, method: &str, message: Vec<u8>, bearer: Option<&Secret>) -> (Vec<Bytes>, String) {
    let stream = tokio::net::TcpStream::connect((address.host.as_str(), address.port)).await.expect("it listens");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("it speaks HTTP/2");
    let driver = tokio::spawn(connection);
    let mut body = vec![0];
    body.extend((message.len() as u32).to_be_bytes());
    body.extend(message);
    let mut request = http::Request::post(format!("http://worker/arrow.flight.protocol.FlightService/{method}"));
    request = request.header("content-type", "application/grpc").header("te", "trailers");
    if let Some(secret) = bearer {
        request = request.header("authorization", format!("Bearer {}", hex(secret)));
    }
    let response = sender.send_request(request.body(Full::new(Bytes::from(body))).expect("sound")).await.expect("it answers");
    let headers = response.headers().clone();
    let collected = response.into_body().collect().await.expect("it ends well");
    let trailers = collected.trailers().cloned().unwrap_or(headers);
    let mut bytes = collected.to_bytes();
    let mut messages = Vec::new();
    while bytes.len() >= 5 {
        let len = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize;
        messages.push(bytes.slice(5..5 + len));
        bytes = bytes.slice(5 + len..);
    }
    driver.abort();
    (messages, trailers["grpc-status"].to_str().expect("a number").to_owned())
}

fn ticket(text: &str) -> Vec<u8> {
    Ticket { text: text.as_bytes().to_vec() }.encode_to_vec()
}

#[test]
fn any_flight_client_reads_chunks_by_their_keys() {
    run(async {
        let security = ServerSecurity::plain_with_secret();
        let (_port, address) = port(&security, 4).await;
        let secret = secret(&security);
        let get = async |text: &str| call(&address, "DoGet", ticket(text), Some(&secret)).await;
        let decode = |bytes: &Bytes| Data::decode(bytes.clone()).expect("a message");

        let (messages, status) = get(&key(1).to_string()).await;
        assert_eq!((messages.len(), status.as_str()), (2, "0"));
        assert_eq!(decode(&messages[0]).header, b"schema");
        assert_eq!(decode(&messages[1]), Data { header: b"batch".to_vec(), metadata: vec![], body: large() });

        let (messages, _) = get(&key(0).to_string()).await;
        let data = decode(&messages[0]);
        let (kind, header, lens): (String, Vec<u8>, Vec<u64>) = postcard::from_bytes(&data.metadata).expect("what it is");
        assert_eq!((kind.as_str(), header.len(), lens, data.body), ("i64", 0, vec![8], 42i64.to_le_bytes().to_vec()));

        assert_eq!(decode(&get(&format!("{}/3", key(2))).await.0[1]).body, [3; 100]);
        for (text, status) in [(key(9).to_string(), "5"), (key(2).to_string(), "3"), (key(3).to_string(), "9"), ("nonsense".into(), "3")] {
            assert_eq!(get(&text).await.1, status, "{text}");
        }
        assert_eq!(call(&address, "DoGet", ticket(&key(0).to_string()), None).await.1, "16");
        assert_eq!(call(&address, "DoGet", ticket(&key(0).to_string()), Some(&[1; 32])).await.1, "16");
        for method in ["Handshake", "DoPut", "DoAction", "DoExchange", "Nonsense"] {
            assert_eq!(call(&address, method, vec![], Some(&secret)).await.1, "12", "{method}");
        }
        let (flights, status) = call(&address, "ListFlights", vec![], Some(&secret)).await;
        assert_eq!((flights.len(), status.as_str()), (4, "0"));
    });
}
