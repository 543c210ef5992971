//! What the service refuses, and what a user is told.

use std::time::Duration;

use flowscout_tests::kinesis::{Fault, KinesisServer, Operation, Options};
use flowscout_tests::{Scratch, aws};

use super::service::{Service, Setting, now, put, put_range, sum_of, wait_for};

fn failures(service: &Service, reason: &str) -> u64 {
    let series = service.metrics("flowscout_kinesis_failures_total");
    let reason = format!("reason=\"{reason}\"");
    series.iter().filter(|(labels, _)| labels.contains(&reason)).map(|(_, count)| count).sum()
}

#[test]
fn an_expired_iterator_costs_no_record_and_repeats_none() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("expired", 2);
    let service = Setting::alone("expired").start(&server);
    for round in 0..4 {
        put_range(&server, "expired", round * 100..(round + 1) * 100);
        service.wait_for_records((round + 1) * 100);
        server.expire_iterators();
    }
    put_range(&server, "expired", 400..500);
    service.wait_for_records(500);
    assert_eq!(service.sum(), sum_of(500));
    assert!(failures(&service, "expired_iterator") > 0);
    let _ended = service.stop();
}

#[test]
fn an_iterator_that_expired_before_the_first_record_does_not_jump_to_the_newest() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("expired-first", 1);
    let setting = Setting::alone("expired-first").kinesis("initial_position = \"LATEST\"");
    let service = setting.start(&server);
    let is_reading = || !server.calls_of(Operation::GetRecords).is_empty();
    wait_for("a read", is_reading, String::new);
    // The reads after this one fail until the records are there, and then find their iterator expired.
    server.fail(Operation::GetRecords, Fault::Status(500), 4);
    std::thread::sleep(Duration::from_millis(500));
    put(&server, "expired-first", 100);
    server.expire_iterators();
    service.wait_for_records(100);
    assert_eq!(service.sum(), sum_of(100));
    let _ended = service.stop();
}

#[test]
fn two_applications_share_the_five_reads_a_second() {
    let server = KinesisServer::start(Options::default().throttled());
    server.create_stream("throttled", 1);
    let [first, second] = [(); 2].map(|()| Setting::alone("throttled").start(&server));
    let start = now();
    let mut number = 0;
    while start.elapsed() < Duration::from_secs(10) {
        server.put("throttled", "key", super::service::line(number).as_bytes());
        number += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    for service in [&first, &second] {
        service.wait_for_records(number);
        assert_eq!(service.sum(), sum_of(number));
    }
    assert!(failures(&first, "throttled") + failures(&second, "throttled") > 0);
    let _ended = (first.stop(), second.stop());
}

#[test]
fn a_single_reader_is_not_throttled() {
    let server = KinesisServer::start(Options::default().throttled());
    server.create_stream("paced", 1);
    // Three megabytes wait: an answer and a half.
    for number in 0..3_000 {
        let line = super::service::line(number);
        server.put("paced", "key", line.repeat(12).as_bytes());
        if number % 800 == 799 {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    let service = Setting::alone("paced").start(&server);
    service.wait_for_records(36_000);
    assert_eq!(failures(&service, "throttled"), 0);
    let calls = server.calls_of(Operation::GetRecords);
    let times: Vec<Duration> = calls.iter().map(|call| call.at).collect();
    for five in times.windows(6) {
        let took = five[5].saturating_sub(five[0]);
        assert!(took >= Duration::from_millis(950), "six calls within {took:?}");
    }
    let _ended = service.stop();
}

#[test]
fn records_that_were_trimmed_before_they_were_read_are_a_data_gap() {
    // AWS may refuse the position, or go on with the oldest record.
    for trimmed_sequence_numbers_are_refused in [true, false] {
        let options = Options { trimmed_sequence_numbers_are_refused, ..Options::default() };
        gap_is_told(&KinesisServer::start(options));
    }
}

fn gap_is_told(server: &KinesisServer) {
    server.create_stream("trimmed", 1);
    let setting = Setting::alone("trimmed");
    put(server, "trimmed", 100);
    let service = setting.start(server);
    service.wait_for_records(100);
    let (_run, scratch) = service.stop();
    put_range(server, "trimmed", 100..200);
    let (shard, sequence) = server.put("trimmed", "key", super::service::line(200).as_bytes());
    server.trim("trimmed", &shard, &sequence);
    let service = setting.start_in(scratch, |program| server.serve(program));
    service.wait_for_records(1);
    assert_eq!(service.metric("flowscout_kinesis_gaps_total"), 1);
    let (_run, scratch) = service.stop();
    let signals = std::fs::read_to_string(scratch.path("signals.jsonl")).unwrap();
    let gap = signals.lines().find(|line| line.contains("\"data_gap\"")).unwrap();
    assert!(gap.contains("\"src\":\"trimmed/shardId-000000000000\""), "{gap}");
}

#[test]
fn a_stream_that_is_not_there_or_may_not_be_read_is_told_at_the_start() {
    let server = KinesisServer::start(Options::default());
    let run = |setting: &Setting| {
        let scratch = Scratch::new();
        setting.program(&scratch, |program| server.serve(program)).exit_with(1)
    };
    let missing = run(&Setting::alone("missing"));
    missing.assert_says("missing: kinesis:DescribeStreamSummary: not found");
    server.create_stream("denied", 1);
    let message = "User: nobody is not authorized to perform: kinesis:DescribeStreamSummary";
    server.fail(
        Operation::DescribeStreamSummary,
        Fault::Error("AccessDeniedException", message),
        9,
    );
    let denied = run(&Setting::alone("denied"));
    denied
        .assert_says("kinesis:DescribeStreamSummary: access denied: allow it in the role's policy");
}

#[test]
fn a_permission_that_is_taken_away_and_given_back_costs_no_record() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("revoked", 1);
    let mut service = Setting::alone("revoked").start(&server);
    put(&server, "revoked", 50);
    service.wait_for_records(50);
    server.fail(Operation::GetRecords, Fault::Error("AccessDeniedException", "no"), 1);
    service.running.wait_until_says("kinesis:GetRecords: access denied");
    server.fail(
        Operation::GetRecords,
        Fault::Error("KMSAccessDeniedException", "the ciphertext refers to a key"),
        1,
    );
    put_range(&server, "revoked", 50..100);
    service.running.wait_until_says("the role needs kms:Decrypt");
    service.wait_for_records(100);
    assert_eq!(service.sum(), sum_of(100));
    assert_eq!((failures(&service, "access_denied"), failures(&service, "kms")), (1, 1));
    let _ended = service.stop();
}

#[test]
fn a_stream_that_is_deleted_ends_the_run_unless_there_are_others() {
    let server = KinesisServer::start(Options::default());
    for stream in ["kept", "deleted"] {
        server.create_stream(stream, 1);
        put(&server, stream, 10);
    }
    let mut setting = Setting::alone("deleted");
    setting.streams.push("kept".to_owned());
    let both = setting.start(&server);
    let alone = Setting::alone("deleted").start(&server);
    both.wait_for_records(20);
    alone.wait_for_records(10);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = aws::kinesis_client(&server.url());
        client.delete_stream().stream_name("deleted").send().await.unwrap();
    });
    let run = alone.running.wait();
    assert_eq!(run.code, Some(1), "{run}");
    run.assert_says("deleted: the stream was deleted");
    put_range(&server, "kept", 10..30);
    both.wait_for_records(40);
    assert!(both.running.stderr().contains("the stream was deleted"));
    let _ended = both.stop();
}

