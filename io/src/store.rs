//! Where bytes live: a name as the user writes it becomes a local path or an object in a store.
//!
//! It refuses to know formats and patterns. Invariant: one client per store and process, so that a thousand blocks share connections;
//! what the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`) and `storage` say is read once, when a store is first named.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, RetryConfig};

use crate::blocking;
use crate::error::{Error, ErrorKind, Result};
use crate::shown::shown;
use crate::storage::{self, StorageOptions, options_of, without_secrets};

const SCHEMES: &str = "a local path, or a URL with s3://, gs://, az://, abfs://, http://, https://, file:// or memory://";

/// Where one name leads.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Local(PathBuf),
    Remote(Remote),
}

/// An object, or a pattern of objects, in a store.
#[derive(Clone)]
pub(crate) struct Remote {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// All before the key, to print names of other objects as the user would write them.
    pub(crate) base: String,
    /// As written after the store's name; may hold a pattern.
    pub(crate) key: String,
    /// False for web servers: they cannot be asked what there is.
    pub(crate) lists: bool,
}

impl std::fmt::Debug for Remote {
    /// Without the store, which knows keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Remote({}{})", shown(&self.base), self.key)
    }
}

/// Size in bytes and a mark that changes when the content does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) size: u64,
    pub(crate) version: String,
}

/// The store behind `memory://`: one per process, empty at start. For tests and examples.
pub fn memory_store() -> Arc<dyn ObjectStore> {
    static MEMORY: OnceLock<Arc<dyn ObjectStore>> = OnceLock::new();
    MEMORY.get_or_init(|| Arc::new(object_store::memory::InMemory::new())).clone()
}

/// Writes a whole object (or local file). Meant for small things: examples, tests, summaries.
///
/// # Errors
/// `InvalidOption` for an unknown scheme, `Unreadable` with the storage's answer.
pub fn put(name: &str, content: impl Into<Vec<u8>>) -> Result<()> {
    let content = content.into();
    match address(name)? {
        Address::Local(path) => std::fs::write(path, content).map_err(|error| unreadable(name, error)),
        Address::Remote(remote) => {
            let path = remote.path();
            let written = blocking::start(async move { remote.store.put(&path, content.into()).await }).wait();
            written.map(drop).map_err(|error| store_error(name, error))
        }
    }
}

/// Reads a name.
pub(crate) fn address(name: &str) -> Result<Address> {
    let Some((scheme, rest)) = name.split_once("://") else {
        return Ok(Address::Local(PathBuf::from(name)));
    };
    let remote = match scheme {
        "file" => {
            let path = url::Url::parse(name).ok().and_then(|url| url.to_file_path().ok());
            return Ok(Address::Local(path.unwrap_or_else(|| PathBuf::from(rest))));
        }
        "memory" => {
            let key = rest.trim_start_matches('/');
            let base = &name[..name.len() - key.len()];
            Remote { store: memory_store(), base: base.to_owned(), key: key.to_owned(), lists: true }
        }
        "s3" | "s3a" | "gs" | "az" | "adl" | "azure" | "abfs" | "abfss" => {
            let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
            let base = format!("{scheme}://{authority}/");
            Remote { store: shared(&base, name)?, base, key: key.to_owned(), lists: true }
        }
        "http" | "https" => web(name)?,
        _ => return Err(Error::new(ErrorKind::InvalidOption { accepted: SCHEMES.to_owned() }, name)),
    };
    Ok(Address::Remote(remote))
}

fn web(name: &str) -> Result<Remote> {
    let url = url::Url::parse(name).map_err(|error| unreadable(name, error))?;
    if url.query().is_some() {
        // A signed link: the query belongs to each request, so the link itself is the store and its only object has no key.
        return Ok(Remote { store: shared(name, name)?, base: name.to_owned(), key: String::new(), lists: false });
    }
    let base = url[..url::Position::BeforePath].to_owned() + "/";
    let key = Path::from_url_path(url.path()).map_err(|error| unreadable(name, error))?.to_string();
    Ok(Remote { store: shared(&base, name)?, base, key, lists: false })
}

