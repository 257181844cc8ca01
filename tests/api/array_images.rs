//! Images as arrays on every executor: stacks of grey, coloured and paged ones as Pillow and tifffile wrote them
//! (tests/numpy/image_files.py), and what is refused before a task is sent.

use super::arrays::check;
use partita::ndarray::{Array, ArrayD, Axis};
use partita::prelude::*;
use partita::{AnyArray, Code, Element};

fn fixture(name: &str) -> String {
    format!("{}/tests/numpy/images/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Pictures of these numbers, one after the other.
fn counted<T: Element>(numbers: &[usize], shape: &[usize], of: impl Fn(usize) -> T) -> ArrayD<T> {
    let len: usize = shape.iter().product();
    let elements = numbers.iter().flat_map(|number| (0..len).map(move |at| (at + 7 * number) % 256)).map(of).collect();
    Array::from_shape_vec([&[numbers.len()], shape].concat(), elements).unwrap()
}

#[test]
fn one_chunk_for_each_file() {
    let grey = DArray::<u8>::read_images(fixture("grey-*.png")).unwrap();
    assert_eq!(grey.chunks().unwrap(), [vec![1, 1, 1], vec![4], vec![6]]);
    check(&grey, counted(&[8, 9, 10], &[4, 6], |element| element as u8));
    check(&DArray::<u8>::read_images(fixture("rgb-?.png")).unwrap(), counted(&[0, 1], &[4, 6, 3], |element| element as u8));
    check(
        &DArray::<u16>::read_images(fixture("deep-[01].png")).unwrap(),
        counted(&[0, 1], &[4, 6], |element| (element * 257 % 32768) as u16),
    );
    let pages = DArray::<u16>::read_images(fixture("pages-*.tif")).unwrap();
    assert_eq!(pages.chunks().unwrap(), [vec![1, 1], vec![3], vec![4], vec![6]]);
    check(&pages, counted(&[0, 1], &[3, 4, 6], |element| (element * 257 % 32768) as u16));
    // A stack is an array like any other.
    check(&(&grey.rechunk([2, 4, 3]).max_axis(0) - 3u8), counted(&[10], &[4, 6], |element| element as u8 - 3).index_axis_move(Axis(0), 0));
}

#[test]
fn a_kind_that_is_known_at_run_time_only() {
    let any = AnyArray::read_images(fixture("float-6.tif")).unwrap();
    assert_eq!((any.dtype().unwrap(), any.shape().unwrap()), (DType::F32, vec![1, 4, 6]));
    check(&any.typed::<f32>().unwrap(), counted(&[6], &[4, 6], |element| (element * 257 % 32768) as f32));
    assert_eq!(AnyArray::read_images(fixture("signed-5.tif")).unwrap().dtype().unwrap(), DType::I16);
}

#[track_caller]
fn refused(pattern: &str, code: Code, words: &[&str]) {
    let error = DArray::<u8>::read_images(pattern).expect_err("it should be refused");
    let text = error.to_string();
    assert_eq!(error.code, code, "{text}");
    assert!(words.iter().chain(&["array_images.rs:"]).all(|word| text.contains(word)), "{words:?} are not all in:\n{text}");
}

#[test]
fn refusals_name_the_file_and_the_users_line() {
    refused(&fixture("deep-*.png"), Code::TypeMismatch, &["u16", "DArray::<u16>::read_images(", ".cast::<u8>()"]);
    refused(&fixture("gray-*.png"), Code::NoMatch, &["gray-*.png"]);
    refused(&fixture("grey-8.pngg"), Code::NoSuchFile, &["did you mean", "grey-8.png"]);
    refused(&fixture(""), Code::IsDirectory, &["*.png"]);
    refused(&fixture("*-[89].*"), Code::SchemaMismatch, &["channels-9.tif", "grey-8.png", "[4, 6, 7] of u16"]);
    refused(&fixture("*.npy"), Code::Damaged, &["grey.npy", "PNG, JPEG or TIFF"]);
    refused(&fixture("half.tif"), Code::Unsupported, &["half.tif", "Gray(16)"]);
}
