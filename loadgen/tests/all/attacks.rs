//! Each attack, measured against what its scenario states.

use std::collections::{BTreeMap, BTreeSet};

use loadgen::{Generator, Plan, Profile, Scenario, TruthRow};

use crate::lines::{Line, START, collect, is_inside, plan};

/// The lines of the attack's source, within the attack's time, and the truth row.
fn attacks(profile: Profile, scenario: Scenario, duration_s: u32) -> Vec<(TruthRow, Vec<Line>)> {
    let plan = plan(profile, &[scenario], 100, duration_s);
    let lines = collect(&plan);
    let truth = Generator::new(&plan).unwrap().truth().to_vec();
    let of_row = |row: &TruthRow| {
        let mine = |line: &&Line| {
            line.src == row.src && line.start >= row.start_s && line.end <= row.end_s
        };
        lines.iter().filter(mine).cloned().collect()
    };
    truth.iter().map(|row| (row.clone(), of_row(row))).collect()
}

/// Bare SYNs of the source towards whatever the row states; each probe once, whoever logged it.
fn probes(row: &TruthRow, lines: &[Line]) -> BTreeSet<(u64, String, u16)> {
    let matches = |line: &&Line| {
        row.dst.as_ref().is_none_or(|dst| *dst == line.dst)
            && row.port.is_none_or(|port| port == line.dst_port)
            && (line.protocol == 1 || [2, 6].contains(&line.flags))
            && line.dst_port != 514
    };
    let probes = lines.iter().filter(matches);
    probes.map(|line| (line.start, line.dst.clone(), line.dst_port)).collect()
}

fn ports(probes: &BTreeSet<(u64, String, u16)>) -> usize {
    probes.iter().map(|(_, _, port)| port).collect::<BTreeSet<_>>().len()
}

fn hosts(probes: &BTreeSet<(u64, String, u16)>) -> usize {
    probes.iter().map(|(_, dst, _)| dst).collect::<BTreeSet<_>>().len()
}

#[test]
fn every_attack_lies_within_the_plan_and_has_a_source_of_its_own() {
    for (profile, duration_s) in
        [(Profile::quiet(), 600), (Profile::ordinary(), 7_200), (Profile::busy(), 3_900)]
    {
        for seed in 1..20 {
            let scenarios = Scenario::fitting(duration_s);
            let plan = Plan { seed, ..plan(profile.clone(), &scenarios, 1, duration_s) };
            let generator = Generator::new(&plan).unwrap();
            let sources: BTreeSet<&str> =
                generator.truth().iter().map(|row| row.src.as_str()).collect();
            assert_eq!(sources.len(), generator.truth().len());
            for row in generator.truth() {
                assert!(row.start_s >= START && row.start_s < row.end_s, "{row:?}");
                assert!(row.end_s < START + u64::from(duration_s), "{row:?}");
            }
        }
    }
}

#[test]
fn the_truth_has_the_promised_kinds() {
    let plan = plan(Profile::ordinary(), &Scenario::ALL, 1, 7_200);
    let mut rows: Vec<(String, String)> = Generator::new(&plan)
        .unwrap()
        .truth()
        .iter()
        .map(|row| (row.scenario.clone(), row.kind.clone()))
        .collect();
    rows.sort();
    let expected = [
        ("block-scan", "block_scan"),
        ("data-gap", "data_gap"),
        ("exfiltration", "exfiltration"),
        ("horizontal-scan", "horizontal_scan"),
        ("icmp-sweep", "horizontal_scan"),
        ("rejected-surge", "rejected_surge"),
        ("slow-scan", "vertical_scan"),
        ("vertical-scan", "vertical_scan"),
        ("vertical-scan", "vertical_scan"),
    ];
    assert_eq!(rows, expected.map(|(scenario, kind)| (scenario.to_owned(), kind.to_owned())));
}

#[test]
fn vertical_scans_probe_hundreds_of_ports_of_one_target_within_minutes() {
    for (row, lines) in attacks(Profile::ordinary(), Scenario::VerticalScan, 900) {
        let probes = probes(&row, &lines);
        assert!((300..=1_000).contains(&ports(&probes)), "{row:?}: {}", ports(&probes));
        assert!(row.end_s - row.start_s <= 240);
        let refused = lines.iter().filter(|line| line.action == "REJECT").count();
        if is_inside(&row.src) {
            assert!(refused > 10 && refused < probes.len() / 2);
        } else {
            assert_eq!(refused, probes.len());
        }
    }
}

#[test]
fn horizontal_scans_probe_one_port_of_many_hosts() {
    let scans = attacks(Profile::busy(), Scenario::HorizontalScan, 600);
    assert_eq!(scans.len(), 2);
    for (row, lines) in scans {
        let hosts = hosts(&probes(&row, &lines));
        let expected = if is_inside(&row.src) { 120..=250 } else { 40..=48 };
        assert!(expected.contains(&hosts), "{row:?}: {hosts}");
    }
    assert_eq!(attacks(Profile::ordinary(), Scenario::HorizontalScan, 600).len(), 1);
}

