use super::*;

fn scan(ports: std::ops::RangeInclusive<u16>, at_s: u64) -> impl Iterator<Item = Record<'static>> {
    ports.map(move |port| rejected(tcp(SCANNER, 50_000, VICTIM, port, at_s)))
}

#[test]
fn a_finding_opens_updates_at_powers_of_ten_and_closes_under_one_id() {
    let mut story = Story::new();
    story.batch(scan(1..=120, 0)).wait(290);
    story.wait(400);
    let status: Vec<Status> = story.signals.iter().map(|signal| signal.status).collect();
    assert_eq!(status, [Status::Open, Status::Update, Status::Closed]);
    assert!(story.signals.iter().all(|signal| signal.id == story.signals[0].id));
    assert_eq!((story.signals[2].estimate, story.signals[2].last_seen_s), (120, START_S));
    assert_eq!(story.detector.findings().iter().count(), 0);
}

#[test]
fn what_a_closed_finding_told_is_not_told_again_over_a_longer_window() {
    let mut story = Story::new();
    story.batch(scan(1..=120, 0)).wait(400);
    assert_eq!(story.signals.last().map(|signal| signal.status), Some(Status::Closed));
    story.batch(scan(1..=1, 500)).wait(5000).finish();
    assert_eq!(story.opened(), [Kind::VerticalScan]);
}

#[test]
fn a_surge_that_closes_takes_no_evidence_from_a_scan() {
    let mut story = Story::new();
    story.batch(scan(1..=14, 0));
    story.batch((0..600).map(|port| rejected(tcp(SCANNER, 33_000 + port, host(1), 5432, 30))));
    story.wait(900);
    assert_eq!(story.signals.last().map(|signal| signal.status), Some(Status::Closed));
    for port in 15..=30 {
        story.batch(scan(port..=port, 1000 + u64::from(port - 15) * 60));
    }
    assert_eq!(story.opened(), [Kind::RejectedSurge, Kind::VerticalScan]);
    assert_eq!(story.signals.last().unwrap().window_s, 3600);
}

#[test]
fn a_scan_that_comes_back_is_a_new_finding() {
    let mut story = Story::new();
    story.batch(scan(1..=20, 0)).wait(400);
    story.batch(scan(1..=20, 3000));
    assert_eq!(story.opened(), [Kind::VerticalScan, Kind::VerticalScan]);
    assert_ne!(story.signals.first().unwrap().id, story.signals.last().unwrap().id);
}

#[test]
fn a_disabled_rule_is_silent() {
    let mut config = Config::default();
    config.vertical_scan.enabled = false;
    let mut story = Story::with(config);
    story.batch(scan(1..=200, 0)).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn the_same_records_give_the_same_signals() {
    let tell = || {
        let mut story = Story::new();
        for at_s in 0..40 {
            let targets =
                (0..60).map(|number| rejected(tcp(SCANNER, 50_000, host(number), 22, at_s * 15)));
            story.batch(targets).batch(scan(1..=200, at_s * 15));
        }
        story.finish();
        story.signals.clone()
    };
    assert_eq!(tell(), tell());
}

#[test]
fn rows_behind_every_window_are_dropped_and_counted() {
    let mut story = Story::new();
    story.wait(0).wait(200_000).wait(200_030).wait(200_060);
    story.batch(scan(1..=100, 0)).finish();
    assert!(story.signals.is_empty());
    assert_eq!(story.detector.window().late(), 100);
}

#[test]
fn one_record_with_a_wrong_year_does_not_blind_the_rest() {
    const YEARS_S: u64 = 2_000_000_000;
    for wrong_first in [true, false] {
        let mut story = Story::new();
        let wrong = answer(tcp(Address::v4(0x0a00_0909), 40_000, VICTIM, 443, YEARS_S));
        let right = answer(tcp(Address::v4(0x0a00_0909), 40_000, VICTIM, 443, 0));
        story.batch(if wrong_first { [wrong, right] } else { [right, wrong] });
        for port in 1..=20 {
            story.batch(scan(port..=port, 10));
        }
        story.finish();
        assert_eq!(story.opened(), [Kind::VerticalScan]);
        assert_eq!((story.detector.implausible(), story.detector.window().late()), (1, 0));
    }
}

#[test]
fn a_gap_of_years_between_captures_is_believed() {
    const YEARS_S: u64 = 200_000_000;
    let mut story = Story::new();
    story.batch(scan(1..=20, 0).chain(scan(1..=20, YEARS_S)));
    for port in 1..=20 {
        story.batch(scan(port..=port, 2 * YEARS_S));
    }
    story.finish();
    assert_eq!(story.opened(), [Kind::VerticalScan; 3]);
    assert_eq!(story.detector.implausible(), 0);
}

#[test]
fn late_rows_within_a_window_still_count() {
    let mut story = Story::new();
    story.wait(1200);
    story.batch(scan(1..=40, 0)).finish();
    assert_eq!(story.opened(), [Kind::VerticalScan]);
    assert_eq!(story.signals[0].window_s, 3600);
}

#[test]
fn a_flood_of_spoofed_sources_stays_within_memory_and_hides_no_scanner() {
    let state_bytes_max = 4 << 20;
    let window = window::Config { state_bytes_max, ..window::Config::default() };
    let mut story = Story::with_window(Config::default(), NetworkConfig::default(), window);
    for step in 0..200u32 {
        let spoofed = (0..1000).map(|number| {
            let source = Address::v4(0x2d00_0000 + step * 1000 + number);
            rejected(tcp(source, 50_000, VICTIM, 22, u64::from(step)))
        });
        story.batch(spoofed);
        let port = u16::try_from(step).unwrap() + 1;
        story.batch([rejected(tcp(SCANNER, 50_000, VICTIM, port, u64::from(step)))]);
        assert!(
            story.detector.window().memory_bytes() <= state_bytes_max + window::VOLUME_BYTES_MAX
        );
    }
    let scanner = SCANNER.to_string();
    assert_eq!(story.told()[0], (Kind::VerticalScan, scanner, Status::Open));
    let window = story.detector.window();
    assert!(window.kept_out() > 150_000 && window.evictions() < 50_000, "the flood is told");
    assert_eq!(story.opened().len(), 1, "{:?}", story.told());
}

#[test]
fn a_ping_sweep_under_a_flood_is_found() {
    let window = window::Config { state_bytes_max: 4 << 20, ..window::Config::default() };
    let mut story = Story::with_window(Config::default(), NetworkConfig::default(), window);
    for step in 0..120_u32 {
        let spoofed = (0..2000).map(|number| {
            let source = Address::v4(0x2d00_0000 + step * 2000 + number);
            rejected(tcp(source, 50_000, VICTIM, 22, u64::from(step)))
        });
        let sweep = (0..2).map(|host| ping(SCANNER, self::host(step * 2 + host), u64::from(step)));
        story.batch(spoofed.chain(sweep));
    }
    story.wait(400).finish();
    assert_eq!(story.opened(), [Kind::HorizontalScan]);
}

#[test]
fn findings_beyond_the_limits_are_suppressed_and_counted() {
    let mut config = Config::default();
    config.block_scan.enabled = false;
    config.limits.open_per_source_max = 3;
    let mut story = Story::with(config);
    for number in 0..10 {
        let probes = (1..=15).map(|port| rejected(tcp(SCANNER, 50_000, host(number), port, 0)));
        story.batch(probes);
    }
    assert_eq!(story.opened(), [Kind::VerticalScan; 3]);
    assert_eq!(story.detector.findings().suppressed(), 7);
}
