//! Stores of Google and of Azure, as far as a server in this process can play them: files, lists and refusals in their words, and who may ask.
//! What only the real ones do, signatures that are looked at and tokens that end, is not here.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use partita_io::csv::CsvOptions;
use partita_io::{Error, ErrorKind, StorageOptions, put, set_storage_options};

use crate::rows::{open, read};
use crate::web::{Files, Server, decoded};

const BUCKET: &str = "clouds-1";

fn files() -> Files {
    let file = |name: &str, text: &str| (format!("{BUCKET}/{name}"), text.as_bytes().to_vec());
    [file("tables/part-10.csv", "a,b\n5,6\n"), file("tables/part-9.csv", "a,b\n1,2\n3,4\n"), file("other.csv", "a,b\n7,8\n")].into()
}

/// Names in the bucket that begin as asked for, and sizes, where a list is asked for: by a parameter of this name.
fn listed(files: &Files, asked: &str, mark: &str) -> Option<Vec<(String, usize)>> {
    let (bucket, query) = asked.split_once('?')?;
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    query.get(mark)?;
    let (bucket, prefix) = (format!("{}/", decoded(bucket)), query.get("prefix").map_or("", String::as_str));
    let named = files.iter().filter_map(|(name, content)| Some((name.strip_prefix(&bucket)?.to_owned(), content.len())));
    Some(named.filter(|(name, _)| name.starts_with(prefix)).collect())
}

fn google(files: &Files, asked: &str, headers: &[String]) -> Option<(&'static str, String)> {
    if !headers.iter().any(|line| line == "authorization: bearer let-me-in") {
        return Some(("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>".to_owned()));
    }
    let entry = |(name, size): (String, usize)| {
        let about = "<LastModified>2026-11-21T07:00:00Z</LastModified><ETag>\"x\"</ETag>";
        format!("<Contents><Key>{name}</Key>{about}<Size>{size}</Size></Contents>")
    };
    let all: String = listed(files, asked, "list-type")?.into_iter().map(entry).collect();
    Some(("200 OK", format!("<ListBucketResult>{all}</ListBucketResult>")))
}

/// Lets in who signs with a key of the account, or brings a signed link's parameters.
fn azure(files: &Files, asked: &str, headers: &[String]) -> Option<(&'static str, String)> {
    let signed = headers.iter().any(|line| line.starts_with("authorization: sharedkey measured:")) || asked.contains("sig=let-me-in");
    if !signed {
        return Some(("403 Forbidden", "<Error><Code>AuthenticationFailed</Code></Error>".to_owned()));
    }
    let entry = |(name, size): (String, usize)| {
        let about = "<Last-Modified>Sat, 21 Nov 2026 07:00:00 GMT</Last-Modified><Etag>x</Etag><Content-Type>text/csv</Content-Type>";
        format!("<Blob><Name>{name}</Name><Properties>{about}<Content-Length>{size}</Content-Length></Properties></Blob>")
    };
    let all: String = listed(files, asked, "comp")?.into_iter().map(entry).collect();
    Some(("200 OK", format!("<EnumerationResults><Blobs>{all}</Blobs><NextMarker /></EnumerationResults>")))
}

/// Files by name and by pattern, and what is not there.
fn is_read(bucket: &str) {
    let rows = |name: &str| read(&open(&format!("{bucket}/{name}"), CsvOptions::new()).unwrap(), 5).0;
    assert_eq!(rows("other.csv"), [["7", "8"]], "{bucket}");
    assert_eq!(rows("tables/part-*.csv"), [["1", "2"], ["3", "4"], ["5", "6"]], "{bucket}");
    let missing = open(&format!("{bucket}/tables/part-8.csv"), CsvOptions::new()).unwrap_err();
    assert_eq!(missing.kind(), &ErrorKind::NoSuchFile { similar: Some(format!("{bucket}/tables/part-9.csv")) });
    assert_eq!(open(&format!("{bucket}/tables"), CsvOptions::new()).unwrap_err().kind(), &ErrorKind::IsDirectory, "{bucket}");
    assert_eq!(open(&format!("{bucket}/*.tsv"), CsvOptions::new()).unwrap_err().kind(), &ErrorKind::NoMatch, "{bucket}");
}

