//! Addresses as people write them: `host:port`, `tcp://host:port`, `tls://host:port?join=…`.
//!
//! It refuses to resolve names and to open anything. Invariant: what is displayed parses to the same address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use partita_graph::{Code, Failure};

/// The scheduler's control port, when none is written.
pub const DEFAULT_PORT: u16 = 8786;

/// Random bytes that prove a right.
pub type Secret = [u8; 32];

/// How a connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// TLS 1.3, both sides with certificates.
    Tls,
    /// Nothing is encrypted.
    Plain,
    /// TLS; on loopback the join token is looked up in the user's state directory.
    Auto,
}

/// A right to join, and the cluster that it is for.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Proves the right.
    pub token: Secret,
    /// SHA-256 of the certificate of the cluster's authority: by it the scheduler is recognised before anything is sent.
    pub authority: [u8; 32],
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", hex(&self.token), hex(&self.authority))
    }
}

impl fmt::Debug for JoinToken {
    /// Without the token: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken(…, {})", hex(&self.authority[..4]))
    }
}

impl FromStr for JoinToken {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let parsed = text.split_once('.').and_then(|(token, authority)| Some((unhex(token)?, unhex(authority)?)));
        let (token, authority) = parsed.ok_or_else(|| {
            Failure::new(Code::InvalidOption, "a join token is two times 64 hexadecimal digits with a dot between them")
                .help("copy the whole line that `partita scheduler` printed")
        })?;
        Ok(Self { token, authority })
    }
}

/// Where a scheduler or worker listens, and what is needed to talk to it.
///
/// ```
/// use partita_net::address::{Address, Scheme};
/// let address: Address = "localhost".parse()?;
/// assert_eq!((address.port, address.scheme), (8786, Scheme::Auto));
/// assert_eq!("tcp://[::1]:99".parse::<Address>()?.to_string(), "tcp://[::1]:99");
/// # Ok::<(), partita_graph::Failure>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is protected.
    pub scheme: Scheme,
    /// The right to join, for TLS.
    pub join: Option<JoinToken>,
    /// A secret that a plain cluster asks for.
    pub secret: Option<Secret>,
    /// That a plain connection to another host is meant.
    pub insecure_off_loopback: bool,
}

impl Address {
    /// An address without rights.
    pub fn new(scheme: Scheme, host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, scheme, join: None, secret: None, insecure_off_loopback: false }
    }

    /// Whether the host is this one whatever the network does.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// `host:port`, without scheme and rights: for messages.
    pub fn place(&self) -> String {
        place(&self.host, self.port)
    }
}

/// `host:port` with brackets where they are needed.
pub fn place(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// Whether a host is this one whatever the network does: `localhost`, `127.x.x.x`, `::1`.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scheme {
            Scheme::Tls => "tls://",
            Scheme::Plain => "tcp://",
            Scheme::Auto => "",
        })?;
        f.write_str(&self.place())?;
        let mut mark = '?';
        if let Some(join) = &self.join {
            write!(f, "{mark}join={join}")?;
            mark = '&';
        }
        if let Some(secret) = &self.secret {
            write!(f, "{mark}secret={}", hex(secret))?;
            mark = '&';
        }
        if self.insecure_off_loopback {
            write!(f, "{mark}insecure-off-loopback")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    /// Without rights: debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?} {})", self.scheme, self.place())
    }
}

/// What of a text can be printed that should be an address. Rights follow a question mark, or what was mistyped for one.
pub fn without_rights(text: &str) -> &str {
    text.split(['?', '&', '=']).next().unwrap_or_default()
}

fn bad(text: &str, why: &str) -> Failure {
    let shown = without_rights(text);
    Failure::new(Code::InvalidOption, format!("`{shown}` is no address: {why}"))
        .help("write host:port, for example 127.0.0.1:8786, or paste the link that `partita scheduler` printed")
}

impl FromStr for Address {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some(("tls", rest)) => (Scheme::Tls, rest),
            Some(("tcp", rest)) => (Scheme::Plain, rest),
            Some(("http" | "https", _)) => return Err(bad(text, "HTTP is for the dashboard; programs connect to the control port")),
            Some(_) => return Err(bad(text, "what it begins with is not one of tls:// and tcp://")),
            None => (Scheme::Auto, text),
        };
        let (place, rights) = rest.split_once('?').unwrap_or((rest, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = host_port(place).map_err(|why| bad(text, why))?;
        let mut address = Address::new(scheme, host, port);
        for right in rights.split('&').filter(|right| !right.is_empty()) {
            address.add_right(text, right)?;
        }
        Ok(address)
    }
}

