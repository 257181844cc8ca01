//! HDF5 as h5py writes it and NetCDF-4 as netCDF4 does (tests/numpy/hdf5_files.py): every kind, every region, what is damaged or not there;
//! and files that are written, which appear at once and lose nothing.

use std::ops::Range;
use std::path::{Path, PathBuf};

use partita_io::hdf5::{self, Hdf5, Hdf5WriteOptions, Hdf5Writer};
use partita_io::{Error, ErrorKind, Kind};

fn fixture(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/numpy/hdf5").join(name);
    path.to_string_lossy().into_owned()
}

fn open(file: &str, dataset: &str) -> Hdf5 {
    hdf5::open(&fixture(file), dataset).unwrap_or_else(|error| panic!("{file} {dataset}: {error:?}"))
}

const KINDS: [(&str, Kind); 13] = [
    ("bool", Kind::Bool),
    ("int8", Kind::I8),
    ("int16", Kind::I16),
    ("int32", Kind::I32),
    ("int64", Kind::I64),
    ("uint8", Kind::U8),
    ("uint16", Kind::U16),
    ("uint32", Kind::U32),
    ("uint64", Kind::U64),
    ("float32", Kind::F32),
    ("float64", Kind::F64),
    ("complex64", Kind::C64),
    ("complex128", Kind::C128),
];

/// One element, as bytes; complex ones have half of the number, with the other sign, as imaginary part.
fn element(kind: Kind, number: usize) -> Vec<u8> {
    let real = number as f64;
    match kind {
        Kind::Bool => vec![u8::from(number.is_multiple_of(3))],
        Kind::I8 | Kind::U8 => vec![number as u8],
        Kind::I16 | Kind::U16 => (number as u16).to_ne_bytes().to_vec(),
        Kind::I32 | Kind::U32 => (number as u32).to_ne_bytes().to_vec(),
        Kind::I64 | Kind::U64 => (number as u64).to_ne_bytes().to_vec(),
        Kind::F32 => (real as f32).to_ne_bytes().to_vec(),
        Kind::F64 => real.to_ne_bytes().to_vec(),
        Kind::C64 => [real as f32, (0.0 - real / 2.0) as f32].iter().flat_map(|part| part.to_ne_bytes()).collect(),
        Kind::C128 => [real, 0.0 - real / 2.0].iter().flat_map(|part| part.to_ne_bytes()).collect(),
        other => panic!("{other:?} has no elements"),
    }
}

/// What an array that counts from 0 holds in a region.
fn counted(kind: Kind, shape: &[usize], region: &[Range<usize>]) -> Vec<u8> {
    let mut places: Vec<usize> = vec![0];
    for (len, range) in shape.iter().zip(region) {
        places = places.iter().flat_map(|place| range.clone().map(move |at| place * len + at)).collect();
    }
    places.into_iter().flat_map(|place| element(kind, place)).collect()
}

fn whole(shape: &[usize]) -> Vec<Range<usize>> {
    shape.iter().map(|len| 0..*len).collect()
}

#[test]
fn every_kind_and_order_of_bytes() {
    for (name, kind) in KINDS.into_iter().chain([("big", Kind::F64)]) {
        let found = open("kinds.h5", name);
        assert_eq!((found.kind(), found.shape(), found.chunks()), (kind, &[4, 5][..], None), "{name}");
        assert_eq!(found.read(&whole(&[4, 5])).unwrap(), counted(kind, &[4, 5], &whole(&[4, 5])), "{name}");
    }
    assert_eq!(open("kinds.h5", "number").read(&[]).unwrap(), 42.5f64.to_ne_bytes());
    assert!(open("kinds.h5", "nothing").read(&[0..0, 0..3]).unwrap().is_empty());
    let special = open("kinds.h5", "special").read(std::slice::from_ref(&(1..4))).unwrap();
    assert_eq!(special, [f64::INFINITY, f64::NEG_INFINITY, -0.0].map(f64::to_ne_bytes).concat());
}

