//! Images as Pillow and tifffile write them (tests/numpy/image_files.py): every format, on a disk and in a store; what is cut off anywhere,
//! unlike its neighbours, or no image.

use std::path::{Path, PathBuf};

use partita_io::images::{self, Images};
use partita_io::{ErrorKind, Kind, put};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/numpy/images").join(name)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The elements of the picture of this number, as bytes.
fn counted(number: usize, kind: Kind, shape: &[usize]) -> Vec<u8> {
    let element = |at: usize| {
        let small = (at + 7 * number) % 256;
        let large = small * 257 % 32768;
        match kind {
            Kind::U8 => vec![small as u8],
            Kind::U16 => (large as u16).to_ne_bytes().to_vec(),
            Kind::I16 => (large as i16 - 16384).to_ne_bytes().to_vec(),
            Kind::F32 => (large as f32).to_ne_bytes().to_vec(),
            Kind::F64 => (large as f64).to_ne_bytes().to_vec(),
            other => panic!("no picture is of {other:?}"),
        }
    };
    (0..shape.iter().product()).flat_map(element).collect()
}

const PICTURES: [(&str, usize, Kind, &[usize]); 20] = [
    ("grey-8.png", 8, Kind::U8, &[4, 6]),
    ("grey-9.png", 9, Kind::U8, &[4, 6]),
    ("grey-10.png", 10, Kind::U8, &[4, 6]),
    ("rgb-0.png", 0, Kind::U8, &[4, 6, 3]),
    ("rgb-1.png", 1, Kind::U8, &[4, 6, 3]),
    ("deep-0.png", 0, Kind::U16, &[4, 6]),
    ("deep-1.png", 1, Kind::U16, &[4, 6]),
    ("rgba-2.png", 2, Kind::U8, &[4, 6, 4]),
    ("grey_alpha-3.png", 3, Kind::U8, &[4, 6, 2]),
    ("palette-4.png", 4, Kind::U8, &[4, 6, 3]),
    ("pages-0.tif", 0, Kind::U16, &[3, 4, 6]),
    ("grey-2.tif", 2, Kind::U8, &[4, 6]),
    ("rgb-3.tif", 3, Kind::U8, &[4, 6, 3]),
    ("deep-4.tif", 4, Kind::U16, &[4, 6]),
    ("signed-5.tif", 5, Kind::I16, &[4, 6]),
    ("float-6.tif", 6, Kind::F32, &[4, 6]),
    ("double-7.tif", 7, Kind::F64, &[4, 6]),
    ("tiled-8.tif", 8, Kind::U8, &[20, 40]),
    ("channels-9.tif", 9, Kind::U16, &[4, 6, 7]),
    ("lzw-10.tif", 10, Kind::U8, &[4, 6]),
];

fn check(found: &Images, at: usize, (name, number, kind, shape): (&str, usize, Kind, &[usize])) {
    assert_eq!((found.kind(), found.shape()), (kind, shape), "{name}");
    assert_eq!(found.read(at).unwrap(), counted(number, kind, shape), "{name}");
}

#[test]
fn every_format_on_a_disk_and_in_a_store() {
    for picture in PICTURES {
        let file = fixture(picture.0);
        let stored = format!("memory://images/{}", picture.0);
        put(&stored, std::fs::read(&file).unwrap()).unwrap();
        for name in [text(&file), stored] {
            check(&images::open(&name).unwrap(), 0, picture);
        }
    }
    let bits = images::open(&text(&fixture("bits.png"))).unwrap();
    assert_eq!(bits.read(0).unwrap(), [0, 255].repeat(12));
}

#[test]
fn patterns_come_in_the_order_of_numbers() {
    let found = images::open(&text(&fixture("grey-*.png"))).unwrap();
    let names: Vec<String> = found.names().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["grey-8.png", "grey-9.png", "grey-10.png"]);
    (0..3).for_each(|at| check(&found, at, PICTURES[at]));
}

#[test]
fn jpeg_is_as_near_as_decoders_are_to_each_other() {
    for (name, shape) in [("grey", &[16, 24][..]), ("progressive", &[16, 24]), ("rgb", &[16, 24, 3])] {
        let found = images::open(&text(&fixture(&format!("{name}.jpg")))).unwrap();
        assert_eq!((found.kind(), found.shape()), (Kind::U8, shape), "{name}");
        let answer = partita_io::npy::open(&text(&fixture(&format!("{name}.npy")))).unwrap();
        let whole: Vec<_> = shape.iter().map(|len| 0..*len).collect();
        let (found, answer) = (found.read(0).unwrap(), answer.read(&whole).unwrap());
        assert_eq!(found.len(), answer.len(), "{name}");
        let farthest = found.iter().zip(&answer).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(farthest <= Some(3), "{name}: {farthest:?}");
    }
}

