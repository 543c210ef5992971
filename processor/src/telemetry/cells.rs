//! What the collectors of metrics share: numbers that anyone counts into while they are scraped.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::gauge::ConstGauge;

pub(super) fn gauge(value: u64, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder)
}

pub(super) fn load(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counting does not panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