#[test]
fn every_region_of_chunks_that_are_packed_or_grow() {
    for (name, kind, unit) in
        [("plain", Kind::F64, [2, 4]), ("gzip", Kind::F64, [2, 4]), ("lzf", Kind::I32, [3, 3]), ("growing", Kind::F64, [2, 4])]
    {
        let found = open("chunks.h5", &format!("/measured/day_1/{name}"));
        assert_eq!((found.shape(), found.kind()), (&[5, 6][..], kind), "{name}");
        let chunks = found.chunks().unwrap();
        assert_eq!((chunks[0][0], chunks[1][0]), (unit[0], unit[1]), "{name}");
        assert_eq!(chunks.iter().map(|lengths| lengths.iter().sum()).collect::<Vec<usize>>(), [5, 6], "{name}");
        for (start, end) in (0..5).flat_map(|start| (start..=5).map(move |end| (start, end))) {
            let region = [start..end, start..6];
            assert_eq!(found.read(&region).unwrap(), counted(kind, &[5, 6], &region), "{name} {region:?}");
        }
    }
    let missing = open("chunks.h5", "measured/day_1/missing").read(&[1..3, 2..4]).unwrap();
    assert_eq!(missing, [5i16, -7, -7, -7].map(i16::to_ne_bytes).concat());
    assert_eq!(open("chunks.h5", "link").read(&[0..1, 0..1]).unwrap(), element(Kind::F64, 0));
}

#[test]
fn variables_of_netcdf_as_they_are_stored() {
    let packed = open("weather.nc", "t2m");
    assert_eq!((packed.kind(), packed.shape()), (Kind::I16, &[6, 3, 4][..]));
    assert_eq!(packed.read(&[2..5, 1..3, 0..4]).unwrap(), counted(Kind::I16, &[6, 3, 4], &[2..5, 1..3, 0..4]));
    assert_eq!(open("weather.nc", "lat").read(std::slice::from_ref(&(0..3))).unwrap(), [-30f32, 0.0, 30.0].map(f32::to_ne_bytes).concat());
}

#[test]
fn groups_that_lead_back_and_axes_that_say_they_are_long_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.h5");
    let name = path.to_string_lossy().into_owned();
    {
        let file = ::hdf5::File::create(&path).unwrap();
        let group = file.create_group("a").unwrap();
        group.link_hard("/a", "x").unwrap();
        group.link_hard("/a", "y").unwrap();
        file.new_dataset::<u8>().chunk(vec![1usize]).shape(vec![1usize << 40]).create("long").unwrap();
    }
    assert!(matches!(hdf5::open(&name, "missing").unwrap_err().kind(), ErrorKind::NoSuchArray { .. }));
    let chunks = hdf5::open(&name, "long").unwrap().chunks().unwrap();
    assert_eq!((chunks[0].len(), chunks[0].iter().sum::<usize>()), (1 << 20, 1 << 40));
}

#[test]
fn what_cannot_be_read_is_named() {
    let refused = |file: &str, dataset: &str| hdf5::open(file, dataset).unwrap_err();
    for (dataset, what) in [("text", "string"), ("half", ""), ("records", "compound"), ("null", "empty dataspace")] {
        let error = refused(&fixture("kinds.h5"), dataset);
        assert!(matches!(error.kind(), ErrorKind::UnknownType { what: found } if found.contains(what)), "{dataset}: {error:?}");
    }
    let error = refused(&fixture("chunks.h5"), "/measured/day_2/gzip");
    assert!(
        matches!(error.kind(), ErrorKind::NoSuchArray { name, names } if name == "/measured/day_2/gzip" && names.contains(&"/measured/day_1/gzip".into())),
        "{error:?}"
    );
    let error = refused(&fixture("chunks.h5"), "measured");
    assert!(matches!(error.kind(), ErrorKind::Group { members } if members.len() == 5), "{error:?}");
    assert_eq!(refused("s3://bucket/x.h5", "x").place().file, "s3://bucket/x.h5");
    assert!(matches!(refused(&fixture("nothing.h5"), "x").kind(), ErrorKind::NoSuchFile { .. }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.h5").to_string_lossy().into_owned();
    let good = std::fs::read(fixture("chunks.h5")).unwrap();
    for length in [0, 5, 500, good.len() / 2, good.len() - 1] {
        std::fs::write(&file, &good[..length]).unwrap();
        let error = hdf5::open(&file, "/measured/day_1/gzip").and_then(|found| found.read(&whole(&[5, 6]))).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Damaged { .. }) && error.place().file == file, "{length}: {error:?}");
    }
    // One that changes after it was opened.
    std::fs::copy(fixture("kinds.h5"), &file).unwrap();
    let opened = hdf5::open(&file, "int8").unwrap();
    std::fs::remove_file(&file).unwrap();
    let mut other = Hdf5Writer::create(&file, &Hdf5WriteOptions::new()).unwrap();
    other.dataset("int8", Kind::I8, &[5, 4], &[5, 4]).unwrap();
    other.publish().unwrap();
    assert!(matches!(opened.read(&whole(&[4, 5])).unwrap_err().kind(), ErrorKind::Damaged { .. }));
}

