//! A listener that tests talk to, the ways to reach it, and a proxy in between that can cut and freeze.
//!
//! It refuses to assert anything about links.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use partita_graph::Failure;
use partita_net::address::{Address, Scheme};
use partita_net::link::{Admit, Limits, Link, LinkEvent, Listener};
use partita_net::message::{Hello, PROTOCOL, PeerInfo, VERSION, Welcome};
use partita_net::security::{Role, Security, ServerSecurity, open};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::timeout;

/// A session that the listener has accepted.
pub struct Accepted {
    pub hello: Hello,
    pub link: Link,
    pub events: UnboundedReceiver<LinkEvent>,
}

/// Accepts everybody, hands the sessions to the test, and remembers who was turned away.
pub struct Door {
    accepted: UnboundedSender<Accepted>,
    pub refusals: Mutex<Vec<String>>,
}

impl Admit for Door {
    fn admit(&self, _hello: &Hello, _role: Role, _remote: SocketAddr) -> Result<Welcome, Failure> {
        Ok(Welcome { protocol: PROTOCOL, version: VERSION.into(), epoch: 7, id: 1, received: 0, cluster: "test".into() })
    }

    fn connected(&self, _welcome: &Welcome, hello: Hello, link: Link, events: UnboundedReceiver<LinkEvent>) {
        // The test may have ended.
        let _ = self.accepted.send(Accepted { hello, link, events });
    }

    fn refused(&self, _remote: SocketAddr, failure: &Failure) {
        self.refusals.lock().unwrap().push(failure.to_string());
    }
}

pub struct Port {
    pub security: ServerSecurity,
    pub listener: Listener,
    pub door: Arc<Door>,
    pub accepted: UnboundedReceiver<Accepted>,
}

pub fn quick() -> Limits {
    Limits {
        silence: Duration::from_millis(600),
        grace: Duration::from_secs(5),
        handshake: Duration::from_millis(700),
        ..Limits::default()
    }
}

impl Port {
    pub async fn bind(security: ServerSecurity) -> Port {
        Self::bind_with(security, quick()).await
    }

    pub async fn bind_with(security: ServerSecurity, limits: Limits) -> Port {
        let (sender, accepted) = unbounded_channel();
        let door = Arc::new(Door { accepted: sender, refusals: Mutex::default() });
        let listener = Listener::bind("127.0.0.1", 0, security.clone(), limits, Some(door.clone()), None).await.unwrap();
        Port { security, listener, door, accepted }
    }

    pub fn number(&self) -> u16 {
        self.listener.address().port()
    }

    /// Its address, plain or encrypted as it is.
    pub fn address(&self) -> Address {
        at(&self.security, self.number())
    }

    /// Waits until somebody was turned away for a reason with these words.
    pub async fn refused(&self, words: &str) {
        let seen = || self.door.refusals.lock().unwrap().iter().any(|refusal| refusal.contains(words));
        let waited = timeout(Duration::from_secs(10), async {
            while !seen() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "nobody was refused with `{words}`: {:?}", self.door.refusals.lock().unwrap());
    }
}

pub fn at(security: &ServerSecurity, port: u16) -> Address {
    let scheme = if security.is_encrypted() { Scheme::Tls } else { Scheme::Plain };
    Address::new(scheme, "127.0.0.1", port)
}

pub fn client() -> Hello {
    Hello::new(PeerInfo::Client { name: "a test".into() })
}

pub async fn next(events: &mut UnboundedReceiver<LinkEvent>) -> LinkEvent {
    let event = timeout(Duration::from_secs(20), events.recv()).await;
    event.expect("an event within 20 s").expect("an event before the end")
}

/// Sends these bytes as the body of a session's stream, and returns what came back until the stream's end.
pub async fn raw_session(port: u16, security: &Security, body: Vec<Bytes>) -> Bytes {
    raw_request(port, security, "/partita.Control/Session", body).await.expect("an answer")
}

pub async fn raw_request(port: u16, security: &Security, path: &str, body: Vec<Bytes>) -> Result<Bytes, String> {
    let stream = open("127.0.0.1", port, security, Role::Scheduler).await.map_err(|e| e.to_string())?;
    raw_request_over(stream, path, body).await
}

type Identity = (Vec<rustls::pki_types::CertificateDer<'static>>, rustls::pki_types::PrivateKeyDer<'static>);

/// A connection of somebody who encrypts, believes everything and has no certificate.
pub async fn stranger(port: u16) -> tokio_rustls::client::TlsStream<TcpStream> {
    stranger_with(port, None).await
}

/// The same with a certificate of whatever authority.
pub async fn stranger_with(port: u16, identity: Option<Identity>) -> tokio_rustls::client::TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible(provider)));
    let mut config = match identity {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect("x.y".try_into().unwrap(), stream).await.unwrap()
}

#[derive(Debug)]
struct Gullible(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub async fn raw_request_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    path: &str,
    body: Vec<Bytes>,
) -> Result<Bytes, String> {
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let (frames, receiver) = unbounded_channel();
    for bytes in body {
        frames.send(Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes))).unwrap();
    }
    let body = StreamBody::new(tokio_stream::wrappers::UnboundedReceiverStream::new(receiver));
    let request = http::Request::post(format!("http://cluster.partita{path}")).body(body).unwrap();
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
        if let Some(said) = response.headers().get("grpc-message") {
            return Err(String::from_utf8_lossy(said.as_bytes()).into_owned());
        }
        let mut body = response.into_body();
        let mut all = BytesMut::new();
        while let Some(Ok(frame)) = body.frame().await {
            all.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
        }
        Ok(all.freeze())
    };
    let answer = timeout(Duration::from_secs(10), exchange).await.map_err(|_| "no end within 10 s".to_string());
    drop(frames);
    answer?
}

/// Something between a caller and a port.
pub struct Proxy {
    pub port: u16,
    /// Each change cuts what is connected.
    cut: watch::Sender<u64>,
    /// While it is set, bytes are held and new connections get no answer.
    frozen: watch::Sender<bool>,
}

impl Proxy {
    pub async fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (cut, cuts) = watch::channel(0);
        let (frozen, freezes) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut caller, _)) = listener.accept().await {
                let (mut cuts, mut freezes) = (cuts.clone(), freezes.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut callee) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    loop {
                        let held = *freezes.borrow_and_update();
                        tokio::select! {
                            _ = cuts.changed() => return,
                            _ = freezes.changed() => {}
                            _ = copy_bidirectional(&mut caller, &mut callee), if !held => return,
                        }
                    }
                });
            }
        });
        Proxy { port: own, cut, frozen }
    }

    pub fn cut(&self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }

    pub fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}
