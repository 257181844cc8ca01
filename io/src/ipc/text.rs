//! Text that came: its views are looked at on several processors, where the buffers that they show are ASCII as a whole.
//!
//! It refuses to decide what is wrong with text that is not that plain: polars' own check does, text by text. Invariant: what memory safety
//! rests on was checked of every view and every byte before an array is made of them.

use polars::prelude::{PolarsResult, polars_ensure};
use polars_arrow::array::{BinaryViewArray, Utf8ViewArray, View};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::ArrowDataType;
use polars_buffer::Buffer;

use crate::csv::in_parallel;

/// Bytes that one thread looks at in one go.
const PART: usize = 1 << 20;
/// With fewer parts another thread costs more than it takes over.
const MANY: usize = 8;

/// An array of these views.
///
/// # Errors
/// A view that shows what is not there or not what it says, bytes that are not UTF-8, or a validity of another length.
pub(super) fn text(views: Buffer<View>, buffers: Vec<Buffer<u8>>, validity: Option<Bitmap>) -> PolarsResult<Utf8ViewArray> {
    let Some(bytes) = plain(&views, &buffers) else { return text_by_text(views, buffers, validity) };
    let rows = validity.as_ref().map_or(views.len(), Bitmap::len);
    polars_ensure!(rows == views.len(), ComputeError: "text and its validity are of different lengths");
    let held = buffers.iter().map(|buffer| buffer.len()).sum();
    // SAFETY: `plain` has looked at all views and all bytes, which nobody can change: each view shows bytes that are there and begins as they do, all
    // bytes are ASCII and thus UTF-8 wherever a view cuts them, and short texts are followed by zeros. `bytes` is the sum of the views'
    // lengths and `held` of the buffers'. The validity is as long as the views.
    Ok(unsafe { Utf8ViewArray::new_unchecked(ArrowDataType::Utf8View, views, buffers.into(), validity, Some(bytes), held) })
}

/// The slow twin.
fn text_by_text(views: Buffer<View>, buffers: Vec<Buffer<u8>>, validity: Option<Bitmap>) -> PolarsResult<Utf8ViewArray> {
    BinaryViewArray::try_new(ArrowDataType::BinaryView, views, buffers.into(), validity)?.to_utf8view()
}

