//! `OpenedAnswered` against a map of elements to stamps, in every order of operations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sketches::answered::{Counts, OpenedAnswered};
use sketches::pane::{Pane, PaneRange};

/// How far back the structure promises to look.
const HORIZON: Pane = 1 << 15;

/// How far before an element's last opening its others are known.
const KNOWN_BEFORE: Pane = 16;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Opened(u32, Pane),
    Refused(u32, Pane),
    Answered(u32, Pane),
    Expire(Pane),
}

/// A hash whose upper half, the fingerprint, differs for each element; element 0 has fingerprint 0.
///
/// A bijection of 32 bits: the finaliser of `MurmurHash3`.
fn hash(element: u32) -> u64 {
    let mut mixed = (element ^ element >> 16).wrapping_mul(0x85eb_ca6b);
    mixed = (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35);
    u64::from(mixed ^ mixed >> 16) << 32 | 0x5555
}

fn apply(subject: &mut OpenedAnswered, operation: Operation) {
    match operation {
        Operation::Opened(element, pane) => subject.opened(hash(element), pane),
        Operation::Refused(element, pane) => subject.refused(hash(element), pane),
        Operation::Answered(element, pane) => subject.answered(hash(element), pane),
        Operation::Expire(oldest_kept) => subject.expire(oldest_kept),
    }
}

/// The panes of each event per element; expiry is not its business.
#[derive(Default)]
struct Oracle {
    elements: BTreeMap<u32, [BTreeSet<Pane>; 3]>,
    newest: Pane,
}

impl Oracle {
    fn apply(&mut self, operation: Operation) {
        let (element, event, pane) = match operation {
            Operation::Opened(element, pane) => (element, 0, pane),
            Operation::Refused(element, pane) => (element, 1, pane),
            Operation::Answered(element, pane) => (element, 2, pane),
            Operation::Expire(_) => return,
        };
        self.elements.entry(element).or_default()[event].insert(pane);
        self.newest = self.newest.max(pane);
    }

    /// Per element: the panes known of its openings, its last refusal, its last answer.
    fn known(&self) -> impl Iterator<Item = (Vec<Pane>, Option<Pane>, Option<Pane>)> + '_ {
        self.elements.values().map(|[opened, refused, answered]| {
            let oldest = opened.last().map_or(0, |last| last.saturating_sub(KNOWN_BEFORE));
            let opened = opened.range(oldest..).copied().collect();
            (opened, refused.last().copied(), answered.last().copied())
        })
    }

    fn window(&self, window: PaneRange) -> PaneRange {
        PaneRange { first: window.first.max(self.newest.saturating_sub(HORIZON)), ..window }
    }

    fn count(&self, window: PaneRange, settled: Pane) -> Counts {
        let window = self.window(window);
        let within = |stamp: Option<Pane>| stamp.is_some_and(|pane| window.contains(pane));
        let (mut seen, mut answered, mut unanswered) = (0, 0, 0);
        for (opened, refused_at, answered_at) in self.known() {
            let is_opened = opened.iter().any(|&pane| window.contains(pane));
            let is_settled = opened.iter().any(|&pane| window.contains(pane) && pane <= settled);
            let is_answered_since = answered_at >= Some(window.first);
            seen += u32::from(is_opened || within(refused_at) || within(answered_at));
            answered += u32::from(within(answered_at));
            unanswered += u32::from((is_settled || within(refused_at)) && !is_answered_since);
        }
        let [seen, answered, unanswered] = [seen, answered, unanswered].map(f64::from);
        Counts { seen, seen_error: 0.0, answered, unanswered, standard_error: 0.0, exact: true }
    }

    fn first_opened(&self, window: PaneRange) -> Option<Pane> {
        let window = self.window(window);
        let panes = self.known().flat_map(|(opened, refused, _)| opened.into_iter().chain(refused));
        panes.filter(|&pane| window.contains(pane)).min()
    }
}

fn update(
    elements: u32,
    pane: impl Strategy<Value = Pane> + Clone,
) -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0..elements, pane.clone()).prop_map(|(e, p)| Operation::Opened(e, p)),
        2 => (0..elements, pane.clone()).prop_map(|(e, p)| Operation::Refused(e, p)),
        3 => (0..elements, pane).prop_map(|(e, p)| Operation::Answered(e, p)),
    ]
}

