//! Fuzzes what `decoders` does under the name `client`: `cargo +nightly fuzz run client` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("client", bytes));
