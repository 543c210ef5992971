//! What every decoder withstands: shared by the tests and, through its path, by the fuzz target.

use std::fmt::Debug;
use std::hash::Hash;

use sketches::answered::OpenedAnswered;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::distinct::Distinct;
use sketches::encoding::{Encode, EncodeKey, Limits, decode, encode};
use sketches::hash::HashKey;
use sketches::hyperloglog::HyperLogLog;
use sketches::pane::{Pane, PaneRange};
use sketches::quantiles::Quantiles;
use sketches::table::{BYTES_MIN, DistinctTable, Update};
use sketches::talkers::Talkers;

/// The secret of all samples.
pub(crate) const KEY: HashKey = HashKey::new(0x0102_0304_0506_0708, 0x090a_0b0c_0d0e_0f10);

/// Little enough that an input which is all claims costs no time.
const LIMITS: Limits = Limits { body_bytes_max: 1 << 18, memory_bytes_max: 1 << 18 };

/// Decodes what `input` stands for as every kind. An odd first byte: the rest is a frame as it is. An even one: the next byte
/// is a kind, the rest a body, and all else is made to fit, so that mutations reach what the checksum guards.
/// Gives how many kinds accept it.
pub(crate) fn check_input(input: &[u8]) -> usize {
    match input {
        [mode, frame @ ..] if mode % 2 == 1 => check_frame(frame),
        [_, kind, body @ ..] => check_frame(&seal(*kind, 1, body)),
        _ => 0,
    }
}

/// The frame of version `version` around any body: the layout once more, apart from the code under test.
pub(crate) fn seal(kind: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = b"FSK\x01".to_vec();
    frame.extend([kind, version]);
    frame.extend(KEY.check().to_le_bytes());
    frame.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    frame.extend(body);
    frame.extend(crc32fast::hash(&frame).to_le_bytes());
    frame
}

/// Decodes as every kind; whatever is accepted is canonical, and can be asked and merged. Gives how many kinds accept it.
pub(crate) fn check_frame(frame: &[u8]) -> usize {
    let results = [
        accepted::<HyperLogLog>(frame).map(use_hyperloglog),
        accepted::<CountMin>(frame).map(use_count_min),
        accepted::<Talkers<u8>>(frame).map(use_talkers),
        accepted::<Talkers<u32>>(frame).map(use_talkers),
        accepted::<Talkers<u64>>(frame).map(use_talkers),
        accepted::<Talkers<u128>>(frame).map(use_talkers),
        accepted::<Talkers<(u8, u16)>>(frame).map(use_talkers),
        accepted::<Distinct>(frame).map(use_distinct),
        accepted::<DistinctTable>(frame).map(use_table),
        accepted::<OpenedAnswered>(frame).map(use_answered),
        accepted::<ConservativeCountMin>(frame).map(use_conservative),
        accepted::<Quantiles>(frame).map(use_quantiles),
    ];
    results.iter().flatten().count()
}

fn accepted<S: Encode>(frame: &[u8]) -> Option<S> {
    let sketch = decode::<S>(frame, KEY, LIMITS).ok()?;
    assert_eq!(encode(&sketch, KEY).as_deref(), Ok(frame), "accepted bytes are canonical");
    Some(sketch)
}

fn stays_writable<S: Encode + Debug>(sketch: &S) {
    let frame = encode(sketch, KEY).unwrap_or_default();
    let again = decode::<S>(&frame, KEY, LIMITS);
    assert_eq!(again.map(|again| format!("{again:?}")), Ok(format!("{sketch:?}")));
}

fn use_hyperloglog(mut sketch: HyperLogLog) {
    assert!(sketch.estimate() >= 0.0);
    let before = sketch.clone();
    assert!(sketch.merge(&before).is_ok() && sketch == before);
    sketch.insert_hash(0);
    stays_writable(&sketch);
}

fn use_count_min(mut sketch: CountMin) {
    for hash in [0, 1, u64::MAX] {
        assert!(sketch.estimate(hash) <= sketch.total());
        sketch.add(hash, hash);
    }
    assert!(sketch.error_bound() >= 0.0);
    let before = sketch.clone();
    assert!(sketch.merge(&before).is_ok());
    stays_writable(&sketch);
}

fn use_conservative(mut sketch: ConservativeCountMin) {
    for hash in [0, 1, u64::MAX] {
        let before = sketch.estimate(hash);
        assert!(before <= sketch.total());
        sketch.add(hash, hash);
        assert_eq!(sketch.estimate(hash), before.saturating_add(hash));
        stays_writable(&sketch);
    }
    assert!(sketch.error_bound() >= 0.0);
}

