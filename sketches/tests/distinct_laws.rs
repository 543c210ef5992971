//! The sliding distinct counter against an oracle that keeps every element with its last pane, and the laws of merging.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "test code, and counts far below 2^32"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use sketches::distinct::{Distinct, HORIZON_PANES, Precision};
use sketches::hash::HashKey;
use sketches::pane::Pane;

const KEY: HashKey = HashKey::new(3, 4);
const PRECISIONS: [Precision; 2] = [Precision::Percent4, Precision::Percent2];

/// Element and pane.
type Stream = Vec<(u64, Pane)>;

#[derive(Debug, Default)]
struct Oracle {
    last: BTreeMap<u64, Pane>,
    newest: Pane,
}

impl Oracle {
    fn of(streams: &[&Stream]) -> Self {
        let mut oracle = Self::default();
        for &(element, pane) in streams.iter().copied().flatten() {
            oracle.newest = oracle.newest.max(pane);
            let last = oracle.last.entry(element).or_default();
            *last = (*last).max(pane);
        }
        oracle
    }

    fn count(&self, panes: u32) -> usize {
        self.last.values().filter(|&&pane| self.newest - pane < panes).count()
    }
}

fn counter(window_panes: u32, precision: Precision, stream: &Stream) -> Distinct {
    let mut counter = Distinct::new(window_panes, precision);
    stream.iter().for_each(|&(element, pane)| {
        counter.update(KEY.hash_u64(element), pane);
    });
    counter
}

fn merged(mut ours: Distinct, theirs: &Distinct) -> Distinct {
    ours.merge(theirs).unwrap();
    ours
}

/// The counts of all windows up to the longest.
fn counts(counter: &Distinct, window_panes: u32) -> Vec<f64> {
    (1..=window_panes).map(|panes| counter.count(panes).distinct).collect()
}

/// A stream of up to `elements` different ones around a pane, some late, with jumps into other eras.
fn stream(elements: u64) -> impl Strategy<Value = Stream> {
    let jump = prop_oneof![20 => 0..3_u32, 2 => 0..70_u32, 1 => 0..400_u32];
    let update = (0..elements, jump, 0..40_u32);
    (0..5_000_u32, prop::collection::vec(update, 0..400)).prop_map(|(start, updates)| {
        let mut now = start;
        let update = |(element, jump, late): (u64, u32, u32)| {
            now += jump / 2;
            (element, now.saturating_sub(late))
        };
        updates.into_iter().map(update).collect()
    })
}

proptest! {
    #[test]
    fn up_to_128_elements_the_count_of_every_window_is_the_exact_count(
        stream in stream(128), window_panes in 1..=HORIZON_PANES,
    ) {
        let oracle = Oracle::of(&[&stream]);
        for precision in PRECISIONS {
            let counter = counter(window_panes, precision, &stream);
            for panes in 1..=window_panes {
                let count = counter.count(panes);
                prop_assert!(count.is_exact && count.standard_error == 0.0);
                prop_assert_eq!(count.distinct as usize, oracle.count(panes), "{} panes", panes);
            }
        }
    }

    #[test]
    fn merging_commutes_associates_and_equals_one_stream(
        streams in prop::array::uniform3(stream(60)), window_panes in 1..=HORIZON_PANES,
    ) {
        let [a, b, c] = streams.each_ref().map(|s| counter(window_panes, Precision::Percent4, s));
        let one = counter(window_panes, Precision::Percent4, &streams.concat());
        let expected = counts(&one, window_panes);
        for merge in [
            merged(merged(a.clone(), &b), &c),
            merged(a.clone(), &merged(b.clone(), &c)),
            merged(merged(c, &a), &b),
        ] {
            prop_assert_eq!(counts(&merge, window_panes), expected.clone());
            // And merging again changes nothing.
            prop_assert_eq!(counts(&merged(merge.clone(), &merge), window_panes), expected.clone());
        }
    }

    #[test]
    fn sketches_merge_to_the_sketch_of_one_stream(
        streams in prop::array::uniform3(stream(3_000)), window_panes in 100..=HORIZON_PANES,
        precision in prop::sample::select(PRECISIONS.to_vec()),
    ) {
        // A thousand elements of the present, so that all is in one window and no order is exact where another is not.
        let now = streams.concat().iter().map(|&(_, pane)| pane).max().unwrap_or(0);
        let common: Stream = (10_000..11_000).map(|element| (element, now)).collect();
        let [a, b, c] = streams
            .each_ref()
            .map(|s| counter(window_panes, precision, &[common.clone(), s.clone()].concat()));
        let one = counter(window_panes, precision, &[common, streams.concat()].concat());
        let expected = counts(&one, window_panes);
        prop_assert!(!one.is_exact());
        prop_assert_eq!(counts(&merged(merged(a.clone(), &b), &c), window_panes), expected.clone());
        prop_assert_eq!(counts(&merged(c, &merged(b, &a)), window_panes), expected);
    }

    #[test]
    fn one_counter_per_pane_rolled_up_equals_the_window(
        stream in stream(2_000), window_panes in 20..=HORIZON_PANES,
    ) {
        let direct = counter(window_panes, Precision::Percent4, &stream);
        let mut by_pane = BTreeMap::<Pane, Stream>::new();
        stream.iter().for_each(|&(element, pane)| by_pane.entry(pane).or_default().push((element, pane)));
        let mut rolled = Distinct::new(window_panes, Precision::Percent4);
        for stream in by_pane.values() {
            rolled.merge(&counter(window_panes, Precision::Percent4, stream)).unwrap();
        }
        // Where one of them had more than 128 in between, both estimate or both count.
        if rolled.is_exact() == direct.is_exact() {
            prop_assert_eq!(counts(&rolled, window_panes), counts(&direct, window_panes));
        }
    }

    #[test]
    fn shrinking_and_waiting_change_no_count_that_they_should_not(
        stream in stream(300), window_panes in 1..=HORIZON_PANES, wait in 0..300_u32,
    ) {
        let mut counter = counter(window_panes, Precision::Percent4, &stream);
        let Some(newest) = counter.newest() else { return Ok(()) };
        let before = counts(&counter, window_panes);
        counter.shrink();
        prop_assert_eq!(counts(&counter, window_panes), before.clone());
        counter.advance(newest + wait);
        for panes in 1..=window_panes {
            // A window of `panes` that ends `wait` later holds what one of `panes - wait` held.
            let expected = if panes > wait { before[(panes - wait) as usize - 1] } else { 0.0 };
            prop_assert!((counter.count(panes).distinct - expected).abs() < 1e-9);
        }
        counter.shrink();
        if wait >= window_panes {
            prop_assert_eq!(counter.newest(), None);
            prop_assert_eq!(counter.memory_bytes(), Distinct::new(1, Precision::Percent4).memory_bytes());
        }
    }
}

