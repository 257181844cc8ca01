//! Wiring: the three views of a rule (what a task reads, who reads a chunk, the inverse written out) agree.

use partita_graph::{AxisMap, Table, Wiring};
use proptest::prelude::*;

/// A rule, the number of tasks and the number of chunks that it fits.
fn any_wiring() -> impl Strategy<Value = (Wiring, u32, u32)> {
    prop_oneof![
        (0..40u32).prop_map(|len| (Wiring::Each, len, len)),
        (1..9u32, 0..60u32).prop_map(|(n, chunks)| (Wiring::Group(n), chunks.div_ceil(n), chunks)),
        (0..9u32, 0..20u32).prop_map(|(len, chunks)| (Wiring::Every, len, chunks)),
        (0..9u32, 0..20u32).prop_map(|(len, chunks)| (Wiring::Part, len, chunks)),
        any_table(),
        any_block(),
    ]
}

fn any_table() -> impl Strategy<Value = (Wiring, u32, u32)> {
    (1..20u32).prop_flat_map(|chunks| {
        prop::collection::vec(prop::collection::vec(0..chunks, 0..6), 0..12).prop_map(move |lists| {
            let ends = lists.iter().scan(0, |end, list| {
                *end += list.len() as u32;
                Some(*end)
            });
            let offsets: Vec<u32> = std::iter::once(0).chain(ends).collect();
            let table = Table { offsets: offsets.into(), indices: lists.concat().into() };
            (Wiring::Table(table), lists.len() as u32, chunks)
        })
    })
}

fn any_block() -> impl Strategy<Value = (Wiring, u32, u32)> {
    let consumer = prop::collection::vec(0..5u32, 0..4);
    let axes = prop::collection::vec((prop::option::of(0..4usize), 0..4u32, any::<bool>()), 0..4);
    (consumer, axes).prop_map(|(consumer, axes)| {
        let mut map = (Vec::new(), Vec::new());
        for (follows, blocks, broadcast) in axes {
            let follows = follows.filter(|_| !consumer.is_empty()).map(|axis| axis % consumer.len());
            map.0.push(match follows {
                Some(_) if broadcast => 1,
                Some(axis) => consumer[axis],
                None => blocks,
            });
            map.1.push(follows.map(|axis| axis as u32));
        }
        let (len, chunks) = (consumer.iter().product(), map.0.iter().product());
        (Wiring::Block(AxisMap { producer: map.0.into(), consumer: consumer.into(), axes: map.1.into() }), len, chunks)
    })
}

proptest! {
    #[test]
    fn the_inverse_is_the_inverse((wiring, len, chunks) in any_wiring()) {
        prop_assert!(wiring.fits(len, chunks), "{wiring:?} {len} {chunks}");
        let inverse = Wiring::Table(wiring.invert(len, chunks));
        prop_assert!(inverse.fits(chunks, len));
        for chunk in 0..chunks {
            let readers: Vec<u32> = inverse.inputs(chunk, len).iter().collect();
            let expected: Vec<u32> = (0..len).filter(|&task| wiring.inputs(task, chunks).iter().any(|at| at == chunk)).collect();
            prop_assert_eq!(&readers, &expected);
            if let Some(range) = wiring.consumers(chunk, len) {
                prop_assert_eq!(range.collect::<Vec<_>>(), readers);
            }
        }
    }

    #[test]
    fn inputs_exist_and_are_counted((wiring, len, chunks) in any_wiring()) {
        for task in 0..len {
            let inputs = wiring.inputs(task, chunks);
            let list: Vec<u32> = inputs.iter().collect();
            prop_assert_eq!(inputs.len(), list.len());
            prop_assert_eq!(inputs.is_empty(), list.is_empty());
            prop_assert!(list.iter().all(|&at| at < chunks));
            if wiring.is_barrier() {
                prop_assert_eq!(list.len() as u32, chunks);
            }
            prop_assert_eq!(wiring.part(task), (wiring == Wiring::Part).then_some(task));
        }
    }

    #[test]
    fn groups_of_any_size_do_not_overflow(n in 1..=u32::MAX, chunks in 1..=u32::MAX) {
        let wiring = Wiring::Group(n);
        let len = chunks.div_ceil(n);
        prop_assert!(wiring.fits(len, chunks));
        let last = wiring.inputs(len - 1, chunks);
        prop_assert_eq!(last.len() as u64, u64::from(chunks) - u64::from(len - 1) * u64::from(n));
        prop_assert_eq!(wiring.consumers(chunks - 1, len), Some(len - 1..len));
    }
}

#[test]
fn a_block_follows_drops_and_broadcasts_axes() {
    let block = |producer: &[u32], consumer: &[u32], axes: &[Option<u32>]| {
        Wiring::Block(AxisMap { producer: producer.into(), consumer: consumer.into(), axes: axes.into() })
    };
    let inputs = |wiring: &Wiring, task, chunks| wiring.inputs(task, chunks).iter().collect::<Vec<_>>();
    let row_sums = block(&[3, 4], &[3], &[Some(0), None]);
    assert_eq!(inputs(&row_sums, 2, 12), [8, 9, 10, 11]);
    let transposed = block(&[3, 4], &[4, 3], &[Some(1), Some(0)]);
    assert_eq!(inputs(&transposed, 1, 12), [4], "block (0, 1) of the result is block (1, 0)");
    let broadcast = block(&[1, 4], &[3, 4], &[Some(0), Some(1)]);
    assert_eq!(inputs(&broadcast, 7, 4), [3]);
    let scalar = block(&[], &[2], &[]);
    assert_eq!(inputs(&scalar, 1, 1), [0]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let block = |producer: &[u32], consumer: &[u32], axes: &[Option<u32>]| {
        Wiring::Block(AxisMap { producer: producer.into(), consumer: consumer.into(), axes: axes.into() })
    };
    let table = |offsets: &[u32], indices: &[u32]| Wiring::Table(Table { offsets: offsets.into(), indices: indices.into() });
    assert!(!Wiring::Each.fits(3, 4));
    assert!(!Wiring::Group(0).fits(0, 0));
    assert!(!Wiring::Group(4).fits(2, 9));
    assert!(!block(&[3], &[4], &[Some(0)]).fits(4, 3), "the axis has another number of blocks");
    assert!(!block(&[3], &[3], &[Some(1)]).fits(3, 3), "there is no such axis");
    assert!(!block(&[3], &[3], &[]).fits(3, 3), "an axis without a rule");
    assert!(!block(&[1 << 16, 1 << 16], &[1], &[None, None]).fits(1, 0), "2^32 blocks are not 0 blocks");
    assert!(block(&[1 << 16, 1 << 16, 0], &[1], &[None, None, None]).fits(1, 0));
    assert!(table(&[0, 2, 3], &[0, 1, 1]).fits(2, 2));
    assert!(!table(&[0, 2, 3], &[0, 1, 2]).fits(2, 2), "chunk 2 does not exist");
    assert!(!table(&[0, 3, 2], &[0, 1]).fits(2, 2), "offsets go down");
    assert!(!table(&[0, 2], &[0, 1, 1]).fits(1, 2), "an index is left over");
    assert!(!table(&[], &[]).fits(u32::MAX, 0), "one offset more than tasks, and that number has 33 bits");
}
