//! Quantiles against sorted values: the relative error of every rank, the merge laws, the memory; and
//! what the crate below does with what is kept from it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::panic::catch_unwind;

use proptest::prelude::*;
use sketches::error::{QuantilesMergeError, RelativeErrorError};
use sketches::hash::split_mix;
use sketches::quantiles::Quantiles;
use sketches_ddsketch::{Config, DDSketch};

const ERRORS: [f64; 4] = [0.001, 0.01, 0.05, 0.5];
/// What rounding may add to the relative error: logarithms of up to 64 bits, in double precision.
const ROUNDING: f64 = 1e-9;

fn uniform(seed: u64) -> Vec<u64> {
    let mut state = seed;
    (0..20_000).map(|_| split_mix(&mut state) % 1_000_000).collect()
}

/// A density of 1 / value over all 64 bits, with zeros among them.
fn zipf(seed: u64) -> Vec<u64> {
    let mut state = seed;
    let mut draw = || {
        let bits = split_mix(&mut state) % 65;
        split_mix(&mut state).checked_shr(u32::try_from(bits).unwrap()).unwrap_or(0)
    };
    (0..20_000).map(|_| draw()).collect()
}

/// The integers around each bound of each bin, and the ends of the range.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn adversarial(relative_error: f64) -> Vec<u64> {
    let growth = (1.0 + relative_error) / (1.0 - relative_error);
    let bound = |bin| growth.powi(bin) as u64;
    let around = |value: u64| [value.saturating_sub(1), value, value.saturating_add(1)];
    let bounds = (0..).map(bound).take_while(|&value| value < u64::MAX);
    bounds.flat_map(around).chain([0, 1, u64::MAX - 1, u64::MAX]).collect()
}

fn filled(relative_error: f64, values: &[u64]) -> Quantiles {
    let mut sketch = Quantiles::new(relative_error).unwrap();
    values.iter().for_each(|&value| sketch.add(value));
    sketch
}

/// The value that the documentation of `quantile` names.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
fn ranked(sorted: &[u64], q: f64) -> f64 {
    sorted[(q * (sorted.len() - 1) as f64) as usize] as f64
}

fn check(relative_error: f64, values: &[u64]) {
    let sketch = filled(relative_error, values);
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let steps = 1_000;
    for q in (0..=steps).map(|step| f64::from(step) / f64::from(steps)) {
        let (truth, estimate) = (ranked(&sorted, q), sketch.quantile(q).unwrap());
        let allowed = truth * (relative_error + ROUNDING);
        assert!(
            (estimate - truth).abs() <= allowed,
            "{relative_error} at {q}: {estimate}, {truth}"
        );
    }
    assert_eq!(sketch.count(), values.len() as u64);
    assert_eq!(sketch.sum(), values.iter().map(|&value| u128::from(value)).sum::<u128>());
    assert_eq!((sketch.min(), sketch.max()), (sorted.first().copied(), sorted.last().copied()));
}

#[test]
fn every_rank_of_every_stream_is_within_the_relative_error() {
    for relative_error in ERRORS {
        check(relative_error, &adversarial(relative_error));
        for seed in 0..5 {
            check(relative_error, &uniform(seed));
            check(relative_error, &zipf(seed));
        }
    }
}

#[test]
fn memory_stays_below_the_stated_maximum_whatever_comes_first() {
    for (relative_error, stated) in [(0.001, 356_000), (0.01, 36_000), (0.05, 7_400), (0.5, 1_000)]
    {
        let ascending = adversarial(relative_error);
        let descending: Vec<u64> = ascending.iter().rev().copied().collect();
        for values in [ascending, descending, vec![1, u64::MAX], vec![u64::MAX, 1]] {
            let mut sketch = filled(relative_error, &values);
            assert!(sketch.memory_bytes() <= sketch.memory_bytes_max());
            sketch.merge(&filled(relative_error, &zipf(1))).unwrap();
            assert!(sketch.memory_bytes() <= sketch.memory_bytes_max());
            assert!(sketch.memory_bytes_max() <= stated, "{}", sketch.memory_bytes_max());
        }
    }
}

#[test]
fn nothing_counted_has_no_quantiles_and_clearing_returns_to_it() {
    let mut sketch = filled(0.01, &[7, 0, u64::MAX]);
    sketch.clear();
    assert_eq!((sketch.quantile(0.5), sketch.min(), sketch.max()), (None, None, None));
    assert_eq!((sketch.count(), sketch.sum()), (0, 0));
    sketch.merge(&filled(0.01, &[])).unwrap();
    assert_eq!(sketch.quantile(0.0), None);
    sketch.add(0);
    assert_eq!(sketch.quantile(1.0), Some(0.0));
}

