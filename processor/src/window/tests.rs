use proptest::prelude::*;
use sketches::hash::HashKey;

use super::*;
use crate::combine::{Conversation, ConversationKey, Marks};
use crate::flow::Address;
use crate::observe::{Confidence, Outcome};

const KEY: HashKey = HashKey::new(1, 2);
const HORIZON_S: u32 = 86_400;

fn window() -> Window {
    Window::new(Config::default(), KEY, HORIZON_S, (3600, 0)).unwrap()
}

fn key(source: u32, target: u32, port: u16, pane: Pane) -> ConversationKey {
    ConversationKey {
        initiator: Address::v4(0x0a00_0000 + source),
        target: Address::v4(0x0a01_0000 + target),
        pane,
        interface: 7,
        port,
        protocol: protocol::TCP,
    }
}

fn row(outcomes: &[Outcome]) -> Conversation {
    let mut marks = Marks::default();
    outcomes.iter().for_each(|outcome| marks.insert(*outcome));
    Conversation {
        marks,
        confidence: Confidence::High,
        is_to_aws_service: false,
        records: 1,
        rejected: 0,
        bytes_up: 100,
        bytes_rejected: 0,
        bytes_down: 0,
        first_s: 0,
        last_s: 0,
    }
}

fn update(window: &mut Window, key: &ConversationKey, row: &Conversation) -> [Option<Scope>; 3] {
    let sought = window.seek(key);
    window.update(key, row, &sought)
}

fn unanswered(window: &Window, scope: &Scope, pane: Pane) -> f64 {
    let entity = window.entity(scope).unwrap();
    entity.elements.count(window.range(300, pane), pane).unanswered
}

#[test]
fn a_row_updates_the_service_the_pair_and_the_source() {
    let mut window = window();
    let key = key(1, 2, 443, 100);
    let scopes = update(&mut window, &key, &row(&[Outcome::Refused]));
    let source = key.initiator;
    let service = Scope::Service { source, protocol: protocol::TCP, port: 443 };
    let pair = Scope::Pair { source, target: key.target };
    assert_eq!(scopes, [Some(service), Some(pair), Some(Scope::Source { source })]);
    for scope in scopes.into_iter().flatten() {
        assert!((unanswered(&window, &scope, 100) - 1.0).abs() < 0.1, "{scope:?}");
    }
}

#[test]
fn what_proves_nothing_updates_nothing() {
    let mut window = window();
    let key = key(1, 2, 443, 100);
    let unknown = Conversation { confidence: Confidence::Low, ..row(&[Outcome::Opened]) };
    let multicast = ConversationKey { target: Address::v4(0xe000_00fb), ..key };
    let tunnel = ConversationKey { protocol: 47, ..key };
    assert_eq!(update(&mut window, &key, &unknown), [None; 3]);
    assert_eq!(update(&mut window, &key, &row(&[Outcome::Unclear])), [None; 3]);
    assert_eq!(update(&mut window, &key, &row(&[Outcome::Reset])), [None; 3]);
    assert_eq!(update(&mut window, &multicast, &row(&[Outcome::Opened])), [None; 3]);
    assert_eq!(update(&mut window, &tunnel, &row(&[Outcome::Opened])), [None; 3]);
    assert_eq!(window.entities(), 0);
}

#[test]
fn entities_older_than_every_window_are_swept_away() {
    let mut window = window();
    for source in 0..500 {
        update(&mut window, &key(source, 2, 443, 100), &row(&[Outcome::Refused]));
    }
    window.advance(100);
    assert_eq!(window.entities(), 1500);
    for pane in 3100..3300 {
        window.advance(pane);
    }
    assert_eq!((window.entities(), window.evictions()), (0, 0));
}

#[test]
fn volumes_stay_within_what_is_stated_whatever_pairs_and_services_there_are() {
    let mut window = window();
    for number in 0..200_000u32 {
        let [high, low, ..] = number.to_le_bytes();
        let key = key(number, number, u16::from_le_bytes([high, low]), 100);
        window.volumes.count(&key, &row(&[Outcome::Opened]));
        window.volumes.add_upload(&key, u64::from(number));
    }
    let bytes = window.volumes.memory_bytes();
    assert!(bytes <= VOLUME_BYTES_MAX && bytes > VOLUME_BYTES_MAX / 2, "{bytes}");
    assert!(window.volumes.evictions() > 100_000);
}

proptest! {
    /// Rows may come in any order, in any batch, and more than once: the counts are the same.
    #[test]
    fn counts_do_not_depend_on_order_or_repetition(
        rows in prop::collection::vec((0u32..2, 0u32..4, 1u16..6, 100u32..110, 0u8..3), 1..40)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        repeated in 0usize..40,
    ) {
        let outcomes = [Outcome::Opened, Outcome::Refused, Outcome::Answered];
        let fill = |rows: &[(u32, u32, u16, Pane, u8)]| {
            let mut window = window();
            for &(source, target, port, pane, outcome) in rows {
                let outcome = outcomes[usize::from(outcome)];
                update(&mut window, &key(source, target, port, pane), &row(&[outcome]));
            }
            window
        };
        let (ordered, mut shuffled) = rows;
        let again = shuffled[repeated % shuffled.len()];
        shuffled.push(again);
        let (first, second) = (fill(&ordered), fill(&shuffled));
        for &(source, target, port, _, _) in &ordered {
            let key = key(source, target, port, 0);
            let source = key.initiator;
            for scope in [
                Scope::Source { source },
                Scope::Pair { source, target: key.target },
                Scope::Service { source, protocol: protocol::TCP, port },
            ] {
                for pane in 100..112 {
                    let counts = |window: &Window| {
                        let entity = window.entity(&scope).unwrap();
                        entity.elements.count(window.range(120, pane), window.settled(pane))
                    };
                    prop_assert_eq!(counts(&first), counts(&second));
                }
            }
        }
    }
}

#[test]
fn sources_are_counted_within_their_error_however_often_they_come() {
    let mut volumes = Volumes::new(HashKey::new(1, 2), 120, 0).unwrap();
    assert_eq!(volumes.sources(), (0, 0));
    for source in (0..20_000).chain(0..20_000) {
        volumes.count(&key(source, 1, 443, 5), &row(&[Outcome::Answered]));
    }
    let (sources, error) = volumes.sources();
    assert!(sources.abs_diff(20_000) <= 3 * error && error < 400, "{sources} {error}");
}
