//! How one group of axes is cut so that every block is one stretch of the group's elements in row-major order, before and after.
//!
//! It refuses to know arrays and layers. The invariant: what [`way`] gives has as many blocks before as after, in the same order and of
//! the same numbers of elements.
//!
//! A block is a stretch when, for some axis, all axes before it are cut to single places and all behind it are whole.

use crate::array::meta::Cuts;

/// How a group gets its new axes.
#[derive(Debug, PartialEq)]
pub(super) enum Way {
    /// Cut like this before, it is cut like that afterwards.
    Once {
        /// Along the old axes.
        from: Vec<Cuts>,
        /// Along the new axes.
        to: Vec<Cuts>,
    },
    /// No cutting suits both: by way of a single axis, which is cut anew.
    Twice {
        /// Along the old axes.
        from: Vec<Cuts>,
        /// Of the single axis at first.
        flat: Cuts,
        /// Of the single axis then.
        again: Cuts,
        /// Along the new axes.
        to: Vec<Cuts>,
    },
}

/// The way from old axes, which are cut like this, to new ones. Lengths are not zero.
pub(super) fn way(old: &[usize], cuts: &[&[usize]], new: &[usize]) -> Way {
    let known = |cuts: Vec<Vec<usize>>| cuts.into_iter().map(|sizes| Cuts::Known(sizes.into())).collect::<Vec<Cuts>>();
    if let ([_], [_]) = (old, new) {
        let same = known(cuts.iter().map(|sizes| sizes.to_vec()).collect());
        return Way::Once { from: same.clone(), to: same };
    }
    // Blocks stay about as large as they are.
    let aim: usize = cuts.iter().map(|sizes| sizes.iter().max().copied().unwrap_or(1)).product::<usize>().max(1);
    let mut tries: Vec<Vec<usize>> = flattened(cuts).into_iter().collect();
    tries.extend(multiples(old, new, aim));
    tries.extend([chosen(old, aim), chosen(new, aim)]);
    for flat in &tries {
        if let (Some(from), Some(to)) = (folded(old, flat), folded(new, flat)) {
            return Way::Once { from: known(from), to: known(to) };
        }
    }
    let first = flattened(cuts).filter(|flat| folded(old, flat).is_some()).unwrap_or_else(|| chosen(old, aim));
    let second = chosen(new, aim);
    let axes = |shape: &[usize], flat: &[usize]| known(folded(shape, flat).expect("it was chosen so that it can be folded"));
    Way::Twice { from: axes(old, &first), to: axes(new, &second), flat: Cuts::Known(first.into()), again: Cuts::Known(second.into()) }
}

/// The lengths of stretches, if blocks that are cut like this are stretches already.
fn flattened(cuts: &[&[usize]]) -> Option<Vec<usize>> {
    // The first axis that is not cut to single places.
    let at = cuts.iter().position(|sizes| sizes.iter().any(|size| *size != 1)).unwrap_or(cuts.len().checked_sub(1)?);
    if cuts[at + 1..].iter().any(|sizes| sizes.len() > 1) {
        return None;
    }
    let before: usize = cuts[..at].iter().map(|sizes| sizes.len()).product();
    let behind: usize = cuts[at + 1..].iter().map(|sizes| sizes.iter().sum::<usize>()).product();
    Some(std::iter::repeat_n(cuts[at], before).flatten().map(|size| size * behind).collect())
}

