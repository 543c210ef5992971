//! From new objects, on every way to the queue and in every form, to signals.

use flowscout_tests::notifications::{Notifications, Route};
use flowscout_tests::records::sum_of;
use flowscout_tests::{Ministack, S3, TWO_SCANS, Traffic, flowscout, loadgen, parquet};
use serde_json::Value;

use super::fixture::{Setting, hive_key, plain_key, put, text_object, wait_until_empty};

const LINES_PER_OBJECT: usize = 5_000;
/// Objects are read side by side, so that requests and their replies come apart: docs/s3.md says so, and what to do.
const SETTLE: &str = "[window]\nsettle_s = 300\n";

fn objects(traffic: &Traffic, is_parquet: bool) -> Vec<(String, Vec<u8>)> {
    let text = String::from_utf8(traffic.lines()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let object = |(number, lines): (usize, &[&str])| {
        if is_parquet {
            (hive_key(number), parquet(lines))
        } else {
            (plain_key(number), text_object(&(lines.join("\n") + "\n")))
        }
    };
    lines.chunks(LINES_PER_OBJECT).enumerate().map(object).collect()
}

/// Puts generated traffic, and requires that it is read and judged as a replay of the same lines is, and the queue is empty
/// afterwards.
fn delivers(bucket: &Notifications, traffic: &Traffic, is_parquet: bool) {
    let replay = flowscout().arg("replay").arg(&traffic.flows).args(["--report", "json"]);
    let report: Value = replay.succeed().report();
    let expected = ["records", "bytes"].map(|name| report[name].as_u64().unwrap());
    let setting = Setting { rest: SETTLE.to_owned(), ..Setting::new("") };
    let objects = objects(traffic, is_parquet);
    assert!(objects.len() >= 4, "several are read at once");
    for (key, content) in &objects {
        bucket.put(key, content);
    }
    let service = setting.start(bucket);
    service.wait_for_records(expected[0]);
    wait_until_empty(bucket, &service);
    assert_eq!(service.sum(), (expected[0], expected[1]), "{}", bucket.bucket());
    assert_eq!(service.metric("flowscout_refused_lines_total"), 0);
    assert_eq!(service.metric("flowscout_s3_objects_total"), objects.len() as u64);
    let bytes: usize = objects.iter().map(|(_, content)| content.len()).sum();
    assert_eq!(service.metric("flowscout_s3_bytes_total"), bytes as u64);
    let messages = service.metric("flowscout_s3_messages_received_total");
    assert_eq!(service.metric("flowscout_s3_messages_deleted_total"), messages);
    let (_run, scratch) = service.stop();
    let score = loadgen().arg("score").arg("--truth").arg(&traffic.truth).arg("--signals");
    let score = score.arg(scratch.path("signals.jsonl"));
    let _score = score.args(["--min-recall", "1", "--min-precision", "1"]).succeed();
}

#[test]
fn text_is_read_to_the_signals_of_a_replay_whichever_way_the_queue_is_told() {
    let Some(ministack) = Ministack::shared() else { return };
    let traffic = Traffic::new(&TWO_SCANS);
    for (name, route) in [
        ("text-direct", Route::Direct),
        ("text-sns", Route::Sns),
        ("text-sns-raw", Route::SnsRaw),
        ("text-eventbridge", Route::EventBridge),
        ("text-eventbridge-sns", Route::EventBridgeSns),
    ] {
        delivers(&Notifications::new(&ministack.url(), name, route), &traffic, false);
    }
}

#[test]
fn parquet_is_read_to_the_signals_of_a_replay_with_hives_names_and_a_space_in_its_keys() {
    let Some(ministack) = Ministack::shared() else { return };
    let traffic = Traffic::new(&TWO_SCANS);
    for (name, route) in
        [("parquet-direct", Route::Direct), ("parquet-eventbridge", Route::EventBridge)]
    {
        delivers(&Notifications::new(&ministack.url(), name, route), &traffic, true);
    }
}

#[test]
fn moto_is_read_as_well() {
    let Some(moto) = S3::start() else { return };
    let bucket = Notifications::new(&moto.url(), "moto-direct", Route::Direct);
    delivers(&bucket, &Traffic::new(&TWO_SCANS), false);
}

#[test]
fn an_object_that_is_named_again_counts_once() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "named-again", Route::Direct);
    // Twice before anything is read, so that both are read at once, and in one message.
    put(&bucket, 0..3_000, 500);
    let keys = ["logs/00000000.log.gz", "logs/00000500.log.gz"];
    bucket.tell_of(&keys[..1]);
    bucket.tell_of(&keys);
    bucket.tell_of(&[keys[0], keys[0]]);
    let service = Setting::new("").start(&bucket);
    service.wait_for_records(3_000);
    wait_until_empty(&bucket, &service);
    // And when all of it was applied.
    bucket.tell_of(&keys);
    let is_told = || service.metric("flowscout_s3_object_repeats_total") >= 2;
    flowscout_tests::wait_for("repeats", is_told, String::new);
    wait_until_empty(&bucket, &service);
    assert_eq!(service.sum(), sum_of(3_000));
    let _ended = service.stop();
}

#[test]
fn what_is_no_new_object_is_deleted_and_counted() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "other-events", Route::Direct);
    let told = bucket.depth().0;
    bucket.send(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"other-events"}"#);
    bucket.send(r#"{"Records":[{"eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"other-events"},"object":{"key":"a"}}}]}"#);
    bucket.put("folder/", b"");
    let service = Setting::new("").start(&bucket);
    wait_until_empty(&bucket, &service);
    assert_eq!(service.metric("flowscout_s3_events_ignored_total"), told + 3);
    assert_eq!(service.metric("flowscout_s3_objects_total"), 0);
    let _ended = service.stop();
}
