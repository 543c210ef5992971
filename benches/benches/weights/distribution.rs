//! Quantiles beside `hdrhistogram` and a sort.

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use hdrhistogram::Histogram;
use sketches::quantiles::Quantiles;

use super::{STREAM, UPDATES};

/// Key times weight: sizes from 40 to 1.5 billion, most of them small.
pub(crate) static VALUES: LazyLock<Vec<u64>> =
    LazyLock::new(|| STREAM.iter().map(|&(key, weight)| key * weight).collect());

static SORTED: LazyLock<Vec<u64>> = LazyLock::new(sorted);

/// Of our quantiles, and of two significant digits.
pub(crate) const RELATIVE_ERROR: f64 = 0.01;

pub(crate) fn quantiles() -> Quantiles {
    let mut quantiles = Quantiles::new(RELATIVE_ERROR).unwrap();
    VALUES.iter().for_each(|&value| quantiles.add(value));
    quantiles
}

pub(crate) fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new(2).unwrap();
    VALUES.iter().for_each(|&value| histogram.record(value).unwrap());
    histogram
}

pub(crate) fn sorted() -> Vec<u64> {
    let mut sorted = VALUES.clone();
    sorted.sort_unstable();
    sorted
}

/// The largest relative error of 1,001 quantiles.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
pub(crate) fn error_max(quantile: impl Fn(f64) -> f64) -> f64 {
    let error = |step: u32| {
        let q = f64::from(step) / 1_000.0;
        let truth = SORTED[(q * (UPDATES - 1) as f64) as usize] as f64;
        (quantile(q) - truth).abs() / truth
    };
    (0..=1_000).map(error).fold(0.0, f64::max)
}

#[divan::bench(sample_count = 20)]
fn fill_quantiles(bencher: Bencher) {
    let filled = quantiles();
    assert!(error_max(|q| filled.quantile(q).unwrap()) <= RELATIVE_ERROR + 1e-9);
    bencher.counter(ItemsCount::new(UPDATES)).bench(quantiles);
}

#[divan::bench(sample_count = 20)]
fn fill_peer_hdrhistogram(bencher: Bencher) {
    let filled = histogram();
    assert!(error_max(|q| filled.value_at_quantile(q) as f64) <= RELATIVE_ERROR);
    bencher.counter(ItemsCount::new(UPDATES)).bench(histogram);
}

#[divan::bench(sample_count = 20)]
fn fill_peer_sort(bencher: Bencher) {
    assert!(SORTED.is_sorted());
    bencher.counter(ItemsCount::new(UPDATES)).bench(sorted);
}

/// One quantile.
#[divan::bench]
fn quantile(bencher: Bencher) {
    let filled = quantiles();
    bencher.bench(|| divan::black_box(&filled).quantile(0.99).unwrap());
}

#[divan::bench]
fn quantile_peer_hdrhistogram(bencher: Bencher) {
    let filled = histogram();
    bencher.bench(|| divan::black_box(&filled).value_at_quantile(0.99));
}

/// One merge.
#[divan::bench]
fn merge_quantiles(bencher: Bencher) {
    let filled = quantiles();
    bencher.with_inputs(|| filled.clone()).bench_values(|mut merged| {
        merged.merge(&filled).unwrap();
        assert_eq!(merged.count(), 2 * filled.count());
        merged
    });
}
