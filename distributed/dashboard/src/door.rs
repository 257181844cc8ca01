//! Who may ask what: reading only, and only under a name of this host.
//!
//! It refuses to know what is shown. Invariant: a page of another site that makes a browser ask here, by a name that its
//! owner points at this host, gets nothing: the name in the request gives it away.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};

/// What a browser may load for the page, and that nobody may frame or guess it.
const HEADERS: [(header::HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Names beside addresses under which the dashboard may be asked.
pub struct Door {
    names: BTreeSet<String>,
}

impl Door {
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().map(|name| name.to_ascii_lowercase());
        Self { names: names.chain(["localhost".to_string()]).collect() }
    }

    /// The refusal of a request that may not be answered.
    pub fn refuse(&self, request: &Request<Body>) -> Option<Response> {
        if !self.known(request) {
            let text = "asked under a name that is not this host's: use its address, or http://localhost\n";
            return Some((StatusCode::MISDIRECTED_REQUEST, text).into_response());
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let text = "only GET: this page shows the cluster and changes nothing\n";
            return Some((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], text).into_response());
        }
        let empty = request.headers().get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
        if !empty || request.headers().contains_key(header::TRANSFER_ENCODING) {
            return Some((StatusCode::PAYLOAD_TOO_LARGE, "a question has no body\n").into_response());
        }
        None
    }

    fn known(&self, request: &Request<Body>) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Some(name) = host.to_str().ok().and_then(without_port) else { return false };
        // A page of another site cannot have an address of ours as its own name.
        name.parse::<IpAddr>().is_ok() || self.names.contains(&name.to_ascii_lowercase())
    }
}

/// `[::1]:80` is `::1`, `name:80` is `name`.
fn without_port(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = rest.strip_prefix(':').unwrap_or(rest);
    (port.is_empty() || port.parse::<u16>().is_ok()).then_some(name)
}

/// What every answer carries.
pub fn seal(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_host_are_answered() {
        let door = Door::new(["node1.example".to_string()]);
        let answered = |host: &str| {
            let request = Request::builder().header(header::HOST, host).body(Body::empty()).expect("a request");
            door.refuse(&request).is_none()
        };
        for host in ["localhost", "LOCALHOST:8787", "127.0.0.1:8787", "[::1]:8787", "[::1]", "10.0.0.7", "Node1.example:1"] {
            assert!(answered(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8787", "", "[::1", "localhost:port", "localhost:1:2"]
        {
            assert!(!answered(host), "{host}");
        }
        assert!(door.refuse(&Request::builder().body(Body::empty()).expect("a request")).is_some());
    }

    #[test]
    fn nothing_can_be_sent() {
        let door = Door::new([]);
        let status = |method: &str, length: &str| {
            let request = Request::builder().method(method).header(header::HOST, "localhost").header(header::CONTENT_LENGTH, length);
            door.refuse(&request.body(Body::empty()).expect("a request")).map(|response| response.status().as_u16())
        };
        assert_eq!(status("GET", "0"), None);
        assert_eq!(status("HEAD", "0"), None);
        assert_eq!(status("POST", "0"), Some(405));
        assert_eq!(status("DELETE", "0"), Some(405));
        assert_eq!(status("GET", "12"), Some(413));
    }
}
