//! Merge laws of `OpenedAnswered` in all tiers: it commutes, associates, repeats without effect, and
//! equals one stream.

use proptest::prelude::*;
use sketches::answered::OpenedAnswered;
use sketches::hash::HashKey;
use sketches::pane::{Pane, PaneRange};

type Update = (u8, u32, Pane);

fn filled(updates: &[Update]) -> OpenedAnswered {
    let mut subject = OpenedAnswered::new();
    for &(event, element, pane) in updates {
        let hash = HashKey::new(1, 2).hash_u64(element.into());
        match event {
            0 => subject.opened(hash, pane),
            1 => subject.refused(hash, pane),
            _ => subject.answered(hash, pane),
        }
    }
    subject
}

fn merged(left: &OpenedAnswered, right: &OpenedAnswered) -> OpenedAnswered {
    let mut result = left.clone();
    result.merge(right);
    result
}

/// Streams that stay small, that promote when merged, and that are sketches by themselves.
fn updates(first_pane: Pane) -> impl Strategy<Value = Vec<Update>> {
    let update = |elements| (0..3_u8, 0..elements, first_pane..first_pane + 12);
    prop_oneof![
        prop::collection::vec(update(40_u32), 0..60),
        prop::collection::vec(update(200_u32), 0..150),
        prop::collection::vec(update(3_000_u32), 0..1_000),
    ]
}

fn assert_same(
    left: &OpenedAnswered,
    right: &OpenedAnswered,
    panes: &[Pane],
) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.is_exact(), right.is_exact());
    prop_assert_eq!(left.newest(), right.newest());
    for &first in panes {
        for length in [0, 1, 5, 11, 40_000] {
            let window = PaneRange { first, last: first.saturating_add(length) };
            for settled in [first, first + 3, Pane::MAX] {
                prop_assert_eq!(left.count(window, settled), right.count(window, settled));
            }
            prop_assert_eq!(left.first_opened(window), right.first_opened(window));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn laws_hold_within_an_era(a in updates(1_000), b in updates(1_003), c in updates(1_000)) {
        check_laws(&a, &b, &c, &[990, 1_000, 1_004, 1_012])?;
    }

    #[test]
    fn laws_hold_across_eras(
        a in updates(3 * (1 << 14) - 6),
        b in updates(3 * (1 << 14) + 6),
        c in updates(4 * (1 << 14) - 3),
    ) {
        check_laws(&a, &b, &c, &[0, 49_140, 49_152, 49_160, 65_533, 65_540])?;
    }
}

fn check_laws(
    a: &[Update],
    b: &[Update],
    c: &[Update],
    panes: &[Pane],
) -> Result<(), TestCaseError> {
    let one_stream = filled(&[a, b, c].concat());
    let backwards: Vec<Update> = [a, b, c].concat().into_iter().rev().collect();
    let (a, b, c) = (filled(a), filled(b), filled(c));
    let ab_c = merged(&merged(&a, &b), &c);
    assert_same(&ab_c, &one_stream, panes)?;
    assert_same(&ab_c, &filled(&backwards), panes)?;
    assert_same(&ab_c, &merged(&a, &merged(&b, &c)), panes)?;
    assert_same(&merged(&a, &b), &merged(&b, &a), panes)?;
    assert_same(&merged(&ab_c, &ab_c), &ab_c, panes)?;
    assert_same(&merged(&ab_c, &b), &ab_c, panes)?;
    assert_same(&merged(&OpenedAnswered::new(), &a), &a, panes)?;
    assert_same(&merged(&a, &OpenedAnswered::new()), &a, panes)
}

#[test]
fn what_lies_beyond_the_horizon_does_not_promote() {
    let old: Vec<Update> = (0..2_000).map(|element| (0, element, 100)).collect();
    let mut subject = filled(&[(0, 1, 100 + (1 << 15) + 1)]);
    subject.merge(&filled(&old));
    assert!(subject.is_exact());
    let everything = PaneRange { first: 0, last: Pane::MAX };
    let seen = subject.count(everything, Pane::MAX).seen;
    assert!((seen - 1.0).abs() < 1e-9, "{seen}");
}
