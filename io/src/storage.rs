//! How stores are reached: endpoint, region and keys, said once for a process and by place, not with every file.
//!
//! It refuses to show what it was told: values of keys stand in no error, no debug output and no name of a file, so they get into no
//! plan, no task and no key. Invariant: what is said of a bucket holds before what is said of all buckets, that before
//! `PARTITA_STORAGE__S3__…` in the environment, and that before `AWS_…`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use crate::error::{Error, ErrorKind, Result};

/// Settings of stores, by place.
static SAID: Mutex<BTreeMap<String, StorageOptions>> = Mutex::new(BTreeMap::new());
/// How often this process changed them.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Options whose values may be shown; all others may be secrets.
const SHOWN: &[&str] = &[
    "endpoint",
    "region",
    "allow_http",
    "skip_signature",
    "virtual_hosted_style_request",
    "request_payer",
    "account_name",
    "use_emulator",
];
/// Shorter texts are not looked for in answers of stores: they would be found in words.
const LEAST_HIDDEN: usize = 6;

/// How a store is reached: endpoint, region, keys. Hand it to [`set_storage_options`].
///
/// Names are those of the [`object_store`](https://docs.rs/object_store) crate, as text; the usual ones have a method, for the others there is
/// [`StorageOptions::option`]. `Debug` shows the values of endpoint and region and the names of the rest. What the environment says beside it:
///
/// * `s3://`, `AWS_…`: `endpoint`, `region`, `access_key_id`, `secret_access_key`, `session_token`, `allow_http`, `anonymous`.
/// * `gs://`, `GOOGLE_…`: `service_account` (the file of a key), `service_account_key` (its text), `application_credentials` (what `gcloud` left),
///   `bearer_token`, `anonymous`, `endpoint`. Without any of them the token of the machine is asked for.
/// * `az://` and `abfss://container@account.dfs.core.windows.net/…`, `AZURE_…`: `account_name`, and of `account_key`, `sas_token`, `bearer_token`,
///   or `client_id`, `client_secret` and `tenant_id`, what there is; `anonymous`, `endpoint`, `allow_http`, `use_emulator`.
///
/// ```
/// use partita_io::StorageOptions;
/// let options = StorageOptions::new().endpoint("https://minio.example:9000").region("eu-1").secret_access_key("hush");
/// let shown = format!("{options:?}");
/// assert!(shown.contains("minio.example") && shown.contains("secret_access_key") && !shown.contains("hush"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StorageOptions(BTreeMap<String, String>);

impl StorageOptions {
    /// Nothing is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// The address of the server, for servers that speak S3: `"https://minio.example:9000"`. Default: the provider's.
    #[doc(alias = "endpoint_url")]
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        self.option("endpoint", url)
    }

    /// The region of the bucket. Default: `us-east-1`.
    pub fn region(self, region: impl Into<String>) -> Self {
        self.option("region", region)
    }

    /// The name of the key. What the environment says about keys is then not looked at.
    #[doc(alias = "key")]
    pub fn access_key_id(self, id: impl Into<String>) -> Self {
        self.option("access_key_id", id)
    }

    /// The key itself.
    #[doc(alias = "secret")]
    pub fn secret_access_key(self, key: impl Into<String>) -> Self {
        self.option("secret_access_key", key)
    }

    /// What comes with keys that are valid for some hours.
    #[doc(alias = "token")]
    pub fn session_token(self, token: impl Into<String>) -> Self {
        self.option("session_token", token)
    }

    /// Whether connections may go without encryption, for servers of one's own. Default: no.
    pub fn allow_http(self, allow: bool) -> Self {
        self.option("allow_http", allow.to_string())
    }

    /// Whether requests are not signed, for buckets that are open to all. Default: no.
    #[doc(alias = "anon")]
    pub fn anonymous(self, anonymous: bool) -> Self {
        self.option("skip_signature", anonymous.to_string())
    }

    /// Any option of the store by name. `-` counts as `_`, and letters as small ones.
    pub fn option(mut self, name: &str, value: impl Into<String>) -> Self {
        let name = name.to_ascii_lowercase().replace('-', "_");
        let name = match name.as_str() {
            "anonymous" => "skip_signature".to_owned(),
            "virtual_hosted_style" => "virtual_hosted_style_request".to_owned(),
            "endpoint_url" => "endpoint".to_owned(),
            _ => name,
        };
        self.0.insert(name, value.into());
        self
    }

    /// Names and values, in order of names, for whoever hands them on to another process of the same user's. They hold secrets.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Lets others hold before these. Keys belong together: where the others name a key, none of these is left.
    ///
    /// ```
    /// use partita_io::StorageOptions;
    /// let mut options = StorageOptions::new().region("eu-1").access_key_id("a").session_token("of a");
    /// options.give_way_to(&StorageOptions::new().access_key_id("b"));
    /// assert_eq!(options, StorageOptions::new().region("eu-1").access_key_id("b"));
    /// ```
    pub fn give_way_to(&mut self, stronger: &StorageOptions) {
        use AmazonS3ConfigKey::{AccessKeyId, SecretAccessKey, Token};
        let key = |name: &str| name.parse::<AmazonS3ConfigKey>().ok();
        // A token that belongs to other keys would spoil the ones that were said.
        if stronger.0.keys().any(|name| key(name) == Some(AccessKeyId)) {
            self.0.retain(|name, _| !matches!(key(name), Some(AccessKeyId | SecretAccessKey | Token)));
        }
        self.0.extend(stronger.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        self.pairs().filter(|(name, value)| !SHOWN.contains(name) && value.len() >= LEAST_HIDDEN).map(|(_, value)| value)
    }
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.pairs().map(|(name, value)| (name, if SHOWN.contains(&name) { value } else { "***" }));
        f.debug_map().entries(shown).finish()
    }
}

