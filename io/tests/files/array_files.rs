//! Arrays as NumPy and zarr-python write them (tests/numpy/array_files.py): every region of every file, on a disk and in a store; what is
//! damaged; and writes that fail, come twice or come late.

use std::ops::Range;
use std::path::{Path, PathBuf};

use partita_io::npy::{self, Npy};
use partita_io::write::Part;
use partita_io::zarr::{self, Zarr, ZarrCodec, ZarrTarget, ZarrWriteOptions};
use partita_io::{Error, ErrorKind, Kind, put};
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/numpy/files").join(name)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Copies a file or folder into the store of this process; returns its name there.
fn stored(name: &str) -> String {
    let root = format!("memory://fixtures/{name}");
    fn copy(from: &Path, to: &str) {
        if from.is_file() {
            return put(to, std::fs::read(from).unwrap()).unwrap();
        }
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &format!("{to}/{}", entry.file_name().to_string_lossy()));
        }
    }
    copy(&fixture(name), &root);
    root
}

/// Elements as `f64`; of complex ones the real part, when the imaginary one is half of it with the other sign.
fn numbers(kind: Kind, bytes: &[u8]) -> Vec<f64> {
    macro_rules! of {
        ($T:ty) => {
            bytes.chunks_exact(size_of::<$T>()).map(|element| <$T>::from_ne_bytes(element.try_into().unwrap()) as f64).collect()
        };
    }
    match kind {
        Kind::Bool | Kind::U8 => of!(u8),
        Kind::I8 => of!(i8),
        Kind::I16 => of!(i16),
        Kind::I32 => of!(i32),
        Kind::I64 => of!(i64),
        Kind::U16 => of!(u16),
        Kind::U32 => of!(u32),
        Kind::U64 => of!(u64),
        Kind::F32 => of!(f32),
        Kind::F64 => of!(f64),
        Kind::C64 => real(&numbers(Kind::F32, bytes)),
        Kind::C128 => real(&numbers(Kind::F64, bytes)),
        other => panic!("{other:?} has no elements"),
    }
}

fn real(parts: &[f64]) -> Vec<f64> {
    let parts = parts.as_chunks::<2>().0;
    parts.iter().map(|[re, im]| if *im == -re / 2.0 { *re } else { f64::NAN }).collect()
}

/// What a file that counts from 0 holds in a region, in row-major order; or of the reversed axes.
fn counted(kind: Kind, shape: &[usize], region: &[Range<usize>], reversed: bool) -> Vec<f64> {
    let mut found = Vec::new();
    let axes: Vec<usize> = if reversed { (0..shape.len()).rev().collect() } else { (0..shape.len()).collect() };
    let mut place = vec![0; shape.len()];
    fn walk(axes: &[usize], region: &[Range<usize>], place: &mut Vec<usize>, each: &mut dyn FnMut(&[usize])) {
        let Some((axis, rest)) = axes.split_first() else { return each(place) };
        for at in region[*axis].clone() {
            place[*axis] = at;
            walk(rest, region, place, each);
        }
    }
    walk(&axes, region, &mut place, &mut |place| {
        let number = place.iter().zip(shape).fold(0, |number, (at, len)| number * len + at);
        found.push(if kind == Kind::Bool { f64::from(u8::from(number % 3 == 0)) } else { number as f64 });
    });
    found
}

fn whole(shape: &[usize]) -> Vec<Range<usize>> {
    shape.iter().map(|len| 0..*len).collect()
}

/// A range within an axis, made of two wishes.
fn range(len: usize, a: usize, b: usize) -> Range<usize> {
    let (a, b) = (a % (len + 1), b % (len + 1));
    a.min(b)..a.max(b)
}

fn check_npy(file: &Npy, region: &[Range<usize>]) {
    let expected = counted(file.kind(), file.shape(), region, file.is_fortran());
    assert_eq!(numbers(file.kind(), &file.read(region).unwrap()), expected, "{} {region:?}", file.name());
}

