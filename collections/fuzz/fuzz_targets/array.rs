//! Fuzzes `decoders` from the corpus `array` on: `cargo +nightly fuzz run --fuzz-dir collections/fuzz array`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    decoders::decode(bytes);
});
