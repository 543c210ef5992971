//! Quantiles: what value a given share of a stream does not exceed, within a relative error.
//!
//! Masson, Rim & Lee 2019, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
//! guarantees": values are counted in bins whose bounds grow by (1 + a) / (1 - a), so that the middle
//! of a bin is within a of every value in it.
//!
//! The bins are those of the `sketches-ddsketch` crate. Four things that it can be made to do are kept
//! from it: a NaN would count as zero and spoil the sum; after an infinity it panics; past its limit
//! of bins it joins the lowest ones, without telling, and their error is then unbounded; and counts
//! past 2^64 overflow. Here values are integers, the limit is the number of bins that all
//! 64 bits need, so that none are ever joined, and the count is watched.

mod bins;
mod encode;

use std::fmt;

use sketches_ddsketch::{Config, DDSketch};

use crate::error::{QuantilesMergeError, RelativeErrorError};

/// The distribution of a stream of integers: bytes, milliseconds, packets.
///
/// A quantile is within the stated relative error of the value of its rank, always and for every
/// 64-bit value; zero is exact. Memory grows with the ratio of the largest to the least value that is
/// not zero, and ends at what [`Quantiles::memory_bytes_max`] says: 36 KB at an error of 1 %, 356 KB
/// at 0.1 %. An update costs a logarithm, a quantile or a merge a pass over the bins
/// (`cargo bench -p flowscout-benches --bench weights`).
///
/// ```
/// use sketches::quantiles::Quantiles;
///
/// let mut milliseconds = Quantiles::new(0.01)?;
/// (1..=1_000).for_each(|value| milliseconds.add(value));
/// let median = milliseconds.quantile(0.5).unwrap();
/// assert!((median - 500.0).abs() <= 5.0);
/// assert_eq!((milliseconds.min(), milliseconds.max()), (Some(1), Some(1_000)));
/// # Ok::<(), sketches::error::RelativeErrorError>(())
/// ```
#[derive(Clone)]
pub struct Quantiles {
    sketch: DDSketch,
    config: Config,
    relative_error: f64,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

/// Up to here doubles tell counts apart, and so does the rank of a quantile.
const COUNT_MAX: u64 = (1 << 53) - 1;

/// Values up to this are what the bins call zero: of the integers, zero.
const ZERO_MAX: f64 = 0.5;

impl Quantiles {
    /// An empty sketch.
    ///
    /// # Errors
    /// The relative error is outside `0.001..=0.5`.
    pub fn new(relative_error: f64) -> Result<Self, RelativeErrorError> {
        if !(0.001..=0.5).contains(&relative_error) {
            return Err(RelativeErrorError { relative_error });
        }
        let mut config = Config::new(relative_error, 1, ZERO_MAX);
        // The bin of 1 is number 0.
        config.max_num_bins = config.key(u64::MAX as f64).unsigned_abs() + 1;
        let sketch = DDSketch::new(config);
        Ok(Self { sketch, config, relative_error, count: 0, sum: 0, min: u64::MAX, max: 0 })
    }

    /// Counts a value. After 2^53 - 1 of them, which only merging can reach, nothing is counted.
    #[inline]
    pub fn add(&mut self, value: u64) {
        if self.count == COUNT_MAX {
            return;
        }
        self.count += 1;
        self.sum += u128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sketch.add(value as f64);
    }

    /// The value of rank floor(q * (count - 1)), from 0, in ascending order, within the relative
    /// error. `None` when nothing was counted or `q` is not within 0 to 1.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let value = self.sketch.quantile(q).ok().flatten()?;
        // The truth lies between the extremes, which are exact.
        Some(value.clamp(self.min as f64, self.max as f64))
    }

    /// Adds everything that `other` has counted; equals counting both streams in one sketch.
    ///
    /// # Errors
    /// The relative errors differ, or there would be more than 2^53 - 1 values; nothing was changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), QuantilesMergeError> {
        let differ = QuantilesMergeError::RelativeErrorsDiffer {
            ours: self.relative_error,
            theirs: other.relative_error,
        };
        if self.config != other.config {
            return Err(differ);
        }
        let count = self.count + other.count;
        if count > COUNT_MAX {
            return Err(QuantilesMergeError::TooMany);
        }
        self.sketch.merge(&other.sketch).map_err(|_| differ)?;
        self.count = count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        Ok(())
    }

    /// Forgets everything, and frees the memory of the bins.
    pub fn clear(&mut self) {
        self.sketch = DDSketch::new(self.config);
        (self.count, self.sum, self.min, self.max) = (0, 0, u64::MAX, 0);
    }

    /// How many values were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values, exactly.
    #[must_use]
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The least value, exactly.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value, exactly.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Bytes held at the most, inline and on the heap: 8 for each bin, and as many again, since what
    /// grows may have taken up to twice the room that it needs.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        memory_bytes(self.sketch.length())
    }

    /// What [`Self::memory_bytes`] never exceeds, whatever is counted.
    #[must_use]
    pub const fn memory_bytes_max(&self) -> usize {
        memory_bytes(self.config.max_num_bins as usize)
    }
}

/// Equal when they have counted the same into each bin.
impl PartialEq for Quantiles {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
            && (self.count, self.sum, self.min, self.max)
                == (other.count, other.sum, other.min, other.max)
            && bins::of(&self.sketch) == bins::of(&other.sketch)
    }
}

/// The bins have no `Debug`, and there are thousands of them.
impl fmt::Debug for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quantiles")
            .field("relative_error", &self.relative_error)
            .field("count", &self.count)
            .field("min", &self.min())
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

const fn memory_bytes(bins: usize) -> usize {
    size_of::<Quantiles>() + bins * 2 * size_of::<u64>()
}
