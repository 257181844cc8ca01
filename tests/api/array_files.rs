//! Arrays from files and into files: what NumPy and zarr-python wrote (tests/numpy/array_files.py), there and back on every executor,
//! and writes under faults.

use std::path::Path;
use std::process::Command;

use super::arrays::{bits, check, check_by, counted};
use super::check::executors;
use partita::graph::Executor;
use partita::ndarray::{Array, ArrayD, arr0, array, s};
use partita::prelude::*;
use partita::{AnyArray, Code, Element, ZarrCodec, operator_registry};
use partita_sim::SimExecutor;

fn fixture(name: &str) -> String {
    format!("{}/tests/numpy/files/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> (tempfile::TempDir, String) {
    let guard = tempfile::tempdir().unwrap();
    let path = guard.path().join("out").to_string_lossy().into_owned();
    (guard, path)
}

/// What a file that counts from 0 holds.
fn numbers<T: Element>(shape: &[usize], of: impl Fn(f64) -> T) -> ArrayD<T> {
    counted(shape).mapv(of)
}

/// Names of files and folders in a folder that begin with a dot and are not Zarr's own.
fn hidden(folder: &str) -> usize {
    let names = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".partita")).count()
}

/// Every name below a folder but hidden ones; sorted.
fn visible(folder: &str) -> Vec<String> {
    fn walk(folder: &Path, below: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && name.starts_with(".partita") {
                continue;
            }
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{below}{name}/"), found);
            } else {
                found.push(format!("{below}{name}"));
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new(folder), "", &mut found);
    found.sort();
    found
}

#[test]
fn every_kind_of_numpy() {
    fn both<T: Element>(name: &str, of: impl Fn(f64) -> T) {
        let npy = fixture(&format!("npy/{name}.npy"));
        check(&DArray::<T>::read_npy(&npy).unwrap(), numbers(&[4, 5], &of));
        check(&DArray::<T>::read_npy_with(&npy, [3, 2]).unwrap(), numbers(&[4, 5], &of));
        let zarr = DArray::<T>::read_zarr(fixture(&format!("v3/{name}.zarr"))).unwrap();
        check(&zarr, numbers(&[5, 6], &of));
    }
    both("bool", |number| number % 3.0 == 0.0);
    both("int8", |number| number as i8);
    both("int16", |number| number as i16);
    both("int32", |number| number as i32);
    both("int64", |number| number as i64);
    both("uint8", |number| number as u8);
    both("uint16", |number| number as u16);
    both("uint32", |number| number as u32);
    both("uint64", |number| number as u64);
    both("float32", |number| number as f32);
    both("float64", |number| number);
    both("complex64", |number| Complex::new(number as f32, 0.0 - number as f32 / 2.0));
    both("complex128", |number| Complex::new(number, 0.0 - number / 2.0));
}

#[test]
fn orders_of_axes_and_bytes() {
    let read = |name: &str, chunks: Chunks| DArray::<f64>::read_npy_with(fixture(&format!("npy/{name}.npy")), chunks).unwrap();
    check(&read("fortran", [2, 3, 2].into()), counted(&[3, 4, 5]));
    check(&read("fortran", "auto".into()), counted(&[3, 4, 5]));
    check(&read("big", [4, 3].into()), counted(&[4, 5]));
    let complex = |number: f64| Complex::new(number, 0.0 - number / 2.0);
    check(&DArray::read_npy_with(fixture("npy/big_complex.npy"), [4, 3]).unwrap(), numbers(&[4, 5], complex));
    check(&DArray::read_zarr(fixture("v2/big_complex.zarr")).unwrap(), numbers(&[5, 6], complex));
    check(&DArray::<i16>::read_npy_with(fixture("npy/big_fortran.npy"), [2, 2]).unwrap(), numbers(&[4, 5], |number| number as i16));
    check(&read("number", 1.into()), arr0(42.5));
    check(&read("nothing", 2.into()), Array::zeros((0, 3)));
    check_by(&read("special", 2.into()), |found| bits(found).1 == ["NaN", "inf", "-inf", "-0.0"], "NaN inf -inf -0");
    // A part of a file is read like any other step.
    check(&(&read("fortran", [1, 4, 5].into()).slice(s![1.., ..;2, 3]) * 2.0), counted(&[3, 4, 5]).slice_move(s![1.., ..;2, 3]) * 2.0);
}

