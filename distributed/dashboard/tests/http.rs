//! The port as programs, browsers and strangers meet it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use partita_dashboard::{Dashboard, Options, Source};
use partita_graph::Code;
use serde_json::{Value, json};

#[derive(Default)]
struct Fixed {
    views: AtomicUsize,
}

impl Source for Fixed {
    fn view(&self) -> Value {
        self.views.fetch_add(1, Ordering::SeqCst);
        json!({ "name": "<script>alert(1)</script>", "workers": [{ "name": "a", "memory_limit": 10, "rss": 3 }] })
    }

    fn story(&self, key: &str) -> Option<Value> {
        assert_ne!(key, "poison", "a source that panics");
        (key == "read-ab12/3").then(|| json!({ "key": key }))
    }

    fn explain(&self, key: &str) -> Option<Value> {
        (key == "slow").then(|| std::thread::sleep(Duration::from_millis(600)));
        Some(json!({ "why": key }))
    }

    fn metrics(&self) -> String {
        "# TYPE partita_workers gauge\npartita_workers 1\n".into()
    }
}

fn started() -> (Dashboard, Arc<Fixed>) {
    let source = Arc::new(Fixed::default());
    (Dashboard::start(Options { port: 0, ..Options::default() }, source.clone()).expect("a free port"), source)
}

/// Everything that the server says to these bytes until it closes, at most for ten seconds.
fn say(dashboard: &Dashboard, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(dashboard.address()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
    // The server may close before all of it is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(dashboard: &Dashboard, path: &str) -> String {
    say(dashboard, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
}

#[track_caller]
fn check(answer: &str, status: u16, pieces: &[&str]) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status} is not the status of {answer:?}");
    for piece in pieces {
        assert!(answer.contains(piece), "{piece:?} is not in {answer:?}");
    }
}

#[test]
fn each_path_shows_what_it_should() {
    let (dashboard, _) = started();
    check(&get(&dashboard, "/health"), 200, &["ok"]);
    check(&get(&dashboard, "/api/v1/info"), 200, &["application/json", "\"workers\":[{"]);
    check(&get(&dashboard, "/api/v1/workers"), 200, &["\r\n\r\n[{", "\"memory_limit\":10", "\"name\":\"a\"", "\"rss\":3"]);
    check(&get(&dashboard, "/api/v1/story/read-ab12/3"), 200, &["{\"key\":\"read-ab12/3\"}"]);
    check(&get(&dashboard, "/api/v1/story/read-ab12%2F3"), 200, &["{\"key\":\"read-ab12/3\"}"]);
    check(&get(&dashboard, "/api/v1/story/other"), 404, &["no task of that key"]);
    check(&get(&dashboard, "/api/v1/explain/x"), 200, &["{\"why\":\"x\"}"]);
    check(&get(&dashboard, "/metrics"), 200, &["text/plain; version=0.0.4", "partita_workers 1"]);
    check(&get(&dashboard, "/nothing"), 404, &["no such page"]);
    check(&get(&dashboard, &format!("/api/v1/story/{}", "k".repeat(600))), 414, &[]);
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline() {
    let (dashboard, _) = started();
    let page = get(&dashboard, "/");
    check(&page, 200, &["text/html", "content-security-policy: default-src 'none'; script-src 'self'", "x-content-type-options: nosniff"]);
    let all = [page, get(&dashboard, "/page.js"), get(&dashboard, "/page.css")].concat();
    for word in ["http://", "https://", "innerHTML", "style=", "onclick", "document.write", "eval("] {
        assert!(!all.contains(word), "{word}");
    }
}

#[test]
fn strangers_get_nothing() {
    let (dashboard, _) = started();
    let rebound = "GET /api/v1/info HTTP/1.1\r\nHost: evil.example:8787\r\nConnection: close\r\n\r\n";
    let answer = say(&dashboard, rebound.as_bytes());
    check(&answer, 421, &[]);
    assert!(!answer.contains("workers"), "{answer}");
    let post = "POST /api/v1/info HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    check(&say(&dashboard, post.as_bytes()), 405, &["allow: GET, HEAD"]);
    let body = "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    check(&say(&dashboard, body.as_bytes()), 413, &[]);
}

#[test]
fn garbage_and_idlers_are_closed_and_others_are_served() {
    let (dashboard, _) = started();
    let idlers: Vec<_> = (0..40).map(|_| TcpStream::connect(dashboard.address()).expect("it listens")).collect();
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0xff; 4096], b"GET / HTTP/9.9\r\n\r\n"]
    {
        let answer = say(&dashboard, garbage);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let long = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    assert!(!say(&dashboard, long.as_bytes()).starts_with("HTTP/1.1 200"));
    check(&get(&dashboard, "/health"), 200, &[]);
    // An idler is told nothing and closed after the time for a head.
    let start = Instant::now();
    for mut idler in idlers {
        idler.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
        let mut rest = Vec::new();
        idler.read_to_end(&mut rest).expect("it is closed in time");
    }
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
}

#[test]
fn many_lookers_cost_one_view_and_a_slow_answer_holds_up_nobody() {
    let (dashboard, source) = started();
    let dashboard = &dashboard;
    std::thread::scope(|scope| {
        let slow = scope.spawn(move || get(dashboard, "/api/v1/explain/slow"));
        let start = Instant::now();
        let lookers: Vec<_> = (0..20).map(|_| scope.spawn(move || get(dashboard, "/api/v1/info"))).collect();
        for looker in lookers {
            check(&looker.join().expect("a looker"), 200, &[]);
        }
        let taken = start.elapsed();
        let views = source.views.load(Ordering::SeqCst);
        assert!(views <= 1 + (taken.as_millis() / 200) as usize, "{views} views in {taken:?}");
        check(&slow.join().expect("the slow one"), 200, &[]);
    });
    check(&get(dashboard, "/api/v1/story/poison"), 500, &["could not answer"]);
    check(&get(dashboard, "/health"), 200, &[]);
}

#[test]
fn a_port_that_is_taken_is_refused_or_passed_over() {
    let (dashboard, source) = started();
    let port = dashboard.address().port();
    let refused = Dashboard::start(Options { port, exact: true, ..Options::default() }, source.clone());
    let failure = refused.err().expect("the port is taken");
    assert_eq!(failure.code, Code::PortTaken);
    assert!(failure.to_string().contains(&port.to_string()), "{failure}");
    if let Ok(other) = Dashboard::start(Options { port, ..Options::default() }, source.clone()) {
        assert_ne!(other.address().port(), port);
        assert!(other.note().is_some_and(|note| note.contains(&port.to_string())));
    }
    let nowhere = Dashboard::start(Options { host: "192.0.2.1".into(), ..Options::default() }, source);
    assert_eq!(nowhere.err().map(|failure| failure.code), Some(Code::PortTaken));
    let address = dashboard.address();
    drop(dashboard);
    assert!(std::net::TcpListener::bind(address).is_ok(), "the port is free again");
}
