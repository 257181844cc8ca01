//! A write of a table, and one part of it: what all tasks of a write share, and what one of them does.
//!
//! It refuses to publish. Invariant: a part is written under a name that says which write, which plan and which attempt it belongs to, in
//! a folder that readers do not look into; so attempts never meet, and what nobody publishes is never seen.

use polars::prelude::{DataFrame, DataType, PlSmallStr, PolarsError, PolarsResult, Schema};
use serde::{Deserialize, Serialize};

use super::destination::{Destination, Replaces};
use super::format::Format;
use super::output::{Output, unwritable};
use super::publish::Published;
use crate::damage::guarded;
use crate::error::{Error, ErrorKind, Place, Result};
use crate::folder::Folder;
use crate::hive::folders_of;
use crate::manifest::Part;

/// A write of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    to: Destination,
    format: Format,
}

impl Target {
    /// A write of a table with this schema to `path`, a folder (or, for a single file, a file). `token` is a name that no other write
    /// has. Looks at what is there; a write that was cut off while it was published is brought to its end first.
    ///
    /// # Errors
    /// `InvalidOption` (its file is the option's name), `ColumnNotFound`, `UnknownType` for a column that the format cannot hold,
    /// `OutputExists`, `Unwritable`, what the storage gives.
    pub fn prepare(path: &str, token: &str, format: Format, schema: &Schema) -> Result<Self> {
        format.check(&written(&format, schema)?)?;
        let overwrite = format.options().overwrite;
        let to = match format.options().single_file {
            true => Destination::file(path, token, overwrite)?,
            false => {
                Destination::folder(path, token, overwrite, Replaces::Endings(format.endings().iter().map(|e| (*e).into()).collect()))?
            }
        };
        to.begin()?;
        Ok(Self { to, format })
    }

    /// A file that is there from before the first part until the write is published: who does not find it sees another storage, or
    /// comes too late.
    pub fn mark(&self) -> Result<String> {
        self.to.mark()
    }

    /// Where it goes, as a user would write it.
    pub fn place(&self) -> String {
        self.to.place()
    }

    /// Makes the parts visible, each once, and nothing else. All of them must be stored; calling it again is harmless.
    ///
    /// # Errors
    /// `PartsMissing`, `OutputExists` when another write came first, `Unwritable`, what the storage gives.
    pub fn publish(&self, parts: &[Part]) -> Result<Published> {
        self.to.publish(parts)
    }

    /// Removes what a write left that was refused with `OutputExists`. Only for who knows that no task of it goes on.
    ///
    /// # Errors
    /// `Unwritable`, what the storage gives.
    pub fn withdraw(&self) -> Result<()> {
        self.to.withdraw()
    }

    /// The format's name.
    pub fn format(&self) -> &'static str {
        self.format.name()
    }

    /// Writes the rows of part `part`. `plan` and `attempt` tell tries of the same part apart. Returns what was written: a file for each
    /// combination of the columns that become folders, and one file without such columns, also for no rows.
    ///
    /// # Errors
    /// `Unwritable` with the storage's answer, `Damaged` when the format refuses the rows.
    pub fn write_part(&self, frame: DataFrame, part: u32, plan: u64, attempt: u32) -> Result<Vec<Part>> {
        let folder = Folder::of(&self.to.folder)?;
        let by = &self.format.options().partition_by;
        if by.is_empty() {
            return Ok(vec![self.write_file(&folder, frame, "", part, plan, attempt)?]);
        }
        let refused = |error: PolarsError| unwritable(&self.to.folder, error);
        let groups = if frame.height() == 0 { Vec::new() } else { frame.partition_by_stable(by.clone(), true).map_err(refused)? };
        let mut parts = Vec::with_capacity(groups.len());
        for rows in groups {
            let below = folder_of(&rows, by).map_err(refused)? + "/";
            let rows = rows.drop_many(by.iter().map(|name| PlSmallStr::from(name.as_str())));
            let written = self.write_file(&folder, rows, &below, part, plan, attempt)?;
            if parts.iter().any(|known: &Part| known.path == written.path) {
                let accepted =
                    format!("columns whose values have names of their own; two values are called `{}`", below.trim_end_matches('/'));
                return Err(Error::new(ErrorKind::InvalidOption { accepted }, "partition_by"));
            }
            parts.push(written);
        }
        Ok(parts)
    }

    fn write_file(&self, folder: &Folder, frame: DataFrame, below: &str, part: u32, plan: u64, attempt: u32) -> Result<Part> {
        let ending = self.format.ending();
        let path = format!("{below}part-{part:05}{ending}");
        let staged = format!("{}/{below}part-{part:05}-{plan:016x}-{attempt}{ending}", self.to.staging());
        let rows = frame.height() as u64;
        let mut output = Output::create(folder, &staged)?;
        let first = self.to.file.is_none() || part == 0;
        let name = folder.name_of(&path);
        let mut storage = None;
        let written = guarded(&name, None, || {
            self.format.write(frame, first, &mut output).inspect_err(|error| {
                if let PolarsError::IO { error, .. } = error {
                    storage = Some(error.to_string());
                }
            })
        });
        match (written, storage) {
            (Ok(()), _) => {}
            (Err(_), Some(answer)) => return Err(unwritable(&name, answer)),
            (Err(error), None) => return Err(error),
        }
        let bytes = output.finish()?;
        Ok(Part { path, staged, rows, bytes })
    }
}

/// The columns that stand in files.
fn written(format: &Format, schema: &Schema) -> Result<Schema> {
    let by = &format.options().partition_by;
    let invalid = |accepted: String| Error::new(ErrorKind::InvalidOption { accepted }, "partition_by");
    for (at, name) in by.iter().enumerate() {
        let Some(dtype) = schema.get(name) else {
            let columns = schema.iter_names().map(|name| name.to_string()).collect();
            return Err(Error::at(ErrorKind::ColumnNotFound { columns }, Place { column: Some(name.clone()), ..Place::default() }));
        };
        if by[..at].contains(name) {
            return Err(invalid(format!("each column once, not `{name}` twice")));
        }
        if dtype.is_nested() || matches!(dtype, DataType::Binary | DataType::Duration(_)) {
            return Err(invalid(format!("columns whose values can be names of folders, not `{name}` of type {dtype}")));
        }
    }
    let own: Schema =
        schema.iter().filter(|(name, _)| !by.iter().any(|by| by == name.as_str())).map(|(n, d)| (n.clone(), d.clone())).collect();
    if own.is_empty() {
        return Err(invalid("fewer columns: files need at least one column of their own".to_owned()));
    }
    if !by.is_empty() && format.options().single_file {
        return Err(invalid("no columns where all rows become one file".to_owned()));
    }
    Ok(own)
}

/// The folders for rows that have the same values in these columns.
fn folder_of(rows: &DataFrame, by: &[String]) -> PolarsResult<String> {
    let mut values: Vec<Option<String>> = Vec::with_capacity(by.len());
    for name in by {
        let first = rows.column(name)?.as_materialized_series().head(Some(1)).cast(&DataType::String)?;
        values.push(first.str()?.get(0).map(str::to_owned));
    }
    let pairs: Vec<(&str, Option<&str>)> = by.iter().map(String::as_str).zip(values.iter().map(Option::as_deref)).collect();
    Ok(folders_of(&pairs))
}