/// How stores at a place are reached from now on, by this process and by the clusters of its clients: `"s3://bucket"` for one bucket,
/// `"s3://"` for all, and the same with `gs://` and `az://`. What was said of the place before is forgotten; options without anything forget
/// only.
///
/// ```
/// use partita_io::{StorageOptions, set_storage_options};
/// set_storage_options("s3://measured", StorageOptions::new().endpoint("http://127.0.0.1:9000").allow_http(true))?;
/// set_storage_options("s3://measured", StorageOptions::new())?;
/// let error = set_storage_options("s3://measured", StorageOptions::new().option("secret-acces-key", "hush")).unwrap_err();
/// assert!(format!("{error:?}").contains("secret_acces_key") && !format!("{error:?}").contains("hush"));
/// # Ok::<(), partita_io::Error>(())
/// ```
///
/// # Errors
/// `InvalidOption` for a place or an option that does not exist; it names the option and never a value.
pub fn set_storage_options(place: &str, options: StorageOptions) -> Result<()> {
    if set(place, options)? {
        CHANGES.fetch_add(1, SeqCst);
    }
    Ok(())
}

/// The same for what another process said: [`storage_changes`] does not count it, so that nobody tells it to whom it came from.
///
/// # Errors
/// As [`set_storage_options`].
pub fn adopt_storage_options(place: &str, options: StorageOptions) -> Result<()> {
    set(place, options).map(drop)
}

/// True when something changed.
fn set(place: &str, options: StorageOptions) -> Result<bool> {
    let place = normal(place).ok_or_else(|| refused(place, "s3://, gs:// or az://, alone or with the name of a bucket"))?;
    let kind = kind_of(&place);
    for (name, _) in options.pairs() {
        if !exists(kind, name) {
            let accepted = format!("{}, or another option of the object_store crate", usual(kind));
            return Err(refused(&format!("{name} of {place}"), &accepted));
        }
    }
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let changed = if options.0.is_empty() { said.remove(&place).is_some() } else { said.get(&place) != Some(&options) };
    if changed && !options.0.is_empty() {
        said.insert(place, options);
    }
    Ok(changed)
}

/// What was said of all places. It holds secrets, for whoever hands them on to another process of the same user's.
pub fn storage_options() -> Vec<(String, StorageOptions)> {
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    said.iter().map(|(place, options)| (place.clone(), options.clone())).collect()
}

/// How often this process said something new of a place.
pub fn storage_changes() -> u64 {
    CHANGES.load(SeqCst)
}

fn refused(what: &str, accepted: &str) -> Error {
    Error::new(ErrorKind::InvalidOption { accepted: accepted.to_owned() }, what)
}

