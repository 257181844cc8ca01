//! Settings: flag over environment over the project's file over the user's file over default.
//!
//! It refuses to know what settings are for. Invariant: nothing is read that is not in the table of [`table`], and whatever
//! stands in a layer is checked when it is read, used or not: a misspelt line is an error, never a setting without effect.

mod command;
mod table;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::config::{Environment, File, FileFormat, Source, ValueKind};
use partita::{Code, Error};

pub use command::Config;
use table::{Setting, find, nearest};
use value::Kind;
pub use value::Value;

/// What one layer says of a setting.
#[derive(Clone, PartialEq)]
pub struct Said {
    /// As it was written, or stars for a secret.
    pub text: String,
    /// Where it stands: `--port`, `PARTITA_SCHEDULER__PORT`, a file, or `default`.
    pub place: String,
    value: Value,
}

impl std::fmt::Debug for Said {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {}", self.text, self.place)
    }
}

/// A flag of a command line: the setting that it is for, how it is written, what was given.
pub type Flag<'a> = (&'static str, &'static str, Option<&'a str>);

/// A file with settings: where it is, and its text.
pub type SettingsFile = (PathBuf, String);

/// All layers, the strongest first.
pub struct Settings {
    layers: Vec<BTreeMap<&'static str, Said>>,
}

impl Settings {
    /// Reads everything that this process can see.
    ///
    /// # Errors
    /// [`Code::UnknownSetting`], a value that is not accepted, a file that cannot be read or is no TOML.
    pub fn load(flags: &[Flag]) -> Result<Self, Error> {
        // Variables that are no text cannot be meant for us: names and values of ours are.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let environment = std::env::vars_os().filter_map(text).collect();
        let here = std::env::current_dir().unwrap_or_default();
        let project = here.ancestors().map(|folder| folder.join("partita.toml")).find(|path| path.is_file());
        Self::from_sources(
            flags,
            environment,
            project.map(read).transpose()?,
            user_file().filter(|path| path.is_file()).map(read).transpose()?,
        )
    }

    /// The same from given sources.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn from_sources(
        flags: &[Flag],
        environment: Vec<(String, String)>,
        project: Option<SettingsFile>,
        user: Option<SettingsFile>,
    ) -> Result<Self, Error> {
        let mut layers = vec![from_flags(flags)?, from_environment(environment)?];
        for file in [project, user].into_iter().flatten() {
            layers.push(from_file(&file)?);
        }
        let mut defaults = BTreeMap::new();
        for setting in table::SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
            defaults.insert(setting.key, said(setting, setting.default.into(), "default".into())?);
        }
        layers.push(defaults);
        Ok(Self { layers })
    }

    /// All that is said of a setting, the one that holds first.
    pub fn all(&self, key: &str) -> Vec<&Said> {
        self.layers.iter().filter_map(|layer| layer.get(key)).collect()
    }

    /// The value that holds; [`Value::None`] when nothing is said.
    pub fn value(&self, key: &str) -> Value {
        debug_assert!(find(key).is_some(), "`{key}` is in the table of settings");
        self.all(key).first().map_or(Value::None, |said| said.value.clone())
    }

    /// A text or path, when there is one.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.value(key) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A path, when there is one.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// Whether it is switched on.
    pub fn flag(&self, key: &str) -> bool {
        self.value(key) == Value::Flag(true)
    }

    /// A number; 0 when there is none.
    pub fn count(&self, key: &str) -> u64 {
        match self.value(key) {
            Value::Count(count) => count,
            _ => 0,
        }
    }

    /// A port.
    pub fn port(&self, key: &str) -> u16 {
        u16::try_from(self.count(key)).unwrap_or_default()
    }

    /// A span of time, when it is not switched off.
    pub fn span(&self, key: &str) -> Option<Duration> {
        match self.value(key) {
            Value::Span(span) => Some(span),
            _ => None,
        }
    }

    /// A share or factor, when it is not switched off.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.value(key) {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// How stores are reached: names and values of options, secrets among them.
    pub fn storage(&self) -> Vec<(String, String)> {
        let keys = table::SETTINGS.iter().filter_map(|setting| Some((setting.key, setting.key.strip_prefix("storage.s3.")?)));
        let said = keys.filter_map(|(key, name)| match self.value(key) {
            Value::Text(text) => Some((name.to_owned(), text)),
            Value::Flag(flag) => Some((name.to_owned(), flag.to_string())),
            _ => None,
        });
        said.collect()
    }

    /// Names with thousandths.
    pub fn resources(&self, key: &str) -> BTreeMap<String, u64> {
        match self.value(key) {
            Value::Resources(resources) => resources,
            _ => BTreeMap::new(),
        }
    }
}

/// Lets this process reach stores as the settings say.
///
/// # Errors
/// As [`Settings::load`].
pub fn reach_stores() -> Result<(), Error> {
    let options = Settings::load(&[])?.storage().into_iter();
    let options = options.fold(partita::StorageOptions::new(), |options, (name, value)| options.option(&name, value));
    partita::set_storage_options("s3://", options)
}

