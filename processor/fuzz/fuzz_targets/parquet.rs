//! Any bytes, as a Parquet file or as the pages of a column. See `CONTRIBUTING.md`.

#![no_main]

#[path = "../../tests/corpus/parquet.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    check::check(input);
});