/// Writes an array that counts from 0, block by block.
fn fill(writer: &mut Hdf5Writer, name: &str, kind: Kind, shape: [usize; 2], block: [usize; 2]) -> Result<(), Error> {
    let dataset = writer.dataset(name, kind, &shape, &block)?;
    for row in (0..shape[0]).step_by(block[0]) {
        for column in (0..shape[1]).step_by(block[1]) {
            let region = [row..(row + block[0]).min(shape[0]), column..(column + block[1]).min(shape[1])];
            writer.write(dataset, &region, &counted(kind, &shape, &region))?;
        }
    }
    Ok(())
}

fn visible(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Leaves in the folder of the build what h5py should read: python tests/numpy/hdf5_files.py check FOLDER
#[test]
fn what_is_written_is_read() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hdf5");
    let _ = std::fs::remove_dir_all(&root);
    let file = root.join("written.h5").to_string_lossy().into_owned();
    let options = Hdf5WriteOptions::new();
    let mut writer = Hdf5Writer::create(&file, &options).unwrap();
    for (name, kind) in KINDS {
        fill(&mut writer, &format!("kinds/{name}"), kind, [7, 10], [3, 4]).unwrap();
    }
    fill(&mut writer, "/plain", Kind::F64, [7, 10], [3, 4]).unwrap();
    let number = writer.dataset("number", Kind::F64, &[], &[]).unwrap();
    writer.write(number, &[], &42.5f64.to_ne_bytes()).unwrap();
    writer.dataset("nothing", Kind::F64, &[0, 3], &[0, 3]).unwrap();
    assert!(hdf5::open(&file, "plain").is_err(), "nothing is seen yet");
    assert_eq!(writer.publish().unwrap(), std::fs::metadata(&file).unwrap().len());
    let mut writer = Hdf5Writer::create(&file, &options.clone().append(true).gzip(4).chunks([2, 5])).unwrap();
    fill(&mut writer, "gzip", Kind::F64, [7, 10], [3, 4]).unwrap();
    writer.publish().unwrap();
    for (name, kind) in KINDS {
        let found = hdf5::open(&file, &format!("kinds/{name}")).unwrap();
        assert_eq!((found.kind(), found.read(&whole(&[7, 10])).unwrap()), (kind, counted(kind, &[7, 10], &whole(&[7, 10]))), "{name}");
    }
    for (name, chunks) in [("plain", [vec![3, 3, 1], vec![4, 4, 2]]), ("gzip", [vec![2, 2, 2, 1], vec![5, 5]])] {
        let found = hdf5::open(&file, name).unwrap();
        assert_eq!(
            (found.chunks().unwrap(), found.read(&whole(&[7, 10])).unwrap()),
            (chunks.to_vec(), counted(Kind::F64, &[7, 10], &whole(&[7, 10])))
        );
    }
    assert_eq!(visible(&root), ["written.h5"]);
}

#[test]
fn files_appear_at_once_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.h5").to_string_lossy().into_owned();
    let create = |options: Hdf5WriteOptions| Hdf5Writer::create(&file, &options);
    let shape_of = |name: &str| hdf5::open(&file, name).map(|found| found.shape().to_vec());
    let new = Hdf5WriteOptions::new;
    let mut writer = create(new()).unwrap();
    fill(&mut writer, "a", Kind::I32, [2, 2], [2, 2]).unwrap();
    assert_eq!(visible(folder.path()).iter().filter(|name| !name.starts_with('.')).count(), 0);
    drop(writer);
    assert!(visible(folder.path()).is_empty(), "what is not published leaves nothing");
    // Two at a time: the second to be published finds the first.
    let (mut first, mut second) = (create(new()).unwrap(), create(new()).unwrap());
    fill(&mut first, "a", Kind::I32, [2, 2], [2, 2]).unwrap();
    fill(&mut second, "a", Kind::I32, [3, 3], [2, 2]).unwrap();
    first.publish().unwrap();
    assert!(matches!(second.publish().unwrap_err().kind(), ErrorKind::OutputExists { .. }));
    assert!(matches!(create(new()).err().unwrap().kind(), ErrorKind::OutputExists { .. }));
    assert_eq!((shape_of("a"), visible(folder.path()).len()), (Ok(vec![2, 2]), 1));
    // A name that is taken, unless it may be replaced; the others stay.
    let mut more = create(new().append(true)).unwrap();
    assert!(
        matches!(fill(&mut more, "a", Kind::I32, [4, 4], [2, 2]).unwrap_err().kind(), ErrorKind::OutputExists { example } if example == "/a")
    );
    fill(&mut more, "b", Kind::I32, [4, 4], [2, 2]).unwrap();
    assert!(shape_of("b").is_err());
    more.publish().unwrap();
    let mut replaced = create(new().append(true).overwrite(true)).unwrap();
    fill(&mut replaced, "a", Kind::I32, [5, 4], [2, 2]).unwrap();
    assert_eq!(shape_of("a"), Ok(vec![2, 2]), "the old one can be read until the new one is complete");
    replaced.publish().unwrap();
    assert_eq!((shape_of("a"), shape_of("b")), (Ok(vec![5, 4]), Ok(vec![4, 4])));
    let mut whole_file = create(new().overwrite(true)).unwrap();
    fill(&mut whole_file, "c", Kind::I32, [1, 1], [1, 1]).unwrap();
    assert!(matches!(fill(&mut whole_file, "/c", Kind::I32, [1, 1], [1, 1]).unwrap_err().kind(), ErrorKind::OutputExists { .. }));
    whole_file.publish().unwrap();
    assert!(shape_of("c").is_ok() && shape_of("a").is_err());
    // Of two that continue one file the later one would lose what the earlier one added.
    let (mut one, two) = (create(new().append(true)).unwrap(), create(new().append(true)).unwrap());
    fill(&mut one, "d", Kind::I32, [9, 9], [3, 3]).unwrap();
    one.publish().unwrap();
    assert!(matches!(two.publish().unwrap_err().kind(), ErrorKind::Unwritable { .. }));
    assert_eq!((shape_of("d"), visible(folder.path()).len()), (Ok(vec![9, 9]), 1));
}

