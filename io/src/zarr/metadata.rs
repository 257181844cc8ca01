//! The metadata of Zarr arrays: found, read as far as a planner needs them, and made.
//!
//! It refuses to know codecs; whether those that are named exist, `zarrs` knows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::malformed;
use super::options::{ZarrCodec, ZarrWriteOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::Folder;
use crate::kind::Kind;
use crate::resolve;
use crate::store::Address;

/// Version 3, arrays and groups.
pub(super) const V3: &str = "zarr.json";
/// Version 2, arrays.
pub(super) const V2: &str = ".zarray";
/// Version 2, groups.
const V2_GROUP: &str = ".zgroup";

/// The metadata of an array.
pub(super) struct Found {
    /// The file's name.
    pub(super) name: &'static str,
    pub(super) json: Value,
}

/// Looks for the metadata of an array in a folder.
pub(super) fn find(folder: &Folder, moved: &BTreeMap<String, Option<String>>) -> Result<Found> {
    let read = |name: &'static str| -> Result<Option<Vec<u8>>> {
        match moved.get(name) {
            Some(None) => Ok(None),
            Some(Some(staged)) => Ok(folder.read(staged)?.or(folder.read(name)?)),
            None => folder.read(name),
        }
    };
    for name in [V3, V2] {
        let Some(content) = read(name)? else { continue };
        let json: Value = serde_json::from_slice(&content).map_err(|error| malformed(&folder.name_of(name), error))?;
        let is_group = name == V3 && json["node_type"] == "group";
        return if is_group { Err(group(folder)) } else { Ok(Found { name, json }) };
    }
    if read(V2_GROUP)?.is_some() {
        return Err(group(folder));
    }
    // The words for a name that is not there, with the nearest one.
    match resolve::find(std::slice::from_ref(&folder.name)) {
        Err(error) if *error.kind() != ErrorKind::IsDirectory => Err(error),
        _ => Err(malformed(&folder.name, format!("there is neither {V3} nor {V2} in the folder"))),
    }
}

/// The failure for a group, with the names of what is in it.
fn group(folder: &Folder) -> Error {
    let names: Vec<String> = match &folder.address {
        Address::Local(path) => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        }
        Address::Remote(remote) => {
            let below = remote.list_shallow(&remote.key).unwrap_or_default();
            below.iter().filter_map(|key| key.rsplit('/').next().map(str::to_owned)).collect()
        }
    };
    let mut members: Vec<String> = names.into_iter().filter(|name| !name.starts_with('.') && name != V3).collect();
    members.sort();
    Error::new(ErrorKind::Group { members }, &folder.name)
}

/// What an array consists of, and its elements along each axis.
pub(super) fn kind_and_shape(name: &str, json: &Value) -> Result<(Kind, Vec<usize>)> {
    let len = |len: &Value| usize::try_from(len.as_u64()?).ok();
    let shape = json["shape"].as_array().and_then(|lens| lens.iter().map(len).collect::<Option<Vec<usize>>>());
    let shape = shape.ok_or_else(|| malformed(name, format!("the shape is {}", json["shape"])))?;
    let version = json["zarr_format"].as_u64();
    let dtype = match version {
        Some(2) => &json["dtype"],
        Some(3) => match &json["data_type"] {
            Value::Object(object) => object.get("name").unwrap_or(&Value::Null),
            plain => plain,
        },
        _ => return Err(malformed(name, format!("zarr_format is {}, and 2 and 3 can be read", json["zarr_format"]))),
    };
    let text = dtype.as_str().map_or_else(|| dtype.to_string(), str::to_owned);
    let kind = if version == Some(2) { Kind::of_numpy(&text).map(|(kind, _)| kind) } else { Kind::of_zarr(&text) };
    let kind = kind.ok_or_else(|| Kind::unknown(name, &text))?;
    let bytes = shape.iter().filter(|len| **len > 0).try_fold(kind.size(), |product, len| product.checked_mul(*len));
    bytes.ok_or_else(|| malformed(name, format!("an array of shape {shape:?} has more bytes than can be counted")))?;
    Ok((kind, shape))
}

/// Says the fill value of complex numbers in full: version 2 may leave it out, or name a real number.
pub(super) fn complete(kind: Kind, json: &mut Value) {
    let fill = &mut json["fill_value"];
    if matches!(kind, Kind::C64 | Kind::C128) && !fill.is_array() {
        *fill = json!([if fill.is_null() { json!(0.0) } else { fill.take() }, 0.0]);
    }
}