#[test]
fn refuses_what_has_no_answer() {
    for relative_error in [f64::NAN, f64::INFINITY, -0.01, 0.0, 0.000_9, 0.51, 1.0] {
        let error = Quantiles::new(relative_error).unwrap_err();
        let RelativeErrorError { relative_error: named } = error;
        assert_eq!(named.to_bits(), relative_error.to_bits());
    }
    let mut sketch = filled(0.01, &[1, 2, 3]);
    for q in [f64::NAN, f64::INFINITY, -0.1, 1.000_1] {
        assert_eq!(sketch.quantile(q), None);
    }
    let other = filled(0.02, &[1]);
    let differ = QuantilesMergeError::RelativeErrorsDiffer { ours: 0.01, theirs: 0.02 };
    assert_eq!(sketch.merge(&other), Err(differ));
    assert_eq!(sketch.count(), 3);
}

#[test]
fn counts_end_where_doubles_tell_them_apart() {
    let mut sketch = filled(0.01, &[5]);
    for _ in 0..52 {
        let copy = sketch.clone();
        sketch.merge(&copy).unwrap();
    }
    let half = sketch.clone();
    assert_eq!(sketch.count(), 1 << 52);
    assert_eq!(sketch.merge(&half), Err(QuantilesMergeError::TooMany));
    assert_eq!((sketch.count(), sketch.sum()), (1 << 52, 5 << 52));
    assert!((sketch.quantile(0.5).unwrap() - 5.0).abs() <= 0.05);
}

fn values() -> impl Strategy<Value = Vec<u64>> {
    let value = prop_oneof![
        Just(0_u64),
        0..100_u64,
        any::<u64>(),
        (0..64_u32).prop_map(|shift| u64::MAX >> shift),
    ];
    prop::collection::vec(value, 0..60)
}

/// All that can be seen of a sketch; with as many quantiles as values, every rank.
fn seen(sketch: &Quantiles) -> (u64, u128, Option<u64>, Option<u64>, Vec<Option<u64>>) {
    let ranks = (0..=400).map(|step| sketch.quantile(f64::from(step) / 400.0).map(f64::to_bits));
    (sketch.count(), sketch.sum(), sketch.min(), sketch.max(), ranks.collect())
}

proptest! {
    #[test]
    fn every_rank_of_any_values_is_within_the_relative_error(
        values in values().prop_filter("not empty", |values| !values.is_empty()),
        error in 0..ERRORS.len(),
    ) {
        check(ERRORS[error], &values);
    }

    #[test]
    fn merge_commutes_associates_and_equals_one_stream(
        streams in prop::array::uniform3(values()),
    ) {
        let merged = |left: &Quantiles, right: &Quantiles| {
            let mut result = left.clone();
            result.merge(right).unwrap();
            result
        };
        let [a, b, c] = streams.each_ref().map(|values| filled(0.01, values));
        let whole = seen(&filled(0.01, &streams.concat()));
        prop_assert_eq!(seen(&merged(&a, &b)), seen(&merged(&b, &a)));
        prop_assert_eq!(seen(&merged(&merged(&a, &b), &c)), whole.clone());
        prop_assert_eq!(seen(&merged(&a, &merged(&b, &c))), whole);
    }

    /// The crate by itself, with so few bins that it joins some: its merge is right there, too.
    #[test]
    fn the_crate_merges_rightly_even_when_it_joins_bins(
        streams in prop::array::uniform2(values()),
    ) {
        let filled = |values: &[u64]| {
            let mut sketch = DDSketch::new(Config::new(0.01, 200, 0.5));
            values.iter().for_each(|&value| sketch.add(value as f64));
            sketch
        };
        let mut merged = filled(&streams[0]);
        merged.merge(&filled(&streams[1])).unwrap();
        let whole = filled(&streams.concat());
        for q in (0..=200).map(|step| f64::from(step) / 200.0) {
            prop_assert_eq!(merged.quantile(q).unwrap(), whole.quantile(q).unwrap());
        }
    }
}

/// Why the limit of bins is what all 64 bits need: 2,048 of them, the crate's default, are too few.
#[test]
fn the_crate_loses_the_low_values_when_it_runs_out_of_bins() {
    let mut sketch = DDSketch::new(Config::new(0.01, 2_048, 0.5));
    [1.0, 2.0, 3.0, u64::MAX as f64].into_iter().for_each(|value| sketch.add(value));
    assert!(sketch.quantile(0.4).unwrap().unwrap() > 25.0, "the second of four is 2");
    let sketch = filled(0.01, &[1, 2, 3, u64::MAX]);
    assert!((sketch.quantile(0.4).unwrap() - 2.0).abs() <= 0.02);
}

/// Why values are integers.
#[test]
fn the_crate_takes_a_nan_for_a_zero_and_an_infinity_for_a_bin() {
    let with = |value: f64| {
        let mut sketch = DDSketch::new(Config::new(0.01, 2_048, 0.5));
        sketch.add(value);
        sketch.add(1.0);
        sketch
    };
    let sketch = with(f64::NAN);
    assert_eq!((sketch.count(), sketch.quantile(0.1).unwrap()), (2, Some(0.0)));
    assert!(sketch.sum().unwrap().is_nan());
    // By overflow where that is checked, by an index out of bounds where it is not.
    assert!(catch_unwind(|| with(f64::INFINITY)).is_err(), "panics");
}
