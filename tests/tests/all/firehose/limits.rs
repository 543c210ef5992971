//! What is too much, too slow or too many: the right answer, and bounded memory.

use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use base64_turbo::STANDARD;
use flowscout_tests::http::{ACCESS_KEY, Connection, Post};
use flowscout_tests::records::sum_of;
use flowscout_tests::{Scratch, gzip, now, wait_for};

use super::endpoint::{Endpoint, assert_is_an_answer};
use super::request::vended;

const MIB: usize = 1 << 20;

#[test]
fn ten_thousand_records_are_taken_and_one_more_is_refused_with_400() {
    let endpoint = Endpoint::start("");
    endpoint.deliver(&Post::of(&vended(0..10_000)));
    let reply = endpoint.send(&Post::of(&vended(0..10_001)));
    assert_eq!(
        (reply.status, reply.message().as_str()),
        (400, "the body has more than 10000 records")
    );
    assert_eq!(endpoint.service.sum(), sum_of(10_000));
}

#[test]
fn a_record_of_the_largest_size_is_taken_and_a_larger_one_refused() {
    let endpoint = Endpoint::start("");
    // Base64 of 1,365,336 characters.
    let mut largest = vec![b'\n'; 1_024_000];
    let line = vended(0..1).remove(0);
    largest[..line.len()].copy_from_slice(line.as_bytes());
    assert_eq!(STANDARD.encode(&largest).len(), 1_365_336);
    endpoint.deliver(&Post::of(&[&largest]));
    largest.push(b'\n');
    let reply = endpoint.send(&Post::of(&[&largest]));
    assert_eq!(
        (reply.status, reply.message().as_str()),
        (400, "record 1 has more than 1024000 bytes")
    );
    assert_eq!(endpoint.service.sum(), sum_of(1));
}

