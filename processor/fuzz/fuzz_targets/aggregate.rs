//! Any bytes as an aggregate of the KPL. See `CONTRIBUTING.md`.

#![no_main]

#[path = "../../tests/corpus/aggregate.rs"]
mod aggregate;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    aggregate::check(input);
});
