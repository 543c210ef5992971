//! Refused bytes: kept, capped, sampled, and read again.

mod bucket;

use std::fs;
use std::path::Path;

use flowscout_tests::{Scratch, flowscout};
use serde_json::{Value, json};

/// `count` lines of a format that nothing announces.
fn custom_lines(count: u64) -> String {
    let line = |number: u64| {
        let host = format!("10.{}.{}.{}", number / 62_500, number / 250 % 250, number % 250);
        format!("10.0.0.1 {host} {}\n", 1_418_530_000 + number)
    };
    (0..count).map(line).collect()
}

const CUSTOM: &str = "${srcaddr} ${dstaddr} ${end}";

fn replay(path: &Path, options: &[&str]) -> Value {
    flowscout().arg("replay").arg(path).args(options).args(["--report", "json"]).succeed().report()
}

#[test]
fn lines_refused_under_a_wrong_format_are_all_read_again_under_the_right_one() {
    let scratch = Scratch::new();
    let flows = scratch.file("flows.log", custom_lines(5000));
    let letters = scratch.path("letters.jsonl");
    let report = replay(&flows, &["--dead-letters", letters.to_str().unwrap()]);
    assert_eq!((&report["records"], &report["refused_lines"]), (&json!(0), &json!(5000)));
    assert_eq!(
        (&report["dead_letters"], &report["dead_letters_left_out"]),
        (&json!(5000), &json!(0))
    );
    let again = replay(&letters, &["--format", CUSTOM]);
    assert_eq!((&again["records"], &again["refused_lines"]), (&json!(5000), &json!(0)));
    // The same findings, the same counts, as if the format had been right.
    let direct = replay(&flows, &["--format", CUSTOM]);
    assert_eq!((&again["bytes"], &again["event_time"]), (&direct["bytes"], &direct["event_time"]));
    let first: Value =
        serde_json::from_str(fs::read_to_string(&letters).unwrap().lines().next().unwrap())
            .unwrap();
    assert_eq!((&first["reason"], &first["position"]), (&json!("field_count"), &json!("1")));
    assert_eq!(first["source"], json!(flows.to_str().unwrap()));
}

#[test]
fn a_letter_from_below_a_header_is_read_again_under_that_header() {
    let scratch = Scratch::new();
    let text = "end dstaddr srcaddr\n1418530070 10.0.0.2 10.0.0.1\n1418530070 10.0.0.2 nobody\n";
    let letters = scratch.path("letters.jsonl");
    let flows = scratch.file("flows.log", text);
    replay(&flows, &["--dead-letters", letters.to_str().unwrap()]);
    let run = flowscout().arg("decode").arg(&letters).succeed();
    run.assert_says("record 1: bad_address in srcaddr: 1418530070 10.0.0.2 nobody");
    // Mended by hand, it is a record.
    let letter = fs::read_to_string(&letters).unwrap();
    let mut letter: Value = serde_json::from_str(letter.trim()).unwrap();
    letter["data"] = base64_turbo::STANDARD.encode("1418530070 10.0.0.2 10.0.0.9").into();
    let mended = scratch.file("mended.jsonl", letter.to_string());
    let run = flowscout().arg("decode").arg(mended).succeed();
    assert_eq!(run.json_lines()[0]["srcaddr"], json!("10.0.0.9"));
}

#[test]
fn letters_are_sampled_and_capped_and_what_is_left_out_is_counted() {
    let scratch = Scratch::new();
    let flows = scratch.file("flows.log", custom_lines(20_000));
    let letters = scratch.path("letters.jsonl");
    let counts = |settings: &str| {
        let path = json!(letters.to_str().unwrap());
        let config = format!("[dead_letters]\npath = {path}\n{settings}");
        let config = scratch.file("config.toml", config);
        let report = replay(&flows, &["--config", config.to_str().unwrap()]);
        let kept = fs::read_to_string(&letters).unwrap().lines().count() as u64;
        assert_eq!(report["dead_letters"], json!(kept));
        (kept, report["dead_letters_left_out"].as_u64().unwrap())
    };
    assert_eq!(counts(""), (10_000 + 100, 20_000 - 10_100));
    assert_eq!(counts("sample_above = 0\n"), (200, 19_800));
    let (kept, left_out) = counts("bytes_max = 100000\n");
    assert_eq!(kept + left_out, 20_000);
    assert!(kept > 100 && fs::metadata(&letters).unwrap().len() <= 100_000);
}

#[test]
fn letters_are_not_written_over_a_file_that_is_to_be_read() {
    let scratch = Scratch::new();
    let flows = scratch.file("flows.log", custom_lines(3));
    let run = flowscout().arg("replay").arg(&flows).arg("--dead-letters").arg(&flows).exit_with(2);
    run.assert_says("is one of the files to be read");
    assert_eq!(fs::read_to_string(&flows).unwrap(), custom_lines(3));
}
