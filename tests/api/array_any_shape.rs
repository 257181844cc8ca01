//! What changes the form of arrays and moves their elements, for every kind of element, any shape and any chunks: one property for each
//! operation, against the places on the whole array that elements come from.

use super::array_any::{C64, C128, Choices, Given, Kind, equal, every_kind, every_real_kind, from_places, given, same};
use partita::ndarray::{Array, Array1, ArrayD, ArrayViewD, Axis, Dimension, IxDyn, SliceInfoElem, concatenate as joined, stack as stacked};
use partita::prelude::*;
use partita::{Boundary, Pad, Real, broadcast_arrays, concatenate, dstack, from_blocks, hstack, meshgrid, stack, vstack, where_};
use proptest::prelude::{ProptestConfig, proptest};

/// A slice by start, end and step, and the places along an axis of this length that it names.
fn part(choose: &Choices, len: usize) -> (SliceInfoElem, Vec<usize>) {
    let bound = |at: isize| if at < 0 { (at + len as isize).max(0) } else { at.min(len as isize) } as usize;
    let (start, end) = (choose.within(-7, 8), choose.is().then(|| choose.within(-7, 8)));
    let step = choose.one_of(&[1, 1, 2, 3, -1, -2]);
    let within = bound(start)..end.map_or(len, bound);
    let places: Vec<usize> = match step {
        0.. => within.step_by(step as usize).collect(),
        _ => within.rev().step_by(-step as usize).collect(),
    };
    (SliceInfoElem::Slice { start, end, step }, places)
}

/// Numbers counted from the back, where the case says so: what they mean stays the same.
fn from_either_end(choose: &Choices, places: &[usize], len: usize) -> Vec<isize> {
    places.iter().map(|at| if choose.is() { *at as isize - len as isize } else { *at as isize }).collect()
}

/// What moves elements along one axis.
fn along_an_axis<T: Kind>(given: &Given<T>) {
    let (x, whole, choose) = (given.lazy(), &given.whole, &given.choose);
    if whole.ndim() == 0 {
        return;
    }
    let at = choose.below(whole.ndim());
    let (len, axis) = (whole.shape()[at], if choose.is() { at as isize - whole.ndim() as isize } else { at as isize });
    let picked = |places: &[usize]| whole.select(Axis(at), places);
    same("flip", &x.flip(axis), picked(&(0..len).rev().collect::<Vec<_>>()));
    let shift = choose.within(-9, 10);
    let rolled = |shift: isize| (0..len).map(|to| (to as isize - shift).rem_euclid(len as isize) as usize).collect::<Vec<_>>();
    same("roll", &x.roll(shift as i64, axis), picked(&rolled(shift)));
    same("fftshift", &x.fftshift(axis), picked(&rolled((len / 2) as isize)));
    same("ifftshift", &x.ifftshift(axis), picked(&rolled(-((len / 2) as isize))));
    let times = choose.below(4);
    same("repeat", &x.repeat(times, axis), picked(&(0..len * times).map(|to| to / times).collect::<Vec<_>>()));
    let places = choose.places(len);
    let told = from_either_end(choose, &places, len);
    same("take", &x.take(told.clone(), axis), picked(&places));
    let left: Vec<usize> = (0..len).filter(|place| !places.contains(place)).collect();
    same("delete", &x.delete(told.clone(), axis), picked(&left));
    let told: Array1<i64> = told.iter().map(|place| *place as i64).collect();
    same("take_array", &x.take_array(&given.cut(&told.into_dyn()), axis), picked(&places));
    let before = choose.below(len + 1);
    let inserted: Vec<usize> = (0..before).chain(places.iter().copied()).chain(before..len).collect();
    same("insert", &x.insert(before as isize, &given.cut(&picked(&places)), axis), picked(&inserted));
    let truths = choose.truths(&[len]);
    let kept: Vec<usize> = (0..len).filter(|place| truths[[*place]]).collect();
    same("compress", &x.compress(&given.cut(&truths), axis), picked(&kept));
    let (slice, places) = part(choose, len);
    same("slice_axis", &x.slice_axis(axis, slice), picked(&places));
    if len > 0 {
        let place = choose.below(len);
        same("index_axis", &x.index_axis(axis, place as isize - len as isize), whole.index_axis(Axis(at), place).to_owned());
    }
    let parts = 1 + choose.below(4);
    let mut start = 0;
    for (number, found) in x.split(parts, axis).expect("an axis that is there").iter().enumerate() {
        let end = start + len / parts + usize::from(number < len % parts);
        same("split", found, picked(&(start..end).collect::<Vec<_>>()));
        start = end;
    }
    let turned = picked(&(0..len).rev().collect::<Vec<_>>());
    same("apply_along_axis", &x.apply_along_axis(axis, len, |lane| lane.iter().rev().copied().collect()), turned);
}