fn use_talkers<K: Copy + Default + Eq + Hash + Ord + EncodeKey + Debug>(mut sketch: Talkers<K>) {
    let top = sketch.top(usize::MAX);
    assert!(top.iter().all(|held| held.error <= held.weight));
    let before = sketch.clone();
    sketch.merge(&before);
    if let Some(first) = top.first() {
        sketch.add(first.key, u64::MAX / 2);
    }
    let mut other = Talkers::new(1, sketches::hash::KeyedState::new(KEY));
    other.merge(&sketch);
    stays_writable(&sketch);
    stays_writable(&other);
}

fn use_distinct(mut counter: Distinct) {
    let before = counter.clone();
    assert!(counter.merge(&before).is_ok() && counter == before);
    let newest = counter.newest().unwrap_or_default();
    for (hash, panes) in [(0, 1), (u64::MAX, 60), (1 << 50, u32::MAX)] {
        let count = counter.count(panes);
        assert!(count.distinct >= 0.0 && count.distinct.is_finite());
        assert!(!count.is_exact || count.distinct <= 128.0);
        counter.update(hash, newest.saturating_add(panes / 2));
        come_back(&counter);
    }
    counter.shrink();
    come_back(&counter);
}

/// Equal by their own measure, whatever the order in which elements stand.
fn come_back<S: Encode + Debug + PartialEq>(sketch: &S) {
    let frame = encode(sketch, KEY).unwrap_or_default();
    assert_eq!(accepted::<S>(&frame).as_ref(), Some(sketch));
}

fn use_table(mut table: DistinctTable) {
    let keys = table.keys();
    for (key, ahead) in [(0, 0), (u64::MAX, 1), (1 << 40, 100)] {
        let pane = table.newest().saturating_add(ahead);
        let refused = table.counters().refused;
        for element in 1..10 {
            table.update(Update { key, element: element << 45, pane });
        }
        // Two of them share a bit of a sketch, and there may be no room for some.
        let count = table.count(key, 1).filter(|_| table.counters().refused == refused);
        assert!(count.is_none_or(|count| count.distinct > if count.is_exact { 8.9 } else { 7.5 }));
        let frame = encode(&table, KEY).unwrap_or_default();
        assert!(accepted::<DistinctTable>(&frame).is_some());
    }
    assert!(table.keys() <= keys + 3);
    table.update(Update { key: 0, element: 0, pane: 0 });
    if let Ok(mut other) = DistinctTable::new(BYTES_MIN, 9, 1)
        && other.merge_table(&table).is_ok()
    {
        let frame = encode(&other, KEY).unwrap_or_default();
        assert!(accepted::<DistinctTable>(&frame).is_some());
    }
}

fn use_answered(mut counter: OpenedAnswered) {
    let before = counter.clone();
    counter.merge(&before);
    assert!(counter == before);
    let newest = counter.newest().unwrap_or_default();
    for (hash, ahead) in
        [(0, 0), (u64::MAX, 1), (1 << 32, 17), (5 << 32, 20_000), (9 << 40, Pane::MAX)]
    {
        for window_panes in [1, 17, 40_000] {
            let first = newest.saturating_sub(window_panes - 1);
            let counts =
                counter.count(PaneRange { first, last: newest }, newest.saturating_sub(ahead));
            assert!(counts.unanswered >= 0.0 && counts.seen.is_finite());
            assert!(!counts.exact || counts.unanswered <= counts.seen && counts.seen <= 128.0);
            let opened = counter.first_opened(PaneRange { first, last: newest });
            assert!(opened.is_none_or(|pane| (first..=newest).contains(&pane)));
        }
        counter.opened(hash, newest.saturating_add(ahead));
        counter.refused(!hash, newest.saturating_sub(ahead));
        counter.answered_if_seen(hash, newest);
        come_back(&counter);
        counter.merge(&before);
        come_back(&counter);
    }
    counter.expire(newest);
    come_back(&counter);
}

fn use_quantiles(mut sketch: Quantiles) {
    let before = sketch.clone();
    for value in [0, 1, u64::MAX] {
        sketch.add(value);
        let (min, max) = (sketch.min().unwrap_or(1) as f64, sketch.max().unwrap_or(0) as f64);
        for q in [0.0, 0.5, 1.0] {
            assert!(sketch.quantile(q).is_some_and(|value| (min..=max).contains(&value)));
        }
        come_back(&sketch);
    }
    let count = sketch.count();
    let merged = sketch.merge(&before);
    assert_eq!(sketch.count() - count, if merged.is_ok() { before.count() } else { 0 });
    come_back(&sketch);
}
