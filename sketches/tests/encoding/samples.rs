//! Sketches of every kind, empty, sparse and full.

use sketches::answered::OpenedAnswered;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::distinct::{Distinct, Precision};
use sketches::encoding::encode;
use sketches::hash::KeyedState;
use sketches::hyperloglog::HyperLogLog;
use sketches::pane::Pane;
use sketches::quantiles::Quantiles;
use sketches::table::{BYTES_MIN, DistinctTable, Update};
use sketches::talkers::Talkers;

use crate::check::KEY;

pub(crate) fn hyperloglog(precision: u8, elements: u64) -> HyperLogLog {
    let mut sketch = HyperLogLog::new(precision).unwrap();
    (0..elements).for_each(|element| sketch.insert_hash(KEY.hash_u64(element)));
    sketch
}

pub(crate) fn count_min(width_log2: u8, keys: u64) -> CountMin {
    let mut sketch = CountMin::new(width_log2).unwrap();
    (0..keys).for_each(|key| sketch.add(KEY.hash_u64(key), 40 + key * 37 % 1_460));
    sketch
}

pub(crate) fn conservative(width_log2: u8, keys: u64) -> ConservativeCountMin {
    let mut sketch = ConservativeCountMin::new(width_log2).unwrap();
    (0..keys).for_each(|key| sketch.add(KEY.hash_u64(key), 40 + key * 37 % 1_460));
    sketch
}

/// Zero, and values of every magnitude up to some billions.
pub(crate) fn quantiles(relative_error: f64, values: u64) -> Quantiles {
    let mut sketch = Quantiles::new(relative_error).unwrap();
    (0..values).for_each(|value| sketch.add((value * 7_919 % 1_009) << (value % 24)));
    sketch
}

pub(crate) fn talkers(capacity: usize, keys: u16) -> Talkers<(u8, u16)> {
    let mut sketch = Talkers::new(capacity, KeyedState::new(KEY));
    for port in 0..keys {
        sketch.add((if port % 3 == 0 { 17 } else { 6 }, port), 40 + u64::from(port) * 37 % 1_460);
    }
    sketch
}

/// Panes of 5 s, some time in 2026.
pub(crate) const NOW: Pane = 354_000_000;

/// Elements that came in different panes of the last 50.
pub(crate) fn distinct(precision: Precision, elements: u32) -> Distinct {
    let mut counter = Distinct::new(60, precision);
    counter.advance(NOW);
    for element in 0..elements {
        counter.update(KEY.hash_u64(element.into()), NOW - element * 7 % 50);
    }
    counter
}

/// A key for each number of elements, of the smallest size that tables have.
pub(crate) fn table(sets: &[u32]) -> DistinctTable {
    let mut table = DistinctTable::new(BYTES_MIN, 60, 1).unwrap();
    table.advance(NOW);
    for (key, &elements) in (1..).zip(sets) {
        for element in 0..elements {
            let (key, pane) = (KEY.hash_u64(key), NOW - element * 7 % 50);
            table.update(Update { key, element: KEY.hash_u64(element.into()), pane });
        }
    }
    table
}

/// Elements that were opened in the last 50 panes, some of them again; a third have answered, a seventh were refused.
pub(crate) fn answered(elements: u32) -> OpenedAnswered {
    let mut counter = OpenedAnswered::new();
    for element in 0..elements {
        let (hash, pane) = (KEY.hash_u64(element.into()), NOW - element * 7 % 50);
        counter.opened(hash, pane);
        if element % 5 == 0 {
            counter.opened(hash, pane - 3);
        }
        if element % 3 == 0 {
            counter.answered(hash, pane + 1);
        }
        if element % 7 == 6 {
            counter.refused(hash, pane);
        }
    }
    counter
}

/// Frames small enough to be damaged in every place.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for elements in [0, 3, 500] {
        frames.push(encode(&hyperloglog(6, elements), KEY).unwrap());
        frames.push(encode(&count_min(4, elements), KEY).unwrap());
        frames.push(encode(&conservative(4, elements), KEY).unwrap());
        frames.push(encode(&quantiles(0.1, elements), KEY).unwrap());
        frames.push(encode(&talkers(32, u16::try_from(elements).unwrap()), KEY).unwrap());
        let elements = u32::try_from(elements / 2).unwrap();
        frames.push(encode(&distinct(Precision::Percent4, elements), KEY).unwrap());
        frames.push(encode(&answered(elements), KEY).unwrap());
        frames.push(
            encode(&table(&[elements, elements / 3, 1][..elements.min(3) as usize]), KEY).unwrap(),
        );
    }
    frames
}
