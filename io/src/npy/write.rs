//! What stands before the elements in a `.npy` file, and beside the files of a stack.

use npyz::{DType, WriteOptions, WriterBuilder};

use crate::kind::Kind;

/// The header of a file in row-major order and little-endian bytes.
pub fn header(kind: Kind, shape: &[usize]) -> Vec<u8> {
    let dtype = DType::Plain(kind.numpy().parse().expect("NumPy's own code"));
    let shape: Vec<u64> = shape.iter().map(|len| *len as u64).collect();
    let mut header = Vec::new();
    let options = WriteOptions::new_header_only().dtype(dtype).shape(&shape).writer(&mut header);
    options.write_header_only().expect("memory can be written");
    header
}

/// The file `info` of a stack: a pickle of chunks, dtype and axis, which Dask asks for. `chunks` are lengths axis by axis.
pub fn stack_info(kind: Kind, chunks: &[Vec<usize>], axis: usize) -> Vec<u8> {
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(b'X');
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
    };
    let number = |out: &mut Vec<u8>, number: usize| {
        match u8::try_from(number) {
            Ok(small) => out.extend([b'K', small]),
            // Eight bytes, two's complement: a length is never so large that it would be negative.
            Err(_) => {
                out.extend([0x8a, 8]);
                out.extend((number as u64).to_le_bytes());
            }
        }
    };
    // Protocol 2, an empty dictionary, and a mark where its items begin.
    let mut out = b"\x80\x02}(".to_vec();
    text(&mut out, "chunks");
    out.push(b'(');
    for lengths in chunks {
        out.push(b'(');
        lengths.iter().for_each(|length| number(&mut out, *length));
        out.push(b't');
    }
    out.push(b't');
    text(&mut out, "dtype");
    out.extend(b"cnumpy\ndtype\n");
    text(&mut out, &kind.numpy());
    out.extend([0x85, b'R']);
    text(&mut out, "axis");
    number(&mut out, axis);
    // The items into the dictionary; the end.
    out.extend(b"u.");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_end_where_elements_are_aligned() {
        for shape in [&[][..], &[3], &[3, 4], &[1_000_000, 1_000_000, 1_000_000, 2]] {
            let header = header(Kind::F64, shape);
            assert_eq!(header.len() % 16, 0, "{shape:?}");
            assert!(header.starts_with(b"\x93NUMPY\x01\x00") && header.ends_with(b"\n"), "{shape:?}");
        }
    }
}
