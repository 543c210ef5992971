//! Frames written by earlier releases: the names in `tests/golden` say kind and version.
//!
//! A frame that is here stays here for as long as its version is read. For a new one, start with an empty file: the
//! failure prints what to put there.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use sketches::count_min::CountMin;
use sketches::distinct::Precision;
use sketches::encoding::{Encode, Limits, decode, encode};
use sketches::table::DistinctTable;
use sketches::talkers::{Talker, Talkers};

use crate::check::KEY;
use crate::samples;

/// Bytes as lines of hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
        text.push('\n');
    }
    text
}

/// The sketch of a frame that is kept, written again to the same digits; `sample` makes the same sketch today.
fn golden<S: Encode>(name: &str, sample: &S) -> S {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let kept = fs::read_to_string(path).unwrap();
    let digits: String = kept.split_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    let frame: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    let today = || hex(&encode(sample, KEY).unwrap());
    let sketch: S = decode(&frame, KEY, Limits::default())
        .unwrap_or_else(|error| panic!("{name}: {error}; today's frame:\n{}", today()));
    if frame[5] == S::VERSION {
        assert_eq!(hex(&encode(&sketch, KEY).unwrap()), kept, "{name} is written otherwise today");
    }
    sketch
}

#[test]
fn frames_of_version_1_of_hyperloglog_are_read() {
    for (name, elements) in [
        ("hyperloglog_v1_empty.hex", 0),
        ("hyperloglog_v1_sparse.hex", 9),
        ("hyperloglog_v1_dense.hex", 500),
    ] {
        let sample = samples::hyperloglog(6, elements);
        assert_eq!(golden(name, &sample), sample, "{name}");
    }
}

#[test]
fn frames_of_version_1_of_count_min_are_read() {
    for (name, keys) in [
        ("count_min_v1_empty.hex", 0),
        ("count_min_v1_sparse.hex", 2),
        ("count_min_v1_full.hex", 90),
    ] {
        let sample: CountMin = samples::count_min(4, keys);
        assert_eq!(golden(name, &sample), sample, "{name}");
    }
}

#[test]
fn frames_of_version_1_of_conservative_count_min_are_read() {
    for (name, keys) in [
        ("conservative_v1_empty.hex", 0),
        ("conservative_v1_sparse.hex", 2),
        ("conservative_v1_full.hex", 90),
    ] {
        let sample = samples::conservative(4, keys);
        assert_eq!(golden(name, &sample), sample, "{name}");
    }
}

#[test]
fn frames_of_version_1_of_quantiles_are_read() {
    for (name, values) in [
        ("quantiles_v1_empty.hex", 0),
        ("quantiles_v1_zero.hex", 1),
        ("quantiles_v1_few.hex", 9),
        ("quantiles_v1_many.hex", 500),
    ] {
        let sample = samples::quantiles(0.1, values);
        assert_eq!(golden(name, &sample), sample, "{name}");
    }
}

/// Which keys a full bucket keeps is no matter of the format, so what is kept is named here.
#[test]
fn frames_of_version_1_of_talkers_are_read() {
    let empty = golden("talkers_v1_empty.hex", &samples::talkers(16, 0));
    assert_eq!((empty.total(), empty.top(9)), (0, vec![]));

    let few = golden("talkers_v1_few.hex", &samples::talkers(16, 3));
    let held = |key, weight| Talker { key, weight, error: 0 };
    assert_eq!(few.total(), 231);
    assert_eq!(few.top(9), [held((6, 2), 114), held((6, 1), 77), held((17, 0), 40)]);

    let full: Talkers<(u8, u16)> = golden("talkers_v1_full.hex", &samples::talkers(16, 60));
    assert_eq!((full.total(), full.top(99).len()), (38_690, 21));
    assert_eq!(full.top(1), [Talker { key: (6, 38), weight: 3_006, error: 1_560 }]);
}

#[test]
fn frames_of_version_1_of_distinct_are_read() {
    for (name, precision, elements) in [
        ("distinct_v1_empty.hex", Precision::Percent4, 0),
        ("distinct_v1_few.hex", Precision::Percent2, 5),
        ("distinct_v1_exact.hex", Precision::Percent4, 30),
        ("distinct_v1_sketch.hex", Precision::Percent4, 150),
        ("distinct_v1_large_sketch.hex", Precision::Percent2, 150),
    ] {
        let sample = samples::distinct(precision, elements);
        let kept = golden(name, &sample);
        assert_eq!(kept, sample, "{name}");
        assert_eq!((kept.newest().is_some(), kept.is_exact()), (elements > 0, elements <= 128));
    }
}

#[test]
fn frames_of_version_1_of_opened_answered_are_read() {
    for (name, elements) in [
        ("answered_v1_empty.hex", 0),
        ("answered_v1_one.hex", 1),
        ("answered_v1_exact.hex", 30),
        ("answered_v1_sketch.hex", 150),
    ] {
        let sample = samples::answered(elements);
        let kept = golden(name, &sample);
        assert_eq!(kept, sample, "{name}");
        assert_eq!((kept.newest().is_some(), kept.is_exact()), (elements > 0, elements <= 128));
    }
}

#[test]
fn frames_of_version_1_of_tables_are_read() {
    let sets_by_name: [(_, &[u32]); 3] = [
        ("table_v1_empty.hex", &[]),
        ("table_v1_exact.hex", &[1, 7, 8, 20]),
        ("table_v1_sketch.hex", &[2, 150, 3]),
    ];
    for (name, sets) in sets_by_name {
        let kept: DistinctTable = golden(name, &samples::table(sets));
        assert_eq!((kept.keys(), kept.newest()), (sets.len(), samples::NOW));
        for (key, &elements) in (1..).zip(sets) {
            let count = kept.count(KEY.hash_u64(key), 60).unwrap();
            let distance = (count.distinct - f64::from(elements)).abs();
            assert!(distance <= 3.0 * count.standard_error, "{name}: {elements} elements");
        }
    }
}