#[test]
fn bombs_are_refused_in_bounded_memory_and_what_comes_beside_them_is_taken() {
    let endpoint = Endpoint::start("");
    // Of 64 MiB and a little of zeros, some 64 kB.
    let bomb = |bytes: usize| gzip(&vec![b'0'; bytes]);
    let twice = gzip(&bomb(256 * MIB));
    for body in [bomb(64 * MIB + 1), bomb(100 * MIB), twice.clone()] {
        let post = Post::of(&vended(0..1)).gzip().body(body.clone());
        let reply = endpoint.send(&post);
        assert_eq!(reply.status, 400, "{reply:?}");
        // And as a record.
        let reply = endpoint.send(&Post::of(&[&body]));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    // A document of brackets, and many small records that are not spelt as Firehose spells them.
    for body in
        ["[".repeat(40 * MIB), format!("{{\"records\":[{}", "{\"data\" :\"\"},".repeat(2 * MIB))]
    {
        let reply = endpoint.send(&Post::of(&vended(0..1)).body(body).gzip());
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    endpoint.deliver(&Post::of(&vended(0..100)).gzip());
    assert_eq!(endpoint.service.sum(), sum_of(100));
    let (run, _scratch) = endpoint.service.stop();
    assert!(run.memory_bytes_max < 450 << 20, "{} bytes", run.memory_bytes_max);
}

#[test]
fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let endpoint = Endpoint::start("body_bytes_max = 1048576\nbuffer_bytes_max = 4194304");
    let post = Post::of(&vended(0..1));
    let reply = endpoint.send(&post.clone().body(vec![b' '; MIB + 1]));
    assert_eq!(
        (reply.status, reply.message().contains("more than the 1048576 bytes")),
        (400, true)
    );
    let mut connection = endpoint.connect();
    connection.write_all(
        post.head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked").as_bytes(),
    );
    for _ in 0..40 {
        connection.write_all(b"8000\r\n");
        connection.write_all(&[b' '; 0x8000]);
        connection.write_all(b"\r\n");
    }
    connection.write_all(b"0\r\n\r\n");
    let reply = connection.reply();
    assert_is_an_answer(&reply, post.id());
    assert_eq!(reply.status, 400);
    // What announces more than it may need not be sent.
    let mut connection = endpoint.connect();
    connection.write_all(
        post.head(2 * MIB).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n").as_bytes(),
    );
    assert_eq!(connection.reply().status, 400);
}

#[test]
fn a_thousand_idle_connections_keep_nobody_out_and_cost_little() {
    let endpoint = Endpoint::start("");
    endpoint.deliver(&Post::of(&vended(0..1)));
    let before = resident_bytes(&endpoint);
    // Kept open by a request each, as by a load balancer that has nothing to send.
    let idle: Vec<Connection> = (0..1_000)
        .map(|_| {
            let mut connection = endpoint.connect();
            let alive =
                connection.send(&Post::of(&vended(0..1)).method("GET").path("/livez").body(""));
            assert_eq!(alive.status, 200);
            connection
        })
        .collect();
    let open = || endpoint.service.metric("flowscout_firehose_connections");
    wait_for("the connections", || open() == 1_000, || open().to_string());
    let began = now();
    for number in 1..20 {
        endpoint.deliver(&Post::of(&vended(number..number + 1)));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let grown = resident_bytes(&endpoint).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    assert_eq!(endpoint.service.sum(), sum_of(20));
    drop(idle);
}

#[test]
fn a_connection_that_brings_no_request_makes_room_for_others_after_ten_seconds() {
    let endpoint = Endpoint::start("connections_max = 20");
    let mut silent: Vec<Connection> = (0..20).map(|_| endpoint.connect()).collect();
    silent[0].write_all(b"POST / HTTP/1.1\r\nHo");
    let open = || endpoint.service.metric("flowscout_firehose_connections");
    wait_for("the connections", || open() == 20, || open().to_string());
    let began = now();
    wait_for("room", || open() == 0, || open().to_string());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    endpoint.deliver(&Post::of(&vended(0..1)));
}

#[test]
fn connections_beyond_the_most_are_closed_and_counted() {
    let endpoint = Endpoint::start("connections_max = 3");
    let mut open: Vec<Connection> = (0..3).map(|_| endpoint.connect()).collect();
    let is_full = || endpoint.service.metric("flowscout_firehose_connections") == 3;
    wait_for("the connections", is_full, String::new);
    assert!(endpoint.connect().is_closed());
    assert_eq!(endpoint.service.metric("flowscout_firehose_connections_turned_away_total"), 1);
    assert_eq!(open[0].send(&Post::of(&vended(0..1))).status, 200);
    open.pop();
    let is_free = || endpoint.service.metric("flowscout_firehose_connections") == 2;
    wait_for("the connection", is_free, String::new);
    endpoint.deliver(&Post::of(&vended(1..2)));
}

#[test]
fn a_client_that_sends_a_byte_now_and_then_is_answered_408_and_holds_up_nobody() {
    let endpoint = Endpoint::start("");
    let post = Post::of(&vended(0..1_000));
    let mut slow = endpoint.connect();
    slow.write_all(post.head(post.body.len()).as_bytes());
    let began = now();
    for byte in &post.body[..30] {
        slow.write_all(&[*byte]);
        endpoint.deliver(&Post::of(&vended(0..1)));
        thread::sleep(Duration::from_secs(1));
    }
    let reply = slow.reply();
    assert_is_an_answer(&reply, post.id());
    assert_eq!(reply.status, 408, "{reply:?}");
    assert!(began.elapsed() > Duration::from_secs(59));
    assert_eq!(endpoint.service.records(), 30);
}

#[test]
fn a_pipeline_that_stands_still_answers_503_and_nothing_is_lost_or_counted_twice() {
    let scratch = Scratch::new();
    let pipe = scratch.path("letters");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Dead letters go to a pipe that nobody empties.
    let lines = format!(
        "body_bytes_max = 1048576\nbuffer_bytes_max = 4194304\n[dead_letters]\npath = {pipe:?}"
    );
    let reader = thread::spawn({
        let pipe = pipe.clone();
        move || File::open(pipe).unwrap()
    });
    let endpoint = Endpoint::start_in(scratch, "127.0.0.1:0", &lines, |program| {
        program.env("FLOWSCOUT_FIREHOSE_ACCESS_KEYS", ACCESS_KEY)
    });
    let mut reader = reader.join().unwrap();
    // Longer than a pipe holds, as refused lines.
    let nonsense = Post::of(&[[b'?'; 300_000]]);
    let posts: Vec<Post> =
        (0..24).map(|number| Post::of(&vended(number * 3_000..(number + 1) * 3_000))).collect();
    let busy = AtomicU64::new(0);
    let emptied = thread::scope(|scope| {
        scope.spawn(|| endpoint.deliver(&nonsense));
        wait_for(
            "the request",
            || endpoint.service.metric("flowscout_firehose_requests_in_flight") >= 1,
            String::new,
        );
        thread::sleep(Duration::from_secs(1));
        for post in &posts {
            scope.spawn(|| {
                loop {
                    let reply = endpoint.send(post);
                    if reply.status == 200 {
                        return;
                    }
                    assert_eq!(
                        (reply.status, reply.message().contains("try again")),
                        (503, true),
                        "{reply:?}"
                    );
                    busy.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(500));
                }
            });
        }
        wait_for(
            "503",
            || busy.load(Ordering::Relaxed) >= 10,
            || endpoint.service.running.stderr(),
        );
        thread::spawn(move || std::io::copy(&mut reader.by_ref(), &mut std::io::sink()))
    });
    assert_eq!(endpoint.service.sum(), sum_of(72_000));
    assert_eq!(endpoint.service.metric("flowscout_refused_lines_total"), 1);
    assert_eq!(endpoint.answers(503), busy.load(Ordering::Relaxed));
    let (run, _scratch) = endpoint.service.stop();
    emptied.join().unwrap().unwrap();
    // The state, and what 4 MiB of requests become.
    assert!(run.memory_bytes_max < 150 << 20, "{} bytes", run.memory_bytes_max);
}

#[test]
fn many_small_bombs_in_one_request_are_refused_before_they_take_long() {
    let endpoint = Endpoint::start("");
    let mut records = vec![gzip(&gzip(&vec![b'\n'; 16 * MIB])); 1_000];
    records.push(vended(0..1).remove(0).into_bytes());
    let began = now();
    endpoint.deliver(&Post::of(&records));
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(endpoint.service.sum(), sum_of(1));
    assert!(endpoint.service.metric("flowscout_refused_lines_total") > 500);
}

#[test]
fn what_is_not_written_is_not_answered_200_and_ends_the_run() {
    let endpoint = Endpoint::start("[dead_letters]\npath = \"/dev/full\"");
    let post = Post::of(&["2 nonsense"]);
    let reply = endpoint.send(&post);
    assert_eq!((reply.status, reply.message().as_str()), (503, "the service is ending: try again"));
    let run = endpoint.service.running.wait();
    assert_eq!(run.code, Some(1), "{run}");
    run.assert_says("cannot write dead letters");
}

fn resident_bytes(endpoint: &Endpoint) -> u64 {
    let path = format!("/proc/{}/status", endpoint.service.running.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
