//! Four rows of counters, and which counter of each row belongs to a key.
//!
//! Each row takes 16 bits of the key's hash for itself. Under a keyed hash that cannot be told from
//! chance the rows are therefore independent, as Theorem 1 wants them. Positions that step through
//! the rows by a stride (Kirsch & Mitzenmacher 2006) would not be: two keys that meet in two rows
//! meet in all of them, which breaks the bound of a narrow sketch.

use std::f64::consts::E;

use crate::error::WidthError;

/// Rows: a bound fails for at most e^-4 = 1.8 % of the queries.
const DEPTH: usize = 4;
/// Bits of the hash that a row has for itself.
const ROW_BITS: usize = 16;

/// The counters of a sketch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// Width less one; the width is a power of two.
    mask: usize,
    /// The rows one after another.
    counters: Vec<u64>,
    total: u64,
}

impl Rows {
    pub(super) fn new(width_log2: u8) -> Result<Self, WidthError> {
        if (4..=16).contains(&width_log2) {
            let width = 1 << width_log2;
            Ok(Self { mask: width - 1, counters: vec![0; DEPTH * width], total: 0 })
        } else {
            Err(WidthError { width_log2 })
        }
    }

    /// Bytes of the counters at a width; `None` if that is not allowed.
    pub(super) fn heap_bytes_of(width_log2: u8) -> Option<usize> {
        (4..=16).contains(&width_log2).then(|| (DEPTH * size_of::<u64>()) << width_log2)
    }

    /// The rows one after another.
    pub(super) fn counters(&self) -> &[u64] {
        &self.counters
    }

    /// The counters of each row.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u64]> {
        self.counters.chunks(self.width())
    }

    /// The rows one after another.
    pub(super) fn counters_mut(&mut self) -> &mut [u64] {
        &mut self.counters
    }

    /// Replaces each of a key's counters by what `update` makes of it for a weight, which the total takes up.
    #[inline]
    pub(super) fn update(&mut self, hash: u64, weight: u64, update: impl Fn(u64) -> u64) {
        self.total = self.total.saturating_add(weight);
        for position in self.positions(hash) {
            let counter = &mut self.counters[position];
            *counter = update(*counter);
        }
    }

    /// The least of a key's counters.
    #[inline]
    pub(super) fn least(&self, hash: u64) -> u64 {
        let counters = self.positions(hash).map(|position| self.counters[position]);
        counters.into_iter().fold(u64::MAX, u64::min)
    }

    /// Adds the counters of another sketch of the same width, each to its like, and its total.
    pub(super) fn add(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        for (ours, theirs) in self.counters.iter_mut().zip(&other.counters) {
            *ours = ours.saturating_add(*theirs);
        }
    }

    pub(super) fn clear(&mut self) {
        self.counters.fill(0);
        self.total = 0;
    }

    /// The sum of all weights.
    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    pub(super) const fn set_total(&mut self, total: u64) {
        self.total = total;
    }

    pub(super) const fn width(&self) -> usize {
        self.mask + 1
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.counters.capacity() * size_of::<u64>()
    }

    /// What Theorem 1 gives for a stream of this total.
    pub(super) fn error_bound(&self) -> f64 {
        E / self.width() as f64 * self.total as f64
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "masked to at most 16 bits")]
    fn positions(&self, hash: u64) -> [usize; DEPTH] {
        let rows = [0, 1, 2, 3];
        rows.map(|row| row * self.width() + ((hash >> (row * ROW_BITS)) as usize & self.mask))
    }
}