fn range(pane: impl Strategy<Value = Pane> + Clone) -> impl Strategy<Value = PaneRange> {
    (pane.clone(), pane).prop_map(|(first, last)| PaneRange { first, last })
}

/// Panes around a few eras, around 0 and around the largest pane, with jumps of billions.
fn far_pane() -> impl Strategy<Value = Pane> + Clone {
    prop_oneof![
        any::<Pane>(),
        (0..8_u32, 0..40_u32).prop_map(|(era, offset)| (era * (1 << 14) + offset).saturating_sub(20)),
        (0..4_u32, 0..40_u32)
            .prop_map(|(wrap, offset)| (0x7000_0000 + wrap * (1 << 16) + offset).saturating_sub(20)),
        (0..100_000_u32).prop_map(|offset| Pane::MAX - offset),
    ]
}

proptest! {
    #[test]
    fn exact_tier_equals_the_oracle(
        operations in prop::collection::vec(update(128, 1_000..1_030_u32), 0..600),
        windows in prop::collection::vec((range(995..1_035_u32), 995..1_035_u32), 8),
    ) {
        let (mut subject, mut oracle) = (OpenedAnswered::new(), Oracle::default());
        for &operation in &operations {
            apply(&mut subject, operation);
            oracle.apply(operation);
        }
        prop_assert!(subject.is_exact());
        prop_assert_eq!(subject.newest(), (!operations.is_empty()).then_some(oracle.newest));
        for (window, settled) in windows {
            prop_assert_eq!(subject.count(window, settled), oracle.count(window, settled));
            prop_assert_eq!(subject.first_opened(window), oracle.first_opened(window));
        }
    }

    #[test]
    fn stamps_never_alias_over_any_jump(
        operations in prop::collection::vec(update(100, far_pane()), 0..60),
        windows in prop::collection::vec((range(far_pane()), far_pane(), 0..70_000_u32), 8),
    ) {
        let (mut subject, mut oracle) = (OpenedAnswered::new(), Oracle::default());
        for &operation in &operations {
            apply(&mut subject, operation);
            oracle.apply(operation);
            let recent = PaneRange { first: oracle.newest.saturating_sub(HORIZON), last: Pane::MAX };
            prop_assert_eq!(subject.count(recent, Pane::MAX), oracle.count(recent, Pane::MAX));
        }
        for (window, settled, age) in windows {
            let recent = PaneRange { first: oracle.newest.saturating_sub(age), last: window.last };
            for window in [window, recent] {
                prop_assert_eq!(subject.count(window, settled), oracle.count(window, settled));
                prop_assert_eq!(subject.first_opened(window), oracle.first_opened(window));
            }
        }
    }

    #[test]
    fn expiry_keeps_the_counts_of_what_it_keeps(
        operations in prop::collection::vec(
            prop_oneof![
                12 => update(120, 1_000..1_040_u32),
                1 => (990..1_045_u32).prop_map(Operation::Expire),
            ],
            0..300,
        ),
        windows in prop::collection::vec((range(995..1_045_u32), 995..1_045_u32), 8),
    ) {
        let (mut subject, mut oracle) = (OpenedAnswered::new(), Oracle::default());
        let mut oldest_kept = 0;
        for &operation in &operations {
            apply(&mut subject, operation);
            oracle.apply(operation);
            if let Operation::Expire(pane) = operation {
                oldest_kept = oldest_kept.max(pane);
            }
        }
        for (window, settled) in windows {
            let window = PaneRange { first: window.first.max(oldest_kept), ..window };
            prop_assert_eq!(subject.count(window, settled), oracle.count(window, settled));
        }
        subject.expire(2_000);
        prop_assert_eq!(subject.newest(), None);
        prop_assert_eq!(subject.memory_bytes(), size_of::<OpenedAnswered>());
    }

    #[test]
    fn expiry_keeps_the_estimates_of_what_it_keeps(
        operations in prop::collection::vec(update(2_000, 1_000..1_040_u32), 300..800),
        oldest_kept in 990..1_045_u32,
        windows in prop::collection::vec((range(995..1_045_u32), 995..1_045_u32), 8),
    ) {
        let mut subject = OpenedAnswered::new();
        operations.iter().for_each(|&operation| apply(&mut subject, operation));
        let before = subject.clone();
        let memory_bytes = subject.memory_bytes();
        subject.expire(oldest_kept);
        prop_assert!(subject.memory_bytes() <= memory_bytes);
        for (window, settled) in windows {
            let window = PaneRange { first: window.first.max(oldest_kept), ..window };
            let (kept, all) = (subject.count(window, settled), before.count(window, settled));
            // Back to exact when nothing is left: then both counts are zero.
            prop_assert_eq!(kept, Counts { exact: kept.exact, ..all });
            prop_assert!(kept.exact <= (all.seen <= 0.0));
        }
    }

    #[test]
    fn a_sketch_does_not_alias_either(start: Pane, jumps in prop::collection::vec(
        prop_oneof![0..100_000_u32, any::<Pane>(), (0..60_000_u32).prop_map(|wraps| wraps << 16)], 1..6,
    )) {
        let mut subject = OpenedAnswered::new();
        (0..600).for_each(|element| subject.opened(hash(element), start));
        prop_assert!(!subject.is_exact());
        let mut newest = start;
        for (element, jump) in (10_000..).zip(jumps) {
            newest = newest.saturating_add(jump);
            subject.answered(hash(element), newest);
            let window = PaneRange { first: newest.saturating_sub(HORIZON), last: newest };
            let unanswered = subject.count(window, newest).unanswered;
            let expected = if window.contains(start) { 450.0..750.0 } else { -0.5..0.5 };
            prop_assert!(expected.contains(&unanswered), "{} after {}", unanswered, newest - start);
        }
    }
}