fn check_zarr(zarr: &Zarr, region: &[Range<usize>]) {
    let expected = counted(zarr.kind(), zarr.shape(), region, false);
    assert_eq!(numbers(zarr.kind(), &zarr.read(region).unwrap()), expected, "{} {region:?}", zarr.name());
}

const NPY: [&str; 18] = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "big_complex",
    "fortran",
    "big",
    "big_fortran",
    "version2",
];

const ZARR: [&str; 36] = [
    "v3/bool",
    "v3/int8",
    "v3/int16",
    "v3/int32",
    "v3/int64",
    "v3/uint8",
    "v3/uint16",
    "v3/uint32",
    "v3/uint64",
    "v3/float32",
    "v3/float64",
    "v3/complex64",
    "v3/complex128",
    "v3/big_complex",
    "v3/gzip",
    "v3/blosc",
    "v3/plain",
    "v3/checksum",
    "v3/big",
    "v3/transposed",
    "v3/dots",
    "v3/keys_of_v2",
    "v3/sharded",
    "v2/complex64",
    "v2/big_complex",
    "v2/zlib",
    "v2/gzip",
    "v2/zstd",
    "v2/blosc",
    "v2/plain",
    "v2/bool",
    "v2/int8",
    "v2/uint16",
    "v2/float32",
    "v2/fortran",
    "v2/slashes",
];

#[test]
fn files_of_numpy_are_what_they_were() {
    for name in NPY {
        let name = format!("npy/{name}.npy");
        for path in [text(&fixture(&name)), stored(&name)] {
            let file = npy::open(&path).unwrap();
            check_npy(&file, &whole(file.shape()));
        }
    }
    let line = npy::open(&text(&fixture("npy/line.npy"))).unwrap();
    check_npy(&line, std::slice::from_ref(&(2..5)));
    let number = npy::open(&text(&fixture("npy/number.npy"))).unwrap();
    assert_eq!((number.shape(), numbers(number.kind(), &number.read(&[]).unwrap())), (&[][..], vec![42.5]));
    let nothing = npy::open(&text(&fixture("npy/nothing.npy"))).unwrap();
    assert_eq!((nothing.shape(), nothing.read(&[0..0, 0..3]).unwrap()), (&[0, 3][..], Vec::new()));
    let special = npy::open(&text(&fixture("npy/special.npy"))).unwrap();
    let found = numbers(special.kind(), &special.read(std::slice::from_ref(&(0..4))).unwrap());
    assert!(found[0].is_nan() && found[1] == f64::INFINITY && found[2] == f64::NEG_INFINITY && found[3].to_bits() == 1 << 63);
}