/// Each began with the same file; whoever comes second is told, and no dataset is lost.
#[test]
fn of_appenders_at_the_same_time_one_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.h5").to_string_lossy().into_owned();
    let options = Hdf5WriteOptions::new().append(true);
    let mut first = Hdf5Writer::create(&file, &options).unwrap();
    fill(&mut first, "/start", Kind::I32, [2, 3], [2, 3]).unwrap();
    first.publish().unwrap();
    for round in 0..30 {
        let writer = |number: usize| {
            let mut writer = Hdf5Writer::create(&file, &options).unwrap();
            fill(&mut writer, &format!("/of/{round}/{number}"), Kind::I32, [2, 3], [2, 3]).unwrap();
            writer
        };
        let writers: Vec<Hdf5Writer> = (0..4).map(writer).collect();
        let published: Vec<Result<u64, Error>> = std::thread::scope(|scope| {
            let threads: Vec<_> = writers.into_iter().map(|writer| scope.spawn(move || writer.publish())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let refused = published.iter().filter_map(|one| one.as_ref().err());
        assert!(refused.clone().all(|error| error.to_string().contains("it changed while datasets were written")), "{published:?}");
        assert_eq!(refused.count(), 3, "{published:?}");
        let winner = published.iter().position(Result::is_ok).unwrap();
        open(&file, &format!("/of/{round}/{winner}"));
        open(&file, "/start");
    }
    assert_eq!(visible(folder.path()), ["x.h5"], "nothing hidden is left");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.h5").to_string_lossy().into_owned();
    let new = Hdf5WriteOptions::new;
    let option = |options: Hdf5WriteOptions, dataset: &str, name: &str| {
        let mut writer = Hdf5Writer::create(&file, &options).unwrap();
        let error = writer.dataset(dataset, Kind::F64, &[4, 4], &[2, 2]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidOption { .. }) && error.place().file == name, "{error:?}");
    };
    option(new().gzip(10), "x", "gzip");
    option(new().chunks([2]), "x", "chunks");
    option(new().chunks([0, 2]), "x", "chunks");
    option(new().chunks([5, 2]), "x", "chunks");
    option(new(), "/", "dataset");
    let refused = |name: &str, options: Hdf5WriteOptions| Hdf5Writer::create(name, &options).err().unwrap();
    assert!(matches!(refused("memory://x.h5", new()).kind(), ErrorKind::InvalidOption { .. }));
    std::fs::write(&file, b"a text").unwrap();
    assert!(matches!(refused(&format!("{file}/x.h5"), new()).kind(), ErrorKind::Unwritable { .. }));
    assert!(matches!(refused(&file, new().append(true)).kind(), ErrorKind::Damaged { .. }));
    assert_eq!(visible(folder.path()), ["x.h5"]);
}

/// The library runs one call at a time; all of them come back right.
#[test]
fn many_threads_read_at_the_same_time() {
    let found = open("chunks.h5", "/measured/day_1/gzip");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let found = &found;
            scope.spawn(move || {
                for round in 0..50 {
                    let region = [(thread + round) % 5..5, round % 6..6];
                    assert_eq!(found.read(&region).unwrap(), counted(Kind::F64, &[5, 6], &region));
                }
            });
        }
    });
}
