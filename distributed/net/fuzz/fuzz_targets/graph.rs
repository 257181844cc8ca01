//! Fuzzes what `decoders` does under the name `graph`: `cargo +nightly fuzz run graph` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("graph", bytes));