#[test]
fn codecs_keys_and_shards_of_zarr() {
    for name in ["gzip", "blosc", "plain", "checksum", "big", "transposed", "dots", "keys_of_v2"] {
        check(&DArray::<f64>::read_zarr(fixture(&format!("v3/{name}.zarr"))).unwrap(), counted(&[5, 6]));
    }
    for name in ["zlib", "gzip", "zstd", "blosc", "plain", "fortran", "slashes"] {
        check(&DArray::<f64>::read_zarr_with(fixture(&format!("v2/{name}.zarr")), [3, 4]).unwrap(), counted(&[5, 6]));
    }
    check(&DArray::<i32>::read_zarr(fixture("v2/big.zarr")).unwrap(), numbers(&[5, 6], |number| number as i32));
    // Parts of shards, and blocks across them.
    for chunks in [[6, 6], [2, 3], [5, 5], [10, 12]] {
        check(&DArray::<f64>::read_zarr_with(fixture("v3/sharded.zarr"), chunks).unwrap(), counted(&[10, 12]));
    }
    check(&DArray::<f64>::read_zarr(fixture("v3/number.zarr")).unwrap(), arr0(42.5));
    let inner = DArray::<i64>::read_zarr(fixture("v3/group.zarr/inner")).unwrap();
    check(&inner, array![0i64, 1, 2, 3]);
}

#[test]
fn missing_chunks_are_the_fill_value() {
    let mut expected = Array::from_elem((8, 4), -7i16);
    expected.slice_mut(s![2..4, 0..2]).fill(5);
    check(&DArray::<i16>::read_zarr_with(fixture("v3/missing_in_shard.zarr"), [3, 3]).unwrap(), expected);
    let mut expected = Array::from_elem((5, 6), f32::NAN);
    expected.slice_mut(s![0..2, 3..6]).fill(1.5);
    check(&DArray::<f32>::read_zarr_with(fixture("v3/missing.zarr"), [2, 3]).unwrap(), expected);
    let mut expected = Array::from_elem((5, 6), Complex::new(1.5f64, -2.0));
    expected.slice_mut(s![0..2, 3..6]).fill(Complex::new(0.0, 3.0));
    check(&DArray::<Complex<f64>>::read_zarr(fixture("v2/missing_complex.zarr")).unwrap(), expected.clone());
    let narrow = expected.mapv(|number| Complex::new(number.re as f32, number.im as f32));
    check(&DArray::<Complex<f32>>::read_zarr_with(fixture("v3/missing_complex.zarr"), [3, 3]).unwrap(), narrow);
}

#[test]
fn stacks_of_dask() {
    let stack = DArray::<f64>::read_npy_stack(fixture("stack")).unwrap();
    assert_eq!(stack.chunks().unwrap(), [vec![2, 3, 1], vec![4]]);
    check(&stack, counted(&[6, 4]));
    let stack = DArray::<i32>::read_npy_stack(fixture("stack_along_1")).unwrap();
    assert_eq!(stack.chunks().unwrap(), [vec![3], vec![2, 2, 1]]);
    check(&stack.rechunk([2, 2]), numbers(&[3, 5], |number| number as i32));
}

#[test]
fn a_kind_that_is_known_at_run_time_only() {
    let any = AnyArray::read_npy(fixture("npy/int16.npy")).unwrap();
    assert_eq!((any.dtype().unwrap(), any.shape().unwrap()), (DType::I16, vec![4, 5]));
    check(&any.to::<f64>().unwrap(), counted(&[4, 5]));
    check(&any.typed::<i16>().unwrap(), numbers(&[4, 5], |number| number as i16));
    assert_eq!(AnyArray::read_zarr(fixture("v2/uint16.zarr")).unwrap().dtype().unwrap(), DType::U16);
    assert_eq!(AnyArray::read_npy_stack(fixture("stack_along_1")).unwrap().dtype().unwrap(), DType::I32);
}

#[track_caller]
fn refused<T>(result: Result<T, partita::Error>, code: Code, words: &[&str]) {
    let error = result.err().expect("it should be refused");
    let text = error.to_string();
    assert_eq!(error.code, code, "{text}");
    assert!(words.iter().chain(&["array_files.rs:"]).all(|word| text.contains(word)), "{words:?} are not all in:\n{text}");
}

