//! Fuzzes what `decoders` does under the name `ticket`: `cargo +nightly fuzz run ticket` in `distributed/net`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("ticket", bytes));
