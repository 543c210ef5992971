//! Conservative update: a counter grows no further than the key's new estimate.
//!
//! Estan & Varghese 2002, "New directions in traffic measurement and accounting". A
//! weight w raises each counter c of the key to max(c, least + w), where `least` is the smallest of
//! them. Raising only the counters that equal the least, as some programs do, under-estimates as soon
//! as weights differ.

use super::rows::Rows;
use crate::error::WidthError;

/// Weights by key hash; more accurate than [`super::CountMin`], but of one stream only.
///
/// It has no merge. A counter here depends on what the key's other counters held at the time: the sum
/// of two sketches would still not under-estimate, but it is not the sketch of both streams, and its
/// error is nearer to that of the plain one. Who must merge takes the plain one.
///
/// Memory is that of the plain sketch. No estimate is below the truth or above that of a plain sketch
/// of the same width, so the bound is the same; on skewed streams the error of heavy keys is smaller
/// by more than an order of magnitude (`cargo test -p sketches --test count_min_bounds`). An update
/// reads all four counters before it writes them, and takes some 1.6 times as long
/// (`cargo bench -p flowscout-benches --bench weights`).
///
/// ```
/// use sketches::count_min::ConservativeCountMin;
/// use sketches::hash::HashKey;
///
/// let key = HashKey::new(1, 2);
/// let mut sketch = ConservativeCountMin::new(10)?;
/// sketch.add(key.hash_u64(443), 9_000);
/// sketch.add(key.hash_u64(443), 1_000);
/// assert_eq!(sketch.estimate(key.hash_u64(443)), 10_000);
/// # Ok::<(), sketches::error::WidthError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConservativeCountMin {
    pub(super) rows: Rows,
}

impl ConservativeCountMin {
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
        let raised = self.rows.least(hash).saturating_add(weight);
        self.rows.update(hash, weight, |counter| counter.max(raised));
    }

    /// The weight of a key, never less than the true one.
    #[must_use]
    #[inline]
    pub fn estimate(&self, hash: u64) -> u64 {
        self.rows.least(hash)
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
    /// least 1 - e^-4 for each query; mostly far less.
    #[must_use]
    pub fn error_bound(&self) -> f64 {
        self.rows.error_bound()
    }
}
