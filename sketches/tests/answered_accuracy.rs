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
    for (distinct, theory) in [(1_000, 0.031), (10_000, 0.040), (100_000, 0.041)] {
        let error = error_over_seeds(distinct, |subject, key| {
            (0..distinct).for_each(|e| subject.opened(key.hash_u64(e.into()), 100 + e % 11));
        });
        // Three standard errors of a root mean square of so many seeds.
        assert!((error / theory - 1.0).abs() <= 0.22, "{distinct}: {error}");
    }
}

#[test]
fn refusals_have_the_same_error_in_a_narrow_window_among_old_stamps() {
    let error = error_over_seeds(5_000, |subject, key| {
        (0..50_000).for_each(|e: u64| subject.opened(key.hash_u64(e + 1_000_000), 60));
        (0..5_000).for_each(|e: u64| subject.refused(key.hash_u64(e), 110));
    });
    assert!(error <= 0.047, "{error}");
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
        assert!((counts.answered / 10_000.0 - 1.0).abs() < 0.2, "{counts:?}");
    }
}

/// How often the truth lies within two stated errors: of `unanswered`, and of `seen`.
fn coverage(seeds: u32, answered: u64, unanswered: u64) -> (f64, f64) {
    let (mut covered, mut seen_covered) = (0, 0);
    for seed in 0..seeds {
        let counts = busy_server(HashKey::new(seed.into(), 4), answered, unanswered);
        let (seen, missed) = ((answered + unanswered) as f64, unanswered as f64);
        covered += u32::from((counts.unanswered - missed).abs() <= 2.0 * counts.standard_error);
        seen_covered += u32::from((counts.seen - seen).abs() <= 2.0 * counts.seen_error);
    }
    (f64::from(covered) / f64::from(seeds), f64::from(seen_covered) / f64::from(seeds))
}

#[test]
fn two_stated_errors_cover_the_truth_at_any_share_of_answers() {
    for distinct in [400_u64, 5_000, 30_000] {
        // Per mille.
        for share in [0, 100, 500, 900, 990, 1_000] {
            let answered = distinct * share / 1_000;
            let unanswered = distinct - answered;
            let seeds = if distinct > 10_000 { 300 } else { 1_000 };
            let (covered, seen_covered) = coverage(seeds, answered, unanswered);
            let context = format!("{answered} answered of {distinct}: {covered}, {seen_covered}");
            assert!(covered >= 0.93 && seen_covered >= 0.93, "{context}");
        }
    }
}

/// Answers that go on after the window take the place of those in it.
#[test]
fn answers_are_not_lost_when_the_window_ends_before_the_newest_pane() {
    for seed in 0..20 {
        let mut subject = OpenedAnswered::new();
        for element in 0..13_000_u32 {
            let hash = HashKey::new(seed, 6).hash_u64(element.into());
            let pane = 100 + element / 1_000;
            subject.opened(hash, pane);
            if element % 10 > 0 {
                subject.answered(hash, pane);
            }
        }
        let counts = subject.count(WINDOW, 110);
        let share = counts.unanswered / (counts.unanswered + counts.answered);
        assert!((0.9 * 11_000.0..13_500.0).contains(&counts.answered), "{counts:?}");
        assert!(share < 0.15, "{share} of {counts:?}");
    }
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
        assert!(error <= 0.052, "{per_pane} per pane: {error}");
    }
}
