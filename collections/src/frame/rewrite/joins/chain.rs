//! A chain of inner joins as what it joins and which columns must be equal, and a chain made of that in another order.
//!
//! It refuses to estimate. Invariant: columns that are equal by the keys hold the very same values, so that any of them stands for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{Expr, PlSmallStr};

use super::cost::{Costs, Tree};
use crate::frame::DFrame;
use crate::frame::join::{Join, step::JoinStep};
use crate::frame::ops::select::Select;
use crate::frame::rewrite::shared::Shared;
use crate::frame::shuffle::named;

/// A column of one of the frames that are joined.
pub(super) type Place = (usize, PlSmallStr);

/// Columns of a result by name, and where they come from.
type Columns = Vec<(PlSmallStr, Place)>;

/// What is joined how.
pub(super) struct Chain {
    /// The frames that are joined, as they were written from left to right.
    pub leaves: Vec<DFrame>,
    /// For each column that is a key the number of those that are equal to it.
    pub classes: BTreeMap<Place, usize>,
    columns: Columns,
    written: Tree,
}

/// Whether a step only picks and renames columns.
pub(super) fn is_pick(frame: &DFrame) -> bool {
    frame.node().step.picked().is_some() && frame.node().inputs.len() == 1
}

/// Collects what a chain is made of.
struct Walk<'a> {
    shared: &'a Shared,
    leaves: Vec<DFrame>,
    equal: Vec<(Place, Place)>,
}

impl Walk<'_> {
    /// Whether a frame is a link of the chain, perhaps under steps that pick columns.
    fn goes_on(&self, frame: &DFrame) -> bool {
        let node = frame.node();
        !self.shared.holds(frame) && (node.step.link().is_some() || (is_pick(frame) && self.goes_on(&node.inputs[0])))
    }

    fn link(&mut self, frame: &DFrame) -> Option<(Columns, Tree)> {
        let node = frame.node();
        let link = node.step.link()?;
        let (left, of_left) = self.any(&node.inputs[0])?;
        let (right, of_right) = self.any(&node.inputs[1])?;
        for (l, r) in &link.on {
            self.equal.push((find(&left, l)?, find(&right, r)?));
        }
        let columns =
            link.columns.iter().map(|(name, is_left, source)| Some((name.clone(), find(if *is_left { &left } else { &right }, source)?)));
        Some((columns.collect::<Option<_>>()?, Tree::Join(Box::new(of_left), Box::new(of_right))))
    }

    fn any(&mut self, frame: &DFrame) -> Option<(Columns, Tree)> {
        if !self.goes_on(frame) {
            let at = self.leaves.len();
            self.leaves.push(frame.clone());
            let columns = frame.resolved().ok()?.iter_names().map(|name| (name.clone(), (at, name.clone())));
            return Some((columns.collect(), Tree::Leaf(at)));
        }
        match frame.node().step.picked() {
            None => self.link(frame),
            Some(picked) => {
                let (below, tree) = self.any(&frame.node().inputs[0])?;
                let columns = picked.into_iter().map(|(new, old)| Some((new, find(&below, &old)?)));
                Some((columns.collect::<Option<_>>()?, tree))
            }
        }
    }
}

fn find(columns: &Columns, name: &PlSmallStr) -> Option<Place> {
    columns.iter().find(|(other, _)| other == name).map(|(_, place)| place.clone())
}

impl Chain {
    /// The chain whose last join is this frame, if it has at least three frames and each column of one of them is equal to at most one of
    /// each other.
    pub fn of(top: &DFrame, shared: &Shared) -> Option<Self> {
        let mut walk = Walk { shared, leaves: Vec::new(), equal: Vec::new() };
        let (columns, written) = walk.link(top)?;
        let classes = classes(&walk.equal);
        let mut seen: Vec<(usize, usize)> = classes.iter().map(|((leaf, _), class)| (*leaf, *class)).collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        (walk.leaves.len() >= 3 && seen.len() == all).then_some(Self { leaves: walk.leaves, classes, columns, written })
    }

    /// The chain in a better order, if one is found; `made` says what became of its frames.
    pub fn reordered(&self, top: &DFrame, made: impl Fn(&DFrame) -> DFrame) -> Option<DFrame> {
        let leaves: Vec<DFrame> = self.leaves.iter().map(made).collect();
        let order = Costs::of(&leaves, &self.classes)?.better_than(&self.written)?;
        let joined = self.joined(&leaves, &order, top)?;
        // What does not fit is left as it was written.
        (joined.resolved().ok()? == top.resolved().ok()?).then_some(joined)
    }

