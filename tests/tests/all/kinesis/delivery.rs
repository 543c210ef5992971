//! From the generator through a stream to signals: every payload, by polling and by fan-out, on every server.

use flowscout_tests::kinesis::{KinesisServer, Options};
use flowscout_tests::{
    KinesisMock, Ministack, Program, TWO_SCANS, Traffic, aws, flowscout, loadgen,
};

use super::service::{Setting, put, put_range, sum_of};

/// What `loadgen` is told of payloads.
const PAYLOADS: [&[&str]; 5] = [
    &["--payload", "plain", "--lines-per-record", "20"],
    &["--payload", "plain", "--aggregate"],
    &["--payload", "message"],
    &["--payload", "cloudwatch"],
    &["--payload", "cloudwatch", "--aggregate", "--partition-key", "random"],
];

/// Puts generated traffic as `payload`, and requires that `setting` reads and judges it as a replay of the same lines does.
fn delivers(
    setting: &Setting,
    payload: &[&str],
    serve: impl Fn(Program) -> Program,
    traffic: &Traffic,
    options: &[&str],
) {
    let replay = flowscout().arg("replay").arg(&traffic.flows).args(["--report", "json"]);
    let expected = replay.succeed().report()["records"].as_u64().unwrap();
    let target = format!("kinesis:{}", setting.streams[0]);
    let put = loadgen().arg("run").args(options).args(payload).args(["--target", &target]);
    let put = serve(put).succeed();
    put.assert_says("records");
    let service = setting.start_at(&serve);
    service.wait_for_records(expected);
    assert_eq!(service.metric("flowscout_refused_lines_total"), 0);
    let (run, scratch) = service.stop();
    let seen = run.stderr.split("records ").nth(1).unwrap();
    let seen = seen.trim_start().split(' ').next().unwrap().replace(',', "");
    assert_eq!(seen, expected.to_string(), "{payload:?}: {run}");
    let signals = scratch.path("signals.jsonl");
    let score = loadgen().arg("score").arg("--truth").arg(&traffic.truth).arg("--signals");
    let score = score.arg(signals).args(["--min-recall", "1", "--min-precision", "1"]);
    score.succeed().assert_well();
}

trait Well {
    fn assert_well(self);
}

impl Well for flowscout_tests::Run {
    fn assert_well(self) {
        assert_eq!(self.code, Some(0), "{self}");
    }
}

#[test]
fn every_payload_is_polled_to_the_signals_of_a_replay() {
    let (server, traffic) = (KinesisServer::start(Options::default()), Traffic::new(&TWO_SCANS));
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let stream = format!("polled-{number}");
        server.create_stream(&stream, 3);
        delivers(
            &Setting::alone(&stream),
            payload,
            |program| server.serve(program),
            &traffic,
            &TWO_SCANS,
        );
    }
}

#[test]
fn every_payload_is_fanned_out_to_the_signals_of_a_replay() {
    let (server, traffic) = (KinesisServer::start(Options::default()), Traffic::new(&TWO_SCANS));
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let stream = format!("fanned-{number}");
        server.create_stream(&stream, 3);
        let setting = Setting::alone(&stream).fan_out();
        delivers(&setting, payload, |program| server.serve(program), &traffic, &TWO_SCANS);
    }
}