/// Stretches of about `aim` elements that suit both, cutting first axes only.
fn multiples(old: &[usize], new: &[usize], aim: usize) -> Option<Vec<usize>> {
    let behind = |shape: &[usize]| shape.iter().skip(1).product::<usize>();
    let (a, b) = (behind(old), behind(new));
    let unit = a / common_divisor(a, b) * b;
    let all: usize = old.iter().product();
    (unit <= aim && all.is_multiple_of(unit)).then(|| even(all, aim / unit * unit))
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Pieces of `size`, the last as long as is left.
fn even(len: usize, size: usize) -> Vec<usize> {
    (0..len).step_by(size.max(1)).map(|start| size.min(len - start)).collect()
}

/// Stretches of about `aim` elements of such axes: the first axis behind which no more lie is cut, those before it to single places.
fn chosen(shape: &[usize], aim: usize) -> Vec<usize> {
    let behind = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let at = (0..shape.len()).find(|axis| behind(*axis) <= aim).unwrap_or(0);
    let Some(len) = shape.get(at) else { return vec![1] };
    let once: Vec<usize> = even(*len, aim / behind(at)).into_iter().map(|size| size * behind(at)).collect();
    once.repeat(shape[..at].iter().product())
}

/// The cuts along such axes whose blocks are stretches of these lengths, if there are any.
fn folded(shape: &[usize], flat: &[usize]) -> Option<Vec<Vec<usize>>> {
    if shape.is_empty() {
        return (flat.len() == 1).then(Vec::new);
    }
    (0..shape.len()).find_map(|at| {
        let before: usize = shape[..at].iter().product();
        let behind: usize = shape[at + 1..].iter().product();
        if !flat.len().is_multiple_of(before) {
            return None;
        }
        let pattern = &flat[..flat.len() / before];
        let fits = pattern.iter().sum::<usize>() == shape[at] * behind
            && pattern.iter().all(|size| size.is_multiple_of(behind))
            && flat.chunks(pattern.len()).all(|chunk| chunk == pattern);
        fits.then(|| {
            let single = shape[..at].iter().map(|len| vec![1; *len]);
            let cut = std::iter::once(pattern.iter().map(|size| size / behind).collect::<Vec<usize>>());
            single.chain(cut).chain(shape[at + 1..].iter().map(|len| vec![*len])).collect()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cuts: &[&[usize]]) -> Vec<Cuts> {
        cuts.iter().map(|sizes| Cuts::Known((*sizes).into())).collect()
    }

    #[test]
    fn stretches_are_seen() {
        assert_eq!(flattened(&[&[2, 1], &[4]]), Some(vec![8, 4]));
        assert_eq!(flattened(&[&[1, 1], &[3, 1]]), Some(vec![3, 1, 3, 1]));
        assert_eq!(flattened(&[&[2], &[2, 2]]), None);
        assert_eq!(flattened(&[&[1, 1], &[1, 1, 1]]), Some(vec![1; 6]));
        assert_eq!(flattened(&[]), None);
        assert_eq!(folded(&[3, 4], &[8, 4]), Some(vec![vec![2, 1], vec![4]]));
        assert_eq!(folded(&[2, 4], &[3, 1, 3, 1]), Some(vec![vec![1, 1], vec![3, 1]]));
        assert_eq!(folded(&[2, 4], &[3, 5]), None);
        assert_eq!(folded(&[], &[1]), Some(vec![]));
        assert_eq!(chosen(&[10, 10], 30), [30, 30, 30, 10]);
        assert_eq!(chosen(&[2, 10], 5), [5, 5, 5, 5]);
        assert_eq!(multiples(&[6, 4], &[8, 3], 12), Some(vec![12, 12]));
        assert_eq!(multiples(&[6, 4], &[8, 3], 11), None);
    }

    #[test]
    fn nothing_moves_where_blocks_are_stretches() {
        let rows: [&[usize]; 2] = [&[2, 4], &[5]];
        assert_eq!(way(&[6, 5], &rows, &[30]), Way::Once { from: known(&rows), to: known(&[&[10, 20]]) });
        let line: [&[usize]; 1] = [&[10, 20]];
        assert_eq!(way(&[30], &line, &[6, 5]), Way::Once { from: known(&line), to: known(&[&[2, 4], &[5]]) });
    }

    /// Both sides have the same stretches.
    fn check(old: &[usize], cuts: &[&[usize]], new: &[usize]) {
        let sizes = |cuts: &[Cuts]| cuts.iter().map(|cuts| cuts.sizes().expect("known").to_vec()).collect::<Vec<_>>();
        let flat = |cuts: &[Cuts]| {
            let sizes = sizes(cuts);
            flattened(&sizes.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap_or_else(|| vec![1])
        };
        let lens = |cuts: &[Cuts]| cuts.iter().map(|cuts| cuts.len().expect("known")).collect::<Vec<_>>();
        let (from, to) = match way(old, cuts, new) {
            Way::Once { from, to } => {
                assert_eq!(flat(&from), flat(&to), "{old:?} {cuts:?} {new:?}");
                (from, to)
            }
            Way::Twice { from, flat: first, again, to } => {
                assert_eq!((flat(&from), flat(&to)), (flat(&[first]), flat(&[again])), "{old:?} {cuts:?} {new:?}");
                (from, to)
            }
        };
        assert_eq!((lens(&from), lens(&to)), (old.to_vec(), new.to_vec()));
    }

    #[test]
    fn every_way_leads_to_the_end() {
        check(&[6, 4], &[&[6], &[2, 2]], &[8, 3]);
        check(&[7, 5], &[&[3, 4], &[2, 3]], &[5, 7]);
        check(&[4, 5, 6], &[&[2, 2], &[5], &[3, 3]], &[120]);
        check(&[120], &[&[7, 53, 60]], &[4, 5, 6]);
        check(&[2, 1000], &[&[1, 1], &[10; 100]], &[1000, 2]);
        check(&[2, 1], &[&[1, 1], &[1]], &[2]);
        check(&[1], &[&[1]], &[]);
        check(&[], &[], &[1]);
        check(&[11, 13], &[&[1; 11], &[13]], &[13, 11]);
    }
}