#[test]
fn sizes_grow_in_classes_to_the_stated_bounds() {
    let mut subject = OpenedAnswered::new();
    let inline = size_of::<OpenedAnswered>();
    for element in 0..128 {
        subject.opened(hash(element), 7);
        let room = (element as usize + 1).next_power_of_two();
        let heap = if room == 1 { 0 } else { room * 12 };
        assert_eq!(subject.memory_bytes(), inline + heap);
    }
    assert!(subject.is_exact());
    for element in 128..100_000 {
        subject.opened(hash(element), 7);
    }
    assert!(!subject.is_exact());
    let (sketch, table) = (72, 8 * 1_024);
    assert_eq!(subject.memory_bytes(), inline + sketch + 2 * table);
    (0..100_000).for_each(|element| subject.refused(hash(element), 7));
    assert_eq!(subject.memory_bytes(), inline + sketch + 3 * table);
    (0..100_000).for_each(|element| subject.answered(hash(element), 7));
    assert_eq!(subject.memory_bytes(), inline + sketch + 4 * table);
    assert_eq!(subject.memory_bytes(), 32_872);
}

#[test]
fn a_sketch_of_few_elements_holds_only_the_ranks_that_they_reach() {
    let mut subject = OpenedAnswered::new();
    // A fingerprint has more zeros in front than rank 8 if it is below 2^24.
    let few = (0..300).filter(|&element| hash(element) >> 32 >= 1 << 24);
    few.for_each(|element| subject.opened(hash(element), 7));
    assert!(!subject.is_exact());
    assert_eq!(subject.memory_bytes(), size_of::<OpenedAnswered>() + 72 + 8 * 1_024);
    subject.refused(hash(5), 7);
    let rows = (u64::leading_zeros(hash(5)) as usize + 1).next_multiple_of(4);
    assert_eq!(subject.memory_bytes(), size_of::<OpenedAnswered>() + 72 + 8 * 1_024 + rows * 512);
}

#[test]
fn expiry_fits_the_memory_to_what_is_left() {
    let mut subject = OpenedAnswered::new();
    (0..100).for_each(|element| subject.opened(hash(element), 7));
    (0..3).for_each(|element| subject.opened(hash(element), 9));
    subject.expire(8);
    assert_eq!(subject.memory_bytes(), size_of::<OpenedAnswered>() + 4 * 12);
    subject.expire(10);
    assert_eq!(subject.memory_bytes(), size_of::<OpenedAnswered>());
}
