use super::*;

#[test]
fn a_vertical_scan_is_told_on_the_port_that_crosses_the_threshold() {
    let mut story = Story::new();
    for port in 1..15 {
        story.batch([rejected(tcp(SCANNER, 50_000, VICTIM, port, 0))]);
    }
    assert!(story.signals.is_empty());
    story.batch([rejected(tcp(SCANNER, 50_000, VICTIM, 15, 0))]);
    let [signal] = story.signals.as_slice() else { panic!("{:?}", story.told()) };
    assert_eq!((signal.kind, signal.estimate, signal.threshold), (Kind::VerticalScan, 15, 15));
    assert_eq!(signal.entity.to_string(), "10.0.0.1 -> 10.0.1.1");
    assert_eq!((signal.window_s, signal.severity), (300, Severity::High));
    assert_eq!(signal.evidence.direction_confidence, Some("high"));
    assert_eq!((signal.evidence.attempted, signal.evidence.answered), (Some(15), Some(0)));
    assert_eq!(signal.evidence.ports, (6..=15).collect::<Vec<_>>());
}

#[test]
fn the_same_scan_from_outside_is_less_severe() {
    let mut story = Story::new();
    story.batch((1..=15).map(|port| rejected(tcp(OUTSIDE, 50_000, VICTIM, port, 0))));
    assert_eq!(story.signals[0].severity, Severity::Low);
}

#[test]
fn ports_that_answer_with_a_reset_count_at_once() {
    let mut story = Story::new();
    let probes = (1..=15).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 0));
    story.batch(probes.flat_map(|probe| [probe, reset(probe)]));
    assert_eq!(story.opened(), [Kind::VerticalScan]);
}

#[test]
fn resets_to_a_host_that_asked_for_nothing_accuse_nobody() {
    let mut story = Story::new();
    let decoy = (1..=1000).map(|port| reset(tcp(VICTIM, 50_000, OUTSIDE, port, 0)));
    story.batch(decoy).wait(4000).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn resets_in_a_later_batch_than_their_probes_are_failures_all_the_same() {
    let mut story = Story::new();
    let probes: Vec<_> = (1..=15).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 0)).collect();
    story.batch(probes.iter().copied());
    story.batch(probes.iter().map(|probe| reset(*probe))).wait(90);
    assert_eq!(story.opened(), [Kind::VerticalScan]);
}

#[test]
fn a_thousand_answered_ports_are_no_scan() {
    let mut story = Story::new();
    let requests = (1..=1000).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 0));
    story.batch(requests.flat_map(|request| [request, answer(request)])).wait(4000).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn silent_ports_count_once_their_answer_is_overdue_and_not_before() {
    let mut story = Story::new();
    story.batch((1..=15).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 0))).wait(59);
    assert!(story.signals.is_empty());
    story.wait(90);
    assert_eq!(story.opened(), [Kind::VerticalScan]);
}

#[test]
fn silent_ports_are_judged_at_the_end_of_the_input() {
    let mut story = Story::new();
    story.batch((1..=15).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 0))).finish();
    assert_eq!(story.opened(), [Kind::VerticalScan]);
}