impl Address {
    fn add_right(&mut self, text: &str, right: &str) -> Result<(), Failure> {
        match right.split_once('=').unwrap_or((right, "")) {
            ("join", _) if self.scheme == Scheme::Plain => return Err(bad(text, "a join token is for tls://, not for tcp://")),
            ("join", value) => {
                self.join = Some(value.parse()?);
                self.scheme = Scheme::Tls;
            }
            ("secret", value) if self.scheme == Scheme::Plain => {
                self.secret = Some(unhex(value).ok_or_else(|| bad(text, "the secret is not 64 hexadecimal digits"))?);
            }
            ("secret", _) => return Err(bad(text, "a secret is for tcp://")),
            ("insecure-off-loopback", "") => self.insecure_off_loopback = true,
            // The word is not shown: it may be a right whose name was forgotten.
            _ => return Err(bad(text, "a word after its `?` is not one of join=, secret= and insecure-off-loopback")),
        }
        Ok(())
    }
}

fn host_port(place: &str) -> Result<(String, u16), &'static str> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("a `]` is missing")?;
        let port = match port {
            "" => DEFAULT_PORT,
            port => port.strip_prefix(':').and_then(|p| p.parse().ok()).ok_or("the port is not a number from 0 to 65535")?,
        };
        return match host.parse::<std::net::Ipv6Addr>() {
            Ok(_) => Ok((host.into(), port)),
            Err(_) => Err("what stands in brackets is no IPv6 address"),
        };
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => return Err("an IPv6 address stands in brackets"),
        Some((host, port)) => (host, port.parse().map_err(|_| "the port is not a number from 0 to 65535")?),
        None => (place, DEFAULT_PORT),
    };
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    match !host.is_empty() && host.len() <= 253 && host.chars().all(fine) {
        true => Ok((host.into(), port)),
        false => Err("the host is empty or has characters that no name has"),
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from_digit(digit.into(), 16).expect("a nibble")).collect()
}

/// The bytes of 64 hexadecimal digits.
pub fn unhex(text: &str) -> Option<Secret> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_parses_to_the_same() {
        let join = format!("tls://gpu-7.example.org:1?join={}.{}", "0f".repeat(32), "a0".repeat(32));
        let secret = format!("tcp://127.0.0.1:8786?secret={}&insecure-off-loopback", "12".repeat(32));
        for text in ["localhost:8786", "tls://h:1", "tcp://[::1]:2", &join, &secret] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address, address.to_string().parse().unwrap());
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, why) in [
            ("", "host is empty"),
            ("http://localhost:8787", "HTTP is for the dashboard"),
            ("ftp://x:1", "not one of tls:// and tcp://"),
            ("x:99999", "the port is not a number"),
            ("::1", "IPv6 address stands in brackets"),
            ("[::1", "`]` is missing"),
            ("[no]:1", "no IPv6 address"),
            ("a b:1", "characters that no name has"),
            ("tcp://x:1?secret=12", "64 hexadecimal digits"),
            ("tls://x:1?join=12", "64 hexadecimal digits"),
            ("tcp://x:1?join=12", "for tls://"),
            ("x?key=1", "not one of join"),
        ] {
            let failure = text.parse::<Address>().unwrap_err();
            assert_eq!(failure.code, Code::InvalidOption, "{text}");
            assert!(failure.what.contains(why), "{text}: {}", failure.what);
        }
    }

    #[test]
    fn rights_are_not_shown_in_errors_and_debug_output() {
        let right = "0f".repeat(32);
        let failure = format!("tls://x:1?join={right}.1&y=2").parse::<Address>().unwrap_err();
        assert!(!failure.to_string().contains(&right));
        for mistyped in ["tls://h:1?", "tls://h:1&join=", "tls://h:1=", "h:1?x&", "h:1?a=", "tcp://h:1?join=", "x=", "h:1?join=x"] {
            for text in [format!("{mistyped}{right}.{right}"), format!("{mistyped}{right}://h:1")] {
                let failure = text.parse::<Address>().unwrap_err();
                assert!(!format!("{failure} {failure:?}").contains(&right), "{failure}");
            }
        }
        let address: Address = format!("tcp://x:1?secret={right}").parse().unwrap();
        assert!(!format!("{address:?}").contains(&right));
    }

    #[test]
    fn loopback_is_known_without_asking_the_network() {
        for (host, loopback) in [("localhost", true), ("127.3.2.1", true), ("::1", true), ("::ffff:127.0.0.1", true), ("10.0.0.1", false)] {
            assert_eq!(is_loopback(host), loopback, "{host}");
        }
    }
}
