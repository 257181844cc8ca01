//! `partita config`: which settings there are, what holds, and why.

use std::io::Write;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use partita::{Code, Error};

use super::Settings;
use super::table::{SETTINGS, find, nearest};
use crate::exit::Stop;

/// Shows settings.
#[derive(Args)]
#[command(
    after_help = "A setting holds from the first of: flag, environment (PARTITA_SECTION__KEY), partita.toml in this folder or one above,\n\
    $XDG_CONFIG_HOME/partita/config.toml, default."
)]
pub struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// All settings: value and where it comes from
    List {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// The value of one
    Get {
        /// For example worker.memory-limit
        key: String,
    },
    /// Everything that sets it, and what holds
    Why {
        /// For example worker.memory-limit
        key: String,
    },
}

impl Config {
    /// Reads the layers and prints.
    pub fn run(self) -> Result<(), Stop> {
        let settings = Settings::load(&[])?;
        let mut out = std::io::stdout().lock();
        match self.what {
            What::List { json: true } => {
                let entry =
                    |(key, value, place): (&str, String, String)| (key.to_string(), serde_json::json!({ "value": value, "from": place }));
                let all: serde_json::Map<_, _> = rows(&settings).into_iter().map(entry).collect();
                writeln!(out, "{}", serde_json::Value::Object(all))?;
            }
            What::List { json: false } => {
                let mut table = Table::new();
                table.load_preset(presets::UTF8_FULL_CONDENSED);
                table.set_header(["setting", "value", "from", "kind", "what it does"]);
                for ((key, value, place), setting) in rows(&settings).into_iter().zip(SETTINGS) {
                    table.add_row([key, &value, &place, setting.kind.name(), setting.doc]);
                }
                writeln!(out, "{table}")?;
            }
            What::Get { key } => {
                let all = settings.all(existing(&key)?);
                writeln!(out, "{}", all.first().map_or("", |said| said.text.as_str()))?;
            }
            What::Why { key } => {
                let key = existing(&key)?;
                let all = settings.all(key);
                if all.is_empty() {
                    writeln!(out, "{key} is not set, and has no default")?;
                }
                for (at, said) in all.iter().enumerate() {
                    let text = if said.text.is_empty() { "(empty)" } else { &said.text };
                    writeln!(out, "{key} = {text}  from {}{}", said.place, if at == 0 { "  <- holds" } else { "" })?;
                }
            }
        }
        Ok(())
    }
}

/// Key, value and place of each setting, in the order of the table.
fn rows(settings: &Settings) -> Vec<(&'static str, String, String)> {
    let row = |key: &'static str| match settings.all(key).first() {
        Some(said) => (key, said.text.clone(), said.place.clone()),
        None => (key, String::new(), "not set".into()),
    };
    SETTINGS.iter().map(|setting| row(setting.key)).collect()
}

fn existing(key: &str) -> Result<&'static str, Error> {
    if let Some(setting) = find(key) {
        return Ok(setting.key);
    }
    let failure = Error::new(Code::UnknownSetting, format!("there is no setting `{key}`"));
    Err(match nearest(key) {
        Some(near) => failure.detail("did you mean", format!("`{near}`?")),
        None => failure.help("list all settings: partita config list"),
    })
}