/// `s3`, `gs` or `az` for a scheme of theirs.
fn kind(scheme: &str) -> Option<&'static str> {
    match scheme {
        "s3" | "s3a" => Some("s3"),
        "gs" | "gcs" => Some("gs"),
        "az" | "adl" | "azure" | "abfs" | "abfss" => Some("az"),
        _ => None,
    }
}

fn kind_of(place: &str) -> &'static str {
    place.split_once("://").and_then(|(scheme, _)| kind(scheme)).unwrap_or("")
}

/// The one form of a place: no key, no slash at the end.
fn normal(place: &str) -> Option<String> {
    let (scheme, rest) = place.split_once("://")?;
    let rest = rest.trim_end_matches('/');
    (!rest.contains('/')).then_some(())?;
    Some(format!("{}://{rest}", kind(scheme)?))
}

/// The options that most need, as they are written.
fn usual(kind: &str) -> &'static str {
    match kind {
        "s3" => "endpoint, region, access_key_id, secret_access_key, session_token, allow_http, anonymous",
        "gs" => "endpoint, service_account, service_account_key, application_credentials, bearer_token, anonymous",
        _ => {
            "endpoint, account_name, account_key, sas_token, bearer_token, client_id, client_secret, tenant_id, allow_http, use_emulator, anonymous"
        }
    }
}

fn exists(kind: &str, name: &str) -> bool {
    match kind {
        "s3" => name.parse::<AmazonS3ConfigKey>().is_ok(),
        "gs" => google_key(name).is_ok(),
        _ => name.parse::<AzureConfigKey>().is_ok(),
    }
}

/// What `PARTITA_STORAGE__S3__…` and the like say.
fn environment_of(kind: &str) -> StorageOptions {
    let mut all = StorageOptions::default();
    let prefix = format!("PARTITA_STORAGE__{}__", kind.to_ascii_uppercase());
    for (name, value) in std::env::vars_os() {
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
            && let Some(name) = name.strip_prefix(&prefix)
        {
            all = all.option(name, value);
        }
    }
    all
}

/// All that holds for a store: what is said of its bucket over what is said of its kind over the environment.
pub(crate) fn options_of(base: &str) -> StorageOptions {
    let Some(place) = normal(base) else { return StorageOptions::default() };
    let kind = kind_of(&place);
    let mut all = environment_of(kind);
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    for place in [format!("{kind}://"), place] {
        if let Some(stronger) = said.get(&place) {
            all.give_way_to(stronger);
        }
    }
    all
}

/// Text of a store's answer without secrets: some servers repeat what they were sent.
pub(crate) fn without_secrets(mut text: String) -> String {
    let mut all: Vec<StorageOptions> = SAID.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
    all.extend(["s3", "gs", "az"].map(environment_of));
    let mut secrets: Vec<&str> = all.iter().flat_map(StorageOptions::secrets).collect();
    // One that contains another goes as a whole.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        if text.contains(secret) {
            text = text.replace(secret, "***");
        }
    }
    text
}

/// A client of S3 that knows the environment and, over it, what was said.
pub(crate) fn s3(options: &StorageOptions) -> object_store::Result<AmazonS3Builder> {
    let own_keys = options.0.contains_key("access_key_id") || options.0.contains_key("aws_access_key_id");
    let mut builder = if own_keys { without_keys() } else { AmazonS3Builder::from_env() };
    for (name, value) in options.pairs() {
        let key: AmazonS3ConfigKey = name.parse()?;
        // The variable for S3 alone would hold before what was said.
        if matches!(key, AmazonS3ConfigKey::Endpoint) {
            builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, value);
        }
        builder = builder.with_config(key, value);
    }
    Ok(builder)
}

/// What the environment says beside keys: a token that belongs to other keys would spoil the ones that were said.
fn without_keys() -> AmazonS3Builder {
    use AmazonS3ConfigKey::{AccessKeyId, SecretAccessKey, Token};
    let said = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let known = said.filter(|(name, _)| name.starts_with("AWS_")).filter_map(|(name, value)| {
        let key = name.to_ascii_lowercase().parse().ok()?;
        (!matches!(key, AccessKeyId | SecretAccessKey | Token)).then_some((key, value))
    });
    known.fold(AmazonS3Builder::new(), |builder, (key, value)| builder.with_config(key, value))
}

