use super::*;
use crate::flow::Address;
use crate::signal::{Entity, Evidence, Kind, Party, Severity};

const START_S: u64 = 1_767_225_600;

fn publisher(span_s: u64) -> Publisher {
    Publisher::new(Arc::default(), "a test", Meter { first_s: START_S, span_s })
}

fn signal(number: usize, status: Stage, estimate: u64) -> Signal {
    Signal {
        id: format!("vertical_scan-{number}"),
        kind: Kind::VerticalScan,
        status,
        severity: Severity::High,
        entity: Entity {
            src: Party::Host(Address::v4(0x0a00_0001)),
            dst: None,
            port: None,
            protocol: None,
        },
        window_s: 300,
        estimate,
        estimate_error: 0,
        threshold: 15,
        first_seen_s: START_S,
        last_seen_s: START_S + 60,
        evidence: Evidence::default(),
    }
}

fn newest(publisher: &Publisher) -> Arc<Status> {
    publisher.board.newest()
}

#[test]
fn a_snapshot_holds_the_newest_findings_with_their_latest_signal() {
    let mut publisher = publisher(60);
    for number in 0..FINDINGS_MAX + 50 {
        publisher.signal(&signal(number, Stage::Open, 15));
    }
    publisher.signal(&signal(FINDINGS_MAX + 49, Stage::Update, 100));
    publisher.signal(&signal(0, Stage::Closed, 40));
    publisher.finish(1, Progress::default(), None);
    let status = newest(&publisher);
    assert_eq!(status.findings.len(), FINDINGS_MAX);
    assert_eq!(status.findings[0].latest.estimate, 100);
    assert_eq!(status.findings[FINDINGS_MAX - 1].latest.id, "vertical_scan-50");
}

#[test]
fn records_are_spread_over_the_event_time_that_they_cover() {
    let mut publisher = publisher(7200);
    publisher.batch(0, (240, START_S), Progress::default);
    publisher.batch(0, (480, START_S + 240), Progress::default);
    publisher.finish(1, Progress::default(), None);
    let traffic = &newest(&publisher).traffic;
    assert_eq!((traffic.point_s, traffic.points_max), (120, 60));
    assert_eq!(traffic.records_per_s, [3, 1, 0]);
}

#[test]
fn points_stay_within_their_number_whatever_the_event_time() {
    for span_s in [0, 1, 59, 61, 7200, u64::MAX] {
        let mut publisher = publisher(span_s);
        for (records, event_s) in [(120, START_S), (480, u64::MAX), (600, 0), (720, START_S + 7199)]
        {
            publisher.batch(0, (records, event_s), Progress::default);
        }
        publisher.finish(1, Progress::default(), None);
        assert!(newest(&publisher).traffic.records_per_s.len() <= POINTS_MAX, "{span_s}");
        assert_eq!(publisher.points.iter().sum::<u64>(), 720, "{span_s}");
    }
}

#[test]
fn snapshots_are_made_when_due_and_not_for_every_batch() {
    let mut publisher = publisher(60);
    let mut made = 0;
    for elapsed_ms in 0..1000 {
        publisher.batch(elapsed_ms, (elapsed_ms * 7, START_S), || {
            made += 1;
            Progress { records: elapsed_ms, event_s: START_S, ..Progress::default() }
        });
    }
    assert_eq!(made, 4);
    assert_eq!(newest(&publisher).state, State::Running);
    assert_eq!(newest(&publisher).processed_per_s, 7000);
    publisher.finish(2000, Progress { records: 14_000, ..Progress::default() }, None);
    assert_eq!(newest(&publisher).state, State::Done);
    assert_eq!(newest(&publisher).processed_per_s, 7000);
}