fn create(url: &str, stream: &str, shards: i32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = aws::kinesis_client(url);
        client.create_stream().stream_name(stream).shard_count(shards).send().await.unwrap();
        loop {
            let answer = client.describe_stream_summary().stream_name(stream).send().await.unwrap();
            let summary = answer.stream_description_summary.unwrap();
            if summary.stream_status.as_str() == "ACTIVE" {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn ministack_is_polled_and_fanned_out() {
    let Some(ministack) = Ministack::shared() else { return };
    let traffic = Traffic::new(&TWO_SCANS);
    for (stream, is_fan_out) in [("delivery-polled", false), ("delivery-fanned", true)] {
        create(&ministack.url(), stream, 2);
        let setting = Setting::among_others(stream, &ministack.url(), 10);
        let setting = if is_fan_out { setting.fan_out() } else { setting };
        let serve = |program| ministack.serve(program);
        delivers(&setting, &["--payload", "cloudwatch"], serve, &traffic, &TWO_SCANS);
    }
}

#[test]
fn kinesis_mock_is_polled() {
    let Some(mock) = KinesisMock::shared() else { return };
    let options = ["--rate", "10", "--seconds", "1200", "--scenario", "vertical-scan"];
    let traffic = Traffic::new(&options);
    create(&mock.url(), "delivery", 2);
    let payload = ["--payload", "plain", "--lines-per-record", "50"];
    let setting = Setting::alone("delivery");
    delivers(&setting, &payload, |program| mock.serve(program), &traffic, &options);
}

#[test]
fn several_streams_share_a_table() {
    let server = KinesisServer::start(Options::default());
    for stream in ["first", "second"] {
        server.create_stream(stream, 2);
        put(&server, stream, 500);
    }
    let mut setting = Setting::alone("first");
    setting.streams.push("second".to_owned());
    let service = setting.start(&server);
    service.wait_for_records(1_000);
    let (run, scratch) = service.stop();
    put_range(&server, "second", 500..700);
    let service = setting.start_in(scratch, |program| server.serve(program));
    service.wait_for_records(200);
    assert_eq!(service.records(), 200, "what was checkpointed is not read again: {run}");
    let _ended = service.stop();
}

#[test]
fn a_restart_reads_on_where_the_last_run_was_told_to_stop() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("restart", 2);
    let setting = Setting::alone("restart");
    put(&server, "restart", 1_000);
    let service = setting.start(&server);
    service.wait_for_records(1_000);
    let first = service.sum();
    let (_run, scratch) = service.stop();
    put_range(&server, "restart", 1_000..1_500);
    let service = setting.start_in(scratch, |program| server.serve(program));
    service.wait_for_records(500);
    let second = service.sum();
    let _ended = service.stop();
    assert_eq!((first.0 + second.0, first.1 + second.1), sum_of(1_500));
}

#[test]
fn a_kill_repeats_what_has_no_checkpoint_and_nothing_else() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("killed", 1);
    let setting = Setting::alone("killed");
    put(&server, "killed", 1_000);
    let service = setting.start(&server);
    service.wait_for_records(1_000);
    let is_checkpointed = || service.metric("flowscout_kinesis_checkpoints_total") > 0;
    super::service::wait_for("a checkpoint", is_checkpointed, String::new);
    let (_run, scratch) = service.stop();
    // From here on no checkpoint is written.
    let setting = Setting::alone("killed").kinesis("");
    let setting = Setting {
        kinesis: setting.kinesis.replace("checkpoint_s = 1", "checkpoint_s = 300"),
        ..setting
    };
    let service = setting.start_in(scratch, |program| server.serve(program));
    put_range(&server, "killed", 1_000..1_200);
    service.wait_for_records(200);
    let scratch = service.scratch;
    let _killed = service.running.end(flowscout_tests::Signal::Kill);
    let service = setting.start_in(scratch, |program| server.serve(program));
    put_range(&server, "killed", 1_200..1_300);
    service.wait_for_records(300);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let (all, checkpointed) = (sum_of(1_300), sum_of(1_000));
    assert_eq!(service.sum(), (all.0 - checkpointed.0, all.1 - checkpointed.1));
    let _ended = service.stop();
}

#[test]
fn latest_reads_only_what_comes_later_and_a_time_what_came_since() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("initial", 2);
    put(&server, "initial", 300);
    let latest = Setting::alone("initial").kinesis("initial_position = \"LATEST\"").start(&server);
    let is_reading = || server.calls_of(flowscout_tests::kinesis::Operation::GetRecords).len() >= 2;
    super::service::wait_for("two shards", is_reading, String::new);
    let past = Setting::alone("initial")
        .kinesis("initial_position = \"2026-01-01T00:00:00Z\"")
        .start(&server);
    put_range(&server, "initial", 300..400);
    latest.wait_for_records(100);
    past.wait_for_records(400);
    assert_eq!((latest.records(), past.sum()), (100, sum_of(400)));
    let _ended = (latest.stop(), past.stop());
}

#[test]
fn latest_loses_nothing_between_two_tasks_that_have_not_read_anything() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("handed-on", 1);
    put(&server, "handed-on", 100);
    let setting = Setting::alone("handed-on").kinesis("initial_position = \"LATEST\"");
    let service = setting.start(&server);
    let reads = || server.calls_of(flowscout_tests::kinesis::Operation::GetRecords).len();
    super::service::wait_for("a read", || reads() > 0, String::new);
    let scratch = service.scratch;
    let _killed = service.running.end(flowscout_tests::Signal::Kill);
    put_range(&server, "handed-on", 100..200);
    let service = setting.start_in(scratch, |program| server.serve(program));
    service.wait_for_records(100);
    let (all, old) = (sum_of(200), sum_of(100));
    assert_eq!(service.sum(), (all.0 - old.0, all.1 - old.1));
    let _ended = service.stop();
}
