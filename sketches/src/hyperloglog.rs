//! Plain dense `HyperLogLog`: distinct elements, without a window.
//!
//! Flajolet, Fusy, Gandouet & Meunier 2007, "HyperLogLog: the analysis of a near-optimal cardinality
//! estimation algorithm". The low `precision` bits of a hash choose one of m registers; the register
//! keeps the highest rank (leading zeros plus one) of the remaining bits. The estimate is Ertl's
//! improved raw estimator, so neither a bias table nor a switch of ranges is needed.

mod encode;

use crate::error::{MergeError, PrecisionError};
use crate::estimator;

/// The most values that a register can hold: 0 to 61 at precision 4.
const VALUES_MAX: usize = 62;

/// Distinct elements in 2^precision bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HyperLogLog {
    precision: u8,
    registers: Vec<u8>,
}

impl HyperLogLog {
    /// An empty sketch of `2^precision` registers.
    ///
    /// # Errors
    /// The precision is outside `4..=16`.
    pub fn new(precision: u8) -> Result<Self, PrecisionError> {
        if (4..=16).contains(&precision) {
            Ok(Self { precision, registers: vec![0; 1 << precision] })
        } else {
            Err(PrecisionError { precision })
        }
    }

    /// Counts the element whose keyed hash is `hash`.
    pub fn insert_hash(&mut self, hash: u64) {
        // The index bits, all set, end the run of zeros: the highest rank is 65 - precision.
        let zeros = (hash | self.mask()).leading_zeros();
        let rank = u8::try_from(zeros + 1).unwrap_or(u8::MAX);
        let index = low_bits(hash, self.mask());
        let register = &mut self.registers[index];
        *register = (*register).max(rank);
    }

    /// Adds everything that `other` has counted; equals counting both streams in one sketch.
    ///
    /// # Errors
    /// The precisions differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.precision != other.precision {
            let (ours, theirs) = (self.registers.len(), other.registers.len());
            return Err(MergeError { ours, theirs });
        }
        for (ours, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *ours = (*ours).max(*theirs);
        }
        Ok(())
    }

    /// The estimated number of distinct elements; exactly 0 for an empty sketch.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let mut histogram = [0_u32; VALUES_MAX];
        for &register in &self.registers {
            histogram[usize::from(register)] += 1;
        }
        estimator::estimate(&histogram[..66 - usize::from(self.precision)])
    }

    /// The relative standard error of the estimate, 1.04 / sqrt(m).
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        estimator::standard_error(f64::from(1_u32 << self.precision))
    }

    /// The registers, in the order of the low bits of the hash.
    #[must_use]
    pub fn registers(&self) -> &[u8] {
        &self.registers
    }

    /// Bytes held, inline and on the heap.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.registers.capacity()
    }

    fn mask(&self) -> u64 {
        (1 << self.precision) - 1
    }
}

#[expect(clippy::cast_possible_truncation, reason = "masked to at most 16 bits")]
fn low_bits(hash: u64, mask: u64) -> usize {
    (hash & mask) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashKey;

    /// The registers of the `hyperloglog` crate, which it shows in its Debug text only.
    fn oracle_registers(hashes: &[u64], error_rate: f64) -> Vec<u8> {
        let mut oracle = hyperloglog::HyperLogLog::new_deterministic(error_rate, 1);
        hashes.iter().for_each(|&hash| oracle.insert_by_hash_value(hash));
        let text = format!("{oracle:?}");
        let list = text.split_once("M: [").unwrap().1.split_once(']').unwrap().0;
        list.split(", ").map(|register| register.parse().unwrap()).collect()
    }

    fn filled(precision: u8, hashes: impl IntoIterator<Item = u64>) -> HyperLogLog {
        let mut sketch = HyperLogLog::new(precision).unwrap();
        hashes.into_iter().for_each(|hash| sketch.insert_hash(hash));
        sketch
    }

    #[test]
    fn registers_equal_those_of_the_hyperloglog_crate() {
        let key = HashKey::new(1, 2);
        let mut hashes: Vec<u64> = (0..50_000).map(|element| key.hash_u64(element)).collect();
        hashes.extend([0, u64::MAX, 1 << 12, 1 << 63, 0xfff, 0xff]);
        // That crate takes ln where log2 is meant: these error rates give p = 8 and p = 12.
        for (precision, error_rate) in [(8, 0.02), (12, 0.003)] {
            let oracle = oracle_registers(&hashes, error_rate);
            assert_eq!(filled(precision, hashes.iter().copied()).registers(), oracle);
        }
    }

    /// Elements as they come, strided, in few bits, and in mirrored bits: what an attacker without the key can choose.
    #[test]
    fn error_stays_at_the_theory_over_seeds() {
        let streams: [fn(u64) -> u64; 4] = [|e| e, |e| e << 24, |e| e | e << 40, u64::reverse_bits];
        let sizes = [(8, 300), (8, 20_000), (12, 1_000), (12, 10_000), (14, 40_000)];
        for (element, (precision, elements)) in
            streams.iter().flat_map(|element| sizes.map(|size| (element, size)))
        {
            let seeds = 60;
            let squares: f64 = (0..seeds)
                .map(|seed| {
                    let key = HashKey::new(seed, 99);
                    let hashes = (0..elements).map(|e| key.hash_u64(element(e)));
                    (filled(precision, hashes).estimate() / elements as f64 - 1.0).powi(2)
                })
                .sum();
            let error = (squares / seeds as f64).sqrt();
            let theory = HyperLogLog::new(precision).unwrap().standard_error();
            assert!(error < 1.28 * theory, "p {precision}, n {elements}: {error} > {theory}");
        }
    }

    #[test]
    fn merge_equals_one_stream_and_repeats_do_not_count() {
        let key = HashKey::new(3, 4);
        let (left, right) = (0..700_u64, 500..1_500_u64);
        let mut merged = filled(10, left.clone().map(|e| key.hash_u64(e)));
        merged.merge(&filled(10, right.clone().map(|e| key.hash_u64(e)))).unwrap();
        assert_eq!(merged, filled(10, left.chain(right).map(|e| key.hash_u64(e))));
        let before = merged.clone();
        merged.merge(&before).unwrap();
        assert_eq!(merged, before);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert_eq!(HyperLogLog::new(3), Err(PrecisionError { precision: 3 }));
        assert_eq!(HyperLogLog::new(17), Err(PrecisionError { precision: 17 }));
        let mut small = HyperLogLog::new(4).unwrap();
        let large = HyperLogLog::new(16).unwrap();
        assert_eq!(small.merge(&large), Err(MergeError { ours: 16, theirs: 65_536 }));
        assert!(large.estimate() <= 0.0);
    }

    #[test]
    fn extreme_hashes_stay_within_the_registers() {
        for precision in 4..=16 {
            let sketch = filled(precision, [0, u64::MAX]);
            assert_eq!(sketch.registers()[0], 65 - precision);
            assert_eq!(sketch.registers().last(), Some(&1));
            assert!((1.5..2.5).contains(&sketch.estimate()));
        }
    }
}