/// The metadata of a new array, and the name of their file. `unit` is what stands in one file: a shard, or a chunk.
pub(super) fn new(kind: Kind, shape: &[usize], unit: &[usize], options: &ZarrWriteOptions) -> (&'static str, Value) {
    let fill = fill_value(kind, options.fill_value);
    if options.version == 2 {
        let json = json!({
            "zarr_format": 2, "shape": shape, "chunks": unit, "dtype": kind.numpy(), "compressor": compressor(options.codec),
            "fill_value": fill, "order": "C", "filters": null, "dimension_separator": ".",
        });
        return (V2, json);
    }
    let codecs = codecs(kind, options.codec);
    let codecs = match &options.chunks {
        Some(inner) if options.shards.is_some() => {
            let index = json!([bytes_codec(Kind::U64), { "name": "crc32c" }]);
            json!([{ "name": "sharding_indexed", "configuration":
                { "chunk_shape": inner, "codecs": codecs, "index_codecs": index, "index_location": "end" } }])
        }
        _ => codecs,
    };
    let mut json = json!({
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": kind.zarr(),
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": unit } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "fill_value": fill, "codecs": codecs, "attributes": {},
    });
    if let Some(names) = &options.dimension_names {
        json["dimension_names"] = json!(names);
    }
    (V3, json)
}

/// Whether an element can be this number; floats round it.
pub(super) fn holds(kind: Kind, value: f64) -> bool {
    match kind {
        Kind::Bool => value == 0.0 || value == 1.0,
        Kind::F64 | Kind::C128 => true,
        Kind::F32 | Kind::C64 => !value.is_finite() || (value as f32).is_finite(),
        Kind::U8 => f64::from(value as u8) == value,
        Kind::U16 => f64::from(value as u16) == value,
        Kind::U32 => f64::from(value as u32) == value,
        Kind::U64 => value as u64 as f64 == value,
        Kind::I8 => f64::from(value as i8) == value,
        Kind::I16 => f64::from(value as i16) == value,
        Kind::I32 => f64::from(value as i32) == value,
        Kind::I64 => value as i64 as f64 == value,
    }
}

fn fill_value(kind: Kind, value: f64) -> Value {
    match kind {
        Kind::Bool => json!(value != 0.0),
        Kind::C64 | Kind::C128 => json!([fill_value(Kind::F64, value), 0.0]),
        Kind::F32 | Kind::F64 if value.is_nan() => json!("NaN"),
        Kind::F32 | Kind::F64 if value == f64::INFINITY => json!("Infinity"),
        Kind::F32 | Kind::F64 if value == f64::NEG_INFINITY => json!("-Infinity"),
        Kind::F32 | Kind::F64 => json!(value),
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => json!(value as u64),
        Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 => json!(value as i64),
    }
}

fn bytes_codec(kind: Kind) -> Value {
    match kind.size() {
        1 => json!({ "name": "bytes" }),
        _ => json!({ "name": "bytes", "configuration": { "endian": "little" } }),
    }
}

fn codecs(kind: Kind, codec: ZarrCodec) -> Value {
    let packing = match codec {
        ZarrCodec::None => return json!([bytes_codec(kind)]),
        ZarrCodec::Zstd(level) => json!({ "name": "zstd", "configuration": { "level": level, "checksum": false } }),
        ZarrCodec::Gzip(level) => json!({ "name": "gzip", "configuration": { "level": level } }),
        ZarrCodec::Blosc(level) => json!({ "name": "blosc", "configuration":
            { "cname": "lz4", "clevel": level, "shuffle": "shuffle", "typesize": kind.size(), "blocksize": 0 } }),
    };
    json!([bytes_codec(kind), packing])
}

/// The same for version 2.
fn compressor(codec: ZarrCodec) -> Value {
    match codec {
        ZarrCodec::None => Value::Null,
        ZarrCodec::Zstd(level) => json!({ "id": "zstd", "level": level }),
        ZarrCodec::Gzip(level) => json!({ "id": "gzip", "level": level }),
        ZarrCodec::Blosc(level) => json!({ "id": "blosc", "cname": "lz4", "clevel": level, "shuffle": 1, "blocksize": 0 }),
    }
}
