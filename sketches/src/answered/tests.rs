use super::*;
use crate::hash::HashKey;

#[test]
fn an_empty_structure_is_small() {
    assert!(size_of::<OpenedAnswered>() <= 32, "{}", size_of::<OpenedAnswered>());
    assert_eq!(OpenedAnswered::new().memory_bytes(), size_of::<OpenedAnswered>());
}

#[test]
fn promotion_gives_the_registers_of_direct_insertion() {
    let key = HashKey::new(5, 6);
    let newest = 100_012;
    let mut promoted = OpenedAnswered::new();
    let mut direct = Sketch::default();
    promoted.opened(key.hash_u64(0), newest);
    let now = stamps::stamp(newest, newest);
    direct.raise(
        Element { fingerprint: fingerprint(key.hash_u64(0)), stamps: Stamps::opened(now) },
        now,
    );
    for step in 0..2_000_u32 {
        // Each element returns in other panes, some of them out of order.
        let hash = key.hash_u64(u64::from(step % 300));
        let pane = newest - step * 7 % 13;
        let stamps_at = match step % 7 {
            0..4 => Stamps::opened,
            4 => Stamps::refused,
            _ => Stamps::answered,
        };
        promoted.update(hash, pane, stamps_at);
        let stamps = stamps_at(stamps::stamp(pane, newest));
        direct.raise(Element { fingerprint: fingerprint(hash), stamps }, now);
    }
    let Tier::Sketch(sketch) = &promoted.tier else { panic!("300 elements are a sketch") };
    assert!(**sketch == direct);
}

#[test]
fn an_answer_before_the_window_acquits_if_asked_to() {
    let window = PaneRange { first: 100, last: 109 };
    for elements in [10_u64, 500] {
        let mut subject = OpenedAnswered::new();
        for element in 0..elements {
            let hash = HashKey::new(1, 2).hash_u64(element);
            subject.answered(hash, 20);
            subject.refused(hash, 105);
        }
        assert!(subject.count(window, 109).unanswered > 9.0);
        assert!(subject.count_since(window, 109, 50).unanswered > 9.0);
        assert!(subject.count_since(window, 109, 10).unanswered < 1.0);
    }
}

#[test]
fn an_answer_of_an_unseen_element_adds_none() {
    let window = PaneRange { first: 0, last: 9 };
    let mut subject = OpenedAnswered::new();
    subject.opened(1 << 32, 5);
    subject.answered_if_seen(2 << 32, 6);
    let counts = subject.count(window, 9);
    assert_eq!((counts.seen, counts.unanswered), (1.0, 1.0));
    subject.answered_if_seen(1 << 32, 6);
    let counts = subject.count(window, 9);
    assert_eq!((counts.seen, counts.unanswered), (1.0, 0.0));
}

#[test]
fn the_quick_bound_is_never_below_the_count() {
    let window = PaneRange { first: 0, last: 9 };
    let mut subject = OpenedAnswered::new();
    assert_eq!(subject.elements_max(), Some(0));
    for hash in (0..128_u64).map(|element| element << 32) {
        subject.opened(hash, 9);
        let bound = subject.elements_max().unwrap();
        assert!(bound as f64 >= subject.count(window, 9).seen && bound <= 128);
    }
    subject.opened(200 << 32, 9);
    assert_eq!(subject.elements_max(), None);
}
