//! Fuzzes what `decoders` does under the name `join`: `cargo +nightly fuzz run join` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("join", bytes));