/// What gives axes other places, makes new ones, or repeats the array along them.
fn axes<T: Kind>(given: &Given<T>) {
    let (x, whole, choose) = (given.lazy(), &given.whole, &given.choose);
    let (shape, ndim) = (whole.shape(), whole.ndim());
    same("t", &x.t(), whole.clone().reversed_axes());
    same("rechunk", &x.rechunk(choose.chunks(shape)), whole.clone());
    same("rechunk to one", &x.rechunk("auto"), whole.clone());
    same("at_least", &x.at_least(2), (ndim..2).fold(whole.clone(), |whole, _| whole.insert_axis(Axis(0))));
    let new = choose.below(ndim + 1);
    let wide = whole.clone().insert_axis(Axis(new));
    same("expand_dims", &x.expand_dims(new), wide.clone());
    same("squeeze", &x.expand_dims(new).squeeze(new), whole.clone());
    let short = (0..ndim).rev().filter(|axis| shape[*axis] == 1).fold(whole.clone(), |whole, axis| whole.index_axis_move(Axis(axis), 0));
    same("squeeze all", &x.squeeze(Axes::all()), short);
    let longer = |len: &usize| if *len == 1 { choose.below(4) } else { *len };
    let repeated: Vec<usize> = [choose.below(3)].into_iter().chain(shape.iter().map(longer)).collect();
    let repeated_whole = whole.broadcast(IxDyn(&repeated)).expect("it fits").to_owned();
    same("broadcast_to", &x.broadcast_to(repeated.clone()), repeated_whole.clone());
    let both = broadcast_arrays(&[x.clone(), given.cut(&repeated_whole)]).expect("they fit");
    same("broadcast_arrays", &both[0], repeated_whole);
    let times: Vec<usize> = (0..ndim + usize::from(choose.is())).map(|_| choose.below(3)).collect();
    let ahead = times.len() - ndim;
    let lens: Vec<usize> =
        times.iter().enumerate().map(|(axis, times)| times * axis.checked_sub(ahead).map_or(1, |own| shape[own])).collect();
    let tiled = from_places(whole, &lens, |at| at[ahead..].iter().zip(shape).map(|(at, len)| at % len).collect());
    same("tile", &x.tile(&times), tiled);
    if ndim < 2 {
        return;
    }
    let (a, b) = (choose.below(ndim), choose.below(ndim));
    let mut swapped = whole.clone();
    swapped.swap_axes(a, b);
    same("swap_axes", &x.swap_axes(a as isize, b as isize - ndim as isize), swapped.clone());
    let mut order: Vec<usize> = (0..ndim).filter(|axis| *axis != a).collect();
    order.insert(b, a);
    same("move_axis", &x.move_axis(a as isize, b as isize), whole.clone().permuted_axes(order.clone()));
    let backwards = order.iter().map(|axis| *axis as isize - ndim as isize);
    same("transpose", &x.transpose(backwards), whole.clone().permuted_axes(order));
    if a != b {
        let turns = choose.within(-5, 6);
        let mut turned = whole.clone();
        for _ in 0..turns.rem_euclid(4) {
            turned.invert_axis(Axis(b));
            turned.swap_axes(a, b);
        }
        same("rot90", &x.rot90(turns as i64, [a as isize, b as isize]), turned);
    }
}