#[test]
fn an_icmp_sweep_pings_a_hundred_addresses_of_which_some_answer() {
    let plan = plan(Profile::ordinary(), &[Scenario::IcmpSweep], 100, 600);
    let src = Generator::new(&plan).unwrap().truth()[0].src.clone();
    let lines = collect(&plan);
    let pinged = |line: &&Line| line.protocol == 1 && (line.src_port, line.dst_port) == (0, 0);
    let asked: BTreeSet<&str> = lines
        .iter()
        .filter(pinged)
        .filter(|line| line.src == src)
        .map(|line| line.dst.as_str())
        .collect();
    let answered: BTreeSet<&str> = lines
        .iter()
        .filter(pinged)
        .filter(|line| line.dst == src)
        .map(|line| line.src.as_str())
        .collect();
    assert!(asked.len() >= 100 && answered.is_subset(&asked));
    assert!((asked.len() / 3..=asked.len() / 2).contains(&answered.len()), "{}", answered.len());
}

#[test]
fn a_block_scan_probes_many_ports_of_many_hosts_within_five_minutes() {
    for profile in [Profile::ordinary(), Profile::quiet()] {
        let (row, lines) = attacks(profile, Scenario::BlockScan, 600).remove(0);
        let probes = probes(&row, &lines);
        assert!(
            ports(&probes) >= 20 && hosts(&probes) >= 40,
            "{} {}",
            ports(&probes),
            hosts(&probes)
        );
        assert!(row.end_s - row.start_s <= 300);
    }
}

#[test]
fn a_slow_scan_stays_below_twelve_ports_in_five_minutes_and_above_seventy_an_hour() {
    let (row, lines) = attacks(Profile::ordinary(), Scenario::SlowScan, 3_900).remove(0);
    let times: Vec<u64> = probes(&row, &lines).into_iter().map(|(start, ..)| start).collect();
    assert!(row.end_s - row.start_s >= 3_540 && times.len() > 70, "{}", times.len());
    let within = |from: u64| times.iter().filter(|time| (from..from + 300).contains(*time)).count();
    assert!(times.iter().all(|time| within(*time) < 12));
    assert_eq!(ports(&probes(&row, &lines)), times.len());
}

#[test]
fn an_exfiltration_sends_gigabytes_to_one_address_as_the_initiator() {
    for duration_s in [600, 3_600] {
        let (row, lines) =
            attacks(Profile::ordinary(), Scenario::Exfiltration, duration_s).remove(0);
        let upload: Vec<&Line> =
            lines.iter().filter(|line| Some(&line.dst) == row.dst.as_ref()).collect();
        let bytes: u64 = upload.iter().map(|line| line.bytes).sum();
        assert!((1_900_000_000..=6_000_000_000).contains(&bytes), "{bytes}");
        let connections: BTreeSet<u16> = upload.iter().map(|line| line.src_port).collect();
        assert!(connections.len() >= 4);
        assert!(upload.iter().all(|line| line.dst_port == 443 && line.pkt_src == row.src));
        let opened = upload.iter().filter(|line| line.flags & 18 == 2).count();
        assert_eq!(opened, connections.len());
    }
}

#[test]
fn a_rejected_surge_hammers_one_service_from_thousands_of_ports() {
    let (row, lines) = attacks(Profile::ordinary(), Scenario::RejectedSurge, 600).remove(0);
    let refused: BTreeSet<u16> = lines
        .iter()
        .filter(|line| line.action == "REJECT")
        .map(|line| {
            assert_eq!((Some(&line.dst), Some(line.dst_port)), (row.dst.as_ref(), row.port));
            line.src_port
        })
        .collect();
    assert!(refused.len() >= 3_000, "{}", refused.len());
    assert!(row.end_s - row.start_s <= 300);
}

#[test]
fn a_data_gap_is_three_notices_and_nothing_else_from_the_interface() {
    let plan = plan(Profile::ordinary(), &[Scenario::DataGap], 100, 600);
    let row = Generator::new(&plan).unwrap().truth()[0].clone();
    let mut of_interface: BTreeMap<String, u32> = BTreeMap::new();
    for line in collect(&plan).iter().filter(|line| line.interface == row.src) {
        let inside = line.end >= row.start_s && line.start <= row.end_s;
        assert_eq!(inside, line.status == "SKIPDATA", "{line:?}");
        *of_interface.entry(line.status.clone()).or_default() += 1;
    }
    assert_eq!(of_interface["SKIPDATA"], 3);
    assert!(of_interface["OK"] > 10);
    assert_eq!((row.start_s % 60, row.end_s - row.start_s), (0, 179));
}
