//! Sketches of every kind, empty, sparse and full.

use sketches::count_min::CountMin;
use sketches::encoding::encode;
use sketches::hash::KeyedState;
use sketches::hyperloglog::HyperLogLog;
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

pub(crate) fn talkers(capacity: usize, keys: u16) -> Talkers<(u8, u16)> {
    let mut sketch = Talkers::new(capacity, KeyedState::new(KEY));
    for port in 0..keys {
        sketch.add((if port % 3 == 0 { 17 } else { 6 }, port), 40 + u64::from(port) * 37 % 1_460);
    }
    sketch
}

/// Frames small enough to be damaged in every place.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for elements in [0, 3, 500] {
        frames.push(encode(&hyperloglog(6, elements), KEY).unwrap());
        frames.push(encode(&count_min(4, elements), KEY).unwrap());
        frames.push(encode(&talkers(32, u16::try_from(elements).unwrap()), KEY).unwrap());
    }
    frames
}
