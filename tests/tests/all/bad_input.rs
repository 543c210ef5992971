//! Input that is broken, missing or hostile: a message that names the place, the right exit code, bounded memory, and
//! never a panic (which every run checks).

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use flowscout_tests::{Program, Run, Scratch, Traffic, flowscout, gzip, noise};
use serde_json::Value;

/// What the product promises for any input.
const MEMORY_BYTES_MAX: u64 = 256_000_000;

fn replay(path: impl AsRef<Path>) -> Program {
    flowscout().arg("replay").arg(path.as_ref()).args(["--report", "json"])
}

fn count(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap()
}

/// Every line that was read: records, heartbeats of idle interfaces, and refusals.
fn lines_seen(report: &Value) -> u64 {
    let parts = ["records", "no_data_records", "skipped_data_records", "refused_lines"];
    parts.iter().map(|name| count(report, name)).sum()
}

fn line_count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn assert_small(run: &Run) {
    if Path::new("/proc/self/status").exists() {
        assert!(run.memory_bytes_max > 0, "memory was not seen: {run}");
    }
    let memory_bytes = run.memory_bytes_max;
    assert!(memory_bytes < MEMORY_BYTES_MAX, "{memory_bytes} bytes: {run}");
}

#[test]
fn an_empty_file_has_no_records() {
    let scratch = Scratch::new();
    let path = scratch.file("empty.log", "");
    let report = replay(&path).succeed().report();
    assert_eq!((lines_seen(&report), report["findings"].as_array().unwrap().len()), (0, 0));
    flowscout().arg("replay").arg(&path).succeed().assert_says("records    0");
    assert_eq!(flowscout().arg("decode").arg(&path).succeed().stdout, "");
    // So has a gzip of nothing, and a file of empty lines.
    let empty_gzip = scratch.file("empty.log.gz", gzip(b""));
    assert_eq!(lines_seen(&replay(empty_gzip).succeed().report()), 0);
    let blank = scratch.file("blank.log", "\n\r\n\n");
    assert_eq!(lines_seen(&replay(blank).succeed().report()), 0);
}

#[test]
fn a_folder_without_logs_is_misuse_and_is_named() {
    let scratch = Scratch::new();
    let labels = scratch.file("labels.tsv", "not a log");
    assert!(labels.is_file());
    let folder = scratch.folder().to_str().unwrap();
    for command in ["replay", "decode"] {
        let run = flowscout().arg(command).arg(folder).exit_with(2);
        run.assert_says(folder);
        run.assert_says("no flow-log file");
    }
    let pattern = scratch.path("*.log");
    flowscout().arg("replay").arg(&pattern).exit_with(2).assert_says(pattern.to_str().unwrap());
}

#[test]
fn a_missing_file_is_named() {
    let scratch = Scratch::new();
    let path = scratch.path("nowhere.log");
    for command in ["replay", "decode"] {
        flowscout().arg(command).arg(&path).exit_with(1).assert_says(path.to_str().unwrap());
    }
}

#[test]
fn one_missing_file_does_not_hide_the_others() {
    let traffic = Traffic::calm();
    let alone = replay(&traffic.flows).succeed().report();
    let copy = traffic.file("copy.log", traffic.lines());
    let missing = traffic.flows.with_file_name("nowhere.log");
    let run = flowscout().arg("replay").args([&traffic.flows, &missing, &copy]);
    let run = run.args(["--report", "json"]).exit_with(1);
    let report = run.report();
    assert_eq!(count(&report, "records"), 2 * count(&alone, "records"), "{run}");
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{run}");
    assert!(problems[0].as_str().unwrap().contains("nowhere.log: cannot open"), "{run}");
}

#[test]
fn signals_are_not_written_over_a_file_that_is_to_be_read() {
    let traffic = Traffic::calm();
    let before = traffic.lines();
    let run = flowscout().arg("replay").arg(&traffic.flows).arg("--signals").arg(&traffic.flows);
    run.exit_with(2).assert_says("is one of the files to be read");
    assert_eq!(traffic.lines(), before);
}

#[test]
fn one_record_with_a_wrong_year_blinds_nothing() {
    let traffic = Traffic::calm();
    let wrong = "2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 40 4102444700 4102444700 ACCEPT OK\n";
    let lines = [wrong.as_bytes(), &traffic.lines()].concat();
    let report = replay(traffic.file("wrong.log", lines)).succeed().report();
    assert_eq!((count(&report, "late_rows"), count(&report, "implausible_rows")), (0, 1));
}