/// The same for Google's stores.
pub(crate) fn gs(options: &StorageOptions) -> object_store::Result<GoogleCloudStorageBuilder> {
    options
        .pairs()
        .try_fold(GoogleCloudStorageBuilder::from_env(), |builder, (name, value)| Ok(builder.with_config(google_key(name)?, value)))
}

/// The address of a server has one name for all stores, and for Google's another one too.
fn google_key(name: &str) -> object_store::Result<GoogleConfigKey> {
    if name == "endpoint" { Ok(GoogleConfigKey::BaseUrl) } else { name.parse() }
}

/// The same for Azure's.
pub(crate) fn azure(options: &StorageOptions) -> object_store::Result<MicrosoftAzureBuilder> {
    options.pairs().try_fold(MicrosoftAzureBuilder::from_env(), |builder, (name, value)| {
        Ok(builder.with_config(name.parse::<AzureConfigKey>()?, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said holds for the whole process, which these tests share.
    static ALONE: Mutex<()> = Mutex::new(());

    fn alone() -> std::sync::MutexGuard<'static, ()> {
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn the_nearer_place_holds_and_the_rest_is_kept() {
        let _alone = alone();
        let of = |base: &str| options_of(base).pairs().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        set_storage_options("s3a://", StorageOptions::new().region("far").endpoint("http://all")).unwrap();
        set_storage_options("s3://nearer/", StorageOptions::new().region("near")).unwrap();
        assert_eq!(of("s3://nearer/"), ["endpoint=http://all", "region=near"]);
        assert_eq!(of("s3a://nearer/"), ["endpoint=http://all", "region=near"]);
        assert_eq!(of("s3://other/"), ["endpoint=http://all", "region=far"]);
        assert!(of("gs://nearer/").is_empty());
        let before = storage_changes();
        set_storage_options("s3://nearer", StorageOptions::new().region("near")).unwrap();
        assert_eq!(storage_changes(), before, "nothing is new");
        let keys = |id: &str| StorageOptions::new().access_key_id(id).secret_access_key("hush");
        set_storage_options("s3://", keys("all").session_token("of all")).unwrap();
        set_storage_options("s3://nearer", keys("near")).unwrap();
        assert_eq!(of("s3://nearer/"), ["access_key_id=near", "secret_access_key=hush"], "a token of other keys");
        set_storage_options("s3://", StorageOptions::new()).unwrap();
        set_storage_options("s3://nearer", StorageOptions::new()).unwrap();
        assert!(of("s3://nearer/").is_empty() && storage_changes() > before);
    }

    #[test]
    fn what_does_not_exist_is_refused_and_no_value_is_shown() {
        let wrong =
            [("s3://bucket/key", "region"), ("ftp://", "region"), ("s3", "region"), ("s3://", "secret_acces_key"), ("gs://", "region")];
        for (place, name) in wrong {
            let error = set_storage_options(place, StorageOptions::new().option(name, "hushhush")).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidOption { .. }), "{place}");
            assert!(!format!("{error:?}").contains("hushhush"), "{error:?}");
        }
    }

    #[test]
    fn secrets_are_taken_out_of_answers() {
        let _alone = alone();
        set_storage_options(
            "s3://told",
            StorageOptions::new().endpoint("http://shown").access_key_id("me").secret_access_key("hush/hush+hush"),
        )
        .unwrap();
        let text = without_secrets("http://shown says: <Key>hush/hush+hush</Key>".into());
        assert_eq!(text, "http://shown says: <Key>***</Key>");
        let store = crate::store::address("s3://told/a").unwrap();
        assert!(!format!("{store:?}").contains("hush"), "{store:?}");
        // One that holds another is taken out as a whole.
        set_storage_options("s3://told", StorageOptions::new().secret_access_key("hush/hush").session_token("hush/hush/and/more")).unwrap();
        assert_eq!(without_secrets("<Token>hush/hush/and/more</Token>".into()), "<Token>***</Token>");
        set_storage_options("s3://told", StorageOptions::new()).unwrap();
    }
}
