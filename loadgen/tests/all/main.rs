//! Tests from outside: the bytes, the traffic as an independent reader sees it, and the binary.
#![expect(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod attacks;
mod binary;
mod golden;
mod lines;
mod records;
mod traffic;