#[test]
fn what_is_before_the_window_changes_nothing() {
    let mut counter = Distinct::new(10, Precision::Percent4);
    assert!(counter.update(1, 100));
    assert!(!counter.update(2 << 40, 90));
    assert!(counter.update(2 << 40, 91));
    assert!(!counter.update(2 << 40, 91), "seen already");
    assert!((counter.count(10).distinct - 2.0).abs() < 1e-9);
}

#[test]
fn merging_moves_event_time_on_even_if_nothing_is_left_in_the_window() {
    let seen_at = |pane| counter(10, Precision::Percent4, &vec![(1, pane)]);
    let mut silent = Distinct::new(10, Precision::Percent4);
    silent.advance(120);
    let mut stale = seen_at(105);
    stale.advance(120);
    for other in [silent, stale] {
        let merged = merged(seen_at(100), &other);
        assert_eq!((merged.newest(), merged == other), (None, true));
    }
}

#[test]
fn different_precisions_do_not_merge() {
    let [mut small, large] = PRECISIONS.map(|precision| counter(10, precision, &vec![(1, 1)]));
    assert!(small.merge(&large).is_err());
    assert!((small.count(10).distinct - 1.0).abs() < 1e-9);
}

#[test]
fn memory_is_what_the_documentation_says() {
    let of = |precision, elements| {
        counter(10, precision, &(0..elements).map(|element| (element, 5)).collect()).memory_bytes()
    };
    let own = size_of::<Distinct>();
    assert!(own <= 64, "{own}");
    for precision in PRECISIONS {
        assert_eq!(of(precision, 7), own);
        assert_eq!(of(precision, 16), own + 64);
        assert_eq!(of(precision, 128), own + 512);
    }
    assert_eq!(of(Precision::Percent4, 129), own + 4_096);
    assert_eq!(of(Precision::Percent2, 129), own + 16_384);
}

/// A slow window is the same counter with coarser panes.
#[test]
fn an_hour_and_a_day_are_windows_of_coarser_panes() {
    let (mut hour, mut day) =
        (Distinct::new(120, Precision::Percent4), Distinct::new(120, Precision::Percent4));
    // A scan of one port every twenty minutes, for two days.
    let events = (0..144_u32).map(|port| (u64::from(port), port * 1_200));
    for (port, end_s) in events {
        hour.update(KEY.hash_u64(port), end_s / 30);
        day.update(KEY.hash_u64(port), end_s / 720);
    }
    assert_eq!(hour.count(120).distinct as u32, 3);
    // 120 whole panes of twelve minutes, of which the last has just begun.
    assert_eq!(day.count(120).distinct as u32, 72);
    assert_eq!(day.count(5).distinct as u32, 3);
}

#[test]
fn a_sketch_that_is_out_of_the_window_makes_no_sketch() {
    let old = counter(10, Precision::Percent4, &(0..500).map(|element| (element, 100)).collect());
    let mut ours = counter(10, Precision::Percent4, &vec![(1, 105)]);
    ours.advance(115);
    ours.merge(&old).unwrap();
    assert!(ours.is_exact());
    let mut live = counter(10, Precision::Percent4, &vec![(1, 105)]);
    live.merge(&old).unwrap();
    assert!(!live.is_exact());
}

#[test]
fn a_sketch_of_which_all_is_out_of_the_window_begins_anew() {
    let old: Stream = (0..500).map(|element| (element, 0)).collect();
    let new: Stream = (900..905).map(|element| (element, 100)).collect();
    let [forwards, backwards] = [[old.clone(), new.clone()], [new, old]]
        .map(|streams| counter(10, Precision::Percent4, &streams.concat()));
    assert!(forwards.is_exact() && forwards == backwards);
    assert_eq!(forwards.count(10).distinct as u32, 5);
}

#[test]
fn counters_that_look_back_differently_far_do_not_merge() {
    let mut day = counter(120, Precision::Percent4, &vec![(1, 5)]);
    let hour = counter(10, Precision::Percent4, &vec![(2, 5)]);
    assert!(day.merge(&hour).is_err());
    assert_eq!(day.count(120).distinct as u32, 1);
}