/// What opening a file is refused with, which must not take for ever and must tell no secret.
fn refusal(name: &'static str) -> (Error, String) {
    let (told, tells) = mpsc::channel();
    std::thread::spawn(move || told.send(open(name, CsvOptions::new()).unwrap_err()));
    let error = tells.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{name}: no answer"));
    let ErrorKind::Unreadable { answer } = error.kind() else { panic!("{name}: {error:?}") };
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
    let answer = answer.clone();
    (error, answer)
}

#[test]
fn google_is_read_with_a_token() {
    let (_server, address) = Server::store(files(), google);
    let with = |token: &str| StorageOptions::new().endpoint(&address).option("bearer_token", token);
    set_storage_options("gs://clouds-1", with("let-me-in")).unwrap();
    is_read("gs://clouds-1");
    set_storage_options("gs://clouds-1", with("hush-hush")).unwrap();
    let (error, answer) = refusal("gs://clouds-1/other.csv");
    assert!(answer.contains("403") || answer.contains("Forbidden") || answer.contains("privileges"), "{error:?}");
    assert_eq!(error.place().file, "gs://clouds-1/other.csv");
    set_storage_options("gs://clouds-1", StorageOptions::new()).unwrap();
}

#[test]
fn azure_is_read_with_a_key_and_with_a_signed_link() {
    let (_server, address) = Server::store(files(), azure);
    let measured = || StorageOptions::new().endpoint(&address).allow_http(true).option("account_name", "measured");
    // What stands after @ is the account of whoever writes it so; where it is reached is said apart.
    let places = ["az://clouds-1", "abfs://clouds-1", "azure://clouds-1", "abfss://clouds-1@measured.dfs.core.windows.net"];
    let keys = [("account_key", "aHVzaC1odXNo"), ("sas_token", "sv=2024-11-04&sig=let-me-in")];
    for place in places {
        for (name, key) in keys {
            set_storage_options(place, measured().option(name, key)).unwrap();
            is_read(place);
        }
        set_storage_options(place, StorageOptions::new()).unwrap();
    }
    set_storage_options("az://clouds-1", measured().option("sas-token", "sv=2024-11-04&sig=hush-hush")).unwrap();
    let (error, answer) = refusal("az://clouds-1/other.csv");
    assert!(answer.contains("403") || answer.contains("Forbidden") || answer.contains("privileges"), "{error:?}");
    set_storage_options("az://clouds-1", StorageOptions::new()).unwrap();
}

#[test]
fn what_cannot_be_a_store_is_named_at_once() {
    set_storage_options("gs://no-key", StorageOptions::new().option("service_account_key", "hush-hush is no key")).unwrap();
    refusal("gs://no-key/a.csv");
    set_storage_options("gs://no-file", StorageOptions::new().option("service_account", "/not/there/hush.json")).unwrap();
    refusal("gs://no-file/a.csv");
    set_storage_options("az://no-key", StorageOptions::new().option("account_name", "measured").option("account_key", "hush, not base64"))
        .unwrap();
    refusal("az://no-key/a.csv");
    let (_, answer) = refusal("abfss://clouds@measured.elsewhere.example/a.csv");
    assert!(answer.contains("measured.elsewhere.example"), "{answer}");
    for place in ["gs://no-key", "gs://no-file", "az://no-key"] {
        set_storage_options(place, StorageOptions::new()).unwrap();
    }
}

#[test]
fn names_of_options() {
    let known = [
        ("gs://", ["endpoint", "bearer_token", "service_account", "service_account_key", "application_credentials", "anonymous"]),
        ("az://", ["endpoint", "account_name", "account_key", "sas_token", "client_secret", "use_emulator"]),
        ("s3://", ["endpoint", "region", "access_key_id", "secret_access_key", "session_token", "anonymous"]),
    ];
    for (place, names) in known {
        for name in names {
            // One that does not exist beside it is the one that is named.
            let options = StorageOptions::new().option(name, "hush-hush").option("zzz", "hush-hush");
            let error = set_storage_options(place, options).unwrap_err();
            assert_eq!(error.place().file, format!("zzz of {place}"), "{name}");
            assert!(matches!(error.kind(), ErrorKind::InvalidOption { accepted } if accepted.contains(name)), "{name}: {error:?}");
        }
    }
    assert!(matches!(put("gcs://bucket/a", "x").unwrap_err().kind(), ErrorKind::InvalidOption { accepted } if accepted.contains("gs://")));
}
