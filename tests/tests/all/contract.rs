//! What a replay writes, for the programs that read it: signals, report, and the same bytes for the same input.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use flowscout_tests::{Program, Traffic, flowscout, gzip, loadgen};
use serde_json::Value;

const KINDS: [&str; 9] = [
    "vertical_scan",
    "horizontal_scan",
    "block_scan",
    "distributed_scan",
    "repeated_attempts",
    "rejected_surge",
    "exfiltration",
    "beacon",
    "data_gap",
];
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

fn replay(path: impl AsRef<Path>) -> Program {
    flowscout().arg("replay").arg(path.as_ref()).args(["--signals", "-"])
}

/// The signals of a replay as bytes, under a fixed key.
fn signals(path: impl AsRef<Path>) -> Vec<String> {
    let run = replay(path).args(["--report", "none"]).with_hash_key().succeed();
    run.stdout.lines().map(str::to_owned).collect()
}

/// `2026-01-01T00:00:00Z`, perhaps with a fraction.
fn is_rfc_3339(text: &str) -> bool {
    let shape = |byte: u8| if byte.is_ascii_digit() { '0' } else { char::from(byte) };
    let shape: String = text.bytes().map(shape).collect();
    shape == "0000-00-00T00:00:00Z"
        || (shape.starts_with("0000-00-00T00:00:00.0") && shape.ends_with('Z'))
}

fn assert_is_signal(signal: &Value) {
    let text = |name: &str| signal[name].as_str().unwrap_or_else(|| panic!("{name}: {signal}"));
    let number = |name: &str| signal[name].as_u64().unwrap_or_else(|| panic!("{name}: {signal}"));
    assert!(!text("id").is_empty(), "{signal}");
    assert!(KINDS.contains(&text("kind")), "{signal}");
    assert!(["open", "update", "closed"].contains(&text("status")), "{signal}");
    assert!(SEVERITIES.contains(&text("severity")), "{signal}");
    assert!(signal["entity"]["src"].is_string(), "{signal}");
    assert!(number("window_s") > 0 && number("threshold") > 0, "{signal}");
    if text("status") == "open" {
        assert!(number("estimate") >= number("threshold"), "{signal}");
    }
    let (first, last) = (text("first_seen"), text("last_seen"));
    assert!(is_rfc_3339(first) && is_rfc_3339(last) && first <= last, "{signal}");
    assert!(signal["evidence"].is_object(), "{signal}");
}

#[test]
fn signals_are_json_lines_with_the_promised_fields() {
    let traffic = Traffic::thin();
    let signals = replay(&traffic.flows).succeed().json_lines();
    signals.iter().for_each(assert_is_signal);
    let mut kinds: Vec<&str> = signals.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.len() >= 6, "every rule has something to say: {kinds:?}");
}

#[test]
fn a_finding_opens_first_and_closes_last() {
    let traffic = Traffic::thin();
    let mut lives: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for signal in replay(&traffic.flows).succeed().json_lines() {
        lives.entry(signal["id"].as_str().unwrap().to_owned()).or_default().push(signal);
    }
    let mut closed = 0;
    for life in lives.values() {
        let status = |signal: &Value| signal["status"].as_str().unwrap().to_owned();
        let statuses: Vec<String> = life.iter().map(status).collect();
        let (last, before) = statuses.split_last().unwrap();
        assert_eq!(statuses[0], "open", "{life:#?}");
        assert!(before.iter().skip(1).all(|status| status == "update"), "{life:#?}");
        assert!(before.is_empty() || last != "open", "{life:#?}");
        closed += usize::from(last == "closed");
        for signal in life {
            for name in ["kind", "entity", "first_seen"] {
                assert_eq!(signal[name], life[0][name], "{name} changes: {life:#?}");
            }
        }
    }
    assert!(closed > 0, "no finding was ever closed");
}

#[test]
fn the_report_is_one_json_object_on_standard_error() {
    let traffic = Traffic::thin();
    let run = replay(&traffic.flows).args(["--report", "json"]).succeed();
    let report = run.report();
    let numbers = ["records", "records_per_s", "bytes", "rejected_records", "refused_lines"];
    for name in numbers {
        assert!(report[name].is_u64(), "{name}: {run}");
    }
    let lists = ["refusals", "top_talkers", "top_services", "findings", "problems"];
    for name in lists {
        assert!(report[name].is_array(), "{name}: {run}");
    }
    for name in ["first", "last"] {
        assert!(is_rfc_3339(report["event_time"][name].as_str().unwrap()), "{name}: {run}");
    }
    let bytes = |talker: &Value| talker["bytes"].as_u64().unwrap();
    let talkers: Vec<u64> = report["top_talkers"].as_array().unwrap().iter().map(bytes).collect();
    assert_eq!(talkers.len(), 10, "{run}");
    assert!(talkers.is_sorted_by(|left, right| left >= right), "{run}");

    let opened = run.json_lines().into_iter().filter(|signal| signal["status"] == "open").count();
    assert_eq!(report["findings"].as_array().unwrap().len(), opened, "{run}");
}