/// One array of several, and one form for another.
fn joins_and_forms<T: Kind>(given: &Given<T>) {
    let (x, whole, choose) = (given.lazy(), &given.whole, &given.choose);
    let (shape, ndim) = (whole.shape(), whole.ndim());
    let (other, all) = (given.cut(whole), [whole.view(), whole.view(), whole.view()]);
    let three = [x.clone(), other.clone(), x.rechunk(2)];
    let new = choose.below(ndim + 1);
    same("stack", &stack(&three, new as isize), stacked(Axis(new), &all).expect("alike"));
    let at_least = |ndim: usize| (whole.ndim()..ndim).fold(whole.clone(), |whole, _| whole.insert_axis(Axis(0)));
    let twice = |whole: &ArrayD<T>, axis: usize| joined(Axis(axis), &[whole.view(), whole.view()]).expect("alike");
    same("vstack", &vstack(&three[..2]), twice(&at_least(2), 0));
    same("hstack", &hstack(&three[..2]), twice(&at_least(1), usize::from(ndim > 1)));
    let deep = if ndim < 3 { at_least(2).insert_axis(Axis(2)) } else { whole.clone() };
    same("dstack", &dstack(&three[..2]), twice(&deep, 2));
    let table = at_least(2);
    let two = twice(&table, table.ndim() - 1);
    same("from_blocks", &from_blocks(&[&three[..2], &three[1..]]), twice(&two, table.ndim() - 2));
    let flat = ArrayD::from_shape_vec(IxDyn(&[whole.len()]), whole.iter().copied().collect()).expect("as many");
    same("ravel", &x.ravel(), flat.clone());
    same("back", &x.ravel().reshape(shape.iter().map(|len| *len as isize)), whole.clone());
    same("reshape", &x.t().reshape([-1, 1]), whole.t().iter().copied().collect::<Array1<T>>().insert_axis(Axis(1)).into_dyn());
    same("map_blocks", &x.map_blocks(|block, _| block.to_owned()), whole.clone());
    same("map_blocks of another kind", &x.map_blocks(|block, _| block.mapv(|x| x != T::default())), whole.mapv(|x| x != T::default()));
    if ndim == 0 {
        return;
    }
    let axis = choose.below(ndim);
    same("concatenate", &concatenate(&three, axis as isize), joined(Axis(axis), &all).expect("alike"));
    let joined_parts = x.split(2, axis as isize).expect("an axis that is there");
    same("concatenate parts", &concatenate(&joined_parts, axis as isize - ndim as isize), whole.clone());
    // Any two numbers whose product is the number of elements.
    let divisors: Vec<usize> = (1..=whole.len()).filter(|part| whole.len().is_multiple_of(*part)).collect();
    if !divisors.is_empty() {
        let rows = choose.one_of(&divisors);
        let formed = flat.clone().into_shape_with_order(IxDyn(&[rows, whole.len() / rows])).expect("as many");
        same("reshape to a table", &x.reshape([rows as isize, -1]), formed.clone());
        let turned = given.cut(&formed).t().reshape(shape.iter().map(|len| *len as isize));
        let again = formed.t().iter().copied().collect::<Array1<T>>().into_shape_with_order(IxDyn(shape)).expect("as many");
        same("reshape of a turned table", &turned, again);
    }
    let lines = [given.cut(&flat), given.cut(&choose.truths(&[3]).mapv(|truth| T::of([f64::from(u8::from(truth)), 1.0])))];
    let grid = meshgrid(&lines).expect("two lines");
    same("meshgrid", &grid[0], from_places(&flat, &[flat.len(), 3], |at| vec![at[0]]));
}

