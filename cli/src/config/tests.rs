//! Settings from files, environment and flags: which wins, and what is said of mistakes.

use super::*;

fn file(path: &str, text: &str) -> Option<SettingsFile> {
    Some((path.into(), text.into()))
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[test]
fn the_stronger_layer_holds_and_all_are_shown() {
    let project = file("/p/partita.toml", "[scheduler]\nport = 3\nidle-timeout = \"5min\"\n[worker]\nmemory-limit = 1.0\n");
    let user = file("/u/config.toml", "scheduler.port = 4\nscheduler.host = \"10.0.0.1\"\n");
    let environment =
        variables(&[("PARTITA_SCHEDULER__PORT", "2"), ("PARTITA_WORKER__MEMORY__TARGET", "0.5"), ("PARTITA_PROGRESS", "off")]);
    let settings = Settings::from_sources(&[("scheduler.port", "--port", Some("1"))], environment, project, user).unwrap();
    let ports: Vec<_> = settings.all("scheduler.port").iter().map(|said| (said.text.as_str(), said.place.as_str())).collect();
    let expected =
        [("1", "--port"), ("2", "PARTITA_SCHEDULER__PORT"), ("3", "/p/partita.toml"), ("4", "/u/config.toml"), ("8786", "default")];
    assert_eq!(ports, expected);
    assert_eq!(settings.port("scheduler.port"), 1);
    assert_eq!(settings.text("scheduler.host").as_deref(), Some("10.0.0.1"));
    assert_eq!(settings.span("scheduler.idle-timeout"), Some(Duration::from_secs(300)));
    assert_eq!(settings.number("worker.memory.target"), Some(0.5));
    assert_eq!(settings.value("worker.memory-limit"), Value::Number(1.0));
    assert_eq!(settings.span("worker.lifetime"), None);
    assert!(settings.flag("worker.nanny"));
}

#[test]
fn resources_may_be_a_table() {
    let project = file("partita.toml", "[worker.resources]\nGPU = 2\nLICENSE = 0.5\n");
    let settings = Settings::from_sources(&[], Vec::new(), project, None).unwrap();
    assert_eq!(settings.resources("worker.resources"), BTreeMap::from([("GPU".into(), 2000), ("LICENSE".into(), 500)]));
}

#[track_caller]
fn refused(environment: &[(&str, &str)], project: &str, code: Code, pieces: &[&str]) {
    let project = file("/p/partita.toml", project).filter(|(_, text)| !text.is_empty());
    let failure = Settings::from_sources(&[], variables(environment), project, None).err().expect("it is refused");
    assert_eq!(failure.code, code, "{failure}");
    for piece in pieces {
        assert!(failure.to_string().contains(piece), "{piece:?} is not in\n{failure}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    refused(
        &[("PARTITA_SCHEDULER__PROT", "1")],
        "",
        Code::UnknownSetting,
        &["`scheduler.prot`", "PARTITA_SCHEDULER__PROT", "`scheduler.port`?"],
    );
    refused(
        &[("PARTITA_WORKER__NTHREADS", "many")],
        "",
        Code::InvalidOption,
        &["\"many\"", "PARTITA_WORKER__NTHREADS", "whole number from 1"],
    );
    refused(&[], "[worker]\nnthread = 3\n", Code::UnknownSetting, &["/p/partita.toml", "`worker.nthreads`?"]);
    refused(&[], "[wroker]\nnthreads = 3\n", Code::UnknownSetting, &["`wroker.nthreads`", "`worker.nthreads`?"]);
    refused(&[], "[scheduler]\nport = \"http\"\n", Code::InvalidOption, &["`scheduler.port`", "/p/partita.toml", "65535"]);
    refused(&[], "[scheduler]\nport = [1, 2]\n", Code::InvalidOption, &["a list"]);
    refused(&[], "[scheduler.port]\nhost = 1\n", Code::InvalidOption, &["a table"]);
    refused(&[], "[scheduler\n", Code::InvalidOption, &["/p/partita.toml", "TOML"]);
    let failure = Settings::from_sources(&[("scheduler.port", "--port", Some("x"))], Vec::new(), None, None).err().expect("it is refused");
    assert!(failure.to_string().contains("--port"), "{failure}");
}

#[test]
fn any_letters_in_keys_and_values_end_in_a_value_or_a_failure() {
    let mut state = 7u64;
    for _ in 0..2000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            text.push(b"[].=\"'\n ac1#_-"[(state >> 33) as usize % 14].into());
        }
        let _ = Settings::from_sources(&[("worker.resources", "--resources", Some(&text))], Vec::new(), file("f", &text), None);
    }
}

#[test]
fn variables_of_other_stores_are_left_alone() {
    let environment = variables(&[("PARTITA_STORAGE__AZ__ACCOUNT_NAME", "me"), ("PARTITA_STORAGE__GS__SERVICE_ACCOUNT", "f")]);
    assert!(Settings::from_sources(&[], environment, None, None).unwrap().storage().is_empty());
}

#[test]
fn secrets_are_used_and_never_shown() {
    let environment = variables(&[
        ("PARTITA_STORAGE__S3__SECRET_ACCESS_KEY", "hush/hush"),
        ("PARTITA_STORAGE__S3__ACCESS_KEY_ID", "me"),
        ("PARTITA_STORAGE__S3__ALLOW_HTTP", "yes"),
    ]);
    let project = file("partita.toml", "[storage.s3]\nendpoint = \"http://127.0.0.1:9000\"\nsession-token = \"hushhush\"\n");
    let settings = Settings::from_sources(&[], environment, project, None).unwrap();
    let pairs: Vec<(String, String)> = settings.storage();
    let expected = [
        ("endpoint", "http://127.0.0.1:9000"),
        ("access-key-id", "me"),
        ("secret-access-key", "hush/hush"),
        ("session-token", "hushhush"),
        ("allow-http", "true"),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_string(), value.to_string())));
    for key in ["storage.s3.secret-access-key", "storage.s3.session-token"] {
        let said = settings.all(key);
        assert_eq!(said[0].text, "***", "{key}");
        assert!(!format!("{said:?}").contains("hush"), "{said:?}");
    }
    let broken = file("/p/partita.toml", "[storage.s3]\nsecret-access-key = \"hushhush\n");
    let failure = Settings::from_sources(&[], Vec::new(), broken, None).err().unwrap();
    assert!(!failure.to_string().contains("hush"), "{failure}");
    // Also when what stands there is no text: the mistake is named, the value is not.
    let failure = Settings::from_sources(&[], variables(&[("PARTITA_STORAGE__S3__SECRET", "hush")]), None, None).err().unwrap();
    assert!(!failure.to_string().contains("hush") && failure.code == Code::UnknownSetting, "{failure}");
}