#[test]
fn refusals_name_the_fix_and_the_users_line() {
    refused(DArray::<f64>::read_npy(fixture("npy/int32.npy")), Code::TypeMismatch, &["i32", "DArray::<i32>::read_npy(", ".cast::<f64>()"]);
    refused(DArray::<f32>::read_zarr(fixture("v3/plain.zarr")), Code::TypeMismatch, &["DArray::<f64>::read_zarr(", ".cast::<f32>()"]);
    refused(DArray::<f64>::read_npy(fixture("npy/half.npy")), Code::Unsupported, &["<f2", "f64", "Complex<f64>"]);
    refused(DArray::<f64>::read_zarr(fixture("v3/half.zarr")), Code::Unsupported, &["float16"]);
    refused(DArray::<f64>::read_zarr(fixture("v3/group.zarr")), Code::IsDirectory, &["group", "group.zarr/inner"]);
    refused(DArray::<f64>::read_npy(fixture("npy/floatt64.npy")), Code::NoSuchFile, &["did you mean", "float64.npy"]);
    refused(DArray::<f64>::read_npy(fixture("stack")), Code::IsDirectory, &["read_npy_stack"]);
    refused(DArray::<f64>::read_npy_stack(fixture("v3")), Code::NoMatch, &["*.npy"]);
    refused(DArray::<f64>::read_zarr(fixture("stack")), Code::Damaged, &["zarr.json"]);
    refused(DArray::<f64>::read_npy_with(fixture("npy/line.npy"), [2, 2]), Code::ShapeMismatch, &["2 axes"]);
    let (_guard, path) = folder();
    let x = DArray::from_array(counted(&[4, 4]), 2);
    x.to_zarr(&path, ZarrWriteOptions::new()).unwrap();
    refused(x.to_zarr(&path, ZarrWriteOptions::new()), Code::OutputExists, &["c/0/0", "overwrite(true)"]);
    refused(x.to_zarr(&path, ZarrWriteOptions::new().version(1)), Code::InvalidOption, &["version", "to_zarr"]);
    let part = x.slice(s![..2, ..]);
    refused(part.to_zarr_region(&path, s![1..3, ..]), Code::InvalidOption, &["region", "whole chunks", "0..4"]);
    refused(part.to_zarr_region(&path, s![..3, ..]), Code::ShapeMismatch, &["(2, 4)", "(3, 4)"]);
    refused(part.cast::<i8>().to_zarr_region(&path, s![2.., ..]), Code::TypeMismatch, &["f64", ".cast::<f64>()"]);
    refused(x.to_npy_stack(&path, 2, false), Code::AxisOutOfRange, &["axis 2"]);
    let masked = x.ravel().compress(&x.ravel().gt(3.0), 0);
    refused(masked.to_npy(&path, false), Code::UnknownSizes, &["compute_chunk_sizes"]);
    assert_eq!(hidden(&path), 0, "what is refused writes nothing");
    check(&DArray::<f64>::read_zarr(&path).unwrap(), counted(&[4, 4]));
}

/// Writes on an executor, and what readers then see.
fn there_and_back(executor: &dyn Executor, case: &str, root: &str) {
    let expected = counted(&[7, 10]);
    let x = DArray::from_array(expected.clone(), [3, 4]);
    let same = |found: ArrayD<f64>, what: &str| assert!(bits(&found) == bits(&expected), "{case}: {what}\n{found}");
    let file = format!("{root}/x.npy");
    for overwrite in [false, true] {
        let written = x.to_npy_on(executor, &file, overwrite).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!((written.elements, written.files), (70, 1), "{case}");
        same(DArray::<f64>::read_npy(&file).unwrap().compute_on(executor).unwrap(), "npy");
    }
    let stack = format!("{root}/stack");
    assert_eq!(x.to_npy_stack_on(executor, &stack, 1, false).unwrap().files, 4, "{case}");
    same(DArray::<f64>::read_npy_stack(&stack).unwrap().compute_on(executor).unwrap(), "stack");
    let options = || ZarrWriteOptions::new().overwrite(true);
    let array = format!("{root}/x.zarr");
    for (what, options, files) in [
        ("v3", options(), 10),
        ("chunks", options().chunks([2, 5]).compression(ZarrCodec::Blosc(5)), 9),
        ("shards", options().chunks([2, 2]).shards([4, 6]).compression(ZarrCodec::Gzip(3)), 5),
        ("v2", options().version(2).chunks([7, 3]), 5),
        ("plain", options().compression(ZarrCodec::None), 10),
    ] {
        let written = x.to_zarr_on(executor, &array, options).unwrap_or_else(|e| panic!("{case} {what}: {e}"));
        assert_eq!((written.elements, written.files), (70, files), "{case} {what}");
        same(DArray::<f64>::read_zarr(&array).unwrap().compute_on(executor).unwrap(), what);
    }
    let halves = DArray::full([3, 4], 0.5, 2);
    halves.to_zarr_region_on(executor, &array, s![3..6, 4..8]).unwrap_or_else(|e| panic!("{case}: {e}"));
    let mut changed = expected.clone();
    changed.slice_mut(s![3..6, 4..8]).fill(0.5);
    let found = DArray::<f64>::read_zarr(&array).unwrap().compute_on(executor).unwrap();
    assert!(bits(&found) == bits(&changed), "{case}: region\n{found}");
}

