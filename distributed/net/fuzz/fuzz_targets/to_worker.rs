//! Fuzzes what `decoders` does under the name `to_worker`: `cargo +nightly fuzz run to_worker` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("to_worker", bytes));
