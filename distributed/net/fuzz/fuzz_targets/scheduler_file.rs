//! Fuzzes what `decoders` does under the name `scheduler_file`: `cargo +nightly fuzz run scheduler_file` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("scheduler_file", bytes));