#[test]
fn arrays_of_zarr_are_what_they_were() {
    for name in ZARR {
        let name = format!("{name}.zarr");
        for path in [text(&fixture(&name)), stored(&name)] {
            let zarr = zarr::open(&path).unwrap_or_else(|error| panic!("{path}: {error:?}"));
            check_zarr(&zarr, &whole(zarr.shape()));
        }
    }
    check_zarr(&zarr::open(&text(&fixture("v2/big.zarr"))).unwrap(), &[1..4, 2..6]);
    check_zarr(&zarr::open(&text(&fixture("v3/group.zarr/inner"))).unwrap(), std::slice::from_ref(&(1..3)));
    let number = zarr::open(&text(&fixture("v3/number.zarr"))).unwrap();
    assert_eq!(numbers(number.kind(), &number.read(&[]).unwrap()), [42.5]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_region_of_any_file(which in 0..NPY.len(), a in 0usize..9, b in 0usize..9, c in 0usize..9, d in 0usize..9, e in 0usize..9) {
        let file = npy::open(&text(&fixture(&format!("npy/{}.npy", NPY[which])))).unwrap();
        let wishes = [(a, b), (c, d), (e, a)];
        let region: Vec<Range<usize>> = file.shape().iter().zip(wishes).map(|(len, (a, b))| range(*len, a, b)).collect();
        let expected = counted(file.kind(), file.shape(), &region, file.is_fortran());
        prop_assert_eq!(numbers(file.kind(), &file.read(&region).unwrap()), expected);
    }

    #[test]
    fn any_region_of_any_array(which in 0..ZARR.len(), a in 0usize..13, b in 0usize..13, c in 0usize..13, d in 0usize..13) {
        let zarr = zarr::open(&text(&fixture(&format!("{}.zarr", ZARR[which])))).unwrap();
        let region = [range(zarr.shape()[0], a, b), range(zarr.shape()[1], c, d)];
        let expected = counted(zarr.kind(), zarr.shape(), &region, false);
        prop_assert_eq!(numbers(zarr.kind(), &zarr.read(&region).unwrap()), expected);
    }
}

#[test]
fn missing_chunks_are_the_fill_value() {
    let read = |name: &str| {
        let zarr = zarr::open(&text(&fixture(name))).unwrap();
        let found = numbers(zarr.kind(), &zarr.read(&whole(zarr.shape())).unwrap());
        (zarr, found)
    };
    let (zarr, found) = read("v3/missing.zarr");
    let written = |at: usize| at / 6 < 2 && at % 6 >= 3;
    assert!(found.iter().enumerate().all(|(at, value)| if written(at) { *value == 1.5 } else { value.is_nan() }), "{found:?}");
    assert_eq!(zarr.chunks().unwrap(), [vec![2, 2, 1], vec![3, 3]]);
    let (_, found) = read("v3/missing_in_shard.zarr");
    assert!(found.iter().enumerate().all(|(at, value)| *value == if (2..4).contains(&(at / 4)) && at % 4 < 2 { 5.0 } else { -7.0 }));
    let (_, found) = read("v2/missing.zarr");
    assert!(found.iter().enumerate().all(|(at, value)| *value == if at / 6 < 2 && at % 6 < 3 { 1.0 } else { 9.0 }), "{found:?}");
}

#[test]
fn stacks_are_one_array() {
    let stack = npy::open_stack(&text(&fixture("stack"))).unwrap();
    assert_eq!((stack.axis, stack.files.iter().map(|file| file.shape()[0]).collect::<Vec<_>>()), (0, vec![2, 3, 1]));
    let stack = npy::open_stack(&text(&fixture("stack_along_1"))).unwrap();
    assert_eq!((stack.axis, stack.files.iter().map(|file| file.shape()[1]).collect::<Vec<_>>()), (1, vec![2, 2, 1]));
    // Without the file of Dask, the shapes say it.
    let folder = tempfile::tempdir().unwrap();
    for part in 0..3 {
        std::fs::copy(fixture(&format!("stack_along_1/{part}.npy")), folder.path().join(format!("{part}.npy"))).unwrap();
    }
    assert_eq!(npy::open_stack(&text(folder.path())).unwrap(), {
        let mut same = stack;
        same.files = (0..3).map(|part| npy::open(&text(&folder.path().join(format!("{part}.npy")))).unwrap()).collect();
        same
    });
    std::fs::copy(fixture("npy/big.npy"), folder.path().join("3.npy")).unwrap();
    let misfit = npy::open_stack(&text(folder.path())).unwrap_err();
    assert!(matches!(misfit.kind(), ErrorKind::SchemaMismatch { .. }), "{misfit:?}");
    std::fs::remove_file(folder.path().join("3.npy")).unwrap();
    std::fs::remove_file(folder.path().join("1.npy")).unwrap();
    let gap = npy::open_stack(&text(folder.path())).unwrap_err();
    assert!(*gap.kind() == ErrorKind::NoMatch && gap.place().file.ends_with("/1.npy"), "{gap:?}");
    let empty = tempfile::tempdir().unwrap();
    assert!(npy::open_stack(&text(empty.path())).is_err());
}

fn damaged(result: Result<impl std::fmt::Debug, Error>) -> String {
    match result.unwrap_err() {
        error if matches!(error.kind(), ErrorKind::Damaged { .. }) => format!("{error:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_damaged_or_of_another_kind_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.npy");
    let good = std::fs::read(fixture("npy/float64.npy")).unwrap();
    for cut in [0, 5, 9, 60, good.len() - 1] {
        std::fs::write(&file, &good[..cut]).unwrap();
        damaged(npy::open(&text(&file)));
    }
    std::fs::write(&file, [&good[..8], &[0xff, 0xff], &good[10..]].concat()).unwrap();
    damaged(npy::open(&text(&file)));
    let odd = std::fs::read(fixture("npy/bool.npy")).unwrap();
    std::fs::write(&file, [&odd[..odd.len() - 1], &[7]].concat()).unwrap();
    let bools = npy::open(&text(&file)).unwrap();
    damaged(bools.read(&whole(bools.shape())));
    for (name, dtype) in [("half", "<f2"), ("text", "<U2"), ("records", "('a', '<f8')")] {
        let error = npy::open(&text(&fixture(&format!("npy/{name}.npy")))).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::UnknownType { what } if what.contains(dtype)), "{error:?}");
    }
    for (name, dtype) in [("v3/half.zarr", "float16"), ("v2/half.zarr", "<f2")] {
        let error = zarr::open(&text(&fixture(name))).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::UnknownType { what } if what.contains(dtype)), "{error:?}");
    }
    let group = zarr::open(&text(&fixture("v3/group.zarr"))).unwrap_err();
    assert_eq!(group.kind(), &ErrorKind::Group { members: vec!["inner".into()] });
    let gone = zarr::open(&text(&fixture("v3/bloscc.zarr"))).unwrap_err();
    assert!(matches!(gone.kind(), ErrorKind::NoSuchFile { similar: Some(near) } if near.ends_with("blosc.zarr")), "{gone:?}");
    damaged(zarr::open(&text(folder.path())));
}