#[test]
fn the_report_counts_every_line_once() {
    let traffic = Traffic::calm();
    let lines = traffic.lines().iter().filter(|byte| **byte == b'\n').count() as u64;
    let spoilt =
        traffic.file("spoilt.log", [&traffic.lines()[..], b"this is no record\n"].concat());
    let report = replay(spoilt).args(["--report", "json"]).succeed().report();
    let count = |name: &str| report[name].as_u64().unwrap();
    let silent = count("no_data_records") + count("skipped_data_records");
    assert_eq!(count("records") + silent, lines, "{report}");
    assert_eq!(count("refused_lines"), 1, "{report}");
    assert_eq!(report["refusals"][0]["reason"], "field_count", "{report}");
}

#[test]
fn no_report_means_a_silent_standard_error() {
    let traffic = Traffic::thin();
    let run = replay(&traffic.flows).args(["--report", "none"]).succeed();
    assert_eq!(run.stderr, "");
    assert!(!run.stdout.is_empty());
}

#[test]
fn piped_programs_draw_no_progress_bar() {
    let traffic = Traffic::thin();
    let runs = [
        replay(&traffic.flows).succeed(),
        flowscout().args(["demo", "--rate", "20"]).succeed(),
        loadgen().args(["run", "--rate", "5", "--target", "stdout"]).succeed(),
    ];
    for run in runs {
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains(['\r', '\u{1b}']), "{run}");
        }
    }
}

#[test]
fn the_same_input_gives_the_same_signals_byte_by_byte() {
    let traffic = Traffic::thin();
    let once = signals(&traffic.flows);
    assert!(!once.is_empty());
    assert_eq!(once, signals(&traffic.flows));
}

#[test]
fn the_number_of_workers_does_not_change_the_signals() {
    let traffic = Traffic::thin();
    let with = |workers| {
        let run = replay(&traffic.flows).args(["--report", "none", "--workers", workers]);
        run.with_hash_key().succeed().stdout
    };
    let one = with("1");
    assert!(!one.is_empty());
    assert_eq!(one, with("4"));
    assert_eq!(one, with("16"));
}

#[test]
fn plain_gzip_and_many_gzip_members_are_one_and_the_same() {
    let traffic = Traffic::thin();
    let (plain, lines) = (signals(&traffic.flows), traffic.lines());
    assert!(!plain.is_empty());
    let one = traffic.file("one.log.gz", gzip(&lines));
    assert_eq!(plain, signals(one));
    // The members part in mid-line, and an empty one stands between.
    let (first, second) = lines.split_at(lines.len() / 2);
    let members = [gzip(first), gzip(b""), gzip(second)].concat();
    let many = traffic.file("many.log.gz", members);
    assert_eq!(plain, signals(many));
    // gzip is told by its bytes, not by its name.
    let misnamed = traffic.file("misnamed.log", gzip(&lines));
    assert_eq!(plain, signals(misnamed));
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let traffic = Traffic::thin();
    let expected = signals(&traffic.flows);
    for input in [traffic.lines(), gzip(&traffic.lines())] {
        let run = replay("-").args(["--report", "none"]).with_hash_key().stdin(Cursor::new(input));
        assert_eq!(run.succeed().stdout.lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn signals_in_a_file_are_those_of_standard_output() {
    let traffic = Traffic::thin();
    let path = traffic.file("signals.jsonl", "replaced");
    let run = flowscout().arg("replay").arg(&traffic.flows).arg("--signals").arg(&path);
    let run = run.with_hash_key().succeed();
    assert_eq!(run.stdout, "");
    let written = std::fs::read_to_string(path).unwrap();
    assert_eq!(written.lines().collect::<Vec<_>>(), signals(&traffic.flows));
}

#[test]
fn a_header_line_changes_nothing_but_the_line_numbers() {
    let (bare, headed) = (Traffic::thin(), Traffic::new(&["--rate", "20", "--header"]));
    assert_ne!(bare.lines(), headed.lines());
    assert_eq!(signals(&bare.flows), signals(&headed.flows));
}
