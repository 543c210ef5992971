//! Objects and messages that cannot be read, queues that are not there, and what a user is told.

use flowscout_tests::notifications::{Notifications, Route};
use flowscout_tests::records::{line, sum_of};
use flowscout_tests::{Ministack, Scratch, wait_for};
use serde_json::Value;

use super::fixture::{Setting, failures, put, text_object, wait_until_empty};

/// Reason, source and refused bytes of each letter.
fn letters(scratch: &Scratch) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(scratch.path("letters")).unwrap();
    let letter = |line: &str| {
        let letter: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| letter[name].as_str().unwrap().to_owned();
        let data = base64_turbo::STANDARD.decode(field("data")).unwrap();
        (field("reason"), field("source"), String::from_utf8(data).unwrap())
    };
    text.lines().map(letter).collect()
}

/// A text object of the records `records` that breaks off in the middle.
fn broken_object(records: std::ops::Range<u64>) -> Vec<u8> {
    let lines: String = records.map(line).collect();
    let mut object = text_object(&lines);
    // The end of the last block, checksum and length: all lines can be read, and then it is no gzip.
    object.truncate(object.len() - 8);
    object.extend_from_slice(b"rubbish!");
    object
}

#[test]
fn what_cannot_be_read_becomes_a_letter_after_its_tries_and_nothing_else_suffers() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "given-up", Route::Direct);
    let scratch = Scratch::new();
    let mut setting = Setting::with_letters("tries_max = 2", &scratch);
    setting.rest.push_str("bytes_max = 0\nsample_above = 0\n");
    let service = setting.start_in(&bucket, scratch);
    put(&bucket, 0..1_000, 250);
    bucket.put("corrupt.log.gz", &broken_object(1_000..1_500));
    bucket.tell_of(&["no such object"]);
    bucket.send("hello");
    service.wait_for_records(1_500);
    wait_for("a first try", || failures(&service, "not_found") == 1, String::new);
    put(&bucket, 1_500..2_000, 250);
    wait_until_empty(&bucket, &service);
    assert_eq!(service.sum(), sum_of(2_000), "what came before the fault counts, and once");
    let reasons =
        ["corrupt", "not_understood", "not_found"].map(|reason| failures(&service, reason));
    assert_eq!(reasons, [1, 1, 2], "{}", service.running.stderr());
    assert_eq!(service.metric("flowscout_s3_given_up_total"), 3);
    let (_run, scratch) = service.stop();
    let mut letters = letters(&scratch);
    letters.sort_by(|one, other| one.1.cmp(&other.1));
    assert!(letters.iter().all(|(reason, ..)| reason == "unreadable_object"), "{letters:?}");
    let sources: Vec<&str> = letters.iter().map(|(_, source, _)| source.as_str()).collect();
    let [queue, corrupt, missing] = &sources[..] else { panic!("{sources:?}") };
    assert!(queue.starts_with(bucket.queue_url()), "{queue}");
    assert!(corrupt.starts_with("s3://given-up/corrupt.log.gz"), "{corrupt}");
    assert!(missing.starts_with("s3://given-up/no such object"), "{missing}");
    assert_eq!(letters[0].2, "hello");
    assert!(letters[2].2.contains("\"key\":\"no such object\""), "{}", letters[2].2);
}

#[test]
fn without_dead_letters_a_message_stays_with_the_queue() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "kept", Route::Direct);
    let service = Setting::new("tries_max = 1").start(&bucket);
    bucket.put("corrupt.log.gz", &broken_object(0..500));
    bucket.send("hello");
    put(&bucket, 500..1_000, 250);
    service.wait_for_records(1_000);
    let is_told = || service.metric("flowscout_s3_messages_given_back_total") == 2;
    wait_for("both given back", is_told, || service.running.stderr());
    wait_for("the others gone", || bucket.depth() == (0, 2), || format!("{:?}", bucket.depth()));
    assert_eq!(service.metric("flowscout_s3_given_up_total"), 0);
    let (run, _scratch) = service.stop();
    run.assert_says("corrupt");
    assert_eq!(bucket.depth(), (0, 2), "they wait their time");
}

#[test]
fn an_outage_of_s3_gives_no_message_up() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::new(&ministack.url(), "outage", Route::Direct);
    let scratch = Scratch::new();
    // Nobody listens there.
    let nowhere = "tries_max = 1\nendpoint_url = \"http://127.0.0.1:9\"";
    let service = Setting::with_letters(nowhere, &scratch).start_in(&bucket, scratch);
    put(&bucket, 0..1_000, 500);
    let is_told = || service.metric("flowscout_s3_messages_given_back_total") >= 2;
    wait_for("both given back", is_told, || service.running.stderr());
    assert_eq!(failures(&service, "unavailable"), 2);
    let (_run, scratch) = service.stop();
    assert_eq!(letters(&scratch), []);
    let (visible, hidden) = bucket.depth();
    assert_eq!(visible + hidden, 2);
}

#[test]
fn a_queue_that_is_not_there_ends_the_run_at_its_start() {
    let Some(ministack) = Ministack::shared() else { return };
    let bucket = Notifications::without_events(&ministack.url(), "there");
    let scratch = Scratch::new();
    let config = scratch.file(
        "flowscout.toml",
        format!("[sources.s3]\nqueue_url = {:?}\n", bucket.queue_url().replace("there", "missing")),
    );
    let program = flowscout_tests::flowscout().arg("run").arg("--config").arg(config);
    let program = program.arg("--signals").arg(scratch.path("signals.jsonl"));
    let run = bucket.serve(program).exit_with(1);
    run.assert_says("missing: sqs:ReceiveMessage: there is no such queue");
}