#[test]
fn answers_that_come_in_a_later_batch_acquit() {
    let mut story = Story::new();
    let requests: Vec<_> = (1..=30).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 0)).collect();
    story.batch(requests.iter().copied());
    story.batch(requests.iter().map(|request| answer(*request))).wait(4000).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn answers_that_come_before_their_requests_acquit() {
    let mut story = Story::new();
    let requests: Vec<_> = (1..=30).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 0)).collect();
    story.batch(requests.iter().map(|request| answer(*request)));
    story.batch(requests).wait(4000).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn a_server_that_answers_many_client_ports_is_no_scanner() {
    let mut story = Story::new();
    let replies = (32_768..34_000).map(|port| answer(tcp(VICTIM, port, OUTSIDE, 443, 0)));
    story.batch(replies).wait(4000).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn backscatter_to_many_hosts_is_no_scan() {
    let mut story = Story::new();
    let scattered = (0..500u16)
        .map(|number| tcp(OUTSIDE, 80, host(u32::from(number)), 1024 + number * 97 % 60_000, 0));
    story.batch(scattered).wait(4000).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn flags_tell_a_scan_from_a_service_port() {
    let mut story = Story::new();
    let probes = (40_000..40_020)
        .map(|port| Record { tcp_flags: Some(TcpFlags(2)), ..tcp(OUTSIDE, 443, VICTIM, port, 0) });
    story.batch(probes).finish();
    assert_eq!(story.opened(), [Kind::VerticalScan]);
}

#[test]
fn a_horizontal_scan_names_the_port() {
    let mut story = Story::new();
    story.batch((0..20).map(|number| rejected(tcp(SCANNER, 50_000, host(number), 445, 0))));
    let [signal] = story.signals.as_slice() else { panic!("{:?}", story.told()) };
    assert_eq!((signal.kind, signal.entity.port), (Kind::HorizontalScan, Some(445)));
    assert_eq!(signal.evidence.targets.len(), 10);
}

#[test]
fn a_proxy_that_fails_at_a_few_of_many_hosts_is_no_scanner() {
    let mut story = Story::new();
    for at_s in (0..3600).step_by(30) {
        let seen = u32::try_from(at_s).unwrap() * 4;
        let requests = (0..100).map(|number| tcp(SCANNER, 50_000, host(seen + number), 443, at_s));
        let some = requests.enumerate().flat_map(|(place, request)| {
            let reply = (place % 10 > 0).then(|| answer(request));
            std::iter::once(request).chain(reply)
        });
        story.batch(some);
    }
    story.finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn a_ping_sweep_counts_hosts_that_answered_and_needs_some_that_did_not() {
    let sweep = |silent: u32| {
        let mut story = Story::new();
        let pings = (0..20).map(|number| (number, ping(SCANNER, host(number), 0)));
        let both = pings.flat_map(|(number, ping)| {
            let reply = (number >= silent).then(|| answer(ping));
            std::iter::once(ping).chain(reply)
        });
        story.batch(both).finish();
        story.opened()
    };
    assert_eq!(sweep(8), [Kind::HorizontalScan]);
    assert_eq!(sweep(0), []);
}

#[test]
fn pings_to_hosts_that_one_speaks_with_are_no_sweep() {
    let mut story = Story::new();
    for number in 0..40 {
        let request = tcp(SCANNER, 50_000, host(number), 443, 20);
        story.batch([ping(SCANNER, host(number), 0), request, answer(request)]);
        let request = tcp(SCANNER, 50_000, host(100 + number), 443, 20);
        story.batch([request, answer(request), ping(SCANNER, host(100 + number), 21)]);
    }
    story.wait(4000).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}

#[test]
fn a_block_scan_is_one_finding_whatever_its_order() {
    for by_host in [true, false] {
        let mut story = Story::new();
        let probes = (0..40 * 25).map(|number| {
            let (outer, inner) = (number / 25, number % 25);
            let (target, port) = if by_host { (outer, inner) } else { (inner, outer) };
            let port = u16::try_from(port + 1).unwrap();
            rejected(tcp(SCANNER, 50_000, host(target), port, 0))
        });
        for probe in probes {
            story.batch([probe]);
        }
        let kinds = story.opened();
        assert!(kinds.ends_with(&[Kind::BlockScan]), "{kinds:?}");
        assert!(kinds.len() <= 6, "{kinds:?}");
    }
}

#[test]
fn a_slow_scan_is_found_in_the_longer_window() {
    let mut story = Story::new();
    for number in 0..40u16 {
        let at_s = u64::from(number) * 60;
        story.batch([rejected(tcp(SCANNER, 50_000, VICTIM, 1 + number, at_s))]);
    }
    let [signal] = story.signals.as_slice() else { panic!("{:?}", story.told()) };
    assert_eq!((signal.kind, signal.window_s, signal.estimate), (Kind::VerticalScan, 3600, 30));
    assert_eq!(signal.first_seen_s, START_S);
}

#[test]
fn lost_records_suspend_conclusions_from_silence_but_not_from_refusals() {
    let mut story = Story::new();
    story.blind("eni-1", 0, 60);
    story.batch((1..=30).map(|port| tcp(SCANNER, 50_000, VICTIM, port, 30))).wait(300).finish();
    assert_eq!(story.opened(), [Kind::DataGap]);
    story.batch((1..=30).map(|port| rejected(tcp(SCANNER, 50_000, VICTIM, port, 40))));
    assert_eq!(story.opened(), [Kind::DataGap, Kind::VerticalScan]);
    assert!(!story.signals[1].evidence.is_data_complete);
}

#[test]
fn allowed_scanners_and_group_targets_tell_nothing() {
    let allow_sources = crate::flow::Networks::new(vec!["10.0.0.1".parse().unwrap()]);
    let network = NetworkConfig { allow_sources, ..NetworkConfig::default() };
    let mut story = Story::with_window(Config::default(), network, window::Config::default());
    story.batch((1..=100).map(|port| rejected(tcp(SCANNER, 50_000, VICTIM, port, 0))));
    let group = Address::v4(0xefff_fffa);
    story.batch((1..=100).map(|port| tcp(VICTIM, 50_000, group, port, 0))).finish();
    assert!(story.signals.is_empty(), "{:?}", story.told());
}
