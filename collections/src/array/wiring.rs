//! How the blocks of one grid read the blocks of another, in the narrowest rule that says it: the optimizer folds layers together
//! only where task `i` reads chunk `i`, and the scheduler counts once where everything reads everything.

use partita_graph::{AxisMap, Wiring};

/// For each axis of the producer's grid the axis of the consumer's grid that it follows, or `None` for all blocks along it.
pub(super) fn follow(producer: &[usize], consumer: &[usize], axes: &[Option<usize>]) -> Wiring {
    // Axes of one block change no number.
    let long = |grid: &[usize]| (0..grid.len()).filter(|axis| grid[*axis] > 1).map(Some).collect::<Vec<_>>();
    let followed: Vec<Option<usize>> = axes.iter().zip(producer).filter(|(_, blocks)| **blocks > 1).map(|(axis, _)| *axis).collect();
    if followed == long(consumer) {
        return Wiring::Each;
    }
    if followed.iter().all(Option::is_none) {
        return Wiring::Every;
    }
    let narrow = |grid: &[usize]| grid.iter().map(|blocks| *blocks as u32).collect();
    let axes = axes.iter().map(|axis| axis.map(|axis| axis as u32)).collect();
    Wiring::Block(AxisMap { producer: narrow(producer), consumer: narrow(consumer), axes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(producer: &[usize], consumer: &[usize], axes: &[Option<usize>], name: &str) {
        let wiring = follow(producer, consumer, axes);
        assert_eq!(wiring.name(), name);
        let (len, chunks) = (consumer.iter().product::<usize>() as u32, producer.iter().product::<usize>() as u32);
        assert!(wiring.fits(len, chunks), "{wiring:?}");
        let narrow = |grid: &[usize]| grid.iter().map(|blocks| *blocks as u32).collect();
        let axes = axes.iter().map(|axis| axis.map(|axis| axis as u32)).collect();
        let plain = Wiring::Block(AxisMap { producer: narrow(producer), consumer: narrow(consumer), axes });
        for task in 0..len {
            let (found, expected) = (wiring.inputs(task, chunks), plain.inputs(task, chunks));
            assert_eq!(found.iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>(), "task {task}");
        }
    }

    #[test]
    fn the_narrowest_rule_says_the_same() {
        check(&[3, 4], &[3, 4], &[Some(0), Some(1)], "each");
        check(&[3, 4], &[4, 3], &[Some(1), Some(0)], "block");
        check(&[3, 1], &[3], &[Some(0), None], "each");
        check(&[3, 4], &[3], &[Some(0), None], "block");
        check(&[4], &[1, 4], &[Some(1)], "each");
        check(&[4], &[3, 4], &[Some(1)], "block");
        check(&[1, 4], &[3, 4], &[Some(0), Some(1)], "block");
        check(&[1, 1], &[3, 4], &[Some(0), None], "every");
        check(&[3, 4], &[], &[None, None], "every");
        check(&[], &[], &[], "each");
        check(&[1], &[1, 1], &[None], "each");
        check(&[], &[5], &[], "every");
        check(&[1, 3], &[3, 1], &[Some(1), Some(0)], "each");
    }
}