#[test]
fn there_and_back_on_every_executor() {
    for (number, (name, executor)) in executors().into_iter().enumerate() {
        let (_guard, path) = folder();
        there_and_back(&*executor, &name, &path);
        // Each process of a cluster has a store of its own.
        if !name.starts_with("Cluster") {
            there_and_back(&*executor, &name, &format!("memory://array-files/{number}"));
        }
    }
}

#[test]
fn every_kind_and_form_there_and_back() {
    fn both<T: Element>(of: impl Fn(f64) -> T) {
        for shape in [&[][..], &[0], &[5], &[3, 4], &[2, 0, 3], &[2, 3, 4]] {
            let (_guard, path) = folder();
            let expected = numbers(shape, &of);
            let x = DArray::from_array(expected.clone(), 2);
            x.to_npy(format!("{path}/x.npy"), false).unwrap();
            x.to_zarr(format!("{path}/x.zarr"), ZarrWriteOptions::new()).unwrap();
            x.to_zarr(format!("{path}/v2.zarr"), ZarrWriteOptions::new().version(2)).unwrap();
            let same = |found: ArrayD<T>| assert!(bits(&found) == bits(&expected), "{shape:?}\n{found}");
            same(DArray::<T>::read_npy(format!("{path}/x.npy")).unwrap().compute().unwrap());
            same(DArray::<T>::read_zarr(format!("{path}/x.zarr")).unwrap().compute().unwrap());
            same(DArray::<T>::read_zarr(format!("{path}/v2.zarr")).unwrap().compute().unwrap());
        }
    }
    both(|number| number % 3.0 == 0.0);
    both(|number| number as i8);
    both(|number| number as i16);
    both(|number| number as i32);
    both(|number| number as i64);
    both(|number| number as u8);
    both(|number| number as u16);
    both(|number| number as u32);
    both(|number| number as u64);
    both(|number| number as f32);
    both(|number| if number == 1.0 { f64::NAN } else { -number });
    both(|number| Complex::new(number as f32, -0.0));
    both(|number| Complex::new(number, if number == 1.0 { f64::NAN } else { -number }));
    let (_guard, path) = folder();
    let expected = numbers(&[5, 3], |number| Complex::new(number, -number));
    DArray::from_array(expected.clone(), 2).to_npy_stack(&path, 0, false).unwrap();
    check(&DArray::<Complex<f64>>::read_npy_stack(&path).unwrap(), expected);
}

#[test]
fn blocks_of_any_layout_are_written_in_order() {
    let x = DArray::from_array(counted(&[6, 4]), [4, 3]);
    for (lazy, expected) in [
        (x.t(), counted(&[6, 4]).reversed_axes()),
        (x.flip(0), counted(&[6, 4]).slice_move(s![..;-1, ..]).into_dyn()),
        (x.slice(s![1..;2, 1..]), counted(&[6, 4]).slice_move(s![1..;2, 1..]).into_dyn()),
        (DArray::full([3, 3], 2.5, 2), Array::from_elem((3, 3), 2.5).into_dyn()),
    ] {
        let (_guard, path) = folder();
        lazy.to_npy(format!("{path}.npy"), false).unwrap();
        lazy.to_zarr(&path, ZarrWriteOptions::new()).unwrap();
        check(&DArray::<f64>::read_npy(format!("{path}.npy")).unwrap(), expected.clone());
        check(&DArray::<f64>::read_zarr(&path).unwrap(), expected);
    }
}

