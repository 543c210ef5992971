//! Mergeable, bounded and seeded sketches over event time.
//!
//! Everything here is pure: no I/O, no clock, no threads. Time arrives as a [`pane::Pane`], elements
//! arrive as keyed 64-bit hashes, and each structure states its memory and its error.
//!
//! In reading order:
//! 1. [`hash`]: the keyed hash that turns addresses and ports into 64 bits an attacker cannot aim.
//! 2. [`pane`]: event time in whole panes, and ranges of them.
//! 3. [`error`]: what a constructor or a merge refuses.
//! 4. [`hyperloglog`]: distinct elements, no window.
//! 5. [`distinct`]: distinct elements over a sliding window, exact up to 128.
//! 6. [`table`]: the same for millions of keys in a fixed number of bytes.
//! 7. [`answered`]: distinct elements opened and answered over a sliding window: the scan counter.
//! 8. [`count_min`]: how much one given key weighs, never under-estimated.
//! 9. [`talkers`]: which keys weigh most, with an error for each.
//! 10. [`quantiles`]: what value a share of the stream does not exceed, within a relative error.
//! 11. [`encoding`]: each of them as versioned, checksummed bytes, and back, whoever wrote the bytes.

pub mod answered;
pub mod count_min;
pub mod distinct;
pub mod encoding;
pub mod error;
mod estimator;
pub mod hash;
pub mod hyperloglog;
mod likelihood;
pub mod pane;
pub mod quantiles;
pub mod table;
pub mod talkers;

/// The page that introduces the crate is run with its tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