/// What is cut off is refused, when it is found or when it is read, or was nothing that a picture needs.
#[test]
fn no_cut_gives_other_elements() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut");
    let names = PICTURES.iter().map(|picture| picture.0).chain(["grey.jpg", "progressive.jpg", "rgb.jpg", "bits.png"]);
    for name in names {
        let expected = images::open(&text(&fixture(name))).unwrap().read(0).unwrap();
        let good = std::fs::read(fixture(name)).unwrap();
        let mut refused = 0;
        for cut in 0..good.len() {
            std::fs::write(&file, &good[..cut]).unwrap();
            match images::open(&text(&file)).and_then(|found| found.read(0)) {
                Ok(found) => assert!(found == expected, "{name} cut at {cut} of {}", good.len()),
                Err(error) => {
                    refused += 1;
                    assert!(
                        matches!(error.kind(), ErrorKind::Damaged { .. } | ErrorKind::UnknownType { .. }),
                        "{name} cut at {cut}: {error:?}"
                    );
                }
            }
        }
        assert!(refused > good.len() / 2, "{name}: {refused} of {}", good.len());
    }
}

/// One element in a tile of four thousand million columns.
#[test]
fn tiles_that_nobody_has_memory_for_are_refused() {
    let entries: [(u16, u32); 12] = [
        (256, 1),
        (257, 1),
        (258, 64),
        (259, 1),
        (262, 1),
        (277, 1),
        (317, 3),
        (322, u32::MAX - 15),
        (323, 16),
        (324, 8),
        (325, 8),
        (339, 3),
    ];
    let mut bytes = vec![b'I', b'I', 42, 0, 8, 0, 0, 0, 12, 0];
    for (tag, value) in entries {
        bytes.extend([&tag.to_le_bytes()[..], &4u16.to_le_bytes(), &1u32.to_le_bytes(), &value.to_le_bytes()].concat());
    }
    bytes.extend([0; 4]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wide.tif");
    std::fs::write(&file, bytes).unwrap();
    let error = images::open(&text(&file)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged { .. }), "{error:?}");
}

#[test]
fn what_is_no_image_or_unlike_the_first_is_named() {
    let refused = |name: &str, words: &str| {
        let error = images::open(&text(&fixture(name))).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::UnknownType { what } if what.contains(words)), "{error:?}");
    };
    refused("half.tif", "Gray(16)");
    refused("planes.tif", "planes");
    refused("unlike_pages.tif", "page 2 has shape [2, 3]");
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
    let pattern = text(&folder.path().join("*.png"));
    assert_eq!(images::open(&pattern).unwrap_err().kind(), &ErrorKind::NoMatch);
    assert_eq!(images::open(&text(folder.path())).unwrap_err().kind(), &ErrorKind::IsDirectory);
    put("a.png", &std::fs::read(fixture("grey-8.png")).unwrap());
    put("b.png", &std::fs::read(fixture("deep-0.png")).unwrap());
    let error = images::open(&pattern).unwrap_err();
    let unlike = |difference: &str| ErrorKind::SchemaMismatch { first: text(&folder.path().join("a.png")), difference: difference.into() };
    assert_eq!(error.kind(), &unlike("shape [4, 6] of u16, and the first has shape [4, 6] of u8"));
    assert!(error.place().file.ends_with("b.png"), "{error:?}");
    put("b.png", b"a text");
    let error = images::open(&pattern).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged { what } if what.contains("PNG, JPEG or TIFF")), "{error:?}");
    assert!(error.place().file.ends_with("b.png"), "{error:?}");
    // One that changes after it was found.
    put("b.png", &std::fs::read(fixture("grey-9.png")).unwrap());
    let found = images::open(&pattern).unwrap();
    let mut wide = std::fs::read(fixture("grey-9.png")).unwrap();
    wide.swap(16 + 3, 16 + 7);
    put("b.png", &wide);
    assert!(found.read(0).is_ok() && found.read(1).is_err());
}
