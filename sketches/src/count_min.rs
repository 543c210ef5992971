//! Count-min: how much a given key weighs, in fixed memory.
//!
//! Cormode & Muthukrishnan 2005, "An improved data stream summary: the count-min sketch and its
//! applications", Theorem 1: an estimate is never below the true weight, and it exceeds it by more
//! than e / width * total with probability at most e^-4, for each query, at depth 4.
//!
//! [`CountMin`] is the plain variant, which can be merged; [`ConservativeCountMin`] is more accurate
//! and cannot be.

mod conservative;
mod encode;
mod rows;

use crate::error::{MergeError, WidthError};
pub use conservative::ConservativeCountMin;
use rows::Rows;

/// Weights by key hash; plain, so it can be merged.
///
/// Memory is 32 bytes times the width, allocated once: 512 KiB at 2^14, 2 MiB at 2^16. An update
/// writes one counter in each of four rows, so its cost is that of four independent memory accesses
/// (`cargo bench -p flowscout-benches --bench weights`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountMin {
    rows: Rows,
}

impl CountMin {
    /// An empty sketch with four rows of `2^width_log2` counters of 8 bytes.
    ///
    /// # Errors
    /// The width is outside `2^4..=2^16`.
    pub fn new(width_log2: u8) -> Result<Self, WidthError> {
        Ok(Self { rows: Rows::new(width_log2)? })
    }

    /// Adds `weight` to the key whose keyed hash is `hash`; counters saturate.
    #[inline]
    pub fn add(&mut self, hash: u64, weight: u64) {
        self.rows.update(hash, weight, |counter| counter.saturating_add(weight));
    }

    /// The weight of a key, never less than the true one.
    #[must_use]
    #[inline]
    pub fn estimate(&self, hash: u64) -> u64 {
        self.rows.least(hash)
    }

    /// Adds everything that `other` has counted; equals counting both streams in one sketch.
    ///
    /// Unlike the maxima of the distinct counters, sums are not safe under replay.
    ///
    /// # Errors
    /// The widths differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        let (ours, theirs) = (self.rows.width(), other.rows.width());
        if ours != theirs {
            return Err(MergeError { ours, theirs });
        }
        self.rows.add(&other.rows);
        Ok(())
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// The sum of all weights.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.rows.total()
    }

    /// Bytes held, inline and on the heap.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.rows.heap_bytes()
    }

    /// How far an estimate exceeds the true weight at most, e / width * total, with probability at
    /// least 1 - e^-4 for each query.
    #[must_use]
    pub fn error_bound(&self) -> f64 {
        self.rows.error_bound()
    }
}
