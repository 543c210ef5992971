//! What constructors and merges refuse. All of these are mistakes of the caller, never of the data.

use thiserror::Error;

/// A `HyperLogLog` precision outside `4..=16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("precision {precision} is outside 4..=16")]
pub struct PrecisionError {
    /// The precision that was asked for.
    pub precision: u8,
}

/// A count-min width outside `2^4..=2^16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("width_log2 {width_log2} is outside 4..=16")]
pub struct WidthError {
    /// The base-2 logarithm of the width that was asked for.
    pub width_log2: u8,
}

/// Two sketches of different sizes cannot be merged; neither was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("sketch sizes differ: {ours} and {theirs}")]
pub struct MergeError {
    /// Size (registers, counters per row, bytes, pages, or panes of the longest window) of the sketch merged into.
    pub ours: usize,
    /// Size of the sketch merged from.
    pub theirs: usize,
}

/// A memory budget in which nothing useful fits, or more than can be addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("bytes_max {bytes_max} is below {bytes_min} or above what can be addressed")]
pub struct BudgetError {
    /// The budget that was asked for.
    pub bytes_max: usize,
    /// The least that is accepted.
    pub bytes_min: usize,
}

/// A relative error of quantiles outside `0.001..=0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("relative_error {relative_error} is outside 0.001..=0.5")]
pub struct RelativeErrorError {
    /// The relative error that was asked for.
    pub relative_error: f64,
}

/// Two sketches of quantiles cannot be merged; neither was changed.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum QuantilesMergeError {
    /// Their bins are not the same.
    #[error("relative errors differ: {ours} and {theirs}")]
    RelativeErrorsDiffer {
        /// Relative error of the sketch merged into.
        ours: f64,
        /// Relative error of the sketch merged from.
        theirs: f64,
    },
    /// Together they have counted more than 2^53 - 1 values.
    #[error("more than 2^53 - 1 values")]
    TooMany,
}