#[test]
fn nothing_to_read_and_no_region_are_mistakes_of_the_user() {
    let scratch = Scratch::new();
    let empty = scratch.file("empty.toml", "");
    let run = flowscout_tests::flowscout().arg("run").arg("--config").arg(&empty).exit_with(2);
    run.assert_says("sources.s3.queue_url are empty: there is nothing to read");
    let config = scratch.file("c.toml", "[sources.kinesis]\nstreams = [\"flows\"]\n");
    let program = flowscout_tests::flowscout().arg("run").arg("--config").arg(config);
    let run = program.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nowhere").exit_with(2);
    run.assert_says("no AWS region: set AWS_REGION");
}

#[test]
fn a_second_process_on_a_lease_file_is_refused() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("locked", 1);
    let setting = Setting::alone("locked");
    let service = setting.start(&server);
    wait_for("leases", || service.metric("flowscout_leases_held") == 1, String::new);
    let second = setting.program(&service.scratch, |program| server.serve(program));
    second.exit_with(2).assert_says("lease");
    let _ended = service.stop();
}

#[test]
fn a_consumer_that_was_deregistered_is_registered_again_and_reads_on() {
    let mut options = Options::default();
    options.fan_out.exclusive = Duration::from_millis(500);
    let server = KinesisServer::start(options);
    server.create_stream("consumer", 1);
    put(&server, "consumer", 50);
    let service = Setting::alone("consumer").fan_out().start(&server);
    service.wait_for_records(50);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = aws::kinesis_client(&server.url());
        let stream = client.describe_stream_summary().stream_name("consumer").send().await.unwrap();
        let arn = stream.stream_description_summary.unwrap().stream_arn;
        let consumer = client.deregister_stream_consumer().stream_arn(arn);
        consumer.consumer_name("flowscout").send().await.unwrap();
    });
    put_range(&server, "consumer", 50..100);
    service.wait_for_records(100);
    assert_eq!(service.sum(), sum_of(100), "{}", service.running.stderr());
    let (_run, scratch) = service.stop();
    let signals = std::fs::read_to_string(scratch.path("signals.jsonl")).unwrap();
    assert!(!signals.contains("data_gap"), "{signals}");
}

#[test]
fn a_shard_that_expired_unread_is_a_data_gap_and_its_children_are_read() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("gone", 1);
    put(&server, "gone", 50);
    let setting = Setting::alone("gone");
    let service = setting.start(&server);
    service.wait_for_records(50);
    let (_run, scratch) = service.stop();
    put_range(&server, "gone", 50..60);
    let shard = server.open_shards("gone").remove(0);
    server.split("gone", &shard, 1 << 127);
    put_range(&server, "gone", 60..100);
    server.expire_shard("gone", &shard);
    let service = setting.start_in(scratch, |program| server.serve(program));
    service.wait_for_records(40);
    let (_run, scratch) = service.stop();
    let signals = std::fs::read_to_string(scratch.path("signals.jsonl")).unwrap();
    assert!(signals.contains("data_gap"), "{signals}");
}

#[test]
fn a_consumer_that_may_not_be_described_is_not_asked_for_again_and_again() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("undescribed", 4);
    let denied = Fault::Error("AccessDeniedException", "no");
    server.fail(Operation::DescribeStreamConsumer, denied, 1_000);
    let mut service = Setting::alone("undescribed").fan_out().start(&server);
    service.running.wait_until_says("kinesis:DescribeStreamConsumer: access denied");
    std::thread::sleep(Duration::from_secs(5));
    let calls = server.calls_of(Operation::DescribeStreamConsumer).len();
    assert!(calls <= 4, "{calls} calls");
    let _ended = service.stop();
}