/// Elements by their places, through masks and slices, and others in their place.
fn places_and_masks<T: Kind>(given: &Given<T>) {
    let (x, whole, choose) = (given.lazy(), &given.whole, &given.choose);
    let (shape, ndim) = (whole.shape(), whole.ndim());
    let mask = choose.truths(shape);
    let lazy_mask = given.cut(&mask);
    let kept: Array1<T> = whole.iter().zip(&mask).filter(|(_, kept)| **kept).map(|(x, _)| *x).collect();
    same("mask", &x.mask(&lazy_mask), kept.into_dyn());
    let other = T::of([3.0, -1.0]);
    let chosen = |at: &ArrayD<T>| Array::from_shape_fn(whole.raw_dim(), |i| if mask[&i] { whole[&i] } else { at[&i] });
    same("where_", &where_(&lazy_mask, &x, other), chosen(&ArrayD::from_elem(whole.raw_dim(), other)));
    let others = whole.mapv(|_| T::of([choose.below(5) as f64, 2.0]));
    same("through a mask", &x.where_(&lazy_mask, given.cut(&others)), chosen(&others));
    let parts: Vec<(SliceInfoElem, Vec<usize>)> = shape.iter().map(|len| part(choose, *len)).collect();
    let slice: Vec<SliceInfoElem> = parts.iter().map(|(part, _)| *part).collect();
    let lens: Vec<usize> = parts.iter().map(|(_, places)| places.len()).collect();
    let within = |at: &[usize]| parts.iter().zip(at).map(|((_, places), at)| places[*at]).collect::<Vec<usize>>();
    same("slice", &x.slice(&slice), from_places(whole, &lens, within));
    let values = from_places(&others, &lens, within);
    let mut replaced = whole.clone();
    values.indexed_iter().for_each(|(at, value)| replaced[IxDyn(&within(at.slice()))] = *value);
    same("with_slice", &x.with_slice(&slice, given.cut(&values)), replaced);
    let mut filled = whole.clone();
    values.indexed_iter().for_each(|(at, _)| filled[IxDyn(&within(at.slice()))] = other);
    same("with_slice of one", &x.with_slice(&slice, other), filled);
    let nonzero: Vec<Vec<usize>> = whole.indexed_iter().filter(|(_, x)| **x != T::default()).map(|(at, _)| at.slice().to_vec()).collect();
    let column = |axis: usize| nonzero.iter().map(|at| at[axis] as i64).collect::<Array1<i64>>().into_dyn();
    let rows = ArrayD::from_shape_fn(IxDyn(&[nonzero.len(), ndim]), |at| nonzero[at[0]][at[1]] as i64);
    same("argwhere", &x.argwhere(), rows);
    x.nonzero().expect("a known shape").iter().enumerate().for_each(|(axis, found)| same("nonzero", found, column(axis)));
    let flat = |at: &[usize]| at.iter().zip(shape).fold(0, |flat, (at, len)| flat * len + at) as i64;
    let flat_places = nonzero.iter().map(|at| flat(at)).collect::<Array1<i64>>().into_dyn();
    same("flatnonzero", &x.flatnonzero(), flat_places.clone());
    if ndim == 0 {
        return;
    }
    if !whole.is_empty() {
        let places = given.cut(&flat_places).unravel_index(shape.to_vec());
        places.iter().enumerate().for_each(|(axis, found)| same("unravel_index", found, column(axis)));
        same("ravel_multi_index", &DArray::ravel_multi_index(&places, shape.to_vec()), flat_places);
    }
    let count = if whole.is_empty() { 0 } else { choose.below(6) };
    let points: Vec<Vec<usize>> = shape.iter().map(|len| (0..count).map(|_| choose.below(*len)).collect()).collect();
    let told: Vec<Vec<isize>> = points.iter().zip(shape).map(|(points, len)| from_either_end(choose, points, *len)).collect();
    let found = from_places(whole, &[count], |at| points.iter().map(|points| points[at[0]]).collect());
    same("vindex", &x.vindex(&told.iter().map(Vec::as_slice).collect::<Vec<_>>()), found.clone());
    let arrays: Vec<DArray<i64>> =
        told.iter().map(|places| given.cut(&places.iter().map(|place| *place as i64).collect::<Array1<i64>>().into_dyn())).collect();
    same("vindex_arrays", &x.vindex_arrays(&arrays.iter().collect::<Vec<_>>()), found);
}

