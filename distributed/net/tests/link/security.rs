//! Who is let in, who is not, and what each of them is told.
//!
//! It refuses to test cryptography; it tests that ours is asked.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use partita_graph::{Code, Failure};
use partita_net::address::{Address, Scheme};
use partita_net::link::{Limits, LinkEvent, Listener, connect};
use partita_net::message::{Hello, PeerInfo};
use partita_net::security::{Lifetime, Role, SchedulerFile, Security, ServerSecurity, TlsFiles, open};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::tempdir;

use crate::port::{Port, at, client, next, raw_request_over, stranger_with};

fn past() -> Lifetime {
    let day = Duration::from_secs(86_400);
    Lifetime { from: SystemTime::now() - 3 * day, until: SystemTime::now() - day }
}

async fn refusal(port: &Port, security: &Security, hello: Hello) -> Failure {
    connect(&port.address(), security, hello).await.err().expect("a refusal")
}

#[track_caller]
fn says(failure: &Failure, code: Code, words: &str) {
    assert_eq!(failure.code, code, "{failure}");
    assert!(failure.to_string().contains(words), "`{words}` is not in: {failure}");
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_certificate_and_the_link_works() {
    let mut port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let address: Address = port.security.join_link("127.0.0.1", port.number()).to_string().parse().unwrap();
    let security = Security::resolve_in(&address, Role::Client, None, None).await.unwrap();
    let (link, _events, _) = connect(&address, &security, client()).await.unwrap();
    let mut accepted = port.accepted.recv().await.unwrap();
    link.send(Bytes::from_static(b"hello"));
    assert_eq!(next(&mut accepted.events).await, LinkEvent::Message(Bytes::from_static(b"hello")));
}

#[tokio::test]
async fn tokens_that_are_wrong_used_or_for_another_cluster_are_told_apart() {
    let port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let mut address = port.security.join_link("127.0.0.1", port.number());
    let once = port.security.new_token(1).unwrap();
    let join = async |address: &Address| Security::resolve_in(address, Role::Worker, None, None).await;
    address.join = Some(once);
    join(&address).await.unwrap();
    says(&join(&address).await.unwrap_err(), Code::NotTrusted, "used as often as it may");
    address.join.as_mut().unwrap().token = [9; 32];
    says(&join(&address).await.unwrap_err(), Code::NotTrusted, "not one of this scheduler's");
    let other = ServerSecurity::new_cluster(None).unwrap().join_link("127.0.0.1", port.number());
    says(&join(&other).await.unwrap_err(), Code::NotTrusted, "belongs to another cluster");
    port.refused("not one of this scheduler's").await;
}

#[tokio::test]
async fn expired_certificates_are_named_on_either_side() {
    let port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let expired = port.security.issue_for(Role::Client, past()).unwrap();
    says(&refusal(&port, &expired, client()).await, Code::NotTrusted, "this process's certificate has expired");
    port.refused("certificate expired").await;
    let port = Port::bind(ServerSecurity::new_cluster_for(past()).unwrap()).await;
    let security = port.security.issue(Role::Client).unwrap();
    says(&refusal(&port, &security, client()).await, Code::NotTrusted, "has expired");
}

#[tokio::test]
async fn certificates_of_another_cluster_are_refused() {
    let port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let foreign = ServerSecurity::new_cluster(None).unwrap().issue(Role::Client).unwrap();
    says(&refusal(&port, &foreign, client()).await, Code::NotTrusted, "belongs to another cluster");
    // The scheduler sees it too, when the caller would believe anybody.
    let dir = tempdir().unwrap();
    let files = files(dir.path());
    let chain = vec![CertificateDer::from_pem_file(&files.cert).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let answer = raw_request_over(stranger_with(port.number(), Some((chain, key))).await, "/partita.Control/Session", Vec::new()).await;
    assert!(answer.is_err(), "{answer:?}");
    port.refused("its handshake failed: invalid peer certificate: UnknownIssuer").await;
}

#[tokio::test]
async fn a_certificate_is_good_for_its_own_role_only() {
    let port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let security = port.security.issue(Role::Client).unwrap();
    let nanny = PeerInfo::Nanny { id: 1, host: "h".into(), worker_name: String::new() };
    says(&refusal(&port, &security, Hello::new(nanny)).await, Code::NotTrusted, "for a client was used to call as a nanny");
    // Whoever expects a worker does not talk to a scheduler, and the other way round.
    let failure = open("127.0.0.1", port.number(), &security, Role::Worker).await.err().unwrap();
    says(&failure, Code::NotTrusted, "for another role");
    // A client's certificate cannot listen.
    let data = ServerSecurity::of(&security).unwrap();
    let listener = Listener::bind("127.0.0.1", 0, data, Limits::default(), None, None).await.unwrap();
    let failure = open("127.0.0.1", listener.address().port(), &security, Role::Worker).await.err().unwrap();
    assert_eq!(failure.code, Code::NotTrusted, "{failure}");
}

#[tokio::test]
async fn encrypted_against_plain_is_said_in_both_directions() {
    let encrypted = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let plain = Port::bind(ServerSecurity::plain(None)).await;
    let as_client = encrypted.security.issue(Role::Client).unwrap();
    let failure = connect(&at(&encrypted.security, plain.number()), &as_client, client()).await.err().unwrap();
    says(&failure, Code::WrongProtocol, "does not encrypt, and this one does");
    says(&failure, Code::WrongProtocol, &format!("write tcp://127.0.0.1:{}", plain.number()));
    plain.refused("it wants to encrypt, and this port is plain").await;
    let failure = connect(&at(&plain.security, encrypted.number()), &Security::Plain { secret: None }, client()).await.err().unwrap();
    says(&failure, Code::WrongProtocol, "encrypts, and this one was told not to");
    encrypted.refused("it does not encrypt, and this port does").await;
    let mut link = encrypted.security.join_link("127.0.0.1", plain.number());
    let failure = Security::resolve_in(&link, Role::Client, None, None).await.unwrap_err();
    says(&failure, Code::WrongProtocol, "does not encrypt");
    link.join = None;
    says(&Security::resolve_in(&link, Role::Client, None, None).await.unwrap_err(), Code::WrongProtocol, "does not encrypt");
}

#[tokio::test]
async fn plain_is_refused_off_loopback_until_it_is_confirmed() {
    let bind = async |security| Listener::bind("0.0.0.0", 0, security, Limits::default(), None, None).await;
    says(&bind(ServerSecurity::plain(None)).await.err().unwrap(), Code::Insecure, "--insecure-off-loopback");
    bind(ServerSecurity::plain(None).confirm_off_loopback()).await.unwrap();
    let mut address = Address::new(Scheme::Plain, "192.0.2.1", 8786);
    let failure = Security::resolve_in(&address, Role::Client, None, None).await.unwrap_err();
    says(&failure, Code::Insecure, "192.0.2.1");
    address.insecure_off_loopback = true;
    Security::resolve_in(&address, Role::Client, None, None).await.unwrap();
}

#[tokio::test]
async fn a_plain_cluster_can_want_a_secret() {
    let mut port = Port::bind(ServerSecurity::plain_with_secret()).await;
    says(&refusal(&port, &Security::Plain { secret: None }, client()).await, Code::NotTrusted, "wants a secret");
    says(&refusal(&port, &Security::Plain { secret: Some([0; 32]) }, client()).await, Code::NotTrusted, "wants a secret");
    let address: Address = port.security.join_link("127.0.0.1", port.number()).to_string().parse().unwrap();
    let security = Security::resolve_in(&address, Role::Client, None, None).await.unwrap();
    let _link = connect(&address, &security, client()).await.unwrap();
    assert!(port.accepted.recv().await.is_some());
}

#[tokio::test]
async fn on_loopback_the_right_to_join_is_found_in_the_state_directory() {
    let state = tempdir().unwrap();
    let mut port = Port::bind(ServerSecurity::new_cluster(None).unwrap()).await;
    let address: Address = format!("localhost:{}", port.number()).parse().unwrap();
    let resolve = async || Security::resolve_in(&address, Role::Client, None, Some(state.path())).await;
    says(&resolve().await.unwrap_err(), Code::NotTrusted, "paste the whole link");
    let path = SchedulerFile::in_state_dir(state.path(), port.number());
    let link = port.security.join_link("127.0.0.1", port.number()).to_string();
    let file = SchedulerFile::new(link, port.security.cluster().into());
    file.write(&path).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(SchedulerFile::read(&path).unwrap(), file);
    let security = resolve().await.unwrap();
    let _link = connect(&address, &security, client()).await.unwrap();
    assert!(port.accepted.recv().await.is_some());
    file.remove(&path);
    assert!(!path.exists());
}

#[tokio::test]
async fn an_authority_in_a_directory_outlives_its_scheduler() {
    let dir = tempdir().unwrap();
    let kept = dir.path().join("tls");
    let first = ServerSecurity::new_cluster(Some(&kept)).unwrap();
    let worker = first.issue(Role::Client).unwrap();
    let second = ServerSecurity::new_cluster(Some(&kept)).unwrap();
    assert_eq!(first.cluster(), second.cluster());
    let mut port = Port::bind(second).await;
    let _link = connect(&port.address(), &worker, client()).await.unwrap();
    assert!(port.accepted.recv().await.is_some());
    let key = kept.join("ca.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    says(&ServerSecurity::new_cluster(Some(&kept)).err().unwrap(), Code::InvalidOption, "others can read the key");
}

/// An authority as people make it with other tools: it knows no roles.
fn files(dir: &std::path::Path) -> TlsFiles {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["host.example.org".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let files = TlsFiles { ca: dir.join("ca.pem"), cert: dir.join("cert.pem"), key: dir.join("key.pem") };
    std::fs::write(&files.ca, authority_certificate.pem()).unwrap();
    std::fs::write(&files.cert, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

#[tokio::test]
async fn certificates_of_ones_own_work_without_joining() {
    let (dir, other) = (tempdir().unwrap(), tempdir().unwrap());
    let own = files(dir.path());
    let mut port = Port::bind(ServerSecurity::files(&own).unwrap()).await;
    let security = Security::resolve_in(&port.address(), Role::Client, Some(&own), None).await.unwrap();
    let _link = connect(&port.address(), &security, client()).await.unwrap();
    assert!(port.accepted.recv().await.is_some());
    let foreign = Security::resolve_in(&port.address(), Role::Client, Some(&files(other.path())), None).await.unwrap();
    says(&refusal(&port, &foreign, client()).await, Code::NotTrusted, "another cluster");
    let missing = TlsFiles { ca: dir.path().join("no.pem"), ..own };
    says(&Security::resolve_in(&port.address(), Role::Client, Some(&missing), None).await.unwrap_err(), Code::NotTrusted, "no.pem");
}
