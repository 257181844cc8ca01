//! JPEG: grey or red, green and blue, 8 bits. What is stored as other colours becomes these.

use std::io::{BufRead, Cursor, Seek};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Layout, Refusal, refused};
use crate::kind::Kind;

/// The longest side that the format can say.
const LONGEST: usize = 1 << 16;

pub(super) fn layout(from: impl BufRead + Seek) -> Result<Layout, Refusal> {
    open(from).map(|(_, layout)| layout)
}

pub(super) fn decode(bytes: &[u8]) -> Result<(Layout, Vec<u8>), Refusal> {
    if !is_complete(bytes) {
        return Err(refused("its end is missing"));
    }
    let (mut decoder, layout) = open(Cursor::new(bytes))?;
    let elements = decoder.decode().map_err(refused)?;
    Ok((layout, elements))
}

fn open<R: BufRead + Seek>(from: R) -> Result<(JpegDecoder<R>, Layout), Refusal> {
    // Strictly: half a picture with a grey rest is not what was measured.
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(LONGEST).set_max_height(LONGEST);
    let mut decoder = JpegDecoder::new_with_options(from, options);
    decoder.decode_headers().map_err(refused)?;
    let info = decoder.info().ok_or_else(|| refused("it has no header"))?;
    let space = if info.components == 1 { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let layout = Layout::new(Kind::U8, [usize::from(info.height), usize::from(info.width)], space.num_components());
    Ok((decoder, layout))
}

/// Whether the end of the picture is there: the decoder does not miss it in the last rows. Among a picture's own bytes 0xff stands before
/// 0xd9 at its end only. What comes before them are segments that say how long they are.
fn is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        match bytes.get(at..at + 4) {
            Some([0xff, 0xda, ..]) => return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]),
            Some([0xff, 0xff, ..]) => at += 1,
            Some([0xff, _, high, low]) => at += 2 + usize::from(u16::from_be_bytes([*high, *low])),
            // Whatever that is, the decoder judges it.
            _ => return true,
        }
    }
}
