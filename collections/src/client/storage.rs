//! How stores are reached, in this process and by the workers of its clusters.
//!
//! It refuses to put any of it into graphs: workers are told beside them. Invariant: a worker knows how a store is reached before it gets a
//! task of a client that said so.

use partita_graph::Failure;
use partita_io::StorageOptions;
#[cfg(feature = "cluster")]
use partita_net::client::Remote;

use crate::frame::files::file_failure;

/// How object stores are reached from now on: `"s3://bucket"` for one bucket, `"s3://"` for all, and the same with `gs://` and `az://`. It holds
/// for all readers and writers of this process, and for the workers of the clusters that its clients use, who are told over their
/// own connections: endpoints and keys are in no name of a file, no plan, no task and no output.
///
/// Without it, `PARTITA_STORAGE__S3__ENDPOINT`, `…__REGION`, `…__ACCESS_KEY_ID` and so on hold, and after them what the provider's own tools read:
/// `AWS_ACCESS_KEY_ID`, `GOOGLE_…`, `AZURE_…`. What was said of the place before is forgotten; options without anything forget only. On one cluster, what
/// was said last of a bucket holds, whoever said it.
///
/// ```
/// use partita::{StorageOptions, set_storage_options};
/// let minio = StorageOptions::new().endpoint("http://127.0.0.1:9000").access_key_id("me").secret_access_key("hush").allow_http(true);
/// set_storage_options("s3://measurements", minio)?;
/// // DFrame::read_parquet("s3://measurements/2024/")? now asks that server.
/// # Ok::<(), partita::Error>(())
/// ```
///
/// # Errors
/// A place or an option that does not exist (E0108); values are never shown.
#[doc(alias = "storage_options")]
pub fn set_storage_options(place: &str, options: StorageOptions) -> Result<(), Failure> {
    partita_io::set_storage_options(place, options).map_err(|error| file_failure(error, "set_storage_options", None))
}

/// How what is shared about stores begins.
#[cfg(feature = "cluster")]
const SHARED: &str = "storage ";

/// What a cluster was told of it.
#[cfg(feature = "cluster")]
#[derive(Default)]
pub(super) struct Told {
    changes: u64,
    places: std::collections::BTreeSet<String>,
}

/// Tells the workers what they were not told yet; before a graph is submitted. Costs nothing when nothing is new.
#[cfg(feature = "cluster")]
pub(super) fn tell_workers(remote: &Remote, told: &std::sync::Mutex<Told>) -> Result<(), Failure> {
    let changes = partita_io::storage_changes();
    // Whoever submits at the same time waits until it is told.
    let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if told.changes == changes {
        return Ok(());
    }
    let now = partita_io::storage_options();
    let gone: Vec<String> = told.places.iter().filter(|place| now.iter().all(|(other, _)| other != *place)).cloned().collect();
    for (place, options) in now.iter().cloned().chain(gone.into_iter().map(|place| (place, StorageOptions::new()))) {
        let pairs: Vec<(&str, &str)> = options.pairs().collect();
        let body = postcard::to_stdvec(&pairs).map_err(|error| Failure::internal(format!("options of a store do not encode: {error}")))?;
        remote.share(&format!("{SHARED}{place}"), body)?;
    }
    told.places = now.into_iter().map(|(place, _)| place).collect();
    told.changes = changes;
    Ok(())
}

/// What a worker's own settings say of places.
#[cfg(feature = "cluster")]
static OWN: std::sync::OnceLock<Vec<(String, Pairs)>> = std::sync::OnceLock::new();

/// Names of options and their values.
#[cfg(feature = "cluster")]
type Pairs = Vec<(String, String)>;

/// Takes over a worker's own settings, which hold where clients say nothing.
#[cfg(feature = "cluster")]
pub(super) fn begin_with(own: &[(String, Pairs)]) -> Result<(), Failure> {
    OWN.get_or_init(|| own.to_vec()).iter().try_for_each(|(place, pairs)| adopt(place, options_of(pairs)))
}

/// What a worker does with what clients share.
#[cfg(feature = "cluster")]
pub(super) fn heed(name: &str, body: &[u8]) {
    let Some(place) = name.strip_prefix(SHARED) else { return };
    let Ok(said) = postcard::from_bytes::<Pairs>(body) else { return };
    // The worker's own settings hold where the client says nothing.
    let own = OWN.get().into_iter().flatten().find(|(own, _)| own == place);
    let mut options = own.map(|(_, pairs)| options_of(pairs)).unwrap_or_default();
    options.give_way_to(&options_of(&said));
    // The client has checked it; another version of the library may know other options, and the store then says what is missing.
    let _ = adopt(place, options);
}

/// Takes over what another process of the cluster said of a place.
#[cfg(feature = "cluster")]
fn adopt(place: &str, options: StorageOptions) -> Result<(), Failure> {
    partita_io::adopt_storage_options(place, options).map_err(|error| file_failure(error, "set_storage_options", None))
}

#[cfg(feature = "cluster")]
fn options_of(pairs: &Pairs) -> StorageOptions {
    pairs.iter().fold(StorageOptions::new(), |options, (name, value)| options.option(name, value.as_str()))
}
