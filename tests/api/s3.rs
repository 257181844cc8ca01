//! Frames and arrays on `s3://`: what is written is what is read, all at once and once, whatever happens to tasks; through a server that speaks S3
//! (moto), with endpoint and keys from the environment.
//!
//! The environment is read when a store is first named, and tests of one process share it. So this program is started again with the
//! environment of the server. Says that it skips where there is no moto.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::files::{every_type, same};
use partita::graph::{Executor, Graph, Run, RunEach};
use partita::ndarray::{Array, array, s};
use partita::polars::prelude::PolarsError;
use partita::prelude::*;
use partita::{Code, Error, IpcCodec, LocalCluster, StorageOptions, operator_registry, set_storage_options};
use partita_sim::SimExecutor;

/// The address of the server, in the process that has the environment for it.
const ENDPOINT: &str = "AWS_ENDPOINT";
const INSIDE: &str = "PARTITA_TEST_S3";

/// A server that ends with its input.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The server and its address, where `./test` provides a Python with a moto that is known to work.
fn server() -> Option<(Server, String)> {
    let program = std::env::var("PARTITA_PYTHON").ok()?;
    let works = Command::new(&program).args(["-c", "import boto3, moto.server"]).output().is_ok_and(|output| output.status.success());
    if !works {
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/s3_server.py");
    let child = Command::new(program).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut server = Server(child);
    let mut address = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.starts_with("http://"), "the server said {address:?}");
    Some((server, address.trim().into()))
}

/// Runs the case where the environment names the server: this program again, for this test alone.
fn on_s3(name: &str, case: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return case();
    }
    let Some((_server, address)) = server() else {
        eprintln!("left out: no Python with moto (set PARTITA_PYTHON)");
        return;
    };
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([&format!("s3::{name}"), "--exact", "--nocapture"]).env(INSIDE, "1").env(ENDPOINT, address);
    again
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ALLOW_HTTP", "true");
    let output = again.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}

/// Runs the case where nothing but the server's address is in the environment, under a name that no store reads.
fn on_s3_that_the_program_names(name: &str, case: impl FnOnce(&str)) {
    if let Ok(address) = std::env::var(INSIDE) {
        return case(&address);
    }
    let Some((_server, address)) = server() else {
        eprintln!("left out: no Python with moto (set PARTITA_PYTHON)");
        return;
    };
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args([&format!("s3::{name}"), "--exact", "--nocapture"]).env(INSIDE, address);
    let output = again.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}

/// Keeps the bytes of the graphs that go through it.
struct Spy(Client, Mutex<Vec<u8>>);

impl Executor for Spy {
    fn submit(&self, graph: Graph) -> Result<Run, Error> {
        self.1.lock().unwrap().extend(partita_net::wire::encode_graph(&graph).unwrap());
        Executor::submit(&self.0, graph)
    }
    fn submit_each(&self, graph: Graph) -> Result<RunEach, Error> {
        Executor::submit_each(&self.0, graph)
    }
    fn threads(&self) -> usize {
        Executor::threads(&self.0)
    }
}

