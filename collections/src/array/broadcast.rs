//! How arrays of different shapes and chunks fit together elementwise: axes are compared from the last one on, a length of 1 fits every
//! other, and where chunks differ the result has every cut that any of them has.

use partita_graph::{Code, Failure};

use super::meta::{Cuts, Meta, bounds, unknown_sizes};

/// The cuts of what comes of these arrays together.
pub(super) fn broadcast(metas: &[&Meta]) -> Result<Vec<Cuts>, Failure> {
    let ndim = metas.iter().map(|meta| meta.ndim()).max().unwrap_or(0);
    (0..ndim).map(|axis| along(metas, ndim, axis)).collect()
}

/// The cuts of one axis of the result.
fn along(metas: &[&Meta], ndim: usize, axis: usize) -> Result<Cuts, Failure> {
    let own = metas.iter().filter_map(|meta| (axis + meta.ndim()).checked_sub(ndim).map(|own| &meta.cuts[own]));
    let mut found: Option<Cuts> = None;
    for cuts in own.filter(|cuts| cuts.len() != Some(1)) {
        found = Some(match found {
            None => cuts.clone(),
            Some(known) => both(&known, cuts, axis).map_err(|failure| failure.unwrap_or_else(|| mismatch(metas)))?,
        });
    }
    Ok(found.unwrap_or_else(|| Cuts::whole(1)))
}

/// The cuts that two have together; `Err(None)` when they are of different lengths.
fn both(a: &Cuts, b: &Cuts, axis: usize) -> Result<Cuts, Option<Failure>> {
    if a == b {
        return Ok(a.clone());
    }
    // Where the sizes of both are unknown, blocks of as many chunks belong together; tasks see whether they are as long as each other.
    let (Some(a_sizes), Some(b_sizes)) = (a.sizes(), b.sizes()) else { return Err(Some(unknown_sizes(axis))) };
    if a.len() != b.len() {
        return Err(None);
    }
    let mut ends = [bounds(a_sizes), bounds(b_sizes)].concat();
    ends.sort_unstable();
    ends.dedup();
    match ends.len() {
        1 => Ok(Cuts::whole(0)),
        _ => Ok(Cuts::Known(ends.windows(2).map(|pair| pair[1] - pair[0]).collect())),
    }
}

/// The failure for arrays that do not fit together.
fn mismatch(metas: &[&Meta]) -> Failure {
    let shapes: Vec<String> = metas.iter().map(|meta| meta.show_shape()).collect();
    Failure::new(Code::ShapeMismatch, format!("shapes {} do not fit together", shapes.join(" and ")))
        .help("shapes are compared from their last axes on; equal lengths fit, and 1 fits every length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::DType;

    fn meta(cuts: &[&[usize]]) -> Meta {
        Meta { dtype: DType::F64, cuts: cuts.iter().map(|sizes| Cuts::Known((*sizes).into())).collect() }
    }

    fn check(arrays: &[&[&[usize]]], expected: Result<&[&[usize]], Code>) {
        let metas: Vec<Meta> = arrays.iter().map(|cuts| meta(cuts)).collect();
        let metas: Vec<&Meta> = metas.iter().collect();
        let found = broadcast(&metas).map_err(|failure| failure.code);
        assert_eq!(found, expected.map(|cuts| meta(cuts).cuts));
    }

    #[test]
    fn shapes_fit_or_do_not() {
        check(&[&[&[2, 3], &[4]], &[&[4]]], Ok(&[&[2, 3], &[4]]));
        check(&[&[&[2, 3]], &[&[5]]], Ok(&[&[2, 3]]));
        check(&[&[&[2, 3]], &[&[1, 4]]], Ok(&[&[1, 1, 3]]));
        check(&[&[&[1], &[3, 3]], &[&[4, 4], &[1]]], Ok(&[&[4, 4], &[3, 3]]));
        check(&[&[], &[&[2, 2]]], Ok(&[&[2, 2]]));
        check(&[&[&[0]], &[&[1]]], Ok(&[&[0]]));
        check(&[&[&[0, 3]], &[&[3]]], Ok(&[&[3]]));
        check(&[&[&[0, 0]], &[&[0]]], Ok(&[&[0]]));
        check(&[&[&[2, 3]], &[&[4]]], Err(Code::ShapeMismatch));
        check(&[&[&[0]], &[&[2]]], Err(Code::ShapeMismatch));
    }

    #[test]
    fn unknown_sizes_fit_their_like_only() {
        let unknown = |count: u32| Meta { dtype: DType::F64, cuts: vec![Cuts::Unknown(count)] };
        let code = |a: &Meta, b: &Meta| broadcast(&[a, b]).map_err(|failure| failure.code);
        assert_eq!(code(&unknown(2), &unknown(2)), Ok(vec![Cuts::Unknown(2)]));
        assert_eq!(code(&unknown(2), &meta(&[&[1]])), Ok(vec![Cuts::Unknown(2)]));
        assert_eq!(code(&unknown(2), &unknown(3)), Err(Code::UnknownSizes));
        assert_eq!(code(&unknown(2), &meta(&[&[2, 2]])), Err(Code::UnknownSizes));
    }
}
