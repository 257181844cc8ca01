//! Fuzzes what `decoders` does under the name `frames`: `cargo +nightly fuzz run frames` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("frames", bytes));