    /// The frames joined one after the other.
    fn joined(&self, leaves: &[DFrame], order: &[usize], top: &DFrame) -> Option<DFrame> {
        let names = self.names(leaves)?;
        let origin = &top.node().origin;
        let leaf = |at: usize| {
            let own: Vec<&PlSmallStr> = leaves[at].resolved().ok()?.iter_names().collect();
            let exprs: Vec<Expr> = own.iter().map(|name| renamed(name, &names[&(at, (*name).clone())])).collect();
            let plain = exprs.iter().all(|expr| matches!(expr, Expr::Column(_)));
            Some(if plain { leaves[at].clone() } else { leaves[at].rebuilt(Arc::new(Select { exprs }), vec![leaves[at].clone()]) })
        };
        let of_leaf = |at: usize| self.classes.range((at, PlSmallStr::EMPTY)..(at + 1, PlSmallStr::EMPTY));
        // For each class under which name it is there.
        let mut there: BTreeMap<usize, PlSmallStr> = BTreeMap::new();
        let (first, rest) = order.split_first()?;
        let mut joined = leaf(*first)?;
        of_leaf(*first).for_each(|(place, class)| drop(there.insert(*class, names[place].clone())));
        for at in rest {
            let pairs = of_leaf(*at).filter_map(|(place, class)| Some((there.get(class)?.clone(), names[place].clone())));
            let (left, right): (Vec<_>, Vec<_>) = pairs.unzip();
            let next = leaf(*at)?;
            let join = Join::inner(named(left)).right_on(named(right));
            let step = JoinStep::new(&joined, &next, join, ".join(…)").ok()?;
            joined = DFrame::build(Arc::new(step), vec![joined, next], origin.clone());
            for (place, class) in of_leaf(*at) {
                there.entry(*class).or_insert_with(|| names[place].clone());
            }
        }
        let exprs = self.columns.iter().map(|(name, place)| {
            let own = self.classes.get(place).map_or_else(|| names.get(place), |class| there.get(class))?;
            Some(renamed(own, name))
        });
        let exprs: Vec<Expr> = exprs.collect::<Option<_>>()?;
        Some(DFrame::build(Arc::new(Select { exprs }), vec![joined], origin.clone()))
    }

    /// A name for each column of each frame: its own, unless another one that is not equal to it has that already.
    fn names(&self, leaves: &[DFrame]) -> Option<BTreeMap<Place, PlSmallStr>> {
        let mut taken: BTreeMap<PlSmallStr, Option<usize>> = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (at, leaf) in leaves.iter().enumerate() {
            for name in leaf.resolved().ok()?.iter_names() {
                let place = (at, name.clone());
                let class = self.classes.get(&place).copied();
                let free = match taken.get(name) {
                    None => true,
                    // Where both meet the right one is a key and goes.
                    Some(other) => class.is_some() && *other == class,
                };
                // Users cannot have such a name by accident.
                let own = if free { name.clone() } else { format!("{name}\u{1}{at}").into() };
                taken.insert(own.clone(), class);
                names.insert(place, own);
            }
        }
        Some(names)
    }
}

fn renamed(name: &PlSmallStr, new: &PlSmallStr) -> Expr {
    let column = Expr::Column(name.clone());
    if name == new { column } else { column.alias(new.clone()) }
}

/// Columns that are equal, directly or through others, have one number.
fn classes(equal: &[(Place, Place)]) -> BTreeMap<Place, usize> {
    let mut classes: BTreeMap<Place, usize> = BTreeMap::new();
    for (number, (a, b)) in equal.iter().enumerate() {
        let both = [classes.get(a).copied(), classes.get(b).copied()];
        let class = both.into_iter().flatten().min().unwrap_or(number);
        for other in both.into_iter().flatten() {
            classes.values_mut().filter(|one| **one == other).for_each(|one| *one = class);
        }
        classes.insert(a.clone(), class);
        classes.insert(b.clone(), class);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_to_the_same_is_equal() {
        let place = |leaf: usize, name: &str| (leaf, PlSmallStr::from(name));
        let classes = classes(&[
            (place(0, "a"), place(1, "a")),
            (place(2, "b"), place(3, "b")),
            (place(4, "c"), place(0, "c")),
            (place(1, "a"), place(3, "b")),
        ]);
        let of = |leaf: usize, name: &str| classes[&place(leaf, name)];
        assert_eq!([of(0, "a"), of(1, "a"), of(2, "b"), of(3, "b")], [0; 4]);
        assert_eq!(of(4, "c"), of(0, "c"));
        assert_ne!(of(4, "c"), 0);
    }
}
