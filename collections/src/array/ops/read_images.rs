//! `read_images`: PNG, JPEG and TIFF files as one array.

use std::ffi::OsStr;

use partita_graph::{Failure, Origin};
use partita_io::images;

use crate::array::files::{ReadArray, Source, array_failure, of_kind};
use crate::array::meta::Cuts;
use crate::array::{AnyArray, DArray, Element};

impl<T: Element> DArray<T> {
    /// Images as a lazy array along a new first axis, one chunk for each file: shape (n, height, width) of grey ones, (n, height, width,
    /// channels) of coloured ones. One name or a pattern; local or `s3:// gs:// az:// http(s):// memory://`. A pattern's files come in the
    /// order of their names, numbers by value: `frame-9.png` before `frame-10.png`.
    ///
    /// PNG, JPEG and TIFF are understood, whatever names end in. Elements are as they are stored: `u8` or `u16`, in TIFF also wider ones,
    /// signed ones and floats. Palettes of PNG become colours, and what a picture says about how to turn it is left alone. A TIFF file of
    /// several pages has one more axis: (n, pages, height, width). Only headers are read here, those of all files.
    ///
    /// ```
    /// use partita::prelude::*;
    /// # let frames = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy/images/grey-*.png");
    /// let x = DArray::<u8>::read_images(frames)?;
    /// assert_eq!((x.shape()?, x.chunks()?[0].clone()), (vec![3, 4, 6], vec![1, 1, 1]));
    /// let brightness = x.mean_axis([1, 2]).compute()?;
    /// assert_eq!(brightness.into_iter().collect::<Vec<_>>(), [67.5, 74.5, 81.5]);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// Here, before any task is sent: no file of this name or pattern, a file that is no image, one of another shape or kind than the first
    /// one, elements of another kind than `T`, colours or widths of elements that arrays cannot hold.
    #[doc(alias = "imread")]
    #[track_caller]
    pub fn read_images(pattern: impl AsRef<OsStr>) -> Result<DArray<T>, Failure> {
        let origin = Origin::here("read_images(…)");
        of_kind(open(pattern.as_ref(), &origin)?, "read_images", pattern.as_ref(), &origin)
    }
}

impl AnyArray {
    /// Images as an array, whatever their elements are; see [`DArray::read_images`].
    ///
    /// # Errors
    /// As [`DArray::read_images`], but for the kind.
    #[track_caller]
    pub fn read_images(pattern: impl AsRef<OsStr>) -> Result<AnyArray, Failure> {
        open(pattern.as_ref(), &Origin::here("read_images(…)"))
    }
}

fn open(pattern: &OsStr, origin: &Origin) -> Result<AnyArray, Failure> {
    let images = images::open(&pattern.to_string_lossy());
    let images = images.map_err(|error| array_failure(error, "read_images").origin(Some(origin)))?;
    let along = vec![1; images.names().count()];
    let cuts = [Cuts::Known(along.into())].into_iter().chain(images.shape().iter().map(|len| Cuts::whole(*len))).collect();
    ReadArray::open(Source::Images(images), cuts, origin.clone())
}
