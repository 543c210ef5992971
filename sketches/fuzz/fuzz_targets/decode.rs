//! Any bytes, decoded as every kind of sketch. See `CONTRIBUTING.md`.

#![no_main]

#[path = "../../tests/encoding/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    check::check_input(input);
});
