//! How many bytes frames take. `cargo test -p sketches --test encoding sizes -- --nocapture` prints them.

use sketches::distinct::Precision;
use sketches::encoding::{Encode, encode};
use sketches::hash::KeyedState;
use sketches::table::{DistinctTable, Update};
use sketches::talkers::Talkers;

use crate::check::KEY;
use crate::samples;

#[expect(clippy::print_stdout, reason = "the numbers that documents quote")]
fn frame_bytes<S: Encode>(sketch: &S, what: &str, memory_bytes: usize) -> usize {
    let bytes = encode(sketch, KEY).unwrap().len();
    println!("{what:46} {bytes:7} bytes, {memory_bytes:7} in memory");
    bytes
}

#[test]
fn a_hyperloglog_takes_three_bytes_per_element_until_it_is_dense() {
    for precision in [10, 12, 14] {
        for elements in [0, 1, 10, 100, 1_000, 100_000] {
            let sketch = samples::hyperloglog(precision, elements);
            let what = format!("HyperLogLog 2^{precision}, {elements} elements");
            let bytes = frame_bytes(&sketch, &what, sketch.memory_bytes());
            assert!(bytes <= 20 + usize::try_from(3 * elements).unwrap(), "{what}");
            assert!(bytes <= 20 + (1 << precision), "{what}");
        }
    }
}

#[test]
fn a_count_min_takes_a_few_bytes_per_counter_that_is_used() {
    for keys in [0, 1, 10, 100, 1_000, 100_000] {
        let sketch = samples::count_min(14, keys);
        let what = format!("CountMin 4 x 2^14, {keys} keys");
        let bytes = frame_bytes(&sketch, &what, sketch.memory_bytes());
        // A counter below 2^14, and a run before it.
        assert!(bytes <= 23 + 4 * 6 * usize::try_from(keys).unwrap(), "{what}");
        assert!(bytes <= 23 + 4 * (1 << 14) * 3, "{what}");

        let conservative = samples::conservative(14, keys);
        let what = format!("ConservativeCountMin 4 x 2^14, {keys} keys");
        let lower = frame_bytes(&conservative, &what, conservative.memory_bytes());
        assert!(lower <= bytes, "{what}: no counter is higher than the plain one's");
    }
}

#[test]
fn talkers_take_their_keys_and_a_few_bytes_for_each_that_is_held() {
    for keys in [0, 1, 10, 100, 1_000, 50_000_u16] {
        let services = samples::talkers(4_096, keys);
        let what = format!("Talkers<(u8, u16)> of 4,096, {keys} keys");
        let bytes = frame_bytes(&services, &what, services.memory_bytes());
        // A bucket's fields, the key, and its weight and error, which stay below 2^21 here.
        let held = 4_096.min(usize::from(keys));
        assert!(bytes <= 27 + held * (5 + 3 + 6), "{what}");

        let mut hosts = Talkers::new(4_096, KeyedState::new(KEY));
        (0..keys).for_each(|key| hosts.add(u128::from(key) << 64, 40 + u64::from(key)));
        let what = format!("Talkers<u128> of 4,096, {keys} keys");
        let bytes = frame_bytes(&hosts, &what, hosts.memory_bytes());
        assert!(bytes <= 27 + held * (5 + 16 + 6), "{what}");
    }
}

#[test]
fn a_distinct_takes_four_bytes_per_element_and_then_two_per_bit() {
    for precision in [Precision::Percent4, Precision::Percent2] {
        for elements in [0, 7, 100, 128, 129, 1_000, 10_000, 1_000_000] {
            let counter = samples::distinct(precision, elements);
            let what = format!("Distinct {precision:?}, {elements} elements");
            let bytes = frame_bytes(&counter, &what, counter.memory_bytes());
            let elements = usize::try_from(elements).unwrap();
            let most = if counter.is_exact() { 4 * elements } else { 3 * elements };
            assert!(bytes <= 18 + 9 + most, "{what}");
            assert!(bytes <= 18 + 11 + counter.memory_bytes(), "{what}");
        }
    }
}

#[test]
fn opened_and_answered_take_ten_bytes_per_element_at_most_and_then_six_per_cell() {
    for elements in [0, 1, 20, 100, 128, 129, 1_000, 10_000, 1_000_000] {
        let counter = samples::answered(elements);
        let what = format!("OpenedAnswered, {elements} elements");
        let bytes = frame_bytes(&counter, &what, counter.memory_bytes());
        let elements = usize::try_from(elements).unwrap();
        // Fingerprint, mask, three ages, and the openings before the last.
        assert!(bytes <= 18 + 7 + (4 + 1 + 3 + 2) * elements, "{what}");
        assert!(bytes <= 18 + 6 + (1 + 3 + 2) * 4_096, "{what}");
    }
}

#[test]
fn quantiles_take_a_few_bytes_per_bin_that_is_used() {
    for relative_error in [0.001, 0.01, 0.05] {
        for values in [0, 1, 10, 1_000, 100_000] {
            let sketch = samples::quantiles(relative_error, values);
            let what = format!("Quantiles {relative_error}, {values} values");
            let bytes = frame_bytes(&sketch, &what, sketch.memory_bytes());
            // A bin before it, which may be far, and a count below 2^14.
            assert!(bytes <= 18 + 62 + usize::try_from(values).unwrap() * 4, "{what}");
            assert!(bytes <= 18 + 62 + 3 * sketch.memory_bytes() / 16, "{what}");
        }
    }
}

#[test]
fn a_table_takes_what_its_sets_take_and_six_bytes_for_each() {
    for (keys, elements) in [(0, 0), (1_000, 1), (10_000, 1), (10_000, 7), (1_000, 20), (50, 500)] {
        let mut table = DistinctTable::new(1 << 20, 60, 1).unwrap();
        for update in (0..keys * elements).map(|step: u64| Update {
            key: KEY.hash_u64(step / elements),
            element: KEY.hash_u64(step % elements),
            pane: samples::NOW,
        }) {
            table.update(update);
        }
        let what = format!("DistinctTable of 1 MiB, {keys} x {elements} elements");
        let bytes = frame_bytes(&table, &what, table.memory_bytes());
        // A varint for the cells before it, tag and kind, number; what a cell says of its set.
        let each = 2 + 4 + 2 + 4 * usize::try_from(elements).unwrap();
        assert!(bytes <= 18 + 40 + usize::try_from(keys).unwrap() * each, "{what}");
    }
}