#[test]
fn random_bytes_are_refused_and_counted() {
    let scratch = Scratch::new();
    let path = scratch.file("noise.log", noise(10_000_000));
    let run = replay(&path).succeed();
    let report = run.report();
    assert_eq!(count(&report, "records"), 0, "{run}");
    assert!(count(&report, "refused_lines") > 10_000, "{run}");
    let refusals = report["refusals"].as_array().unwrap();
    let lines: u64 = refusals.iter().map(|refusal| count(refusal, "lines")).sum();
    assert_eq!(lines, count(&report, "refused_lines"), "every refusal has a reason: {run}");
    for refusal in refusals {
        let example = refusal["example"].as_str().unwrap();
        let place = example.strip_prefix(&format!("{}:", path.display())).unwrap();
        let (line, _) = place.split_once(": ").unwrap();
        assert!(line.parse::<u64>().is_ok(), "{example}");
        assert!(example.is_ascii(), "an example must not garble a terminal: {example}");
    }
    assert_small(&run);
}

#[test]
fn random_bytes_that_call_themselves_gzip_are_a_read_error() {
    let scratch = Scratch::new();
    let path = scratch.file("noise.log.gz", [&[0x1f, 0x8b, 8, 0][..], &noise(100_000)].concat());
    let run = replay(&path).exit_with(1);
    run.assert_says(&format!("{}:1: cannot read on", path.display()));
    assert_small(&run);
}

#[test]
fn a_gzip_cut_in_the_middle_gives_what_was_before_the_cut() {
    let traffic = Traffic::calm();
    let whole = gzip(&traffic.lines());
    let half = &whole[..whole.len() / 2];
    // Reads on to the cut, then fails.
    let mut legible = Vec::new();
    GzDecoder::new(half).read_to_end(&mut legible).unwrap_err();
    let path = traffic.file("cut.log.gz", half);
    let run = replay(&path).exit_with(1);
    let report = run.report();
    let line_of_cut = line_count(&legible) + 1;
    run.assert_says(&format!("{}:{line_of_cut}: cannot read on", path.display()));
    assert_eq!(lines_seen(&report), line_of_cut - 1, "{run}");
    assert_eq!(count(&report, "refused_lines"), 0, "{run}");

    let decoded = flowscout().arg("decode").arg(&path).exit_with(1);
    decoded.assert_says(&format!("{}:{line_of_cut}: cannot read on", path.display()));
    assert_eq!(decoded.json_lines().len() as u64, line_of_cut - 1);
}

#[test]
fn a_line_without_an_end_is_refused_and_the_next_line_is_read() {
    let traffic = Traffic::calm();
    let text = String::from_utf8(traffic.lines()).unwrap();
    let (before, after): (Vec<_>, Vec<_>) =
        (text.lines().take(3).collect(), text.lines().take(5).collect());
    let before = before.join("\n") + "\n";
    let after = "\n".to_owned() + &after.join("\n") + "\n";
    let endless = || {
        let line = io::repeat(b'7').take(64 << 20);
        Cursor::new(before.clone()).chain(line).chain(Cursor::new(after.clone()))
    };
    let run = replay("-").stdin(endless()).succeed();
    let report = run.report();
    assert_eq!((lines_seen(&report), count(&report, "refused_lines")), (3 + 1 + 5, 1), "{run}");
    assert_eq!(report["refusals"][0]["reason"], "line_too_long", "{run}");
    let example = report["refusals"][0]["example"].as_str().unwrap();
    assert!(example.starts_with("-:4: line_too_long: 7777"), "{run}");
    assert_small(&run);

    let decoded = flowscout().arg("decode").stdin(endless()).succeed();
    assert_eq!(decoded.json_lines().len(), 3 + 5);
    decoded.assert_says("-:4: line_too_long");
    assert_eq!(decoded.stderr.lines().count(), 1, "{decoded}");
    assert_small(&decoded);
}

#[test]
fn a_sparse_file_is_one_long_line() {
    let scratch = Scratch::new();
    let path = scratch.path("sparse.log");
    File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let run = replay(&path).succeed();
    assert_eq!(lines_seen(&run.report()), 1, "{run}");
    run.assert_says("sparse.log:1: line_too_long");
    assert_small(&run);
}

#[test]
fn a_gzip_bomb_of_one_line_stays_small() {
    let scratch = Scratch::new();
    let path = scratch.file("bomb.log.gz", gzip(&vec![b'0'; 64 << 20]));
    let run = replay(&path).succeed();
    assert_eq!(count(&run.report(), "refused_lines"), 1, "{run}");
    assert_small(&run);
}

