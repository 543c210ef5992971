//! The binary: targets, exit codes, messages.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn error_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn signal(kind: &str, src: &str) -> String {
    format!(
        "{{\"id\":\"{kind}\",\"kind\":\"{kind}\",\"status\":\"open\",\"severity\":\"high\",\
         \"entity\":{{\"src\":\"{src}\"}},\"window_s\":300,\"estimate\":20,\"threshold\":15,\
         \"first_seen\":\"2026-01-01T00:00:10Z\",\"last_seen\":\"2026-01-01T00:00:30Z\",\"evidence\":{{}}}}\n"
    )
}

const TRUTH: &str = "kind\tsrc\tdst\tport\tstart\tend\tscenario\n\
    vertical_scan\t10.0.0.1\t-\t-\t1767225600\t1767225700\tvertical-scan\n\
    block_scan\t10.0.0.2\t-\t-\t1767225600\t1767225700\tblock-scan\n";

#[test]
fn a_file_target_gets_the_same_bytes_as_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let (target, truth) = (path(&folder, "flows.log"), path(&folder, "truth.tsv"));
    let common = ["run", "--profile", "quiet", "--rate", "50", "--seconds", "600", "--header"];
    let file_target = format!("file:{target}");
    let to_file = loadgen(&[&common[..], &["--target", &file_target, "--truth", &truth]].concat());
    assert!(to_file.status.success() && to_file.stdout.is_empty());
    assert!(error_text(&to_file).contains("slow-scan left out"));
    let to_stdout = loadgen(&[&common[..], &["--target", "stdout"]].concat());
    let flows = fs::read(&target).unwrap();
    assert!(flows.starts_with(b"version account-id interface-id srcaddr"));
    assert!(to_stdout.stdout == flows && flows.len() > 1_000_000);
    let rows = fs::read_to_string(&truth).unwrap();
    assert!(rows.starts_with("kind\tsrc\tdst\tport\tstart\tend\tscenario\n"));
    assert_eq!(rows.lines().count(), 9);
}

#[test]
fn misuse_exits_with_2_and_says_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--target", "firehose:two words"], "`firehose:two words` does not name a stream"),
        (&["--target", "s3:bucket"], "does not name a bucket"),
        (&["--target", "s3://bucket/AWSLogs"], "not below AWSLogs"),
        (&["--target", "s3://bucket", "--gzip"], "--gzip is for the target `https://HOST/PATH`"),
        (
            &["--target", "firehose:flows", "--hive"],
            "--hive is for the target `s3://BUCKET/PREFIX`",
        ),
        (
            &["--target", "http://localhost/", "--endpoint-url", "http://localhost/"],
            "--endpoint-url is for",
        ),
        (
            &["--target", "http://localhost/", "--common-attribute", "a"],
            "not of the form KEY=VALUE",
        ),
        (&["--target", "http://localhost/", "--source-arn", "a"], "no ARN of a delivery stream"),
        (&["--target", "http://localhost/", "--buffer-bytes", "1"], "not between 1048576 and"),
        (&["--target", "http://localhost/", "--retry-seconds", "7201"], "more than 7200"),
        (&["--target", "https://localhost:port/"], "target `https://localhost:port/`: "),
        (&["--target", "https://user:secret@localhost/"], "has no user"),
        (&["--target", "http://localhost/", "--header"], "--header is for files"),
        (&["--target", "kinesis:flows", "--gzip"], "--gzip is for the target `https://HOST/PATH`"),
        (
            &["--target", "stdout", "--payload", "plain"],
            "--payload is for the targets `kinesis:STREAM`, `firehose:STREAM` and `https://HOST/PATH`",
        ),
        (&["--target", "file:"], "lacks a path"),
        (&["--target", "nowhere"], "neither `stdout`, nor `file:PATH`, nor `kinesis:STREAM`"),
        (&["--target", "kinesis:two words"], "does not name a stream"),
        (&["--target", "kinesis:flows", "--header"], "--header is for files"),
        (&["--target", "stdout", "--aggregate"], "--aggregate is for the target `kinesis:STREAM`"),
        (&["--target", "stdout", "--profile", "huge"], "profiles are ordinary, busy, quiet"),
        (&["--target", "stdout", "--scenario", "flood"], "scenarios are vertical-scan"),
        (
            &["--target", "stdout", "--seconds", "900", "--scenario", "slow-scan"],
            "at least 3900 seconds",
        ),
        (&["--target", "stdout", "--format", "srcaddr"], "is not a field"),
        (&["--target", "stdout", "--scenario", "none", "--scenario", "all"], "excludes others"),
    ];
    for (arguments, message) in cases {
        let output = loadgen(&[&["run"], *arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error_text(&output).contains(message), "{arguments:?}: {}", error_text(&output));
        assert!(output.stdout.is_empty());
    }
    assert_eq!(loadgen(&["run"]).status.code(), Some(2));
    assert_eq!(loadgen(&["run", "--target", "stdout", "--rate", "0"]).status.code(), Some(2));
}

#[test]
fn a_file_that_cannot_be_created_exits_with_1() {
    let output = loadgen(&["run", "--target", "file:/nonexistent/flows.log", "--scenario", "none"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error_text(&output).contains("cannot create /nonexistent/flows.log"));
}

#[test]
fn a_reader_that_leaves_early_ends_the_run_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(["run", "--target", "stdout", "--seconds", "1000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 1_000]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), error_text(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_score_below_a_minimum_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let (truth, signals) = (path(&folder, "truth.tsv"), path(&folder, "signals.jsonl"));
    fs::write(&truth, TRUTH).unwrap();
    fs::write(&signals, signal("vertical_scan", "10.0.0.1")).unwrap();
    let score = |more: &[&str]| {
        loadgen(&[&["score", "--truth", &truth, "--signals", &signals], more].concat())
    };
    let plain = score(&[]);
    assert_eq!(plain.status.code(), Some(0));
    let text = String::from_utf8(plain.stdout).unwrap();
    assert!(
        text.ends_with("precision 1.000 recall 0.500 true 1 related 0 false 0 missed 1\n"),
        "{text}"
    );
    assert!(text.contains("missed: block_scan 10.0.0.2"));
    assert_eq!(score(&["--min-recall", "0.5", "--min-precision", "1"]).status.code(), Some(0));
    assert_eq!(score(&["--min-recall", "0.6"]).status.code(), Some(1));
    assert_eq!(score(&["--min-recall", "2"]).status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&score(&["--json"]).stdout).unwrap();
    assert_eq!((&json["recall"], &json["true"]), (&0.5.into(), &1.into()));
}

#[test]
fn signals_can_come_from_standard_input_and_malformed_ones_are_located() {
    let folder = tempfile::tempdir().unwrap();
    let truth = path(&folder, "truth.tsv");
    fs::write(&truth, TRUTH).unwrap();
    let score = |input: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(["score", "--truth", &truth, "--signals", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    assert_eq!(score(&signal("block_scan", "10.0.0.2")).status.code(), Some(0));
    let refused = score(&format!("{}nonsense\n", signal("block_scan", "10.0.0.2")));
    assert_eq!(refused.status.code(), Some(2));
    assert!(error_text(&refused).contains("standard input:2: "), "{}", error_text(&refused));
    fs::write(&truth, "kind\n").unwrap();
    let refused = score("");
    assert_eq!(refused.status.code(), Some(2));
    assert!(error_text(&refused).contains("truth.tsv:1: the header"), "{}", error_text(&refused));
    fs::remove_file(Path::new(&truth)).unwrap();
    assert_eq!(loadgen(&["score", "--truth", &truth, "--signals", "-"]).status.code(), Some(1));
}
