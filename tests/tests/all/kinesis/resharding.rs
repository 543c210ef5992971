//! Splits, merges and cascades of both while records flow: none is lost, none comes twice.

use std::thread;
use std::time::Duration;

use flowscout_tests::kinesis::{EndContinuation, FanOut, KinesisServer, Options};
use flowscout_tests::{KinesisMock, Ministack, aws};

use super::service::{Putter, Service, Setting, line, sum_of, wait_for};

/// Halves, joins and scales the stream while records are put; how many were.
fn put_while_resharding(server: &KinesisServer, stream: &str) -> u64 {
    let putter = Putter::new(server, stream);
    let pause = Duration::from_millis(2);
    thread::scope(|scope| {
        let putting = scope.spawn(|| putter.run(pause));
        let wait = || thread::sleep(Duration::from_millis(1_500));
        wait();
        let shards = server.open_shards(stream);
        server.split(stream, &shards[0], 1 << 120);
        wait();
        let shards = server.open_shards(stream);
        server.merge(stream, &shards[1], &shards[2]);
        wait();
        // A cascade: generations that nobody had time to read.
        for shards in [5, 2, 7, 3] {
            server.scale(stream, shards);
        }
        wait();
        putter.stop();
        putting.join().unwrap()
    })
}

fn loses_nothing(server: &KinesisServer, setting: &Setting, tasks: usize) {
    let services: Vec<Service> = (0..tasks).map(|_| setting.start(server)).collect();
    let stream = &setting.streams[0];
    let count = put_while_resharding(server, stream);
    let total = || services.iter().map(Service::sum).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let seen = || {
        let said: Vec<String> = services.iter().map(|service| service.running.stderr()).collect();
        format!("{:?} of {count}\n{}", total(), said.join("\n===\n"))
    };
    wait_for("all records", || total().0 >= count, seen);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(total(), sum_of(count), "{}", seen());
    services.into_iter().for_each(|service| drop(service.stop()));
}

#[test]
fn polling_loses_nothing_over_a_reshard() {
    for shard_end_comes_alone in [false, true] {
        let server = KinesisServer::start(Options { shard_end_comes_alone, ..Options::default() });
        server.create_stream("reshard", 2);
        loses_nothing(&server, &Setting::alone("reshard"), 1);
    }
}

#[test]
fn fan_out_loses_nothing_over_a_reshard() {
    let ends = [EndContinuation::Absent, EndContinuation::Null, EndContinuation::Empty];
    for end in ends.into_iter().chain([EndContinuation::Last]) {
        let fan_out = FanOut { end, exclusive: Duration::from_millis(500), ..FanOut::default() };
        let server = KinesisServer::start(Options { fan_out, ..Options::default() });
        server.create_stream("reshard", 2);
        loses_nothing(&server, &Setting::alone("reshard").fan_out(), 1);
    }
}

#[test]
fn two_tasks_lose_nothing_over_a_reshard() {
    let Some(ministack) = Ministack::shared() else { return };
    let server = KinesisServer::start(Options::default());
    server.create_stream("reshard-of-two", 2);
    let setting = Setting::among_others("reshard-of-two", &ministack.url(), 4);
    loses_nothing(&server, &setting, 2);
}

#[test]
fn polling_loses_nothing_over_a_reshard_of_kinesis_mock() {
    let Some(mock) = KinesisMock::shared() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = aws::kinesis_client(&mock.url());
    let stream = "reshard";
    let settled = async || {
        loop {
            let answer = client.describe_stream_summary().stream_name(stream).send().await.unwrap();
            let summary = answer.stream_description_summary.unwrap();
            if summary.stream_status.as_str() == "ACTIVE" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let put = async |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let data = aws_sdk_kinesis::primitives::Blob::new(line(number));
            let request = client.put_record().stream_name(stream).data(data);
            request.partition_key(format!("key-{number}")).send().await.unwrap();
        }
    };
    runtime.block_on(async {
        client.create_stream().stream_name(stream).shard_count(1).send().await.unwrap();
        settled().await;
    });
    let service = Setting::alone(stream).start_at(|program| mock.serve(program));
    runtime.block_on(async {
        put(0..100).await;
        let split = client.split_shard().stream_name(stream).shard_to_split("shardId-000000000000");
        split.new_starting_hash_key((1u128 << 127).to_string()).send().await.unwrap();
        settled().await;
        put(100..200).await;
        let merge = client.merge_shards().stream_name(stream);
        let merge = merge.shard_to_merge("shardId-000000000001");
        merge.adjacent_shard_to_merge("shardId-000000000002").send().await.unwrap();
        settled().await;
        put(200..300).await;
    });
    service.wait_for_records(300);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(service.sum(), sum_of(300), "{}", service.running.stderr());
    let _ended = service.stop();
}
