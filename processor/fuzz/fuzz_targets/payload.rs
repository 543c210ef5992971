//! Any bytes as a payload. See `CONTRIBUTING.md`.

#![no_main]

#[path = "../../tests/corpus/payload.rs"]
mod payload;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    payload::check(input);
});
