//! TIFF: any number of channels, whole numbers and floats, as they are stored. The pages of a file are one more axis.

use std::io::{Read, Seek};

use ::tiff::ColorType;
use ::tiff::decoder::{Decoder, DecodingSampleType, Limits};

use super::{Layout, Refusal, refused};
use crate::kind::Kind;

/// Tiles may be wider than their picture, but nobody makes such wide ones.
const WIDEST_TILE: u32 = 1 << 16;

pub(super) fn layout(from: impl Read + Seek) -> Result<Layout, Refusal> {
    let mut decoder = open(from)?;
    let first = page(&mut decoder)?;
    let mut pages = 1;
    while decoder.more_images() {
        decoder.next_image().map_err(refused)?;
        pages += 1;
        let other = page(&mut decoder)?;
        if other != first {
            return Err(Refusal::Unknown(format!("pages that differ: page {pages} has {}, the first {}", other.show(), first.show())));
        }
    }
    Ok(of_pages(first, pages))
}

pub(super) fn decode(from: impl Read + Seek + Clone) -> Result<(Layout, Vec<u8>), Refusal> {
    let layout = layout(from.clone())?;
    let mut elements = vec![0; layout.bytes().ok_or_else(|| refused("it is larger than memory can be"))?];
    let mut decoder = open(from)?;
    let page = page(&mut decoder)?.bytes().unwrap_or(0).max(1);
    for (number, elements) in elements.chunks_mut(page).enumerate() {
        if number > 0 {
            decoder.next_image().map_err(refused)?;
        }
        decoder.read_image_bytes(elements).map_err(refused)?;
    }
    Ok((layout, elements))
}

fn open<R: Read + Seek>(from: R) -> Result<Decoder<R>, Refusal> {
    let mut limits = Limits::default();
    // What a header announces was compared with the size of its file.
    (limits.decoding_buffer_size, limits.intermediate_buffer_size) = (usize::MAX, usize::MAX);
    Ok(Decoder::new(from).map_err(refused)?.with_limits(limits))
}

fn of_pages(page: Layout, pages: usize) -> Layout {
    let several = (pages > 1).then_some(pages);
    Layout { kind: page.kind, shape: several.into_iter().chain(page.shape).collect() }
}

/// The page at which the decoder stands.
fn page<R: Read + Seek>(decoder: &mut Decoder<R>) -> Result<Layout, Refusal> {
    let (width, height) = decoder.dimensions().map_err(refused)?;
    // The decoder makes room for a row of a tile, whatever the picture's own rows are.
    if decoder.chunk_dimensions().0 > width.max(WIDEST_TILE) {
        return Err(refused(format!("tiles of {} columns, and the picture has {width}", decoder.chunk_dimensions().0)));
    }
    let color = decoder.colortype().map_err(refused)?;
    let stored = decoder.image_buffer_layout().map_err(refused)?;
    let unknown = || Refusal::Unknown(format!("{color:?}, {:?}", stored.sample_format));
    let (bits, channels) = match color {
        ColorType::Gray(bits) => (bits, 1),
        ColorType::GrayA(bits) => (bits, 2),
        ColorType::RGB(bits) => (bits, 3),
        ColorType::RGBA(bits) | ColorType::CMYK(bits) => (bits, 4),
        ColorType::CMYKA(bits) => (bits, 5),
        ColorType::Multiband { bit_depth, num_samples } => (bit_depth, usize::from(num_samples)),
        // Colours that would have to be computed.
        _ => return Err(unknown()),
    };
    let kind = stored.sample_type.and_then(kind_of).filter(|kind| kind.size() * 8 == usize::from(bits)).ok_or_else(unknown)?;
    if stored.planes > 1 {
        return Err(Refusal::Unknown(format!("{color:?} in planes, one channel after the other")));
    }
    Ok(Layout::new(kind, [height as usize, width as usize], channels))
}

fn kind_of(sample: DecodingSampleType) -> Option<Kind> {
    Some(match sample {
        DecodingSampleType::U8 => Kind::U8,
        DecodingSampleType::U16 => Kind::U16,
        DecodingSampleType::U32 => Kind::U32,
        DecodingSampleType::U64 => Kind::U64,
        DecodingSampleType::I8 => Kind::I8,
        DecodingSampleType::I16 => Kind::I16,
        DecodingSampleType::I32 => Kind::I32,
        DecodingSampleType::I64 => Kind::I64,
        DecodingSampleType::F32 => Kind::F32,
        DecodingSampleType::F64 => Kind::F64,
        DecodingSampleType::F16 => return None,
    })
}