/// Where `./test` provides a Python with NumPy and zarr, these read what is written here; it stays in the folder of the build.
#[test]
fn numpy_and_zarr_read_what_is_written() {
    let root = format!("{}/array_files", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_dir_all(&root);
    let expected = counted(&[7, 10]);
    let x = DArray::from_array(expected.clone(), [3, 4]);
    x.to_npy(format!("{root}/x.npy"), false).unwrap();
    x.to_npy_stack(format!("{root}/stack"), 1, false).unwrap();
    let (v3, v2) = (ZarrWriteOptions::new(), ZarrWriteOptions::new().version(2));
    for (name, options) in [
        ("v3", v3.clone().dimension_names(["y", "x"])),
        ("v3_gzip", v3.clone().compression(ZarrCodec::Gzip(5))),
        ("v3_blosc", v3.clone().compression(ZarrCodec::Blosc(5)).fill_value(f64::NAN)),
        ("v3_plain", v3.clone().compression(ZarrCodec::None).chunks([2, 10])),
        ("v3_sharded", v3.clone().chunks([2, 2]).shards([4, 6])),
        ("v2", v2.clone()),
        ("v2_gzip", v2.clone().compression(ZarrCodec::Gzip(5)).chunks([7, 1])),
        ("v2_blosc", v2.clone().compression(ZarrCodec::Blosc(5))),
        ("v2_plain", v2.compression(ZarrCodec::None).fill_value(f64::INFINITY)),
    ] {
        let path = format!("{root}/{name}.zarr");
        x.to_zarr(&path, options).unwrap();
        assert_eq!(DArray::<f64>::read_zarr(&path).unwrap().compute().unwrap(), expected, "{name}");
    }
    fn both<T: Element>(root: &str, name: &str, of: impl Fn(f64) -> T) {
        let x = DArray::from_array(numbers(&[7, 10], of), [3, 4]);
        x.to_npy(format!("{root}/{name}.npy"), false).unwrap();
        x.to_zarr(format!("{root}/{name}.zarr"), ZarrWriteOptions::new()).unwrap();
        x.to_zarr(format!("{root}/{name}_v2.zarr"), ZarrWriteOptions::new().version(2)).unwrap();
        assert_eq!(AnyArray::read_npy(format!("{root}/{name}.npy")).unwrap().dtype().unwrap(), x.to_any().dtype().unwrap());
    }
    both(&root, "bool", |number| number % 3.0 == 0.0);
    both(&root, "int8", |number| number as i8);
    both(&root, "int16", |number| number as i16);
    both(&root, "int32", |number| number as i32);
    both(&root, "int64", |number| number as i64);
    both(&root, "uint8", |number| number as u8);
    both(&root, "uint16", |number| number as u16);
    both(&root, "uint32", |number| number as u32);
    both(&root, "uint64", |number| number as u64);
    both(&root, "float32", |number| number as f32);
    both(&root, "float64", |number| number);
    both(&root, "complex64", |number| Complex::new(number as f32, 0.0 - number as f32 / 2.0));
    both(&root, "complex128", |number| Complex::new(number, 0.0 - number / 2.0));
    read_by_python(&root);
}

/// What tests/numpy/array_files.py says of files that lie in a folder.
fn read_by_python(folder: &str) {
    let python = std::env::var("PARTITA_PYTHON").unwrap_or_default();
    if !Command::new(&python).args(["-c", "import numpy, zarr"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: no Python with NumPy and zarr (set PARTITA_PYTHON)");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy/array_files.py");
    let output = Command::new(python).args([script, "check", folder]).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && text.contains("all as it should be"), "{text}");
}

/// Each seed has its own workers, deaths, delays, doubled messages: tasks run again and at the same time.
#[test]
fn faults_leave_each_chunk_once() {
    let expected = counted(&[9, 8]);
    let x = DArray::from_array(expected.clone(), [2, 3]);
    for seed in 0..30 {
        let executor = SimExecutor::new(seed, operator_registry());
        let (_guard, path) = folder();
        for overwrite in [false, true] {
            let case = format!("seed {seed}, overwrite {overwrite}");
            let written =
                x.to_zarr_on(&executor, &path, ZarrWriteOptions::new().overwrite(overwrite)).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!((written.elements, written.files), (72, 16), "{case}");
            let mut names: Vec<String> = (0..5).flat_map(|row| (0..3).map(move |column| format!("c/{row}/{column}"))).collect();
            names.push("zarr.json".into());
            assert_eq!(visible(&path), names, "{case}");
            assert_eq!(DArray::<f64>::read_zarr(&path).unwrap().compute().unwrap(), expected, "{case}");
        }
        let file = format!("{path}.npy");
        x.to_npy_on(&executor, &file, false).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(DArray::<f64>::read_npy(&file).unwrap().compute().unwrap(), expected, "seed {seed}");
        let stack = format!("{path}-stack");
        for overwrite in [false, true] {
            let case = format!("a stack, seed {seed}, overwrite {overwrite}");
            let written = x.to_npy_stack_on(&executor, &stack, 1, overwrite).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!((written.elements, written.files), (72, 4), "{case}");
            assert_eq!(visible(&stack), ["0.npy", "1.npy", "2.npy", "info"], "{case}");
            assert_eq!(DArray::<f64>::read_npy_stack(&stack).unwrap().compute().unwrap(), expected, "{case}");
        }
    }
}

/// A block fails; by then others are written.
#[test]
fn a_write_that_fails_leaves_what_was_there() {
    let old = DArray::from_array(counted(&[4, 4]), 2);
    let broken = DArray::from_fn([6, 6], 2, |index| if index == [3, 3] { panic!("there is no such element") } else { 1.0 });
    for (name, executor) in executors().into_iter().filter(|(name, _)| !name.starts_with("Cluster")) {
        let (_guard, path) = folder();
        let file = format!("{path}/x.npy");
        let array = format!("{path}/x.zarr");
        old.to_zarr_on(&*executor, &array, ZarrWriteOptions::new()).unwrap();
        old.to_npy_on(&*executor, &file, false).unwrap();
        let failed = broken.to_zarr_on(&*executor, &array, ZarrWriteOptions::new().overwrite(true)).unwrap_err();
        assert_eq!(failed.code, Code::Panicked, "{name}: {failed}");
        assert!(broken.to_npy_on(&*executor, &file, true).is_err(), "{name}");
        assert_eq!(DArray::<f64>::read_zarr(&array).unwrap().compute().unwrap(), counted(&[4, 4]), "{name}");
        assert_eq!(DArray::<f64>::read_npy(&file).unwrap().compute().unwrap(), counted(&[4, 4]), "{name}");
        // The next write removes what the failed one left.
        assert!(hidden(&array) > 0, "{name}: the failed write should have begun");
        let new = DArray::<f64>::zeros([3], 2);
        new.to_zarr_on(&*executor, &array, ZarrWriteOptions::new().overwrite(true)).unwrap();
        assert_eq!(visible(&array), ["c/0", "c/1", "zarr.json"], "{name}");
        // Elsewhere a task of the failed run may still be writing, in vain.
        assert!(name != "Serial" || hidden(&array) == 0, "{name}");
    }
}

#[test]
fn an_array_may_be_written_over_the_files_that_it_reads() {
    let (_guard, path) = folder();
    DArray::from_array(counted(&[4, 6]), 2).to_zarr(&path, ZarrWriteOptions::new()).unwrap();
    let doubled = &DArray::<f64>::read_zarr_with(&path, 2).unwrap() * 2.0;
    doubled.to_zarr(&path, ZarrWriteOptions::new().overwrite(true)).unwrap();
    check(&DArray::<f64>::read_zarr(&path).unwrap(), counted(&[4, 6]) * 2.0);
    // What is nobody's stays.
    std::fs::write(format!("{path}/notes.txt"), "mine").unwrap();
    doubled.ravel().to_zarr(&path, ZarrWriteOptions::new().overwrite(true).version(2)).unwrap();
    assert!(visible(&path).contains(&"notes.txt".to_owned()));
    assert!(visible(&path).iter().all(|name| name != "zarr.json" && !name.starts_with("c/")), "{:?}", visible(&path));
}
