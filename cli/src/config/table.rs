//! Every setting there is, in one table: key, what it accepts, default, what it does.
//!
//! It refuses to know where values come from. Invariant: every default is a value that its own kind accepts.

use super::value::Kind;

/// One setting.
pub struct Setting {
    /// `section.name`, as it is written in files.
    pub key: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// As it would be written; empty when the setting is not set by itself.
    pub default: &'static str,
    /// One line for people.
    pub doc: &'static str,
}

const fn set(key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Setting {
    Setting { key, kind, default, doc }
}

/// In the order in which they are listed.
pub const SETTINGS: &[Setting] = &[
    set("scheduler.host", Kind::Text, "127.0.0.1", "address that the scheduler listens on; 0.0.0.0 for all of this host"),
    set("scheduler.port", Kind::Port, "8786", "control port; 0 for any that is free"),
    set("scheduler.http-port", Kind::Port, "8787", "port of the HTTP pages; 0 for any that is free"),
    set("scheduler.http-host", Kind::Text, "127.0.0.1", "address of the HTTP pages, which anybody who reaches it may read"),
    set("scheduler.http", Kind::Flag, "true", "whether there are HTTP pages"),
    set("scheduler.name", Kind::Text, "", "name of the cluster, for people"),
    set("scheduler.scheduler-file", Kind::Path, "", "file that tells workers and clients how to connect"),
    set("scheduler.idle-timeout", Kind::Span, "", "the scheduler ends after so long without work and without clients"),
    set("scheduler.worker-ttl", Kind::Span, "30s", "a worker that cannot be heard for so long is given up"),
    set("scheduler.client-grace", Kind::Span, "30s", "results of a client that cannot be heard are kept for so long"),
    set("scheduler.allowed-failures", Kind::Count, "3", "deaths of workers under one task that are forgiven"),
    set("scheduler.no-workers-timeout", Kind::Span, "", "a task that no connected worker may run fails after so long; by default it waits"),
    set("scheduler.saturation", Kind::Factor, "1.1", "tasks without inputs given to a worker, as a multiple of its threads"),
    set("worker.address", Kind::Text, "", "the scheduler that workers join, when none is named"),
    set("worker.name", Kind::Text, "", "name of the worker, unique in its cluster; by default made from host and process"),
    set("worker.host", Kind::Text, "", "address that others read its chunks from; by default the one from which the scheduler is reached"),
    set("worker.port", Kind::Port, "0", "port of that address; 0 for any that is free"),
    set("worker.nthreads", Kind::Threads, "auto", "tasks that a worker runs at a time; auto shares the cores between the workers"),
    set("worker.nworkers", Kind::Count, "1", "worker processes started by one command"),
    set("worker.memory-limit", Kind::Memory, "auto", "memory of one worker: a size, a share of the machine such as 0.5, auto, or none"),
    set("worker.local-directory", Kind::Path, "", "folder for spilled chunks; by default the system's for temporary files"),
    set("worker.resources", Kind::Resources, "", "what tasks may ask for, for example GPU=2 LICENSE=1"),
    set("worker.death-timeout", Kind::Span, "30s", "a worker without its scheduler ends after so long"),
    set("worker.lifetime", Kind::Span, "", "a worker retires after so long, and its nanny starts another"),
    set("worker.nanny", Kind::Flag, "true", "whether a second process watches and restarts the worker"),
    set("worker.memory.target", Kind::Share, "0.60", "share of the limit up to which tasks start without spilling"),
    set("worker.memory.spill", Kind::Share, "0.70", "share of the limit above which chunks are spilled down to the target"),
    set("worker.memory.pause", Kind::Share, "0.80", "share of the limit of resident memory above which nothing is started"),
    set("worker.memory.max-spill", Kind::Size, "", "bytes on one worker's disk above which nothing more is spilled; by default no limit"),
    set("worker.memory.terminate", Kind::Share, "0.95", "share of the limit at which the nanny kills the worker"),
    set("nanny.hang-timeout", Kind::Span, "30s", "a worker process that shows no sign of life for so long is killed"),
    set("nanny.allowed-starts", Kind::Count, "5", "starts in a row that may fail before the nanny gives up"),
    set("nanny.longest-pause", Kind::Span, "30s", "the pause between two starts doubles from 0.1 s up to this"),
    set("nanny.stop-timeout", Kind::Span, "10s", "how long a worker may take to leave before it is killed"),
    set("client.address", Kind::Text, "", "the scheduler that `partita cluster` talks to, when none is named"),
    set("client.timeout", Kind::Span, "10s", "how long connecting to a scheduler may take"),
    set("client.retire-timeout", Kind::Span, "10min", "how long workers that are retired may take to go; those that take longer stay"),
    set("storage.s3.endpoint", Kind::Text, "", "server that speaks S3, for example http://127.0.0.1:9000; by default AWS"),
    set("storage.s3.region", Kind::Text, "", "region of the buckets"),
    set("storage.s3.access-key-id", Kind::Text, "", "name of the key for s3://; by default what AWS_ACCESS_KEY_ID and the host say"),
    set("storage.s3.secret-access-key", Kind::Secret, "", "the key itself; shown nowhere"),
    set("storage.s3.session-token", Kind::Secret, "", "what comes with keys that are valid for some hours; shown nowhere"),
    set("storage.s3.allow-http", Kind::Flag, "", "whether connections to the endpoint may go without encryption"),
    set("storage.s3.anonymous", Kind::Flag, "", "whether requests are not signed, for buckets that are open to all"),
    set("storage.s3.virtual-hosted-style", Kind::Flag, "", "whether the bucket is part of the server's name"),
    set("tls.ca-file", Kind::Path, "", "PEM file of the authority that all certificates of the cluster come from"),
    set("tls.cert", Kind::Path, "", "PEM file of this process's certificate"),
    set("tls.key", Kind::Path, "", "PEM file of its key"),
    set("tls.dir", Kind::Path, "", "folder in which the scheduler keeps its authority over restarts"),
    set("tls.insecure", Kind::Flag, "false", "connections without encryption"),
    set("tls.insecure-off-loopback", Kind::Flag, "false", "the same on addresses that other hosts can reach"),
];

/// The setting of that key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The key nearest to a misspelt one, unless it is far off. A key without its section counts as near to the full one.
pub fn nearest(key: &str) -> Option<&'static str> {
    let name = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    let distance = |known: &'static str| edits(key, known).min(if key.contains('.') { usize::MAX } else { edits(key, name(known)) });
    let (best, known) = SETTINGS.iter().map(|setting| (distance(setting.key), setting.key)).min()?;
    (best <= 2.max(key.len() / 3)).then_some(known)
}

/// How many letters must be changed, added or taken away.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (column, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[column + 1];
            row[column + 1] = change.min(corner + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_accepted_and_every_key_is_listed_once() {
        for setting in SETTINGS {
            assert!(setting.default.is_empty() || setting.kind.parse(setting.default).is_some(), "{}: {:?}", setting.key, setting.default);
            assert_eq!(SETTINGS.iter().filter(|other| other.key == setting.key).count(), 1, "{}", setting.key);
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
            assert!(setting.key.chars().all(plain), "{}", setting.key);
        }
    }

    #[test]
    fn the_nearest_name_is_found() {
        for (wrong, near) in [
            ("scheduler.prot", Some("scheduler.port")),
            ("worker.memory-limt", Some("worker.memory-limit")),
            ("nthreads", Some("worker.nthreads")),
            ("shceduler.host", Some("scheduler.host")),
            ("tls.certificates-of-my-company", None),
        ] {
            assert_eq!(nearest(wrong), near, "{wrong}");
        }
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
    }
}
