//! PNG: grey or coloured, 8 or 16 bits. Palettes become colours, fewer bits become 8, and what is transparent by its colour gets a channel.

use std::io::{BufRead, Seek};

use ::png::{BitDepth, Decoder, Reader, Transformations};

use super::{Layout, Refusal, refused};
use crate::kind::Kind;

pub(super) fn layout(from: impl BufRead + Seek) -> Result<Layout, Refusal> {
    Ok(layout_of(&open(from)?))
}

/// The first picture, where there are several.
pub(super) fn decode(from: impl BufRead + Seek) -> Result<(Layout, Vec<u8>), Refusal> {
    let mut reader = open(from)?;
    let layout = layout_of(&reader);
    let length = reader.output_buffer_size().ok_or_else(|| refused("it is larger than memory can be"))?;
    let mut elements = vec![0; length];
    reader.next_frame(&mut elements).map_err(refused)?;
    if cfg!(target_endian = "little") {
        layout.kind.swap(&mut elements);
    }
    Ok((layout, elements))
}

fn open<R: BufRead + Seek>(from: R) -> Result<Reader<R>, Refusal> {
    let mut decoder = Decoder::new(from);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(refused)
}

fn layout_of<R: BufRead + Seek>(reader: &Reader<R>) -> Layout {
    let (color, depth) = reader.output_color_type();
    let kind = if depth == BitDepth::Sixteen { Kind::U16 } else { Kind::U8 };
    let (width, height) = reader.info().size();
    Layout::new(kind, [height as usize, width as usize], color.samples())
}
