use super::*;

const MEGABYTE: u64 = 1_000_000;

fn upload(bytes: u64, at_s: u64) -> Record<'static> {
    Record { bytes, packets: bytes / 1000, ..tcp(VICTIM, 50_000, OUTSIDE, 443, at_s) }
}

#[test]
fn an_upload_over_the_floor_is_exfiltration() {
    let mut story = Story::new();
    for minute in 0..10 {
        story.batch([upload(60 * MEGABYTE, minute * 60)]);
    }
    let [signal] = story.signals.as_slice() else { panic!("{:?}", story.told()) };
    assert_eq!((signal.kind, signal.threshold), (Kind::Exfiltration, 500 * MEGABYTE));
    assert_eq!((signal.estimate, signal.first_seen_s), (540 * MEGABYTE, START_S));
    assert_eq!(signal.entity.to_string(), "10.0.1.1 -> 198.51.100.1");
    assert_eq!(signal.evidence.ports, [443]);
}

#[test]
fn ten_times_the_floor_is_critical() {
    let mut story = Story::new();
    story.batch([upload(6000 * MEGABYTE, 0)]);
    assert_eq!(story.signals[0].severity, Severity::Critical);
}

#[test]
fn the_finding_closes_an_hour_after_the_upload_ends() {
    let mut story = Story::new();
    story.batch([upload(600 * MEGABYTE, 0)]).wait(3200);
    assert_eq!(story.signals.len(), 1);
    story.wait(3700);
    assert_eq!(story.signals[1].status, Status::Closed);
}

#[test]
fn what_is_no_upload_to_outside_is_no_exfiltration() {
    let big =
        |record: Record<'static>| Record { bytes: 5000 * MEGABYTE, packets: 5_000_000, ..record };
    let mut story = Story::new();
    // A download: the bytes are in the reply.
    story.batch([big(answer(tcp(VICTIM, 50_000, OUTSIDE, 443, 0)))]);
    // A server of ours that answers a client outside.
    story.batch([big(answer(tcp(OUTSIDE, 50_000, VICTIM, 443, 0)))]);
    // Between our own hosts.
    story.batch([big(tcp(VICTIM, 50_000, host(1), 443, 0))]);
    // What was rejected did not get out.
    story.batch([big(rejected(tcp(VICTIM, 50_000, OUTSIDE, 443, 0)))]);
    // An upload from outside to us.
    story.batch([big(tcp(OUTSIDE, 50_000, VICTIM, 443, 0))]);
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn backups_to_aws_services_and_allowed_ranges_are_expected() {
    let mut config = Config::default();
    config.exfiltration.allow_destinations =
        crate::flow::Networks::new(vec!["198.51.100.0/24".parse().unwrap()]);
    let mut allowed = Story::with(config);
    allowed.batch([upload(5000 * MEGABYTE, 0)]);
    assert!(allowed.signals.is_empty());
    let to = |service| {
        let mut story = Story::new();
        story.batch([Record { destination_service: service, ..upload(5000 * MEGABYTE, 0) }]);
        story.opened().len()
    };
    assert_eq!((to(b"S3"), to(b"EC2"), to(b"")), (0, 1, 1));
}

#[test]
fn packets_that_two_interfaces_log_are_counted_once() {
    let mut story = Story::new();
    for minute in 0..10 {
        let once = upload(40 * MEGABYTE, minute * 60);
        story.batch([once, Record { interface_id: b"eni-nat", ..once }]);
    }
    assert!(story.signals.is_empty(), "400 MB were sent: {:?}", story.told());
}

fn hammer(number: u16, at_s: u64) -> Record<'static> {
    rejected(tcp(SCANNER, 33_000 + number, VICTIM, 5432, at_s))
}

#[test]
fn a_client_that_is_rejected_again_and_again_is_a_surge() {
    let mut story = Story::new();
    for minute in 0..5 {
        story.batch((0..200).map(|number| hammer(number, minute * 60 + 30)));
    }
    let [signal] = story.signals.as_slice() else { panic!("{:?}", story.told()) };
    assert_eq!((signal.kind, signal.threshold), (Kind::RejectedSurge, 500));
    assert_eq!(signal.evidence.targets, [VICTIM]);
}

#[test]
fn a_rejected_scan_is_breadth_and_no_surge() {
    let mut story = Story::new();
    story.batch((1..=2000).map(|port| rejected(tcp(SCANNER, 50_000, VICTIM, port, 0)))).finish();
    assert_eq!(story.opened(), [Kind::VerticalScan]);
}

#[test]
fn a_data_gap_opens_once_and_closes_when_records_flow_again() {
    let mut story = Story::new();
    story.blind("eni-9", 0, 60).blind("eni-9", 60, 120);
    story.wait(300);
    assert_eq!(story.told(), [(Kind::DataGap, "eni-9".to_owned(), Status::Open)]);
    story.wait(800);
    assert_eq!(story.signals[1].status, Status::Closed);
    assert_eq!(story.signals[1].estimate, 2);
    assert_eq!(story.detector.totals().blind, 2);
}
