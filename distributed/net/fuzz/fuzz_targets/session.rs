//! Fuzzes what `decoders` does under the name `session`: `cargo +nightly fuzz run session` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("session", bytes));
