//! Fuzzes `decoders` from the corpus `frame` on: `cargo +nightly fuzz run --fuzz-dir collections/fuzz frame`.
#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    decoders::decode(bytes);
});