fn shared(url: &str, name: &str) -> Result<Arc<dyn ObjectStore>> {
    // The endpoint is part of the identity because test servers come and go on changing ports; what was said of the store, because it may
    // be said anew.
    type Identity = (String, Option<String>, Vec<(String, String)>);
    static STORES: Mutex<BTreeMap<Identity, Arc<dyn ObjectStore>>> = Mutex::new(BTreeMap::new());
    let options = options_of(url);
    let endpoint = std::env::var("AWS_ENDPOINT").or_else(|_| std::env::var("AWS_ENDPOINT_URL")).ok();
    let identity = (url.to_owned(), endpoint, options.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    let mut stores = STORES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(store) = stores.get(&identity) {
        return Ok(store.clone());
    }
    let store = build(url, &options).map_err(|error| store_error(name, error))?;
    stores.insert(identity, store.clone());
    Ok(store)
}

fn build(url: &str, options: &StorageOptions) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig { max_retries: 6, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() };
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    Ok(match scheme {
        "s3" | "s3a" => Arc::new(storage::s3(options)?.with_url(url).with_retry(retry).build()?),
        "gs" => Arc::new(storage::gs(options)?.with_url(url).with_retry(retry).build()?),
        "http" | "https" => {
            let client = object_store::ClientOptions::new().with_allow_http(true);
            Arc::new(object_store::http::HttpBuilder::new().with_url(url).with_client_options(client).with_retry(retry).build()?)
        }
        _ => Arc::new(storage::azure(options)?.with_url(url).with_retry(retry).build()?),
    })
}

impl Remote {
    /// The key as the store takes it.
    pub(crate) fn path(&self) -> Path {
        Path::parse(&self.key).unwrap_or_else(|_| Path::from(self.key.as_str()))
    }

    /// A size and a version, or the store's refusal.
    pub(crate) fn facts(&self) -> object_store::Result<Facts> {
        Ok(facts_of(&self.meta()?))
    }

    /// When it was written, by the clock of the store.
    pub(crate) fn written(&self) -> object_store::Result<SystemTime> {
        let seconds = u64::try_from(self.meta()?.last_modified.timestamp()).unwrap_or(0);
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn meta(&self) -> object_store::Result<object_store::ObjectMeta> {
        let (store, path) = (self.store.clone(), self.path());
        blocking::start(async move { store.head(&path).await }).wait()
    }

    /// Every object under a folder (a key that is empty or whole segments), at any depth.
    pub(crate) fn list(&self, folder: &str) -> object_store::Result<Vec<(String, Facts)>> {
        let (store, prefix) = (self.store.clone(), Path::from(folder));
        let metas = blocking::start(async move { store.list(Some(&prefix)).try_collect::<Vec<_>>().await }).wait()?;
        Ok(metas.iter().map(|meta| (meta.location.to_string(), facts_of(meta))).collect())
    }

    /// Names directly in a folder; subfolders come without their content.
    pub(crate) fn list_shallow(&self, folder: &str) -> object_store::Result<Vec<String>> {
        let (store, prefix) = (self.store.clone(), Path::from(folder));
        let found = blocking::start(async move { store.list_with_delimiter(Some(&prefix)).await }).wait()?;
        let folders = found.common_prefixes.iter().map(Path::to_string);
        Ok(found.objects.iter().map(|meta| meta.location.to_string()).chain(folders).collect())
    }
}

fn facts_of(meta: &object_store::ObjectMeta) -> Facts {
    let stamp = || format!("{}-{}", meta.last_modified.timestamp_micros(), meta.size);
    Facts { size: meta.size, version: meta.e_tag.clone().unwrap_or_else(stamp) }
}

/// One range of an object, tried again when the connection broke off. A store's own retries cover refused requests; these cover
/// bodies that end early.
pub(crate) async fn get(store: Arc<dyn ObjectStore>, path: Path, range: std::ops::Range<u64>) -> object_store::Result<Bytes> {
    let policy = ExponentialBuilder::default().with_min_delay(Duration::from_millis(100)).with_max_times(2).with_jitter();
    (|| async { store.get_range(&path, range.clone()).await }).retry(policy).when(transient).await
}

/// A whole object that is known to be small.
pub(crate) fn get_whole(remote: &Remote) -> object_store::Result<Bytes> {
    let (store, path) = (remote.store.clone(), remote.path());
    blocking::start(async move { store.get(&path).await?.bytes().await }).wait()
}

fn transient(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::Generic { .. })
}

/// A store's refusal in this crate's words.
pub(crate) fn store_error(name: &str, error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => Error::new(ErrorKind::NoSuchFile { similar: None }, name),
        other => unreadable(name, other),
    }
}

/// Any other refusal.
pub(crate) fn unreadable(name: &str, answer: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unreadable { answer: without_secrets(answer.to_string()) }, name)
}