/// The bytes of all texts together, if everything is as it should be and ASCII.
fn plain(views: &[View], buffers: &[Buffer<u8>]) -> Option<usize> {
    let views: Vec<&[View]> = views.chunks(PART / size_of::<View>()).collect();
    let bytes: Vec<&[u8]> = buffers.iter().flat_map(|buffer| buffer.chunks(PART)).collect();
    let parts = views.len() + bytes.len();
    let threads = if parts < MANY { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let look = |part: usize| match views.get(part) {
        Some(views) => shown(views, buffers),
        None => bytes[part - views.len()].is_ascii().then_some(0),
    };
    in_parallel(parts, threads, |part| Ok(look(part))).ok()?.into_iter().sum()
}

/// The bytes that views show, if all of them are there and begin as the views say; of short texts, which lie in the views, if they are ASCII.
fn shown(views: &[View], buffers: &[Buffer<u8>]) -> Option<usize> {
    const NOT_ASCII: u128 = 0x8080_8080_8080_8080_8080_8080;
    let mut bytes = 0;
    for view in views {
        let length = view.length as usize;
        if view.is_inline() {
            // The length comes first, then the text.
            let text = view.as_u128() >> 32;
            let behind = text.checked_shr(8 * view.length).unwrap_or(0);
            if text & NOT_ASCII != 0 || behind != 0 {
                return None;
            }
        } else {
            let start = view.offset as usize;
            let text = buffers.get(view.buffer_idx as usize)?.get(start..start.checked_add(length)?)?;
            if !text.starts_with(&view.prefix.to_le_bytes()) {
                return None;
            }
        }
        bytes += length;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONG: &str = "sixteen letters!";

    /// Views and buffers of texts, of which every other long one lies in a second buffer.
    fn stored(texts: &[String]) -> (Vec<View>, Vec<Vec<u8>>) {
        let mut buffers = vec![Vec::new(), Vec::new()];
        let views = texts.iter().enumerate().map(|(at, text)| {
            let buffer = &mut buffers[at % 2];
            let offset = buffer.len() as u32;
            if text.len() > View::MAX_INLINE_SIZE as usize {
                buffer.extend(text.as_bytes());
            }
            View::new_from_bytes(text.as_bytes(), at as u32 % 2, offset)
        });
        (views.collect(), buffers)
    }

    fn owned(buffers: Vec<Vec<u8>>) -> Vec<Buffer<u8>> {
        buffers.into_iter().map(Buffer::from).collect()
    }

    /// Both ways agree: on all texts, on their bytes, or that it is refused.
    fn check(views: Vec<View>, buffers: Vec<Vec<u8>>) -> Option<Vec<String>> {
        let (views, buffers) = (Buffer::from(views), owned(buffers));
        let slow = text_by_text(views.clone(), buffers.clone(), None);
        let fast = text(views, buffers, None);
        let read = |array: &Utf8ViewArray| array.values_iter().map(str::to_owned).collect::<Vec<_>>();
        match (fast, slow) {
            (Ok(fast), Ok(slow)) => {
                assert_eq!((read(&fast), fast.total_bytes_len()), (read(&slow), slow.total_bytes_len()));
                assert_eq!((fast.total_buffer_len(), fast.len()), (slow.total_buffer_len(), slow.len()));
                Some(read(&fast))
            }
            (Err(_), Err(_)) => None,
            (fast, slow) => panic!("one way refuses what the other reads: {fast:?} and {slow:?}"),
        }
    }

    #[test]
    fn plain_text_of_every_length_is_read() {
        let texts: Vec<String> = (0..40).map(|length| "a letter or two".chars().cycle().take(length).collect()).collect();
        let (views, buffers) = stored(&texts);
        assert!(plain(&views, &owned(buffers.clone())).is_some());
        assert_eq!(check(views, buffers).expect("sound"), texts);
        assert_eq!(check(Vec::new(), Vec::new()), Some(Vec::new()));
    }

    #[test]
    fn many_parts_are_looked_at_as_one_is() {
        let mut texts: Vec<String> = (0..400_000).map(|at| format!("{at} and {LONG}")).collect();
        let (views, buffers) = stored(&texts);
        assert!(views.len() * size_of::<View>() > MANY * PART / 2 && buffers[0].len() > PART);
        let bytes = texts.iter().map(String::len).sum();
        assert_eq!(plain(&views, &owned(buffers)), Some(bytes));
        // The last one, and not the first part.
        texts[399_999] = "größer als alle anderen Texte".into();
        let (views, buffers) = stored(&texts);
        assert_eq!(plain(&views, &owned(buffers.clone())), None);
        assert_eq!(check(views, buffers).expect("UTF-8").last(), texts.last());
    }

    #[test]
    fn a_validity_of_another_length_is_refused() {
        let (views, buffers) = stored(&[LONG.into(), "short".into()]);
        for (rows, fits) in [(1, false), (2, true), (3, false)] {
            let validity = Some(Bitmap::new_zeroed(rows));
            assert_eq!(text(views.clone().into(), owned(buffers.clone()), validity).is_ok(), fits, "{rows}");
        }
    }

    /// A view, and whether it is sound beside one of [`LONG`].
    #[test]
    fn views_that_lie_are_refused() {
        let sound = View::new_from_bytes(LONG.as_bytes(), 0, 0);
        let short = View::new_from_bytes(b"short", 0, 0);
        let lies = [
            View { offset: 1, ..sound },
            View { offset: u32::MAX, ..sound },
            View { length: 17, ..sound },
            View { length: u32::MAX, ..sound },
            View { buffer_idx: 1, ..sound },
            View { prefix: sound.prefix ^ 1, ..sound },
            View { offset: 1, ..short },
            View { length: 4, ..short },
            View { prefix: short.prefix | 0x80, ..short },
        ];
        for lie in lies {
            assert_eq!(check(vec![sound, lie], vec![LONG.into()]), None, "{lie:?}");
        }
        for truth in [sound, short, View { length: 15, ..sound }, View::new_from_bytes("größer".as_bytes(), 0, 0)] {
            assert!(check(vec![sound, truth], vec![LONG.into()]).is_some(), "{truth:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn both_ways_agree(
            texts in prop::collection::vec(prop_oneof!["[ -~]{0,30}", "[a-zäß€😀]{0,20}"], 1..20),
            harm in prop::option::of((any::<prop::sample::Index>(), 0..16usize, any::<u8>())),
            hurt in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let (mut views, mut buffers) = stored(&texts);
            if let Some((at, byte, value)) = harm {
                let at = at.index(views.len());
                let mut bytes = views[at].as_u128().to_le_bytes();
                bytes[byte] = value;
                let part = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
                views[at] = View { length: part(0), prefix: part(4), buffer_idx: part(8), offset: part(12) };
            }
            if let Some((at, value)) = hurt && !buffers[0].is_empty() {
                let at = at.index(buffers[0].len());
                buffers[0][at] = value;
            }
            let found = check(views, buffers);
            prop_assert!(harm.is_some() || hurt.is_some() || found == Some(texts));
        }
    }
}
