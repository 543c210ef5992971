//! The sketch tier's error over seeds, against the stated one.

use sketches::answered::{Counts, OpenedAnswered};
use sketches::hash::HashKey;
use sketches::pane::PaneRange;

const WINDOW: PaneRange = PaneRange { first: 100, last: 110 };
const SEEDS: u32 = 100;

/// Root mean square over seeds of (unanswered - truth) / truth.
fn error_over_seeds(truth: u32, fill: impl Fn(&mut OpenedAnswered, HashKey)) -> f64 {
    let squares = (0..SEEDS).map(|seed| {
        let mut subject = OpenedAnswered::new();
        fill(&mut subject, HashKey::new(u64::from(seed), 7));
        assert!(!subject.is_exact());
        (subject.count(WINDOW, 110).unanswered / f64::from(truth) - 1.0).powi(2)
    });
    (squares.sum::<f64>() / f64::from(SEEDS)).sqrt()
}

#[test]
fn unanswered_alone_has_the_theoretical_error() {
    for distinct in [1_000, 10_000, 100_000] {
        let error = error_over_seeds(distinct, |subject, key| {
            (0..distinct).for_each(|e| subject.opened(key.hash_u64(e.into()), 100 + e % 11));
        });
        assert!(error <= 0.075, "{distinct}: {error}");
    }
}

#[test]
fn refusals_have_the_same_error_in_a_narrow_window_among_old_stamps() {
    let error = error_over_seeds(5_000, |subject, key| {
        (0..50_000).for_each(|e: u64| subject.opened(key.hash_u64(e + 1_000_000), 60));
        (0..5_000).for_each(|e: u64| subject.refused(key.hash_u64(e), 110));
    });
    assert!(error <= 0.075, "{error}");
}

fn busy_server(key: HashKey, answered: u64, unanswered: u64) -> Counts {
    let mut subject = OpenedAnswered::new();
    for element in 0..answered + unanswered {
        subject.opened(key.hash_u64(element), 105);
        if element < answered {
            subject.answered(key.hash_u64(element), 106);
        }
    }
    subject.count(WINDOW, 110)
}

#[test]
fn a_server_that_answers_everybody_has_exactly_none_unanswered() {
    for seed in 0..20 {
        let counts = busy_server(HashKey::new(seed, 3), 10_000, 0);
        assert!(counts.unanswered <= 0.0, "{counts:?}");
        assert!((counts.answered / 10_000.0 - 1.0).abs() < 0.3, "{counts:?}");
    }
}

#[test]
fn the_difference_stays_within_the_stated_error() {
    let mut squares = 0.0;
    for seed in 0..SEEDS {
        let counts = busy_server(HashKey::new(seed.into(), 4), 10_000, 5_000);
        let sigmas = (counts.unanswered - 5_000.0) / counts.standard_error;
        assert!(sigmas.abs() <= 4.0, "seed {seed}: {sigmas} in {counts:?}");
        squares += sigmas * sigmas;
    }
    let sigmas = (squares / f64::from(SEEDS)).sqrt();
    assert!(sigmas < 1.1, "the stated error is too small: {sigmas}");
}

/// The trap that the panes before the last opening avoid: the newest pane never settles, and a steady
/// scanner stamps the lower ranks (and repeats its elements) there.
#[test]
fn a_steady_scan_is_counted_although_its_newest_pane_has_not_settled() {
    for (per_pane, repeats) in [(1_000, false), (10_000, false), (1_000, true)] {
        let truth = if repeats { per_pane } else { 9 * per_pane };
        let squares = (0..40).map(|seed| {
            let key = HashKey::new(seed, 5);
            let mut subject = OpenedAnswered::new();
            for pane in 0..10 {
                let offset = if repeats { 0 } else { per_pane * pane };
                for element in offset..offset + per_pane {
                    subject.opened(key.hash_u64(element.into()), 100 + pane);
                }
            }
            let window = PaneRange { first: 100, last: 109 };
            (subject.count(window, 108).unanswered / f64::from(truth) - 1.0).powi(2)
        });
        let error = (squares.sum::<f64>() / 40.0).sqrt();
        assert!(error <= 0.08, "{per_pane} per pane: {error}");
    }
}
