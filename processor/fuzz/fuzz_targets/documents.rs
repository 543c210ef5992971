//! Any bytes as JSON documents. See `CONTRIBUTING.md`.

#![no_main]

#[path = "../../tests/corpus/documents.rs"]
mod documents;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    documents::check(input);
});
