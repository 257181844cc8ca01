//! Fuzzes what `decoders` does under the name `value`: `cargo +nightly fuzz run value` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("value", bytes));
