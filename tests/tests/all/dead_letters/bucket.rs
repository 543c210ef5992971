//! Refused bytes in a bucket of S3: put with no more than one permission, fetched, read again; and what is said when they
//! cannot be put.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use flowscout_tests::{AccessKey, Program, S3, Scratch, flowscout};
use serde_json::{Value, json};

use super::{CUSTOM, custom_lines, replay};

/// Enough for several objects of 8 MiB.
const LINES: u64 = 70_000;

/// A replay of `count` lines that are all refused, into `letters/refused`.
fn refusing(scratch: &Scratch, count: u64) -> Program {
    let config = "[dead_letters]\npath = 's3://letters/refused'\nsample_above = 1000000\n";
    let config = scratch.file("config.toml", config);
    let flows = scratch.file("flows.log", custom_lines(count));
    let program = flowscout().arg("replay").arg(flows).args(["--report", "json", "--config"]);
    program.arg(config)
}

/// What a run reported that could not put a letter.
fn report_of_failure(program: Program, count: u64) -> (Value, String) {
    let report = program.exit_with(1).report();
    // Everything else is as without dead letters.
    assert_eq!((&report["refused_lines"], &report["records"]), (&json!(count), &json!(0)));
    let letters = (&report["dead_letters"], &report["dead_letters_left_out"]);
    assert_eq!(letters, (&json!(0), &json!(count)));
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{report}");
    let problem = problems[0].as_str().unwrap().to_owned();
    (report, problem)
}

#[test]
fn letters_in_several_objects_of_a_bucket_are_fetched_and_all_read_again() {
    let Some(s3) = S3::start() else { return };
    s3.create_bucket("letters");
    let key = s3.only_allowing("s3:PutObject", "arn:aws:s3:::letters/refused/*");
    let scratch = Scratch::new();
    let report = s3.serve(refusing(&scratch, LINES), &key).succeed().report();
    let letters = (&report["dead_letters"], &report["dead_letters_left_out"]);
    assert_eq!(letters, (&json!(LINES), &json!(0)));
    let objects = s3.objects("letters", "");
    assert!(objects.len() > 1, "{} objects", objects.len());
    for (number, object) in (1..).zip(&objects) {
        let name = object.key.strip_prefix("refused/").unwrap();
        assert!(name.ends_with(&format!("-{number:06}.jsonl")), "{name}");
        assert!(object.content.len() <= 8 << 20);
        fs::write(scratch.path(name), &object.content).unwrap();
    }
    let fetched = scratch.path("*-0*.jsonl");
    let again = replay(&fetched, &["--format", CUSTOM]);
    assert_eq!((&again["records"], &again["refused_lines"]), (&json!(LINES), &json!(0)));
    let direct = replay(&scratch.path("flows.log"), &["--format", CUSTOM]);
    assert_eq!((&again["bytes"], &again["event_time"]), (&direct["bytes"], &direct["event_time"]));
}

#[test]
fn a_missing_permission_is_named_and_the_run_goes_on_without_letters() {
    let Some(s3) = S3::start() else { return };
    s3.create_bucket("letters");
    let key = s3.only_allowing("s3:PutObject", "arn:aws:s3:::letters/another-prefix/*");
    let scratch = Scratch::new();
    let (report, problem) = report_of_failure(s3.serve(refusing(&scratch, 5000), &key), 5000);
    assert_eq!(
        problem,
        "s3://letters/refused/: 5000 dead letters could not be put there: access denied (AccessDenied: Access \
         Denied); the role or user needs s3:PutObject on arn:aws:s3:::letters/refused/*"
    );
    assert!(!report.to_string().contains(key.secret()));
    assert!(s3.objects("letters", "").is_empty());
}

#[test]
fn wrong_keys_and_absent_buckets_are_told_apart() {
    let Some(s3) = S3::start() else { return };
    let scratch = Scratch::new();
    let key = AccessKey::unknown();
    let (_report, problem) = report_of_failure(s3.serve(refusing(&scratch, 10), &key), 10);
    assert!(problem.contains("NoSuchBucket"), "{problem}");
    s3.create_bucket("letters");
    drop(s3.only_allowing("s3:PutObject", "arn:aws:s3:::letters/*"));
    let (report, problem) = report_of_failure(s3.serve(refusing(&scratch, 10), &key), 10);
    assert!(problem.contains("the credentials are not accepted (InvalidAccessKeyId"), "{problem}");
    assert!(!report.to_string().contains(key.secret()));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a bound on time is what is tested")]
fn a_server_that_is_down_costs_the_letters_and_less_than_a_minute() {
    let Some(mut s3) = S3::start() else { return };
    s3.stop();
    let scratch = Scratch::new();
    let begun = Instant::now();
    let program = s3.serve(refusing(&scratch, LINES), &AccessKey::unknown());
    let (_report, problem) = report_of_failure(program, LINES);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let said = format!(
        "s3://letters/refused/: {LINES} dead letters could not be put there: S3 cannot be reached: Connection refused"
    );
    assert!(problem.starts_with(&said), "{problem}");
}

#[test]
fn mistakes_in_the_name_of_a_bucket_are_misuse_and_touch_nothing() {
    let scratch = Scratch::new();
    let flows = scratch.file("flows.log", custom_lines(3));
    let signals = scratch.file("signals.jsonl", "of an earlier run");
    let misuse = |url: &str| {
        let program = flowscout().arg("replay").arg(&flows).args(["--dead-letters", url]);
        program.arg("--signals").arg(&signals)
    };
    misuse("s3://Letters/refused").exit_with(2).assert_says("dead letters: a bucket's name has");
    misuse("gs://letters/refused").exit_with(2).assert_says("only s3://BUCKET/PREFIX");
    let run = misuse("s3://AKIAIOSFODNN7EXAMPLE:c2VjcmV0@letters/refused").exit_with(2);
    run.assert_says("AWS_ACCESS_KEY_ID");
    assert!(!run.stderr.contains("c2VjcmV0"), "{run}");
    let half = misuse("s3://letters/refused").env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    half.exit_with(2).assert_says("Missing SecretAccessKey");
    let config: PathBuf = scratch.file("config.toml", "[dead_letters]\npath = 's3://letters//a'\n");
    let run = flowscout().arg("check").arg("--config").arg(config).exit_with(2);
    run.assert_says("dead_letters.path: the prefix in s3://BUCKET/PREFIX has an empty part");
    assert_eq!(fs::read_to_string(signals).unwrap(), "of an earlier run");
}
