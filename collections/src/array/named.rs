//! Axes with names, one letter each: how the axes of several arrays that have one name are cut together.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use partita_graph::{Code, Failure};

use super::broadcast::broadcast;
use super::meta::{Cuts, Meta};

/// Names of axes that dots stand for, which nobody can write.
pub(super) const DOTS: RangeInclusive<char> = '\u{E000}'..='\u{F8FF}';

/// Names of axes for people: those that dots stand for as dots.
pub(super) fn shown(names: &[char]) -> String {
    let are_dots = |a: &char, b: &char| DOTS.contains(a) && DOTS.contains(b);
    let text = |run: &[char]| if DOTS.contains(&run[0]) { "...".to_owned() } else { run.iter().collect::<String>() };
    names.chunk_by(are_dots).map(text).collect()
}

/// The cuts along the axes of each name. Fails when names do not fit the arrays, or axes of one name are of different lengths.
pub(super) fn named_cuts(names: &[Vec<char>], inputs: &[&Meta]) -> Result<BTreeMap<char, Cuts>, Failure> {
    let mut named: BTreeMap<char, Vec<Meta>> = BTreeMap::new();
    for (meta, names) in inputs.iter().zip(names) {
        let twice = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
        if names.len() != meta.ndim() || twice {
            let what = format!("the names \"{}\" for an array of shape {}", shown(names), meta.show_shape());
            return Err(Failure::new(Code::ShapeMismatch, what).help("one letter for each axis, none of them twice"));
        }
        for (name, cuts) in names.iter().zip(&meta.cuts) {
            named.entry(*name).or_default().push(Meta { dtype: meta.dtype, cuts: vec![cuts.clone()] });
        }
    }
    let mut found = BTreeMap::new();
    for (name, metas) in named {
        if metas.iter().any(|meta| meta.lens() != metas[0].lens()) {
            let shapes: Vec<String> = inputs.iter().map(|meta| meta.show_shape()).collect();
            let what = format!("axes `{}` of arrays of shapes {} are of different lengths", shown(&[name]), shapes.join(" and "));
            return Err(Failure::new(Code::ShapeMismatch, what));
        }
        let cuts = broadcast(&metas.iter().collect::<Vec<_>>())?;
        found.extend(cuts.into_iter().map(|cuts| (name, cuts)));
    }
    Ok(found)
}

/// The cuts along axes of these names. Fails for a name that no array has.
pub(super) fn cuts_by_name(names: &[char], named: &BTreeMap<char, Cuts>) -> Result<Vec<Cuts>, Failure> {
    let cuts = |name: &char| {
        let none = || Failure::new(Code::InvalidOption, format!("no array has an axis `{}`, which the result is to have", shown(&[*name])));
        named.get(name).cloned().ok_or_else(none)
    };
    names.iter().map(cuts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::element::DType;

    #[test]
    fn what_nobody_can_write_nobody_reads() {
        let dots: Vec<char> = DOTS.take(2).collect();
        assert_eq!(shown(&[&['b'][..], &dots, &['i', 'j']].concat()), "b...ij");
        assert_eq!((shown(&dots[1..]), shown(&[])), ("...".into(), String::new()));
    }

    #[test]
    fn axes_of_one_name_are_cut_together() {
        let meta = |cuts: &[&[usize]]| Meta { dtype: DType::F64, cuts: cuts.iter().map(|sizes| Cuts::Known((*sizes).into())).collect() };
        let (a, b) = (meta(&[&[2], &[1, 3]]), meta(&[&[2, 2]]));
        let names = [vec!['i', 'j'], vec!['j']];
        let named = named_cuts(&names, &[&a, &b]).expect("they fit");
        assert_eq!(cuts_by_name(&['j', 'i'], &named).expect("known"), meta(&[&[1, 1, 2], &[2]]).cuts);
        assert_eq!(cuts_by_name(&['k'], &named).expect_err("unknown").code, Code::InvalidOption);
        assert_eq!(named_cuts(&names, &[&a, &meta(&[&[5]])]).expect_err("longer").code, Code::ShapeMismatch);
        assert_eq!(named_cuts(&[vec!['i', 'i']], &[&a]).expect_err("twice").code, Code::ShapeMismatch);
    }
}
