//! What stands still: the data path, a subscription, a server that does not answer.

use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::thread;
use std::time::Duration;

use flowscout_tests::kinesis::{Fault, KinesisServer, Operation, Options};
use flowscout_tests::{Ministack, Scratch};

use super::service::{Setting, put, put_range, sum_of, wait_for};

/// Longer than a pipe holds, as refused lines.
const NONSENSE: &[u8] = &[b'?'; 200_000];

#[test]
fn a_data_path_that_stands_still_for_a_minute_keeps_its_leases_and_stops_reading() {
    let Some(ministack) = Ministack::shared() else { return };
    let server = KinesisServer::start(Options::default());
    server.create_stream("stalled", 2);
    let scratch = Scratch::new();
    let pipe = scratch.path("letters");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Dead letters go to a pipe that nobody empties.
    let letters = format!("[dead_letters]\npath = {pipe:?}\n");
    let setting = Setting::among_others("stalled", &ministack.url(), 10);
    let setting = setting.kinesis("buffer_bytes_max = 50000000").rest(&letters);
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || File::open(pipe).unwrap()
    });
    let service = setting.start_in(scratch, |program| server.serve(program));
    let mut reader = reader.join().unwrap();
    wait_for("leases", || service.metric("flowscout_leases_held") == 2, String::new);
    put(&server, "stalled", 100);
    service.wait_for_records(100);
    for key in 0..400 {
        server.put("stalled", &format!("nonsense-{key}"), NONSENSE);
    }
    put_range(&server, "stalled", 100..200);
    thread::sleep(Duration::from_secs(30));
    let before = server.calls_of(Operation::GetRecords).len();
    thread::sleep(Duration::from_secs(32));
    let calls = server.calls_of(Operation::GetRecords).len() - before;
    assert!(calls <= 2, "{calls} calls while nothing is taken");
    assert_eq!(service.metric("flowscout_leases_held"), 2);
    assert_eq!(service.metric("flowscout_leases_lost_total"), 0);
    assert_eq!(service.metric("flowscout_lease_renewals_failed_total"), 0);
    assert!(service.metric("flowscout_kinesis_checkpoint_age_milliseconds") > 30_000);
    let emptied = thread::spawn(move || std::io::copy(&mut reader.by_ref(), &mut std::io::sink()));
    wait_for("the rest", || service.sum() == sum_of(200), || service.running.stderr());
    assert_eq!(service.metric("flowscout_refused_lines_total"), 400);
    let (run, _scratch) = service.stop();
    assert!(run.memory_bytes_max < 400 << 20, "{} bytes", run.memory_bytes_max);
    emptied.join().unwrap().unwrap();
}

#[test]
fn a_subscription_that_is_silent_is_made_anew() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("silent", 1);
    server.fail(Operation::SubscribeToShard, Fault::Silent, 1);
    put(&server, "silent", 50);
    let setting = Setting::alone("silent").fan_out().kinesis("no_event_s_max = 6");
    let start = super::service::now();
    let service = setting.start(&server);
    service.wait_for_records(50);
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(30), "{took:?}");
    assert_eq!(service.sum(), sum_of(50));
    assert!(service.running.stderr().contains("no event for 6 s"), "{}", service.running.stderr());
    let _ended = service.stop();
}

#[test]
fn a_subscription_that_is_cut_or_ends_is_made_anew_where_it_was() {
    let mut options = Options::default();
    options.fan_out.life = Duration::from_secs(7);
    options.fan_out.exclusive = Duration::from_secs(2);
    let server = KinesisServer::start(options);
    server.create_stream("cut", 2);
    server.fail(Operation::SubscribeToShard, Fault::CutStream, 2);
    server.fail(Operation::SubscribeToShard, Fault::InStream("ResourceInUseException", "taken"), 1);
    let service = Setting::alone("cut").fan_out().start(&server);
    for round in 0..10 {
        put_range(&server, "cut", round * 50..(round + 1) * 50);
        thread::sleep(Duration::from_secs(2));
    }
    wait_for("all", || service.records() >= 500, || service.running.stderr());
    assert_eq!(service.sum(), sum_of(500), "{}", service.running.stderr());
    assert!(server.calls_of(Operation::SubscribeToShard).len() >= 6);
    let _ended = service.stop();
}

#[test]
fn a_server_that_cuts_or_delays_or_answers_nothing_costs_no_record() {
    let server = KinesisServer::start(Options::default());
    server.create_stream("rough", 2);
    put(&server, "rough", 300);
    server.fail(Operation::GetRecords, Fault::Cut, 2);
    server.fail(Operation::GetRecords, Fault::CutAnswer, 2);
    server.fail(Operation::GetRecords, Fault::Status(500), 3);
    server.fail(Operation::GetRecords, Fault::Late(Duration::from_secs(2)), 2);
    server.fail(Operation::GetShardIterator, Fault::Status(503), 2);
    server.fail(Operation::ListShards, Fault::Status(500), 1);
    let service = Setting::alone("rough").start(&server);
    service.wait_for_records(300);
    put_range(&server, "rough", 300..400);
    service.wait_for_records(400);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(service.sum(), sum_of(400));
    let failures = service.metrics("flowscout_kinesis_failures_total");
    assert!(failures.iter().any(|(labels, _)| labels.contains("unavailable")), "{failures:?}");
    let _ended = service.stop();
}