/// The names of all objects below a folder that are not hidden, sorted; as the server tells them.
fn objects(folder: &str) -> Vec<String> {
    let address = std::env::var(ENDPOINT).unwrap();
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    write!(stream, "GET /frames?list-type=2&prefix={folder}/ HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("<ListBucketResult"), "{text}");
    let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    let names = keys.map(|(key, _)| key[folder.len() + 1..].replace("%3D", "="));
    // A task that comes too late leaves something under a hidden name; the next write removes it.
    let mut names: Vec<String> = names.filter(|name| !name.split('/').any(|part| part.starts_with('.'))).collect();
    names.sort();
    names
}

fn parts(count: usize, ending: &str) -> Vec<String> {
    (0..count).map(|part| format!("part-{part:05}.{ending}")).collect()
}

/// A local engine, and workers that die, answer late and run tasks twice.
fn executors() -> Vec<(String, Box<dyn Executor>)> {
    let client = Client::builder().threads(2).build().unwrap();
    let sims = (0..4).map(|seed| (format!("sim{seed}"), Box::new(SimExecutor::new(seed, operator_registry())) as Box<dyn Executor>));
    [("local".to_string(), Box::new(client) as Box<dyn Executor>)].into_iter().chain(sims).collect()
}

#[test]
fn parquet_of_every_type() {
    on_s3("parquet_of_every_type", || {
        let frame = every_type(40);
        for (name, executor) in executors() {
            let path = format!("s3://frames/parquet-{name}");
            for (rows, overwrite) in [(40, false), (31, true)] {
                let input = DFrame::from_polars(frame.slice(0, rows), 6);
                let options = ParquetWriteOptions::new().row_group_rows(3).overwrite(overwrite);
                let written = input.to_parquet_on(&*executor, &path, options).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!((written.rows, written.files), (rows as u64, 6), "{name}");
                assert_eq!(objects(&format!("parquet-{name}")), parts(6, "parquet"), "{name}");
                let found = DFrame::read_parquet(&path).unwrap().compute_on(&*executor).unwrap().frame;
                same(&found, &frame.slice(0, rows), &name);
            }
            let refused = DFrame::from_polars(frame.clone(), 1).to_parquet_on(&*executor, &path, ParquetWriteOptions::new()).unwrap_err();
            assert_eq!(refused.code, Code::OutputExists, "{name}");
            let few = DFrame::read_parquet(&path).unwrap().filter(col("row").lt(lit(7))).select(["row"]);
            assert_eq!(few.compute_on(&*executor).unwrap().frame, df!("row" => (0..7i64).collect::<Vec<_>>()).unwrap(), "{name}");
        }
    });
}

#[test]
fn csv_in_blocks_and_in_one_file() {
    on_s3("csv_in_blocks_and_in_one_file", || {
        let texts = (0..5_000).map(|row| format!("a text of the row {row}, quoted")).collect::<Vec<_>>();
        let frame = df!("x" => (0..5_000i64).collect::<Vec<_>>(), "t" => texts).unwrap();
        for (name, executor) in executors() {
            let input = DFrame::from_polars(frame.clone(), 3);
            let folder = format!("s3://frames/csv-{name}");
            assert_eq!(input.to_csv_on(&*executor, &folder, CsvWriteOptions::new()).unwrap().files, 3, "{name}");
            assert_eq!(objects(&format!("csv-{name}")), parts(3, "csv"), "{name}");
            let read = DFrame::read_csv_with(format!("{folder}/*.csv"), CsvOptions::new().blocksize(20_000u64)).unwrap();
            assert!(read.npartitions().unwrap() > 6, "{name}");
            assert_eq!(read.compute_on(&*executor).unwrap().frame, frame, "{name}");

            let file = format!("s3://frames/one-{name}/all.csv");
            input.to_csv_on(&*executor, &file, CsvWriteOptions::new().single_file(true)).unwrap();
            assert_eq!(objects(&format!("one-{name}")), ["all.csv"], "{name}");
            let sum = DFrame::read_csv(file).unwrap().select(["x"]).sum().compute_on(&*executor).unwrap().frame;
            assert_eq!(sum, df!("x" => [4_999i64 * 2_500]).unwrap(), "{name}");
        }
    });
}

#[test]
fn arrow_and_json_lines() {
    on_s3("arrow_and_json_lines", || {
        let texts = (0..600).map(|row| (row % 5 > 0).then(|| format!("the text of row {row}"))).collect::<Vec<_>>();
        let frame = df!("x" => (0..600i64).collect::<Vec<_>>(), "t" => texts).unwrap();
        for (name, executor) in executors() {
            for (rows, overwrite) in [(600, false), (450, true)] {
                let (frame, input) = (frame.slice(0, rows), DFrame::from_polars(frame.slice(0, rows), 3));
                let arrow = format!("s3://frames/arrow-{name}");
                let options = IpcWriteOptions::new().compression(IpcCodec::Lz4).overwrite(overwrite);
                assert_eq!(input.to_ipc_on(&*executor, &arrow, options).unwrap().rows, rows as u64, "{name}");
                assert_eq!(objects(&format!("arrow-{name}")), parts(3, "arrow"), "{name}");
                let read = DFrame::read_ipc_with(&arrow, IpcOptions::new().blocksize(1u64)).unwrap();
                same(&read.compute_on(&*executor).unwrap().frame, &frame, &name);

                let lines = format!("s3://frames/lines-{name}");
                assert_eq!(input.to_json_on(&*executor, &lines, JsonWriteOptions::new().overwrite(overwrite)).unwrap().files, 3, "{name}");
                assert_eq!(objects(&format!("lines-{name}")), parts(3, "jsonl"), "{name}");
                let read = DFrame::read_json_with(&lines, JsonOptions::new().blocksize(1_000u64)).unwrap();
                assert!(read.npartitions().unwrap() > 6, "{name}");
                same(&read.compute_on(&*executor).unwrap().frame, &frame, &name);
            }
            let arrow = format!("s3://frames/arrow-{name}");
            let refused = DFrame::from_polars(frame.clone(), 1).to_ipc_on(&*executor, &arrow, IpcWriteOptions::new()).unwrap_err();
            assert_eq!(refused.code, Code::OutputExists, "{name}");
        }
    });
}

/// A file of more bytes than go in one request.
#[test]
fn large_files_go_in_parts() {
    on_s3("large_files_go_in_parts", || {
        let text: String = (0..1 << 12).map(|at| char::from(b'a' + (at * 7 % 26) as u8)).collect();
        let frame = df!("x" => (0..9_216i64).collect::<Vec<_>>(), "t" => vec![text; 9_216]).unwrap();
        let client = Client::builder().threads(2).build().unwrap();
        let path = "s3://frames/large";
        let written = DFrame::from_polars(frame.clone(), 1).to_csv_on(&client, path, CsvWriteOptions::new()).unwrap();
        assert!(written.bytes > 32 << 20 && written.files == 1, "{written:?}");
        assert_eq!(objects("large"), ["part-00000.csv"]);
        let read = client.compute(&DFrame::read_csv("s3://frames/large/*.csv").unwrap()).unwrap();
        assert_eq!((read.schema(), read.height()), (frame.schema(), frame.height()));
        assert!(read.equals(&frame));
    });
}

#[test]
fn folders_of_values() {
    on_s3("folders_of_values", || {
        let keys = (0..40).map(|row| format!("k{}", row % 3)).collect::<Vec<_>>();
        let frame = df!("x" => (0..40i64).collect::<Vec<_>>(), "k" => keys).unwrap();
        for (name, executor) in executors() {
            let path = format!("s3://frames/hive-{name}");
            let options = ParquetWriteOptions::new().partition_by(["k"]);
            let written = DFrame::from_polars(frame.clone(), 4).to_parquet_on(&*executor, &path, options).unwrap();
            assert_eq!((written.rows, written.files), (40, 12), "{name}");
            let all = (0..3).flat_map(|k| parts(4, "parquet").into_iter().map(move |part| format!("k=k{k}/{part}")));
            assert_eq!(objects(&format!("hive-{name}")), all.collect::<Vec<_>>(), "{name}");
            let read = DFrame::read_parquet(&path).unwrap();
            let found = read.sort(["x"]).compute_on(&*executor).unwrap().frame;
            same(&found, &frame, &name);
            let one = read.filter(col("k").eq(lit("k1"))).agg([len().cast(DataType::Int64)]).compute_on(&*executor).unwrap().frame;
            assert_eq!(one, df!("len" => [13i64]).unwrap(), "{name}");
        }
    });
}

#[test]
fn a_write_that_fails_leaves_what_was_there() {
    on_s3("a_write_that_fails_leaves_what_was_there", || {
        let old = df!("x" => [1i64, 2, 3]).unwrap();
        let new = DFrame::from_polars(df!("x" => (0..8i64).collect::<Vec<_>>()).unwrap(), 8);
        let broken = new.map_partitions_with(new.schema().unwrap(), |part| match part.column("x")?.i64()?.get(0) {
            Some(5) => Err(PolarsError::NoData("row five is missing".into())),
            _ => Ok(part),
        });
        for (name, executor) in executors() {
            let path = format!("s3://frames/failed-{name}");
            DFrame::from_polars(old.clone(), 3).to_parquet_on(&*executor, &path, ParquetWriteOptions::new()).unwrap();
            let failed = broken.to_parquet_on(&*executor, &path, ParquetWriteOptions::new().overwrite(true)).unwrap_err();
            assert_eq!(failed.code, Code::UserFunction, "{name}: {failed}");
            same(&DFrame::read_parquet(&path).unwrap().compute_on(&*executor).unwrap().frame, &old, &name);
            new.to_parquet_on(&*executor, &path, ParquetWriteOptions::new().overwrite(true)).unwrap();
            assert_eq!(DFrame::read_parquet(&path).unwrap().len().unwrap(), 8, "{name}");
        }
    });
}

#[test]
fn arrays_of_zarr_and_numpy_and_images() {
    on_s3("arrays_of_zarr_and_numpy_and_images", || {
        let expected = Array::from_shape_fn((7, 10), |(row, column)| Complex::new((row * 10 + column) as f64, -1.0)).into_dyn();
        let x = DArray::from_array(expected.clone(), [3, 4]);
        for (name, executor) in executors() {
            let read = |array: DArray<Complex<f64>>| array.compute_on(&*executor).unwrap_or_else(|e| panic!("{name}: {e}"));
            let path = format!("s3://frames/zarr-{name}");
            for (round, options) in [
                ZarrWriteOptions::new(),
                ZarrWriteOptions::new().chunks([2, 2]).shards([4, 6]),
                ZarrWriteOptions::new().version(2).chunks([7, 3]),
            ]
            .into_iter()
            .enumerate()
            {
                x.to_zarr_on(&*executor, &path, options.overwrite(round > 0)).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(read(DArray::read_zarr(&path).unwrap()), expected, "{name}");
            }
            // Of hidden ones, such as `.zarray`, nothing is said.
            assert_eq!(objects(&format!("zarr-{name}")), ["0.0", "0.1", "0.2", "0.3"], "{name}");
            let mut changed = expected.clone();
            changed.slice_mut(s![.., 3..6]).fill(Complex::new(0.5, 0.5));
            let part = DArray::full([7, 3], Complex::new(0.5, 0.5), 2);
            part.to_zarr_region_on(&*executor, &path, s![.., 3..6]).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(read(DArray::read_zarr(&path).unwrap()), changed, "{name}");
            let refused = x.to_zarr_on(&*executor, &path, ZarrWriteOptions::new()).unwrap_err();
            assert_eq!(refused.code, Code::OutputExists, "{name}");
            let file = format!("s3://frames/x-{name}.npy");
            x.to_npy_on(&*executor, &file, false).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(read(DArray::read_npy(&file).unwrap()), expected, "{name}");
            let stack = format!("s3://frames/stack-{name}");
            x.to_npy_stack_on(&*executor, &stack, 0, false).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(read(DArray::read_npy_stack(&stack).unwrap()), expected, "{name}");
        }
        for number in 8..11 {
            let image = std::fs::read(format!("{}/tests/numpy/images/grey-{number}.png", env!("CARGO_MANIFEST_DIR"))).unwrap();
            partita_io::put(&format!("s3://frames/images/{number}.png"), image).unwrap();
        }
        let images = DArray::<u8>::read_images("s3://frames/images/*.png").unwrap().slice(s![.., 0, 0]);
        for (name, executor) in executors() {
            assert_eq!(images.compute_on(&*executor).unwrap(), array![56u8, 63, 70].into_dyn(), "{name}");
        }
    });
}

#[test]
fn options_that_the_program_says_reach_workers_and_are_in_no_plan() {
    on_s3_that_the_program_names("options_that_the_program_says_reach_workers_and_are_in_no_plan", |address| {
        const KEY: &str = "hush-hush-hush";
        let options = StorageOptions::new().endpoint(address).region("us-east-1").allow_http(true);
        let options = options.access_key_id("testing").secret_access_key(KEY);
        set_storage_options("s3://frames", options.clone()).unwrap();
        assert!(!format!("{options:?}").contains("hush"));
        let frame = df!("x" => (0..40i64).collect::<Vec<_>>()).unwrap();
        let local = Client::builder().threads(2).set_as_default(false).build().unwrap();
        DFrame::from_polars(frame.clone(), 4).to_parquet_on(&local, "s3://frames/said", ParquetWriteOptions::new()).unwrap();
        let read = DFrame::read_parquet("s3://frames/said").unwrap();
        assert_eq!(local.compute(&read).unwrap(), frame);
        // Neither what people read nor what is sent holds the key or the endpoint.
        let spy = Spy(local.clone(), Mutex::default());
        assert_eq!(read.compute_on(&spy).unwrap().frame, frame);
        let sent = spy.1.into_inner().unwrap();
        assert!(sent.windows(4).any(|bytes| bytes == b"said"), "the name of the folder is there");
        for secret in [KEY, address.trim_start_matches("http://")] {
            assert!(!sent.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret} is in the graph");
            assert!(!read.explain().contains(secret), "{secret} is shown");
        }
        // Workers are processes of their own, whose environment says nothing; one of them joins after it was said.
        let cluster = LocalCluster::builder().workers(1).threads_per_worker(1).program(env!("CARGO_BIN_EXE_partita")).start().unwrap();
        let client = cluster.connect().unwrap();
        client.wait_for_workers(1, Duration::from_secs(60)).unwrap();
        assert_eq!(client.compute(&read).unwrap(), frame);
        cluster.scale(2);
        client.wait_for_workers(2, Duration::from_secs(60)).unwrap();
        let first = client.scheduler_info().unwrap().workers[0].about.name.clone();
        client.retire_workers(&[first.as_str()]).unwrap();
        let written =
            DFrame::from_polars(frame.clone(), 3).to_parquet_on(&client, "s3://frames/again", ParquetWriteOptions::new()).unwrap();
        assert_eq!(written.rows, 40);
        assert_eq!(client.compute(&DFrame::read_parquet("s3://frames/again").unwrap()).unwrap(), frame);
    });
}