#[test]
fn damaged_chunks_and_metadata_are_said() {
    for name in ["v3/checksum.zarr", "v3/sharded.zarr", "v2/blosc.zarr", "v3/plain.zarr"] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("x.zarr");
        let mut chunks = Vec::new();
        fn copy(from: &Path, to: &Path, chunks: &mut Vec<PathBuf>) {
            std::fs::create_dir_all(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let (entry, to) = (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
                if entry.is_dir() {
                    copy(&entry, &to, chunks);
                } else {
                    std::fs::copy(&entry, &to).unwrap();
                    chunks.extend((!text(&to).ends_with("json") && !text(&to).contains("/.z")).then_some(to));
                }
            }
        }
        copy(&fixture(name), &root, &mut chunks);
        let good = std::fs::read(&chunks[0]).unwrap();
        for bad in [good[..good.len() / 2].to_vec(), Vec::new()] {
            std::fs::write(&chunks[0], bad).unwrap();
            let zarr = zarr::open(&text(&root)).unwrap();
            let found = damaged(zarr.read(&whole(zarr.shape())));
            assert!(found.contains("x.zarr"), "{found}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let metadata = std::fs::read_to_string(fixture("v3/plain.zarr/zarr.json")).unwrap();
    for (from, to) in [("\"zarr_format\": 3", "\"zarr_format\": 4"), ("    5,", "    -5,"), ("\"bytes\"", "\"bites\""), ("{", "")] {
        assert!(metadata.contains(from), "{from}");
        std::fs::write(folder.path().join("zarr.json"), metadata.replace(from, to)).unwrap();
        damaged(zarr::open(&text(folder.path())));
    }
}

/// A block of counted numbers of an array of this shape, in bytes.
fn block(shape: &[usize], region: &[Range<usize>]) -> Vec<u8> {
    counted(Kind::F64, shape, region, false).iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn each_place(name: &str, work: impl Fn(&str)) {
    let folder = tempfile::tempdir().unwrap();
    work(&folder.path().to_string_lossy());
    work(&format!("memory://{name}"));
}

#[test]
fn nothing_is_seen_before_all_is_written_and_twice_is_once() {
    let shape = [5, 6];
    each_place("zarr-writes", |root| {
        let path = format!("{root}/x.zarr");
        let rows = [0..4, 4..5];
        let write = |target: &ZarrTarget, at: usize, attempt: u32| -> Vec<Part> {
            let region = [rows[at].clone(), 0..6];
            target.write(&[region[0].start, 0], &[region[0].len(), 6], &block(&shape, &region), attempt).unwrap()
        };
        let options = [
            ZarrWriteOptions::new().chunks([2, 4]),
            ZarrWriteOptions::new().chunks([2, 2]).shards([4, 4]).compression(ZarrCodec::Blosc(5)).overwrite(true),
            ZarrWriteOptions::new().version(2).chunks([4, 3]).compression(ZarrCodec::Gzip(1)).overwrite(true),
            ZarrWriteOptions::new().chunks([1, 6]).compression(ZarrCodec::None).overwrite(true),
        ];
        for (round, options) in options.into_iter().enumerate() {
            let before = zarr::open(&path).ok().map(|old| (old.chunks().unwrap(), old.read(&whole(&shape)).unwrap()));
            assert_eq!(before.is_some(), round > 0, "{path}");
            let target = ZarrTarget::create(&path, &format!("t{round}"), Kind::F64, &shape, &[1, 1], &options).unwrap();
            // Written twice, and by an attempt that nobody waits for.
            let first = write(&target, 0, 0);
            let again = write(&target, 0, 1);
            let second = write(&target, 1, 0);
            assert_eq!(first.iter().map(|part| &part.path).collect::<Vec<_>>(), again.iter().map(|part| &part.path).collect::<Vec<_>>());
            let now = zarr::open(&path).ok().map(|old| (old.chunks().unwrap(), old.read(&whole(&shape)).unwrap()));
            assert_eq!(now, before, "{path}: what was there can be read until all is published");
            let parts = [again, second].concat();
            let published = target.publish(&parts).unwrap();
            assert_eq!((published.rows, published.files), (30, parts.len() as u64 + 1), "{path}");
            assert_eq!(target.publish(&parts).unwrap(), published, "{path}: again is harmless");
            check_zarr(&zarr::open(&path).unwrap(), &whole(&shape));
            let refused = ZarrTarget::create(&path, "other", Kind::F64, &shape, &[1, 1], &ZarrWriteOptions::new()).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::OutputExists { .. }), "{refused:?}");
        }
    });
}

/// Keys of one are names of folders of the other.
#[test]
fn an_array_takes_the_place_of_one_of_other_axes() {
    each_place("zarr-axes", |root| {
        let path = format!("{root}/x.zarr");
        for (round, shape) in [&[4, 4][..], &[4], &[], &[2, 2, 2], &[4]].into_iter().enumerate() {
            let options = ZarrWriteOptions::new().overwrite(true);
            let unit: Vec<usize> = shape.iter().map(|_| 2).collect();
            let target = ZarrTarget::create(&path, &format!("t{round}"), Kind::F64, shape, &unit, &options).unwrap();
            let parts = target.write(&vec![0; shape.len()], shape, &block(shape, &whole(shape)), 0).unwrap();
            target.publish(&parts).unwrap();
            let found = zarr::open(&path).unwrap();
            assert_eq!(found.shape(), shape, "{path}");
            check_zarr(&found, &whole(shape));
        }
    });
}

#[test]
fn a_region_replaces_its_chunks_only() {
    let shape = [6, 4];
    each_place("zarr-regions", |root| {
        let path = format!("{root}/x.zarr");
        let options = ZarrWriteOptions::new().chunks([2, 4]);
        let target = ZarrTarget::create(&path, "new", Kind::F64, &shape, &[2, 4], &options).unwrap();
        let parts = target.write(&[0, 0], &shape, &block(&shape, &whole(&shape)), 0).unwrap();
        target.publish(&parts).unwrap();
        let opened = zarr::open(&path).unwrap();
        let region = [2..4, 0..4];
        let target = ZarrTarget::region(&path, "part", Kind::F64, &region).unwrap();
        let parts = target.write(&[0, 0], &[2, 4], &block(&[2, 4], &whole(&[2, 4])), 0).unwrap();
        assert_eq!(parts.iter().map(|part| part.path.as_str()).collect::<Vec<_>>(), ["c/1/0"]);
        check_zarr(&opened, &whole(&shape));
        target.publish(&parts).unwrap();
        let found = zarr::open(&path).unwrap();
        check_zarr(&found, &[0..2, 0..4]);
        check_zarr(&found, &[4..6, 0..4]);
        assert_eq!(numbers(Kind::F64, &found.read(&region).unwrap()), (0..8).map(f64::from).collect::<Vec<_>>());
        for wrong in [&[1..3, 0..4], &[2..3, 0..4], &[4..8, 0..4], &[2..4, 0..3]] {
            let refused = ZarrTarget::region(&path, "part", Kind::F64, wrong).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::InvalidOption { .. }), "{refused:?}");
        }
        let other = ZarrTarget::region(&path, "part", Kind::I32, &region).unwrap_err();
        assert_eq!(other.kind(), &ErrorKind::OtherKind { found: "f64".into() });
    });
}

