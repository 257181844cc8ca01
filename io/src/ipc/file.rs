//! Arrow IPC files in memory, for frames with columns that messages do not cover (categories). Uncompressed, because
//! compressing costs more than the disk gains. Keeps every bit: a frame that is read back equals the one written.

use std::io::Cursor;

use polars::prelude::{DataFrame, PolarsResult};
use polars_io::ipc::{IpcReader, IpcWriter};
use polars_io::{SerReader, SerWriter};

/// The frame as the bytes of an Arrow IPC file.
///
/// # Errors
/// A column of a type without an IPC form.
pub fn write(frame: &DataFrame) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::with_capacity(frame.estimated_size() + 1024);
    // In one piece: each piece of a categorical column has its own dictionary, and a file may have only one.
    let mut whole = frame.clone();
    whole.rechunk_mut();
    IpcWriter::new(&mut bytes).finish(&mut whole)?;
    Ok(bytes)
}

/// The frame back.
///
/// # Errors
/// Bytes that are no Arrow IPC file.
pub fn read(bytes: &[u8]) -> PolarsResult<DataFrame> {
    IpcReader::new(Cursor::new(bytes)).finish()
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    #[test]
    fn a_frame_comes_back_bit_by_bit() {
        let frame = df!("a" => [Some(1i64), None], "b" => ["x", "a text of more than twelve bytes"], "c" => [f64::NAN, -0.0]).unwrap();
        let again = super::read(&super::write(&frame).unwrap()).unwrap();
        assert!(frame.equals_missing(&again));
        assert_eq!(again.column("c").unwrap().f64().unwrap().get(1).unwrap().to_bits(), (-0.0f64).to_bits());
    }
}
