//! Count-min: how much a given key weighs, in fixed memory.
//!
//! Cormode & Muthukrishnan 2005, "An improved data stream summary: the count-min sketch and its
//! applications", Theorem 1: an estimate is never below the true weight, and it exceeds it by more
//! than e / width * total with probability at most e^-4, for each query, at depth 4.
//!
//! This is the plain variant. Conservative update is more accurate but cannot be merged. The rows'
//! positions come from one hash (Kirsch & Mitzenmacher 2006, "Less hashing, same performance").

mod encode;

use std::f64::consts::E;

use crate::error::{MergeError, WidthError};

/// Rows: a bound fails for at most e^-4 = 1.8 % of the queries.
const DEPTH: usize = 4;

/// Weights by key hash; plain, so it can be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountMin {
    /// Width less one; the width is a power of two.
    mask: u64,
    /// The rows one after another.
    counters: Vec<u64>,
    total: u64,
}

impl CountMin {
    /// An empty sketch with four rows of `2^width_log2` counters of 8 bytes.
    ///
    /// # Errors
    /// The width is outside `2^4..=2^24`.
    pub fn new(width_log2: u8) -> Result<Self, WidthError> {
        if (4..=24).contains(&width_log2) {
            let width = 1 << width_log2;
            Ok(Self { mask: (1 << width_log2) - 1, counters: vec![0; DEPTH * width], total: 0 })
        } else {
            Err(WidthError { width_log2 })
        }
    }

    /// Adds `weight` to the key whose keyed hash is `hash`; counters saturate.
    pub fn add(&mut self, hash: u64, weight: u64) {
        for position in self.positions(hash) {
            let counter = &mut self.counters[position];
            *counter = counter.saturating_add(weight);
        }
        self.total = self.total.saturating_add(weight);
    }

    /// The weight of a key, never less than the true one.
    #[must_use]
    pub fn estimate(&self, hash: u64) -> u64 {
        let counters = self.positions(hash).map(|position| self.counters[position]);
        counters.into_iter().fold(u64::MAX, u64::min)
    }

    /// Adds everything that `other` has counted; equals counting both streams in one sketch.
    ///
    /// Unlike the maxima of the distinct counters, sums are not safe under replay.
    ///
    /// # Errors
    /// The widths differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.mask != other.mask {
            return Err(MergeError { ours: self.width(), theirs: other.width() });
        }
        for (ours, theirs) in self.counters.iter_mut().zip(&other.counters) {
            *ours = ours.saturating_add(*theirs);
        }
        self.total = self.total.saturating_add(other.total);
        Ok(())
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.counters.fill(0);
        self.total = 0;
    }

    /// The sum of all weights.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Bytes held, inline and on the heap.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.counters.capacity() * size_of::<u64>()
    }

    /// How far an estimate exceeds the true weight at most, e / width * total, with probability at
    /// least 1 - e^-4 for each query.
    #[must_use]
    pub fn error_bound(&self) -> f64 {
        E / self.width() as f64 * self.total as f64
    }

    const fn width(&self) -> usize {
        self.counters.len() / DEPTH
    }

    /// One position per row. The odd stride visits a different column in each row.
    #[expect(clippy::cast_possible_truncation, reason = "masked to at most 24 bits")]
    fn positions(&self, hash: u64) -> [usize; DEPTH] {
        let (start, stride) = (hash & 0xffff_ffff, hash >> 32 | 1);
        let width = self.width();
        let rows = [0, 1, 2, 3];
        rows.map(|row: u64| row as usize * width + ((start + row * stride) & self.mask) as usize)
    }
}