/// `$XDG_CONFIG_HOME/partita/config.toml`, or the same below `~/.config`.
fn user_file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("partita").join("config.toml"))
}

fn read(path: PathBuf) -> Result<SettingsFile, Error> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) => Err(Error::new(Code::Unreadable, format!("{} cannot be read: {error}", path.display()))),
    }
}

fn said(setting: &'static Setting, text: String, place: String) -> Result<Said, Error> {
    match setting.kind.parse(&text) {
        Some(value) if setting.kind == Kind::Secret => Ok(Said { text: if text.is_empty() { text } else { "***".into() }, place, value }),
        Some(value) => Ok(Said { text, place, value }),
        None => Err(Error::new(Code::InvalidOption, format!("`{}` cannot be {text:?}", setting.key))
            .detail("stands in", place)
            .detail("accepted", setting.kind.accepts())),
    }
}

fn known(key: &str, place: &str) -> Result<&'static Setting, Error> {
    find(key).ok_or_else(|| {
        let failure = Error::new(Code::UnknownSetting, format!("there is no setting `{key}`")).detail("stands in", place);
        match nearest(key) {
            Some(near) => failure.detail("did you mean", format!("`{near}`?")),
            None => failure.help("list all settings: partita config list"),
        }
    })
}

fn from_flags(flags: &[Flag]) -> Result<BTreeMap<&'static str, Said>, Error> {
    let given = flags.iter().filter_map(|(key, flag, text)| Some((*key, *flag, (*text)?)));
    given.map(|(key, flag, text)| Ok((key, said(known(key, flag)?, text.into(), flag.into())?))).collect()
}

/// The variables that are meant: `PARTITA_` and two underscores where a key has its points. Those of Google's and Azure's stores are no settings
/// of this program: whoever reaches such a store reads them.
fn from_environment(variables: Vec<(String, String)>) -> Result<BTreeMap<&'static str, Said>, Error> {
    let meant = |name: &str| {
        name.strip_prefix("PARTITA_")
            .is_some_and(|rest| rest.contains("__") && !rest.starts_with("STORAGE__GS__") && !rest.starts_with("STORAGE__AZ__"))
    };
    let variables: std::collections::HashMap<_, _> = variables.into_iter().filter(|(name, _)| meant(name)).collect();
    let source = Environment::with_prefix("PARTITA").prefix_separator("_").separator("__").source(Some(variables));
    let collected = source.collect().map_err(|error| Error::new(Code::InvalidOption, format!("the environment: {error}")))?;
    let mut layer = BTreeMap::new();
    // In order of names, so that of several mistakes the same one is reported each time.
    for (key, value) in collected.into_iter().collect::<BTreeMap<_, _>>() {
        let place = format!("PARTITA_{}", key.replace('.', "__").to_uppercase());
        let setting = known(&key.replace('_', "-"), &place)?;
        layer.insert(setting.key, said(setting, value.into_string().unwrap_or_default(), place)?);
    }
    Ok(layer)
}

fn from_file((path, text): &SettingsFile) -> Result<BTreeMap<&'static str, Said>, Error> {
    // The lines of the file that the parser shows may hold secrets.
    let told = |error: ::config::ConfigError| error.to_string().lines().filter(|line| !line.contains('|')).collect::<Vec<_>>().join("; ");
    let unreadable = |error| Error::new(Code::InvalidOption, format!("{} is no TOML: {}", path.display(), told(error)));
    let tree = File::from_str(text, FileFormat::Toml).collect().map_err(unreadable)?;
    let mut layer = BTreeMap::new();
    flatten("", ::config::Value::from(tree).kind, path, &mut layer)?;
    Ok(layer)
}

/// Tables become keys with points, in order of names. A table that stands for names with amounts is one value.
fn flatten(key: &str, kind: ValueKind, path: &Path, layer: &mut BTreeMap<&'static str, Said>) -> Result<(), Error> {
    let place = path.display().to_string();
    let text = match kind {
        ValueKind::Table(table) if find(key).is_none() => {
            for (name, value) in table.into_iter().collect::<BTreeMap<_, _>>() {
                let key = if key.is_empty() { name } else { format!("{key}.{name}") };
                flatten(&key, value.kind, path, layer)?;
            }
            return Ok(());
        }
        ValueKind::Table(table) if find(key).is_some_and(|setting| setting.kind == Kind::Resources) => {
            let pairs = table.into_iter().map(|(name, amount)| format!("{name}={}", amount.into_string().unwrap_or_default()));
            pairs.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
        }
        ValueKind::Table(_) => "a table".into(),
        ValueKind::Array(_) => "a list".into(),
        ValueKind::Nil => String::new(),
        ValueKind::Boolean(value) => value.to_string(),
        // A share of 1 is told from a byte by its point.
        ValueKind::Float(value) if value.fract() == 0.0 => format!("{value:.1}"),
        other => other.to_string(),
    };
    let setting = known(key, &place)?;
    layer.insert(setting.key, said(setting, text, place)?);
    Ok(())
}

#[cfg(test)]
mod tests;