/// Chunks that are not packed are as long as those that they replace: sizes do not tell who wrote them.
#[test]
fn regions_that_are_written_at_the_same_time_are_both_there() {
    let shape = [4, 4];
    each_place("zarr-beside", |root| {
        let path = format!("{root}/x.zarr");
        let options = ZarrWriteOptions::new().chunks([2, 4]).compression(ZarrCodec::None);
        let target = ZarrTarget::create(&path, "new", Kind::F64, &shape, &[2, 4], &options).unwrap();
        let zeros = vec![0u8; 4 * 4 * 8];
        target.publish(&target.write(&[0, 0], &shape, &zeros, 0).unwrap()).unwrap();
        let first = ZarrTarget::region(&path, "first", Kind::F64, &[0..2, 0..4]).unwrap();
        let second = ZarrTarget::region(&path, "second", Kind::F64, &[2..4, 0..4]).unwrap();
        let half = block(&[2, 4], &whole(&[2, 4]));
        let [one, other] = [&first, &second].map(|target| target.write(&[0, 0], &[2, 4], &half, 0).unwrap());
        first.publish(&one).unwrap();
        second.publish(&other).unwrap();
        let found = numbers(Kind::F64, &zarr::open(&path).unwrap().read(&whole(&shape)).unwrap());
        assert_eq!(found, (0..8).chain(0..8).map(f64::from).collect::<Vec<_>>(), "{path}");
    });
}

