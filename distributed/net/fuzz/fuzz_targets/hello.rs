//! Fuzzes what `decoders` does under the name `hello`: `cargo +nightly fuzz run hello` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("hello", bytes));
