//! Arrays on a web server that counts what it sends: a region costs its own bytes, and a missing chunk is no failure.

use std::collections::BTreeMap;
use std::path::Path;

use partita_io::{Kind, npy, zarr};

use crate::web::Server;

fn floats(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|element| f64::from_ne_bytes(*element)).collect()
}

#[test]
fn rows_of_a_large_file_cost_their_own_bytes() {
    let (rows, columns) = (2000, 500);
    let mut file = npy::header(Kind::F64, &[rows, columns]);
    file.extend((0..rows * columns).flat_map(|number| (number as f64).to_le_bytes()));
    let size = file.len();
    let (server, address) = Server::start(BTreeMap::from([("x.npy".to_owned(), file)]), None);
    let (opened, cost) = server.cost(|| npy::open(&format!("{address}/x.npy")).unwrap());
    assert!(cost <= 1024, "{cost} bytes for a header");
    let (found, cost) = server.cost(|| opened.read(&[700..710, 0..columns]).unwrap());
    assert_eq!(floats(&found), (700 * columns..710 * columns).map(|number| number as f64).collect::<Vec<_>>());
    assert_eq!(cost, 10 * columns * 8);
    // Of narrow columns all rows are read, but none twice.
    let (found, cost) = server.cost(|| opened.read(&[0..rows, 7..8]).unwrap());
    assert_eq!(floats(&found), (0..rows).map(|row| (row * columns + 7) as f64).collect::<Vec<_>>());
    assert!(cost <= size, "{cost} of {size} bytes");
}

#[test]
fn a_part_of_a_shard_costs_less_than_the_shard() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/numpy/files/v3");
    let mut files = BTreeMap::new();
    for name in ["sharded.zarr/zarr.json", "sharded.zarr/c/0/0", "sharded.zarr/c/1/1", "missing.zarr/zarr.json", "missing.zarr/c/0/1"] {
        files.insert(name.to_owned(), std::fs::read(root.join(name)).unwrap());
    }
    let shard = files["sharded.zarr/c/0/0"].len();
    let (server, address) = Server::start(files, None);
    let opened = zarr::open(&format!("{address}/sharded.zarr")).unwrap();
    let (found, cost) = server.cost(|| opened.read(&[0..2, 3..6]).unwrap());
    assert_eq!(floats(&found), [3.0, 4.0, 5.0, 15.0, 16.0, 17.0]);
    assert!(cost < shard, "{cost} of {shard} bytes");
    // A shard that is not there holds the fill value.
    assert_eq!(floats(&opened.read(&[0..1, 6..8]).unwrap()), [0.0, 0.0]);
    let missing = zarr::open(&format!("{address}/missing.zarr")).unwrap();
    let found: Vec<f32> = missing.read(&[1..3, 2..4]).unwrap().as_chunks().0.iter().map(|element| f32::from_ne_bytes(*element)).collect();
    assert!(found[0].is_nan() && found[1] == 1.5 && found[2].is_nan() && found[3].is_nan(), "{found:?}");
}