#[test]
fn options_that_cannot_be_are_refused() {
    let refused = |options: ZarrWriteOptions, name: &str| {
        let error = options.check(2).unwrap_err();
        assert_eq!(error.place().file, name, "{error:?}");
    };
    refused(ZarrWriteOptions::new().version(4), "version");
    refused(ZarrWriteOptions::new().chunks([2]), "chunks");
    refused(ZarrWriteOptions::new().chunks([2, 0]), "chunks");
    refused(ZarrWriteOptions::new().shards([2, 2]), "shards");
    refused(ZarrWriteOptions::new().chunks([2, 2]).shards([4, 3]), "shards");
    refused(ZarrWriteOptions::new().chunks([2, 2]).shards([4, 4]).version(2), "shards");
    refused(ZarrWriteOptions::new().compression(ZarrCodec::Gzip(10)), "compression");
    refused(ZarrWriteOptions::new().dimension_names(["y"]), "dimension_names");
    ZarrWriteOptions::new().chunks([2, 2]).shards([4, 4]).dimension_names(["y", "x"]).check(2).unwrap();
    for (kind, value) in [(Kind::U8, -1.0), (Kind::I8, 300.0), (Kind::I32, 0.5), (Kind::I64, f64::NAN), (Kind::F32, 1e300)] {
        let folder = tempfile::tempdir().unwrap();
        let options = ZarrWriteOptions::new().fill_value(value);
        let error = ZarrTarget::create(&text(folder.path()), "fill", kind, &[2], &[2], &options).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidOption { .. }) && error.place().file == "fill_value", "{error:?}");
    }
}
