//! Ordinary traffic, measured: nothing in it should alarm anybody.

use std::collections::{BTreeMap, BTreeSet};

use loadgen::{LineFormat, Plan, Profile};

use crate::lines::{Line, START, bytes, collect, is_inside, plan, visit};

const NOTHING: &[loadgen::Scenario] = &[];

fn ordinary_hour() -> Plan {
    plan(Profile::ordinary(), NOTHING, 200, 3_600)
}

#[test]
fn lines_are_sorted_by_end_within_the_plan_and_within_one_interval() {
    let mut previous = START;
    visit(&ordinary_hour(), |line| {
        assert!(line.end >= previous && line.start <= line.end, "{line:?}");
        assert_eq!(line.start / 60, line.end / 60, "{line:?}");
        assert!(line.start >= START && line.end < START + 3_600, "{line:?}");
        previous = line.end;
    });
}

#[test]
fn every_line_of_the_default_format_has_fourteen_fields() {
    let all = Plan {
        format: LineFormat::default(),
        ..plan(Profile::ordinary(), &loadgen::Scenario::fitting(700), 200, 700)
    };
    let text = String::from_utf8(bytes(&all)).unwrap();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        assert_eq!(line.split(' ').filter(|field| !field.is_empty()).count(), 14, "{line}");
    }
}

#[test]
fn the_rate_holds_on_average_and_no_minute_is_far_from_it() {
    for (profile, rate) in
        [(Profile::quiet(), 60), (Profile::ordinary(), 400), (Profile::busy(), 3_000)]
    {
        let mut per_minute: BTreeMap<u64, u32> = BTreeMap::new();
        visit(&plan(profile, NOTHING, rate, 900), |line| {
            *per_minute.entry(line.end / 60).or_default() += 1
        });
        let total: u32 = per_minute.values().sum();
        assert!(total.abs_diff(rate * 900) < rate * 900 / 50, "{rate}: {total}");
        for (minute, lines) in per_minute {
            assert!(
                lines.abs_diff(rate * 60) < rate * 60 / 4,
                "{rate}: minute {minute} has {lines}"
            );
        }
    }
}

#[test]
fn no_pair_sends_more_than_150_megabytes_an_hour_to_the_internet() {
    for plan in [ordinary_hour(), plan(Profile::busy(), NOTHING, 2_000, 1_200)] {
        let mut sent: BTreeMap<(String, String), u64> = BTreeMap::new();
        visit(&plan, |line| {
            if line.is_egress() && is_inside(&line.src) && !is_inside(&line.dst) {
                *sent.entry((line.src.clone(), line.dst.clone())).or_default() += line.bytes;
            }
        });
        let ((src, dst), most) = sent.iter().max_by_key(|(_, bytes)| **bytes).unwrap();
        assert!(*most < 150_000_000, "{src} -> {dst}: {most}");
    }
}

#[test]
fn backups_are_large_and_spread_over_sixteen_addresses_and_more() {
    let mut backups: BTreeMap<String, (u64, BTreeSet<String>)> = BTreeMap::new();
    visit(&ordinary_hour(), |line| {
        if line.dst_service == "S3" && is_inside(&line.src) {
            assert_eq!(line.path, "7");
            let (bytes, addresses) = backups.entry(line.src.clone()).or_default();
            *bytes += line.bytes;
            addresses.insert(line.dst.clone());
        }
    });
    assert_eq!(backups.len(), 4);
    for (host, (bytes, addresses)) in backups {
        assert!(
            bytes > 500_000_000 && addresses.len() >= 16,
            "{host}: {bytes} {}",
            addresses.len()
        );
    }
}

#[test]
fn no_source_of_noise_touches_more_than_four_services() {
    let mut touched: BTreeMap<String, BTreeSet<(String, u16)>> = BTreeMap::new();
    let mut ports = BTreeSet::new();
    visit(&ordinary_hour(), |line| {
        if line.action == "REJECT" && !is_inside(&line.src) {
            ports.insert(line.dst_port);
            touched.entry(line.src.clone()).or_default().insert((line.dst.clone(), line.dst_port));
        }
    });
    assert!(touched.len() > 500 && ports.contains(&22) && ports.contains(&445));
    assert!(touched.values().all(|services| services.len() <= 4));
}

