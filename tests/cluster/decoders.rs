//! Values that came from elsewhere, decoded with all that a worker knows: the corpus of the fuzz targets of `collections/fuzz`, and
//! what becomes of it when bytes are changed, taken out and cut off.

#[path = "../../distributed/net/tests/wire/corpus.rs"]
mod corpus;
#[path = "../../collections/fuzz/decoders.rs"]
mod fuzzed;

use std::path::PathBuf;

use partita::Partition;
use partita::graph::Chunk;
use partita::prelude::*;
use partita_net::wire::{Writer, encode_value};

/// Frames as Arrow messages, and as a file where there is no column.
fn frames() -> Vec<Vec<u8>> {
    let long = "a text of more than twelve bytes";
    let all = df!("x" => [1i64, 2, 3], "t" => [Some("a"), None, Some(long)], "f" => [0.5, f64::NAN, -0.0], "b" => [true, false, true]);
    let narrow = df!("d" => [Some(1i32), None]);
    let frames = [all.unwrap(), narrow.unwrap(), DataFrame::empty()];
    frames.into_iter().map(|frame| encode_value(&Chunk::new(Partition(frame))).unwrap()).collect()
}

/// Blocks of arrays: kind of element, shape, strides, offset, and the elements.
fn arrays() -> Vec<Vec<u8>> {
    let block = |kind: u8, shape: &[u8], strides: &[i8], elements: &[u8]| {
        let list = |numbers: Vec<u8>| [vec![numbers.len() as u8], numbers].concat();
        // Signed numbers are small when they are near to zero.
        let strides = strides.iter().map(|stride| ((stride << 1) ^ (stride >> 7)) as u8).collect();
        let header = [vec![kind], list(shape.to_vec()), list(strides), vec![0]].concat();
        let mut out = Writer::default();
        out.text("array");
        out.bytes(&header);
        out.number(1);
        out.bytes(elements);
        out.into_vec()
    };
    let numbers: Vec<u8> = (0..6).flat_map(|number| f64::from(number).to_le_bytes()).collect();
    vec![block(10, &[2, 3], &[3, 1], &numbers), block(0, &[4], &[1], &[1, 0, 1, 1]), block(4, &[100], &[0], &7i64.to_le_bytes())]
}

fn all() -> [(&'static str, Vec<Vec<u8>>); 2] {
    [("frame", frames()), ("array", arrays())]
}

/// `UPDATE_CORPUS=1` writes it anew.
#[test]
fn the_corpus_is_what_is_said() {
    let folder = |target| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/collections/fuzz/corpus")).join(target);
    let others = all().into_iter().flat_map(|(target, said)| corpus::others(&folder(target), &said));
    corpus::assert_none(&others.collect::<Vec<_>>());
}

#[test]
fn no_change_of_a_value_makes_a_decoder_panic() {
    for (target, said) in all() {
        for (number, sound) in said.iter().enumerate() {
            assert!(fuzzed::decode(sound), "{target} {number} is sound");
            for at in 0..sound.len() {
                assert!(!fuzzed::decode(&sound[..at]), "{target} {number} cut off at {at} is whole");
                let mut changed = sound.clone();
                for byte in [0, 1, 0x7f, 0x80, 0xff] {
                    changed[at] = byte;
                    fuzzed::decode(&changed);
                }
                changed.remove(at);
                fuzzed::decode(&changed);
            }
        }
    }
}