/// Windows and diagonals.
fn windows_and_diagonals<T: Kind>(given: &Given<T>) {
    let (x, whole, choose) = (given.lazy(), &given.whole, &given.choose);
    let (shape, ndim) = (whole.shape(), whole.ndim());
    if ndim == 0 {
        return;
    }
    let axis = choose.below(ndim);
    let width = 1 + choose.below(shape[axis]);
    if shape[axis] > 0 {
        let mut lens = shape.to_vec();
        lens[axis] -= width - 1;
        lens.push(width);
        let view = from_places(whole, &lens, |at| {
            let mut place = at[..ndim].to_vec();
            place[axis] += at[ndim];
            place
        });
        same("sliding_window_view", &x.sliding_window_view(&[(axis as isize, width)]), view);
        let short = shape[axis] / width * width;
        lens.pop();
        lens[axis] = short / width;
        let counts = ArrayD::from_shape_fn(IxDyn(&lens), |at| {
            let within = |step: &usize| {
                let mut place = at.slice().to_vec();
                place[axis] = place[axis] * width + step;
                whole[IxDyn(&place)] != T::default()
            };
            (0..width).filter(within).count() as i64
        });
        let coarse = x
            .slice_axis(axis as isize, ..short as isize)
            .coarsen(&[(axis as isize, width)], |windows, axes| windows.count_nonzero_axis(axes));
        same("coarsen", &coarse, counts);
    }
    if ndim < 2 {
        let k = choose.within(-3, 4);
        let (row, column) = ((-k).max(0) as usize, k.max(0) as usize);
        let n = shape[0] + row + column;
        let on = |at: IxDyn| if at[0] + column == at[1] + row { whole[[at[0] - row]] } else { T::default() };
        let inside = |at: &IxDyn| at[0] >= row && at[0] - row < shape[0];
        same("diag of a line", &x.diag(k), ArrayD::from_shape_fn(IxDyn(&[n, n]), |at| if inside(&at) { on(at) } else { T::default() }));
        return;
    }
    let k = choose.within(-6, 7);
    let below = |at: &IxDyn, k: isize| (at[ndim - 1] as isize) - (at[ndim - 2] as isize) <= k;
    let only =
        |keep: &dyn Fn(&IxDyn) -> bool| ArrayD::from_shape_fn(whole.raw_dim(), |at| if keep(&at) { whole[&at] } else { T::default() });
    same("tril", &x.tril(k), only(&|at| below(at, k)));
    same("triu", &x.triu(k), only(&|at| !below(at, k - 1)));
    let first = axis;
    let second = (axis + 1 + choose.below(ndim - 1)) % ndim;
    let (row, column) = ((-k).max(0) as usize, k.max(0) as usize);
    let others: Vec<usize> = (0..ndim).filter(|axis| ![first, second].contains(axis)).collect();
    let len = shape[first].saturating_sub(row).min(shape[second].saturating_sub(column));
    let lens: Vec<usize> = others.iter().map(|axis| shape[*axis]).chain([len]).collect();
    let diagonal = from_places(whole, &lens, |at| {
        let mut place = vec![0; ndim];
        others.iter().zip(at).for_each(|(axis, at)| place[*axis] = *at);
        (place[first], place[second]) = (at[others.len()] + row, at[others.len()] + column);
        place
    });
    same("diagonal", &x.diagonal(k, first as isize, second as isize), diagonal.clone());
    if ndim == 2 && first == 0 {
        same("diag of a table", &x.diag(k), diagonal);
    }
}

fn forms<T: Kind>(given: &Given<T>) {
    along_an_axis(given);
    axes(given);
    joins_and_forms(given);
    places_and_masks(given);
    windows_and_diagonals(given);
}

/// The place that stands `at` places into an axis of this length, also before its begin and behind its end.
type Beyond = fn(isize, isize) -> isize;

fn mirrored_before(at: isize, len: isize) -> isize {
    let at = at.rem_euclid(2 * len);
    at.min(2 * len - 1 - at)
}

fn mirrored_on(at: isize, len: isize) -> isize {
    if len == 1 {
        return 0;
    }
    let at = at.rem_euclid(2 * len - 2);
    at.min(2 * len - 2 - at)
}

/// The sum of each element and its neighbours along all axes, as far as a block reaches: exact, and the same in any order.
fn neighbours<T: Kind>(block: ArrayViewD<'_, T>, depth: usize) -> ArrayD<f64> {
    Array::from_shape_fn(block.raw_dim(), |at| {
        let around = |(at, len): (&usize, &usize)| at.saturating_sub(depth)..(at + depth + 1).min(*len);
        let within: Vec<_> = at.slice().iter().zip(block.shape()).map(around).collect();
        let slice: Vec<SliceInfoElem> = within.iter().cloned().map(SliceInfoElem::from).collect();
        block.slice(&slice[..]).iter().map(|x| (x.parts()[0] * 16.0).rem_euclid(97.0).round()).sum()
    })
}

