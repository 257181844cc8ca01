//! HDF5 and NetCDF-4 through arrays, with the feature `hdf5`: what h5py and netCDF4 wrote (tests/numpy/hdf5_files.py), there and back, under
//! faults, and what is refused.

use partita::graph::{Executor, Serial};
use partita::ndarray::{Array, ArrayD};
use partita::prelude::*;
use partita::{AnyArray, Code, Element, operator_registry, to_hdf5_on};
use partita_sim::SimExecutor;

fn fixture(name: &str) -> String {
    format!("{}/tests/numpy/hdf5/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn executors() -> Vec<(String, Box<dyn Executor>)> {
    let local = Client::builder().threads(4).build().unwrap();
    let sims = (0..8).map(|seed| (format!("sim {seed}"), Box::new(SimExecutor::new(seed, operator_registry())) as Box<dyn Executor>));
    let here: [(String, Box<dyn Executor>); 2] =
        [("serial".into(), Box::new(Serial::new(operator_registry()))), ("local".into(), Box::new(local))];
    here.into_iter().chain(sims).collect()
}

fn counted<T: Element>(shape: &[usize], of: impl Fn(f64) -> T) -> ArrayD<T> {
    let numbers = (0..shape.iter().product()).map(|number: usize| of(number as f64)).collect();
    Array::from_shape_vec(shape, numbers).unwrap()
}

#[track_caller]
fn check<T: Element>(array: &DArray<T>, expected: &ArrayD<T>) {
    for (name, executor) in executors() {
        let found = array.compute_on(&*executor).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(&found, expected, "{name}");
    }
}

#[test]
fn datasets_and_variables_on_every_executor() {
    check(&DArray::<f64>::read_hdf5(fixture("kinds.h5"), "float64").unwrap(), &counted(&[4, 5], |number| number));
    let complex = DArray::<Complex<f32>>::read_hdf5_with(fixture("kinds.h5"), "/complex64", [3, 2]).unwrap();
    check(&complex, &counted(&[4, 5], |number| Complex::new(number as f32, 0.0 - number as f32 / 2.0)));
    let packed = DArray::<f64>::read_hdf5(fixture("chunks.h5"), "/measured/day_1/gzip").unwrap();
    assert_eq!(packed.chunks().unwrap(), [vec![5], vec![6]], "small chunks are taken together");
    check(&(&packed * 2.0), &counted(&[5, 6], |number| number * 2.0));
    let any = AnyArray::read_hdf5(fixture("weather.nc"), "t2m").unwrap();
    assert_eq!((any.dtype().unwrap(), any.shape().unwrap()), (DType::I16, vec![6, 3, 4]));
    // What its attributes say.
    let kelvin = &(&any.to::<f64>().unwrap() * 0.5) + 273.0;
    check(&kelvin, &counted(&[6, 3, 4], |number| number * 0.5 + 273.0));
}

#[test]
fn there_and_back_under_faults() {
    let (x, y) = (counted(&[7, 10], |number| number), counted(&[5], |number| Complex::new(number, 1.0)));
    let (lazy, other) = (DArray::from_array(x.clone(), [3, 4]), DArray::from_array(y.clone(), 2));
    for (name, executor) in executors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.h5");
        let pair = [("/x", &(&lazy + 1.0).t().to_any()), ("/below/y", &other.to_any())];
        let written = to_hdf5_on(&*executor, &path, &pair, Hdf5WriteOptions::new()).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!((written.elements, written.files), (75, 1), "{name}");
        assert_eq!(written.bytes, std::fs::metadata(&path).unwrap().len(), "{name}");
        let options = Hdf5WriteOptions::new().append(true).gzip(6).chunks([2, 5]);
        lazy.to_hdf5_on(&*executor, &path, "z", options).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        let read = |dataset: &str| DArray::<f64>::read_hdf5(&path, dataset).unwrap().compute_on(&*executor).unwrap();
        assert_eq!((read("x"), read("z")), ((&x + 1.0).reversed_axes(), x.clone()), "{name}");
        assert_eq!(DArray::<Complex<f64>>::read_hdf5(&path, "below/y").unwrap().compute_on(&*executor).unwrap(), y, "{name}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{name}");
    }
}

#[track_caller]
fn refused<T>(result: Result<T, partita::Error>, code: Code, words: &[&str]) {
    let error = result.err().expect("it should be refused");
    let text = error.to_string();
    assert_eq!(error.code, code, "{text}");
    assert!(words.iter().chain(&["hdf5.rs:"]).all(|word| text.contains(word)), "{words:?} are not all in:\n{text}");
}

#[test]
fn refusals_name_the_fix_and_the_users_line() {
    let kinds = fixture("kinds.h5");
    let read = |file: &str, dataset: &str| DArray::<f64>::read_hdf5(fixture(file), dataset);
    refused(read("kinds.h5", "int16"), Code::TypeMismatch, &["kinds.h5` `int16`", "DArray::<i16>::read_hdf5(", ".cast::<f64>()"]);
    refused(read("kinds.h5", "text"), Code::Unsupported, &["kinds.h5", "read_hdf5", "f64"]);
    refused(read("chunks.h5", "measured/day_1/gzipp"), Code::NoSuchFile, &["did you mean: `/measured/day_1/gzip`?", "/measured/day_1/lzf"]);
    refused(read("chunks.h5", "measured"), Code::IsDirectory, &["group", "day_1/"]);
    refused(read("kind.h5", "x"), Code::NoSuchFile, &["did you mean", "kinds.h5"]);
    refused(DArray::<f64>::read_hdf5("s3://bucket/x.h5", "x"), Code::InvalidOption, &["s3://bucket/x.h5", "Zarr"]);
    refused(DArray::<f64>::read_hdf5_with(&kinds, "float64", [2, 2, 2]), Code::ShapeMismatch, &["3 axes"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.h5");
    let x = DArray::from_array(counted(&[4, 4], |number| number), 2);
    x.to_hdf5(&path, "x", Hdf5WriteOptions::new()).unwrap();
    refused(x.to_hdf5(&path, "x", Hdf5WriteOptions::new()), Code::OutputExists, &["x.h5", "overwrite(true)", "append(true)"]);
    refused(x.to_hdf5(&path, "x", Hdf5WriteOptions::new().append(true)), Code::OutputExists, &["/x"]);
    refused(x.to_hdf5(&path, "y", Hdf5WriteOptions::new().append(true).gzip(12)), Code::InvalidOption, &["gzip", "1 to 9"]);
    let masked = x.ravel().compress(&x.ravel().gt(3.0), 0);
    refused(masked.to_hdf5(&path, "y", Hdf5WriteOptions::new().append(true)), Code::UnknownSizes, &["compute_chunk_sizes"]);
    // A task that fails leaves the old file and nothing beside it.
    let fails = x.map_blocks(|_, _| -> ArrayD<f64> { panic!("a block fails") });
    assert!(fails.to_hdf5(&path, "x", Hdf5WriteOptions::new().overwrite(true)).is_err());
    assert_eq!(DArray::<f64>::read_hdf5(&path, "x").unwrap().sum().compute_scalar().unwrap(), 120.0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