/// Both directions of one conversation, seen on one interface in one interval.
type Conversation = (String, String, u16, String, u16, u64);

fn conversation(line: &Line) -> Conversation {
    let (src, dst) = ((line.src.clone(), line.src_port), (line.dst.clone(), line.dst_port));
    let (low, high) = if src < dst { (src, dst) } else { (dst, src) };
    (line.interface.clone(), low.0, low.1, high.0, high.1, line.end / 60)
}

#[test]
fn every_tcp_connection_is_answered_in_the_same_interval_except_to_two_down_hosts() {
    let lines = collect(&plan(Profile::ordinary(), NOTHING, 200, 1_200));
    let tcp = |line: &&Line| line.protocol == 6 && line.action == "ACCEPT";
    let mut directions: BTreeMap<Conversation, BTreeSet<String>> = BTreeMap::new();
    let strays: BTreeSet<(String, u16)> = lines
        .iter()
        .filter(|line| line.action == "REJECT" && is_inside(&line.src))
        .map(|line| (line.dst.clone(), line.dst_port))
        .collect();
    for line in lines.iter().filter(tcp) {
        directions.entry(conversation(line)).or_default().insert(line.src.clone());
    }
    let mut unanswered = BTreeSet::new();
    for line in lines.iter().filter(tcp) {
        let stray = strays.contains(&(line.dst.clone(), line.dst_port));
        if directions[&conversation(line)].len() == 1 && !stray {
            assert_eq!((line.dst_port, line.flags), (9_100, 2), "{line:?}");
            unanswered.insert(line.dst.clone());
        }
    }
    assert_eq!(unanswered.len(), 2);
}

#[test]
fn replies_with_data_are_larger_than_bare_acknowledgements() {
    let mut replies = 0_u32;
    visit(&plan(Profile::ordinary(), NOTHING, 200, 600), |line| {
        let payload_port = [80, 443, 8_080, 5_432, 6_379, 9_092, 3_306].contains(&line.src_port);
        if line.protocol == 6 && line.flags == 19 && payload_port && line.packets > 3 {
            assert!(line.bytes > 60 * line.packets, "{line:?}");
            replies += 1;
        }
        assert!(!line.has_flow() || line.bytes >= 40 * line.packets.min(2), "{line:?}");
    });
    assert!(replies > 1_000);
}

#[test]
fn flags_are_those_that_aws_can_report_and_non_tcp_has_none() {
    let mut seen = BTreeSet::new();
    visit(&plan(Profile::ordinary(), NOTHING, 200, 1_800), |line| {
        if line.protocol == 6 {
            seen.insert(line.flags);
        } else {
            assert_eq!(line.flags, 0);
        }
    });
    for expected in [0, 1, 2, 3, 4, 6, 18, 19, 22] {
        assert!(seen.contains(&expected), "{expected} in {seen:?}");
    }
    assert!(seen.iter().all(|flags| [0, 1, 2, 3, 4, 5, 6, 7, 18, 19, 22, 23].contains(flags)));
}

#[test]
fn the_parts_of_a_busy_network_are_all_there() {
    let lines = collect(&plan(Profile::ordinary(), NOTHING, 200, 1_200));
    let any = |test: &dyn Fn(&Line) -> bool| lines.iter().any(test);
    assert!(any(&|line| line.status == "NODATA" && line.src == "-"));
    assert!(any(&|line| line.src == "10.0.0.220" && line.pkt_src != line.src), "NAT delivery");
    assert!(any(&|line| line.dst == "10.0.0.220" && line.pkt_dst != line.dst), "NAT arrival");
    assert!(any(&|line| line.protocol == 17 && line.dst_port == 514 && line.packets > 1));
    assert!(any(&|line| line.protocol == 17 && line.dst_port == 123 && line.path == "8"));
    assert!(any(&|line| line.dst == "10.0.0.53" && line.dst_port == 53));
    assert!(any(&|line| line.action == "REJECT" && line.src_port == 443 && line.flags != 2));
    let server = "10.0.4.10";
    let clients: BTreeSet<&str> =
        lines.iter().filter(|line| line.src == server).map(|line| line.dst.as_str()).collect();
    assert!(clients.len() > 500, "{}", clients.len());
}
