//! Where the boxes stand: longest-path layering, fewer crossings by barycenters, positions by least squares.
//!
//! It knows sizes and links, no text. Boxes of one rank never overlap, and links always point downwards.

/// Between boxes of one rank, and between ranks.
const GAP: f64 = 26.0;
const RANK_GAP: f64 = 58.0;
/// Width that a link takes where it passes a rank.
const LANE: f64 = 14.0;
/// Beyond this many passing points, links are drawn straight: such a picture is not read line by line.
const MAX_LANES: usize = 5_000;
const SWEEPS: usize = 12;

/// Top left corner of each box, the way of each link, and the size of the whole.
pub(super) struct Layout {
    pub corners: Vec<(f64, f64)>,
    pub ways: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// Something that takes room in a rank: a box, or the lane of a passing link.
struct Item {
    rank: usize,
    width: f64,
    height: f64,
    up: Vec<usize>,
    down: Vec<usize>,
    center: f64,
}

/// Lays out boxes of these sizes. A link leads from a lower to a higher position.
pub(super) fn layout(sizes: &[(f64, f64)], links: &[(usize, usize)]) -> Layout {
    let (mut items, chains) = items(sizes, links);
    let mut ranks: Vec<Vec<usize>> = vec![Vec::new(); items.iter().map(|item| item.rank + 1).max().unwrap_or(0)];
    for (at, item) in items.iter().enumerate() {
        ranks[item.rank].push(at);
    }
    uncross(&mut ranks, &items);
    place(&ranks, &mut items);
    let left = items.iter().map(|item| item.center - item.width / 2.0).fold(f64::INFINITY, f64::min);
    let right = items.iter().map(|item| item.center + item.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let heights: Vec<f64> = ranks.iter().map(|rank| rank.iter().map(|&at| items[at].height).fold(0.0, f64::max)).collect();
    let tops: Vec<f64> = heights.iter().scan(0.0, |y, height| Some(std::mem::replace(y, *y + height + RANK_GAP))).collect();
    let middle = |at: usize| tops[items[at].rank] + heights[items[at].rank] / 2.0;
    let corner = |at: usize| (items[at].center - items[at].width / 2.0 - left, middle(at) - items[at].height / 2.0);
    let way = |chain: &Vec<usize>| {
        let last = chain.len() - 1;
        let mut points = Vec::with_capacity(2 * chain.len());
        for (step, &at) in chain.iter().enumerate() {
            let x = items[at].center - left;
            let rank = items[at].rank;
            match step {
                0 => points.push((x, corner(at).1 + items[at].height)),
                _ if step == last => points.push((x, corner(at).1)),
                _ => points.extend([(x, tops[rank]), (x, tops[rank] + heights[rank])]),
            }
        }
        points
    };
    let bottom = tops.last().zip(heights.last()).map_or(0.0, |(top, height)| top + height);
    let width = if items.is_empty() { 0.0 } else { right - left };
    Layout { corners: (0..sizes.len()).map(corner).collect(), ways: chains.iter().map(way).collect(), width, height: bottom }
}

/// Boxes first, then lanes; and for each link the items that it passes.
fn items(sizes: &[(f64, f64)], links: &[(usize, usize)]) -> (Vec<Item>, Vec<Vec<usize>>) {
    let mut incoming = vec![Vec::new(); sizes.len()];
    let mut ranks = vec![0; sizes.len()];
    links.iter().for_each(|&(from, to)| incoming[to].push(from));
    for to in 0..sizes.len() {
        ranks[to] = incoming[to].iter().map(|&from: &usize| ranks[from] + 1).max().unwrap_or(0);
    }
    // A source stands right above its first reader, not at the top of the picture.
    let mut nearest = vec![usize::MAX; sizes.len()];
    links.iter().for_each(|&(from, to)| nearest[from] = nearest[from].min(ranks[to]));
    for at in (0..sizes.len()).filter(|&at| incoming[at].is_empty() && nearest[at] != usize::MAX) {
        ranks[at] = nearest[at] - 1;
    }
    let item = |rank, width, height| Item { rank, width, height, up: Vec::new(), down: Vec::new(), center: 0.0 };
    let mut items: Vec<Item> = sizes.iter().zip(&ranks).map(|(size, &rank)| item(rank, size.0, size.1)).collect();
    let lanes: usize = links.iter().map(|&(from, to)| ranks[to] - ranks[from] - 1).sum();
    let mut chains = Vec::with_capacity(links.len());
    for &(from, to) in links {
        let mut chain = vec![from];
        if lanes <= MAX_LANES {
            for rank in ranks[from] + 1..ranks[to] {
                chain.push(items.len());
                items.push(item(rank, LANE, 0.0));
            }
        }
        chain.push(to);
        for pair in chain.windows(2) {
            items[pair[0]].down.push(pair[1]);
            items[pair[1]].up.push(pair[0]);
        }
        chains.push(chain);
    }
    (items, chains)
}

/// Orders each rank by the mean place of its neighbours, downwards and upwards in turn, and keeps the best order met.
fn uncross(ranks: &mut Vec<Vec<usize>>, items: &[Item]) {
    let mut best = (crossings(ranks, items), ranks.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let downwards = sweep % 2 == 0;
        let mut places = places(ranks, items.len());
        let order: Vec<usize> = if downwards { (0..ranks.len()).collect() } else { (0..ranks.len()).rev().collect() };
        for rank in order {
            let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(ranks[rank].len());
            for &at in &ranks[rank] {
                let neighbours = if downwards { &items[at].up } else { &items[at].down };
                keyed.push((mean(neighbours.iter().map(|&n| places[n])).unwrap_or(places[at]), at));
            }
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            ranks[rank] = keyed.into_iter().map(|(_, at)| at).collect();
            ranks[rank].iter().enumerate().for_each(|(place, &at)| places[at] = place as f64);
        }
        let count = crossings(ranks, items);
        if count < best.0 {
            best = (count, ranks.clone());
        }
    }
    *ranks = best.1;
}

fn places(ranks: &[Vec<usize>], len: usize) -> Vec<f64> {
    let mut places = vec![0.0; len];
    for rank in ranks {
        rank.iter().enumerate().for_each(|(place, &at)| places[at] = place as f64);
    }
    places
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// How many pairs of links cross between neighbouring ranks, counted with a Fenwick tree.
fn crossings(ranks: &[Vec<usize>], items: &[Item]) -> u64 {
    let places = places(ranks, items.len());
    let mut count = 0;
    for rank in ranks {
        let mut ends: Vec<usize> = Vec::new();
        for &at in rank {
            let mut targets: Vec<usize> = items[at].down.iter().map(|&to| places[to] as usize).collect();
            targets.sort_unstable();
            ends.extend(targets);
        }
        let mut tree = vec![0u64; ends.iter().max().map_or(0, |max| max + 2)];
        for (seen, &end) in ends.iter().enumerate() {
            let mut at_most = 0;
            let mut i = end + 1;
            while i > 0 {
                at_most += tree[i];
                i &= i - 1;
            }
            count += seen as u64 - at_most;
            let mut i = end + 1;
            while i < tree.len() {
                tree[i] += 1;
                i += i & i.wrapping_neg();
            }
        }
    }
    count
}

/// Moves items towards the mean of their neighbours, as far as their order and their widths allow.
fn place(ranks: &[Vec<usize>], items: &mut [Item]) {
    for rank in ranks {
        let wishes = vec![0.0; rank.len()];
        settle(rank, items, &wishes);
    }
    for sweep in 0..2 * SWEEPS {
        let order: Vec<usize> = if sweep % 2 == 0 { (0..ranks.len()).collect() } else { (0..ranks.len()).rev().collect() };
        for rank in order {
            let wish = |at: usize| {
                let item = &items[at];
                let near = if sweep % 2 == 0 { &item.up } else { &item.down };
                let near = if near.is_empty() || sweep + 4 > 2 * SWEEPS { [&item.up[..], &item.down[..]].concat() } else { near.clone() };
                mean(near.iter().map(|&n| items[n].center)).unwrap_or(item.center)
            };
            let wishes: Vec<f64> = ranks[rank].iter().map(|&at| wish(at)).collect();
            settle(&ranks[rank], items, &wishes);
        }
    }
}

/// The positions nearest to the wishes, in the sense of least squares, at which nothing overlaps: neighbours that would
/// are pooled into a block, and the block stands at the mean of what its members wish.
fn settle(rank: &[usize], items: &mut [Item], wishes: &[f64]) {
    let mut offsets = Vec::with_capacity(rank.len());
    let mut offset = 0.0;
    for (place, &at) in rank.iter().enumerate() {
        if place > 0 {
            offset += (items[rank[place - 1]].width + items[at].width) / 2.0 + GAP;
        }
        offsets.push(offset);
    }
    // Blocks: the mean of (wish - offset) and the number of members.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (wish, offset) in wishes.iter().zip(&offsets) {
        let mut block = (wish - offset, 1);
        while let Some(&(mean, count)) = blocks.last()
            && mean > block.0
        {
            block = ((mean * count as f64 + block.0 * block.1 as f64) / (count + block.1) as f64, count + block.1);
            blocks.pop();
        }
        blocks.push(block);
    }
    let bases = blocks.iter().flat_map(|&(base, count)| std::iter::repeat_n(base, count));
    for ((&at, base), offset) in rank.iter().zip(bases).zip(&offsets) {
        items[at].center = base + offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_a_rank_do_not_overlap_and_links_point_down() {
        let sizes: Vec<(f64, f64)> = (0..40).map(|i| (40.0 + f64::from(i % 7) * 20.0, 30.0)).collect();
        let links: Vec<(usize, usize)> = (1..40).flat_map(|to| [(to / 2, to), (to / 3, to)]).filter(|(from, to)| from < to).collect();
        let layout = layout(&sizes, &links);
        for a in 0..40 {
            for b in 0..a {
                let ((ax, ay), (bx, by)) = (layout.corners[a], layout.corners[b]);
                let apart = ax + sizes[a].0 <= bx + 1e-6 || bx + sizes[b].0 <= ax + 1e-6 || (ay - by).abs() >= 30.0;
                assert!(apart, "{a} lies on {b}");
            }
        }
        for way in &layout.ways {
            assert!(way.windows(2).all(|pair| pair[0].1 <= pair[1].1 + 1e-6), "{way:?}");
        }
        let inside = layout
            .corners
            .iter()
            .zip(&sizes)
            .all(|(c, s)| c.0 >= -1e-6 && c.0 + s.0 <= layout.width + 1e-6 && c.1 + s.1 <= layout.height + 1e-6);
        assert!(inside);
    }

    #[test]
    fn a_crossing_that_can_be_avoided_is() {
        // 0 -> 3 and 1 -> 2 cross as given.
        let (items, _) = items(&[(10.0, 10.0); 4], &[(0, 3), (1, 2)]);
        let mut ranks = vec![vec![0, 1], vec![2, 3]];
        assert_eq!(crossings(&ranks, &items), 1);
        uncross(&mut ranks, &items);
        assert_eq!(crossings(&ranks, &items), 0);
    }

    #[test]
    fn nothing_has_no_size() {
        let layout = layout(&[], &[]);
        assert_eq!((layout.width, layout.height), (0.0, 0.0));
    }
}