#[test]
fn an_unknown_field_is_named_with_a_suggestion() {
    let format = "${version} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} \
                  ${bytes} ${start} ${end} ${action} ${log-status} ${tcp-flag}";
    let line = "3 10.0.0.1 10.0.0.2 40000 443 6 1 40 1767225600 1767225660 ACCEPT OK 2";
    let run = flowscout().args(["replay", "-", "--format", format]).stdin(Cursor::new(line));
    let run = run.succeed();
    run.assert_says("unknown field tcp-flag");
    run.assert_says("did you mean tcp-flags?");
    run.assert_says("records    1");
}

#[test]
fn a_misspelt_field_that_detection_needs_is_misuse() {
    let format = "${version} ${srcadr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} \
                  ${bytes} ${start} ${end} ${action} ${log-status}";
    let run = flowscout().args(["replay", "-", "--format", format]).exit_with(2);
    run.assert_says("${srcaddr}");
    run.assert_says("${srcadr}");
}

#[test]
fn a_malformed_format_is_misuse() {
    for format in ["version srcaddr", "${version", "${version} ${version}", "", "{version}", "json"]
    {
        for command in ["replay", "decode"] {
            let run = flowscout().args([command, "-", "--format", format]).exit_with(2);
            run.assert_says("--format: ");
        }
    }
}

#[test]
fn a_bad_command_line_is_misuse() {
    let cases: [&[&str]; 6] = [
        &["replay", "--nope", "-"],
        &["replay"],
        &["replay", "-", "--workers", "0"],
        &["replay", "-", "--report", "xml"],
        &["scan"],
        &[],
    ];
    for arguments in cases {
        let run = flowscout().args(arguments).exit_with(2);
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{arguments:?}: {run}");
    }
    flowscout().args(["replay", "--formt", "auto", "-"]).exit_with(2).assert_says("--format");
}

#[test]
fn an_unknown_key_in_the_configuration_is_named_with_file_and_line() {
    let scratch = Scratch::new();
    let path = scratch.file("settings.toml", "[window]\npane_s = 30\n\nsettle = 3\n");
    for command in [&["check"][..], &["replay", "-"], &["demo"]] {
        let run = flowscout().args(command).arg("--config").arg(&path).exit_with(2);
        run.assert_says(&format!("{}:4: ", path.display()));
        run.assert_says("`settle`");
        assert_eq!(run.stdout, "", "{run}");
    }
}

#[test]
fn a_configuration_and_a_preset_together_are_misuse() {
    let scratch = Scratch::new();
    let path = scratch.file("settings.toml", "");
    let run = flowscout().args(["replay", "-", "--preset", "sensitive", "--config"]).arg(path);
    run.exit_with(2).assert_says("--preset");
}

#[test]
fn a_bad_hash_key_is_misuse_and_is_not_printed() {
    let run = replay("-").env("FLOWSCOUT_HASH_KEY", "0123secret").exit_with(2);
    run.assert_says("FLOWSCOUT_HASH_KEY");
    assert!(!run.stderr.contains("0123secret"), "{run}");
}

#[test]
fn signals_that_cannot_be_written_are_an_error() {
    let traffic = Traffic::thin();
    let nowhere = traffic.flows.with_file_name("nowhere").join("signals.jsonl");
    let run = replay(&traffic.flows).arg("--signals").arg(&nowhere).exit_with(1);
    run.assert_says(nowhere.to_str().unwrap());
    if Path::new("/dev/full").exists() {
        let run = replay(&traffic.flows).args(["--signals", "/dev/full"]).exit_with(1);
        run.assert_says("cannot write signals");
    }
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_program_quietly() {
    let traffic = Traffic::thin();
    let decode = flowscout().arg("decode").arg(&traffic.flows).closing_stdout_after_a_line();
    let decode = decode.succeed();
    assert!(decode.stdout.ends_with('\n') && decode.stderr.is_empty(), "{decode}");

    let replay = flowscout().arg("replay").arg(&traffic.flows);
    let replay = replay.args(["--signals", "-", "--report", "none"]).closing_stdout().succeed();
    assert_eq!(replay.stderr, "");

    let demo = flowscout().args(["demo", "--rate", "20"]).closing_stdout_after_a_line().succeed();
    assert!(demo.stderr.is_empty(), "{demo}");
}
