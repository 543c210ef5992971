//! Answers: when 200, and what a request that comes again is.

use std::thread;
use std::time::Duration;

use flowscout_tests::http::Post;
use flowscout_tests::records::sum_of;
use flowscout_tests::{now, wait_for};

use super::endpoint::{Endpoint, assert_is_an_answer};
use super::request::vended;

#[test]
fn a_request_that_comes_again_is_answered_200_and_counts_once() {
    let endpoint = Endpoint::start("");
    let post = Post::of(&vended(0..100));
    for _ in 0..3 {
        endpoint.deliver(&post);
    }
    endpoint.deliver(&post.clone().gzip());
    assert_eq!(endpoint.service.sum(), sum_of(100));
    assert_eq!(endpoint.repeats(), 3);
    assert_eq!(endpoint.service.metric("flowscout_batches_total"), 1);
}

#[test]
fn a_request_that_is_sent_again_while_the_first_is_under_way_counts_once() {
    let endpoint = Endpoint::start("");
    let posts: Vec<Post> = (0..8).map(|_| Post::named("the-same", &vended(0..2_000))).collect();
    thread::scope(|scope| {
        for post in &posts {
            scope.spawn(|| endpoint.deliver(post));
        }
    });
    // All are answered when the first is applied.
    wait_for("the repeats", || endpoint.repeats() == 7, || endpoint.repeats().to_string());
    assert_eq!(endpoint.service.sum(), sum_of(2_000));
}

#[test]
fn a_client_that_gives_all_its_requests_one_id_loses_none_of_them() {
    let endpoint = Endpoint::start("");
    endpoint.deliver(&Post::named("always-the-same", &vended(0..3)));
    endpoint.deliver(&Post::named("always-the-same", &vended(3..10)));
    // Of one size, too.
    let [first, second] =
        [10, 11].map(|number| Post::named("always-the-same", &vended(number..number + 1)));
    assert_eq!(first.body.len(), second.body.len());
    endpoint.deliver(&first);
    endpoint.deliver(&second);
    assert_eq!(endpoint.service.sum(), sum_of(12));
    // Without one nothing could be told apart.
    let nameless = Post::named("", &vended(0..1)).without("X-Amz-Firehose-Request-Id");
    assert_eq!(endpoint.send(&nameless).status, 400);
}

#[test]
fn sigterm_waits_for_requests_and_not_for_connections_on_which_nothing_more_comes() {
    let endpoint = Endpoint::start("");
    let mut half = endpoint.connect();
    half.write_all(b"POST / HTTP/1.1\r\nHo");
    let mut idle = endpoint.connect();
    assert_eq!(idle.send(&Post::of(&vended(0..10))).status, 200);
    // Refused for its key, while its body is still to come.
    let mut unwanted = endpoint.connect();
    let wrong = Post::of(&vended(0..1)).header("X-Amz-Firehose-Access-Key", "wrong");
    unwanted.write_all(wrong.head(1_000).as_bytes());
    let began = now();
    let (run, _scratch) = endpoint.service.stop();
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}: {run}", began.elapsed());
}

#[test]
fn an_answer_that_nobody_reads_costs_nothing_when_the_request_comes_again() {
    let endpoint = Endpoint::start("");
    let post = Post::of(&vended(0..5_000));
    for _ in 0..3 {
        // The connection is cut when everything is sent.
        endpoint.connect().write(&post);
    }
    // And one in the middle.
    let mut connection = endpoint.connect();
    connection.write_all(post.head(post.body.len()).as_bytes());
    connection.write_all(&post.body[..post.body.len() / 2]);
    drop(connection);
    endpoint.deliver(&post);
    let is_quiet = || endpoint.service.metric("flowscout_firehose_connections") == 0;
    wait_for("the cut connections", is_quiet, String::new);
    assert_eq!(endpoint.service.sum(), sum_of(5_000));
}

#[test]
fn every_refusal_is_one_that_firehose_tries_again_and_keeps() {
    let endpoint = Endpoint::start("");
    let post = || Post::of(&vended(0..1));
    let refused = [
        post().method("DELETE"),
        post().header("X-Amz-Firehose-Access-Key", "wrong"),
        post().header("X-Amz-Firehose-Protocol-Version", ""),
        post().header("Content-Encoding", "zstd"),
        post().body("[]"),
        post().body("\0"),
    ];
    for post in &refused {
        assert!(endpoint.send(post).status >= 400);
    }
    // Even where its id cannot be repeated.
    let nameless = post().header("X-Amz-Firehose-Request-Id", "a b");
    let reply = endpoint.connect().send(&nameless);
    assert_eq!(reply.status, 400);
    assert_is_an_answer(&reply, "");
    assert_eq!(endpoint.service.records(), 0);
    let answered = endpoint.service.metric("flowscout_firehose_requests_total");
    assert_eq!((answered, endpoint.answers(200), endpoint.answers(413)), (7, 0, 0));
}