/// What stands around arrays: the same for the whole array, with what lies beyond its ends written out.
fn surroundings<T: Kind + Real>(given: &Given<T>) {
    let (x, whole, choose) = (given.lazy(), &given.whole, &given.choose);
    let ndim = whole.ndim();
    let padded = |widths: &[(usize, usize)], beyond: Beyond| {
        let lens: Vec<usize> = whole.shape().iter().zip(widths).map(|(len, (before, behind))| len + before + behind).collect();
        from_places(whole, &lens, |at| {
            let place = |(at, ((before, _), len)): (&usize, (&(usize, usize), &usize))| {
                beyond(*at as isize - *before as isize, *len as isize) as usize
            };
            at.iter().zip(widths.iter().zip(whole.shape())).map(place).collect()
        })
    };
    let framed = |widths: &[(usize, usize)], value: T| {
        let lens: Vec<usize> = whole.shape().iter().zip(widths).map(|(len, (before, behind))| len + before + behind).collect();
        let mut found = ArrayD::from_elem(IxDyn(&lens), value);
        let inside = |((before, _), len): (&(usize, usize), &usize)| SliceInfoElem::from(*before..before + len);
        let slice: Vec<SliceInfoElem> = widths.iter().zip(whole.shape()).map(inside).collect();
        found.slice_mut(&slice[..]).assign(whole);
        found
    };
    let value = T::of([7.0, 0.0]);
    let widths: Vec<(usize, usize)> = (0..ndim).map(|_| (choose.below(8), choose.below(8))).collect();
    if ndim > 0 {
        same("pad by one element", &x.pad(&widths, Pad::Constant(value)), framed(&widths, value));
    }
    if ndim > 0 && !whole.is_empty() {
        same("pad by edges", &x.pad(&widths, Pad::Edge), padded(&widths, |at, len| at.clamp(0, len - 1)));
        same("pad by a mirror on the last", &x.pad(&widths, Pad::Reflect), padded(&widths, mirrored_on));
        same("pad by a mirror behind the last", &x.pad(&widths, Pad::Symmetric), padded(&widths, mirrored_before));
        same("pad by the array again", &x.pad(&widths, Pad::Wrap), padded(&widths, isize::rem_euclid));
        let axis = choose.below(ndim);
        let mut one = vec![(0, 0); ndim];
        one[axis] = (choose.below(3), choose.below(3));
        let strips = |greatest: bool| {
            let best = best_along(whole, axis, greatest).insert_axis(Axis(axis));
            let many = |count: usize| joined(Axis(axis), &vec![best.view(); count]);
            let parts: Vec<ArrayD<T>> =
                [many(one[axis].0).ok(), Some(whole.clone()), many(one[axis].1).ok()].into_iter().flatten().collect();
            joined(Axis(axis), &parts.iter().map(|part| part.view()).collect::<Vec<_>>()).expect("alike")
        };
        equal("pad by the greatest", &x.pad(&one, Pad::Maximum), strips(true));
        equal("pad by the least", &x.pad(&one, Pad::Minimum), strips(false));
    }
    let depth = choose.below(3);
    let trimmed = |wide: &ArrayD<T>, depth: usize| {
        let sums = neighbours(wide.view(), depth);
        let inside = |len: &usize| SliceInfoElem::from(depth..depth + len);
        let slice: Vec<SliceInfoElem> = whole.shape().iter().map(inside).collect();
        sums.slice(&slice[..]).to_owned()
    };
    let moving = |boundary: Boundary<T>| x.map_overlap(&vec![depth; ndim], boundary, move |block, _| neighbours(block, depth));
    if ndim > 0 {
        let wide = vec![(depth, depth); ndim];
        same("map_overlap, nothing beyond", &moving(Boundary::None), neighbours(whole.view(), depth));
        same("map_overlap, one element beyond", &moving(Boundary::Constant(value)), trimmed(&framed(&wide, value), depth));
        if !whole.is_empty() {
            let cases: [(Boundary<T>, Beyond); 3] = [
                (Boundary::Periodic, isize::rem_euclid),
                (Boundary::Nearest, |at, len| at.clamp(0, len - 1)),
                (Boundary::Reflect, mirrored_before),
            ];
            for (boundary, beyond) in cases {
                same(&format!("map_overlap, {boundary:?}"), &moving(boundary), trimmed(&padded(&wide, beyond), depth));
            }
        }
        let boundary = choose.one_of(&[Boundary::None, Boundary::Periodic, Boundary::Reflect, Boundary::Constant(value)]);
        same("overlap and back", &x.overlap(&[depth], boundary).trim_overlap(&[depth], boundary, &x), whole.clone());
    }
}

