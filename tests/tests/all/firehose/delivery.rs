//! From the generator, which delivers as Firehose does, to signals; and restarts in the middle.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use flowscout_tests::http::ACCESS_KEY;
use flowscout_tests::{
    Run, Running, Scratch, Signal, TWO_SCANS, Traffic, flowscout, loadgen, wait_for,
};

use super::endpoint::Endpoint;

/// As many records as a replay of the same lines has.
pub(super) fn records_of(traffic: &Traffic) -> u64 {
    let replay = flowscout().arg("replay").arg(&traffic.flows).args(["--report", "json"]);
    replay.succeed().report()["records"].as_u64().unwrap()
}

/// Delivers generated traffic to `endpoint`, one request after the other.
pub(super) fn deliver(endpoint: &Endpoint, url: &str, options: &[&str]) -> Run {
    let put = loadgen().arg("run").args(TWO_SCANS).args(options).args(["--in-flight", "1"]);
    let put = put.env("FLOWSCOUT_FIREHOSE_ACCESS_KEY", ACCESS_KEY).args(["--target", url]);
    let run = put.run();
    assert_eq!(run.code, Some(0), "{run}\n{}", endpoint.service.running.stderr());
    run
}

/// Ends the service, and scores what it found.
pub(super) fn assert_found(endpoint: Endpoint, traffic: &Traffic) {
    let (_run, scratch) = endpoint.service.stop();
    let score = loadgen().arg("score").arg("--truth").arg(&traffic.truth).arg("--signals");
    let score = score.arg(scratch.path("signals.jsonl"));
    let run = score.args(["--min-recall", "1", "--min-precision", "1"]).run();
    assert_eq!(run.code, Some(0), "{run}");
}

/// An address that stays the same over restarts.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn start_at(listen: &str) -> Endpoint {
    Endpoint::start_in(Scratch::new(), listen, "", |program| {
        program.env("FLOWSCOUT_FIREHOSE_ACCESS_KEYS", ACCESS_KEY)
    })
}

/// Delivers in small requests, whoever is there to take them.
fn keep_delivering(listen: &str) -> Running {
    let put = loadgen().arg("run").args(TWO_SCANS).args(["--pace", "100", "--buffer-seconds", "0"]);
    let put = put.args(["--in-flight", "4", "--retry-first-ms", "50"]);
    let put = put.env("FLOWSCOUT_FIREHOSE_ACCESS_KEY", ACCESS_KEY);
    put.args(["--target", &format!("http://{listen}/")]).start()
}

#[test]
fn every_payload_that_firehose_delivers_is_read_and_judged_as_a_replay_of_its_lines() {
    let traffic = Traffic::new(&TWO_SCANS);
    let expected = records_of(&traffic);
    let payloads: [&[&str]; 7] = [
        &["--payload", "message"],
        &["--payload", "message", "--gzip"],
        &["--payload", "plain", "--lines-per-record", "50"],
        &["--payload", "cloudwatch", "--gzip"],
        &["--payload", "cloudwatch"],
        &["--payload", "envelope"],
        &["--payload", "extracted"],
    ];
    for payload in payloads {
        let endpoint = Endpoint::start("");
        deliver(&endpoint, &format!("http://{}/", endpoint.address), payload);
        assert_eq!(endpoint.service.records(), expected, "{payload:?}");
        assert_eq!(endpoint.service.metric("flowscout_refused_lines_total"), 0);
        assert_found(endpoint, &traffic);
    }
}

#[test]
fn restarts_in_the_middle_of_a_delivery_lose_no_record_and_count_none_twice() {
    let traffic = Traffic::new(&TWO_SCANS);
    let expected = records_of(&traffic);
    let listen = free_address();
    let start = || start_at(&listen);
    let mut put = keep_delivering(&listen);
    let mut records = 0;
    for _ in 0..3 {
        let endpoint = start();
        wait_for(
            "records",
            || endpoint.service.records() > 2_000,
            || endpoint.service.running.stderr(),
        );
        let (run, _scratch) = endpoint.service.stop();
        records += told_records(&run);
        thread::sleep(Duration::from_millis(300));
    }
    let endpoint = start();
    wait_for("the rest", || records + endpoint.service.records() >= expected, || put.stderr());
    assert!(put.is_running() || put.stderr().contains("delivered"), "{}", put.stderr());
    let put = put.wait();
    assert_eq!(put.code, Some(0), "{put}");
    let (run, _scratch) = endpoint.service.stop();
    assert_eq!(records + told_records(&run), expected, "{put}");
}

#[test]
fn what_a_killed_task_had_not_answered_is_delivered_to_the_next_one() {
    let traffic = Traffic::new(&TWO_SCANS);
    let expected = records_of(&traffic);
    let listen = free_address();
    let start = || start_at(&listen);
    let put = keep_delivering(&listen);
    let endpoint = start();
    wait_for(
        "records",
        || endpoint.service.records() > 5_000,
        || endpoint.service.running.stderr(),
    );
    let seen = endpoint.service.records();
    let killed = endpoint.service.running.end(Signal::Kill);
    assert_eq!(killed.code, None);
    let endpoint = start();
    let put = put.wait();
    assert_eq!(put.code, Some(0), "{put}");
    let (run, _scratch) = endpoint.service.stop();
    // Its own state was lost with it; what it had not answered was not.
    let rest = told_records(&run);
    assert!(
        rest < expected && rest + seen + 4 * 1_000 >= expected,
        "{rest} of {expected}, {seen} seen"
    );
}

/// What the report at the end says.
fn told_records(run: &Run) -> u64 {
    let seen = run.stderr.rsplit("records ").find(|rest| rest.contains(" per second)")).unwrap();
    seen.trim_start().split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

#[test]
fn what_firehose_gave_up_is_replayed_from_its_backup() {
    let traffic = Traffic::new(&TWO_SCANS);
    let expected = records_of(&traffic);
    let scratch = Scratch::new();
    let nobody = free_address();
    let put = loadgen().arg("run").args(TWO_SCANS).args(["--retry-seconds", "0", "--backup"]);
    let put = put.arg(scratch.path("backup")).args(["--target", &format!("http://{nobody}/")]);
    assert_eq!(put.run().code, Some(1));
    let replay = flowscout().arg("replay").arg(scratch.path("backup"));
    let replay = replay.args(["--report", "json", "--signals"]).arg(scratch.path("signals.jsonl"));
    assert_eq!(replay.succeed().report()["records"], expected);
    let score = loadgen().arg("score").arg("--truth").arg(&traffic.truth).arg("--signals");
    let score = score.arg(scratch.path("signals.jsonl"));
    assert_eq!(score.args(["--min-recall", "1", "--min-precision", "1"]).run().code, Some(0));
}