/// The greatest or the least along an axis, which has elements; NaN where one of them is.
fn best_along<T: Kind + Real>(whole: &ArrayD<T>, axis: usize, greatest: bool) -> ArrayD<T> {
    let is_nan = |x: T| x.parts()[0].is_nan();
    let better = |a: T, b: T| if is_nan(a) || (!is_nan(b) && (if greatest { a >= b } else { a <= b })) { a } else { b };
    whole.map_axis(Axis(axis), |lane| lane.iter().copied().reduce(better).expect("some"))
}

mod of_any_kind {
    use super::*;
    every_kind! { 8 forms }
}

mod of_numbers_on_a_line {
    use super::*;
    every_real_kind! { 10 surroundings }
}

/// Indices are made of nothing but a shape.
#[test]
fn indices_say_where_they_stand() {
    for shape in [[2, 3], [1, 4], [0, 2]] {
        let found = DArray::indices(shape, 2);
        let expected = ArrayD::from_shape_fn(IxDyn(&[2, shape[0], shape[1]]), |at| at[1 + at[0]] as i64);
        same("indices", &found, expected);
    }
}

/// Steps one after the other see what those before them made of chunks and memory.
fn chains<T: Kind>(given: &Given<T>) {
    let (mut x, mut whole, choose) = (given.lazy(), given.whole.clone(), &given.choose);
    for _ in 0..6 {
        let ndim = whole.ndim();
        let axis = choose.below(ndim);
        match choose.below(8) {
            0 if ndim > 0 => {
                let (slice, places) = part(choose, whole.shape()[axis]);
                (x, whole) = (x.slice_axis(axis as isize, slice), whole.select(Axis(axis), &places));
            }
            1 => (x, whole) = (x.t(), whole.reversed_axes()),
            2 => x = x.rechunk(choose.chunks(whole.shape())),
            3 if ndim > 0 => {
                whole.invert_axis(Axis(axis));
                x = x.flip(axis);
            }
            4 if whole.len() < 200 && ndim > 0 => {
                whole = joined(Axis(axis), &[whole.view(), whole.view()]).expect("alike");
                x = concatenate(&[x.clone(), x], axis as isize);
            }
            5 if ndim < 4 => (x, whole) = (x.expand_dims(axis), whole.insert_axis(Axis(axis))),
            6 if ndim > 1 => {
                let merged = whole.shape()[0] * whole.shape()[1];
                let lens: Vec<usize> = [merged].into_iter().chain(whole.shape()[2..].iter().copied()).collect();
                x = x.reshape(lens.iter().map(|len| *len as isize));
                whole = ArrayD::from_shape_vec(IxDyn(&lens), whole.iter().copied().collect()).expect("as many");
            }
            7 if ndim > 0 => {
                let places = choose.places(whole.shape()[axis]);
                (x, whole) = (x.take(places.iter().map(|place| *place as isize), axis as isize), whole.select(Axis(axis), &places));
            }
            _ => {}
        }
    }
    same("a chain of steps", &x, whole);
}

mod of_several_steps {
    use super::*;
    every_kind! { 24 chains: bool bool; i8 i8; u16 u16; i32 i32; f64 f64; complex64 C64; complex128 C128; }
}

/// A value that has a shape of its own fits a slice as it fits elementwise.
#[test]
fn values_are_repeated_along_slices() {
    let x = DArray::<i64>::zeros([4, 3], 2).with_slice([SliceInfoElem::from(1..3), SliceInfoElem::from(..)], DArray::arange(1i64, 4, 1, 2));
    let expected = ArrayD::from_shape_fn(IxDyn(&[4, 3]), |at| if (1..3).contains(&at[0]) { at[1] as i64 + 1 } else { 0 });
    same("with_slice", &x, expected);
}
