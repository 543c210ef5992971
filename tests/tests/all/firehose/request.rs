//! Requests: each row of the specification's table, held and broken.

use flowscout_tests::Scratch;
use flowscout_tests::http::{ACCESS_KEY, Post};
use flowscout_tests::records::{line, sum_of};
use serde_json::json;

use super::endpoint::{Endpoint, program};

/// Records as vended flow logs are.
pub(super) fn vended(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("{}\n", json!({ "message": line(number).trim_end() }))).collect()
}

#[test]
fn a_request_with_all_that_firehose_sends_is_applied_before_it_is_answered() {
    let endpoint = Endpoint::start("");
    let attributes =
        r#"{"commonAttributes":{"deployment-context":"pre-prod-gamma","device-types":""}}"#;
    endpoint
        .deliver(&Post::of(&vended(0..100)).header("X-Amz-Firehose-Common-Attributes", attributes));
    assert_eq!(endpoint.service.sum(), sum_of(100));
    endpoint.deliver(&Post::of(&vended(100..200)).gzip());
    assert_eq!(endpoint.service.sum(), sum_of(200));
    assert_eq!(endpoint.service.metric("flowscout_firehose_records_total"), 200);
}

#[test]
fn one_connection_serves_many_requests() {
    let endpoint = Endpoint::start("");
    let mut connection = endpoint.connect();
    for number in 0..50 {
        let post = Post::of(&vended(number..number + 1));
        assert_eq!(connection.send(&post).status, 200);
    }
    // A refusal leaves it usable too.
    assert_eq!(connection.send(&Post::of(&vended(0..1)).body("{")).status, 400);
    assert_eq!(connection.send(&Post::of(&vended(50..51))).status, 200);
    assert_eq!(endpoint.service.sum(), sum_of(51));
    assert_eq!(endpoint.service.metric("flowscout_firehose_connections"), 1);
}

#[test]
fn records_are_taken_in_every_shape_in_which_flow_logs_were_seen() {
    let endpoint = Endpoint::start("");
    let [first, second, third, fourth] = [0, 1, 2, 3].map(line);
    let records = [
        json!({ "message": first.trim_end() }).to_string(),
        json!({ "message": second.trim_end(), "unknown": 1 }).to_string() + "\n\n",
        third + &fourth,
        String::new(),
        r#"{"message":"2 123456789010 eni-1235b8ca123456789 - - - - - - - 1767225600 1767225660 - NODATA"}"#.to_owned(),
    ];
    endpoint.deliver(&Post::of(&records));
    assert_eq!(endpoint.service.sum(), sum_of(4));
    assert_eq!(endpoint.service.metric("flowscout_refused_lines_total"), 0);
}

#[test]
fn a_record_that_cannot_be_read_costs_no_other_and_becomes_a_letter() {
    let scratch = Scratch::new();
    let letters = scratch.path("letters.jsonl");
    let lines = format!("[dead_letters]\npath = {letters:?}");
    let endpoint = Endpoint::start_in(scratch, "127.0.0.1:0", &lines, |program| {
        program.env("FLOWSCOUT_FIREHOSE_ACCESS_KEYS", ACCESS_KEY)
    });
    let mut records = vended(0..2);
    records.insert(1, r#"{"message":"2 nonsense"}"#.to_owned());
    records.push(r#"{"no":"message"}"#.to_owned());
    let post = Post::of(&records);
    endpoint.deliver(&post);
    assert_eq!(endpoint.service.sum(), sum_of(2));
    assert_eq!(endpoint.service.metric("flowscout_refused_lines_total"), 2);
    let kept = std::fs::read_to_string(letters).unwrap();
    assert!(kept.contains("field_count") && kept.contains("unknown_json"), "{kept}");
    assert!(kept.contains(post.id()), "{kept}");
}

#[test]
fn a_client_without_the_headers_of_firehose_is_understood() {
    let endpoint = Endpoint::start_with("requires_access_key = false", |program| program);
    let post = Post::of(&vended(0..3));
    let bare = ["Protocol-Version", "Request-Id", "Source-Arn", "Access-Key"]
        .into_iter()
        .fold(post, |post, name| post.without(&format!("X-Amz-Firehose-{name}")))
        .without("Content-Type");
    endpoint.deliver(&bare);
    assert_eq!(endpoint.service.sum(), sum_of(3));
}

#[test]
fn each_of_several_access_keys_opens_and_no_other_and_none_is_told() {
    let endpoint = Endpoint::start_with("", |program| {
        program
            .env("FLOWSCOUT_FIREHOSE_ACCESS_KEYS", "the new key\nthe old key\n")
            .env("RUST_LOG", "trace")
    });
    let key = "X-Amz-Firehose-Access-Key";
    for good in ["the new key", "the old key"] {
        endpoint.deliver(&Post::of(&vended(0..1)).header(key, good));
    }
    for wrong in ["", "the new ke", "the new keys", "THE NEW KEY", "the"] {
        let reply = endpoint.send(&Post::of(&vended(0..1)).header(key, wrong));
        assert_eq!(
            (reply.status, reply.message().as_str()),
            (401, "the access key is missing or wrong")
        );
    }
    assert_eq!(endpoint.send(&Post::of(&vended(0..1)).without(key)).status, 401);
    // A wrong key is told before the body is judged.
    assert_eq!(endpoint.send(&Post::of(&vended(0..1)).header(key, "no").body("{")).status, 401);
    assert_eq!(endpoint.service.records(), 2);
    let (run, _scratch) = endpoint.service.stop();
    assert!(!run.stderr.contains("the new key") && !run.stderr.contains("the old key"));
}

#[test]
fn a_key_in_a_file_is_replaced_without_a_restart() {
    let scratch = Scratch::new();
    let file = scratch.file("keys", r#"{"api_key":"first"}"#);
    let lines = format!("access_keys_file = {file:?}");
    let mut endpoint = Endpoint::start_in(scratch, "127.0.0.1:0", &lines, |program| program);
    let with = |key: &str| Post::of(&vended(0..1)).header("X-Amz-Firehose-Access-Key", key);
    endpoint.deliver(&with("first"));
    assert_eq!(endpoint.send(&with("second")).status, 401);
    std::fs::write(&file, "first\nsecond\n").unwrap();
    endpoint.service.running.wait_until_says("read again");
    endpoint.deliver(&with("second"));
    endpoint.deliver(&with("first"));
    // An empty file is a mistake that must not lock anyone out.
    std::fs::write(&file, "").unwrap();
    endpoint.service.running.wait_until_says("cannot be used: the former stays in use");
    endpoint.deliver(&with("second"));
}

#[test]
fn an_endpoint_without_a_key_is_not_served_unless_that_is_meant() {
    let start = |lines: &str| {
        let scratch = Scratch::new();
        program(&scratch, "127.0.0.1:0", lines).run()
    };
    let run = start("");
    assert_eq!(run.code, Some(2), "{run}");
    run.assert_says(
        "set FLOWSCOUT_FIREHOSE_ACCESS_KEYS, or access_keys_file, or requires_access_key = false",
    );
    let run = start("access_keys_file = \"/no/such/file\"");
    assert_eq!(run.code, Some(2), "{run}");
    run.assert_says("/no/such/file: cannot read");
}

#[test]
fn what_the_head_may_not_say_is_refused() {
    let endpoint = Endpoint::start("path = \"/flow-logs\"");
    let post = || Post::of(&vended(0..1)).path("/flow-logs");
    let cases = [
        (
            post().header("X-Amz-Firehose-Protocol-Version", "2.0"),
            400,
            "Protocol-Version is not 1.0",
        ),
        (post().header("X-Amz-Firehose-Source-Arn", "a b"), 400, "x-amz-firehose-source-arn"),
        (
            post().header("X-Amz-Firehose-Common-Attributes", "{}"),
            400,
            "x-amz-firehose-common-attributes",
        ),
        (post().header("Content-Encoding", "br"), 415, "Content-Encoding"),
        (post().path("/"), 404, "nothing is served at this path"),
        (post().path("/flow-logs/x"), 404, "nothing is served at this path"),
        (post().method("PUT"), 405, "PUT is not allowed"),
    ];
    for (post, status, message) in cases {
        let reply = endpoint.send(&post);
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.message().contains(message), "{reply:?}");
    }
    assert_eq!(endpoint.connect().send(&post().method("GET").path("/livez").body("")).status, 200);
    assert_eq!(endpoint.service.records(), 0);
    endpoint.deliver(&post().path("/flow-logs?a=b"));
}

#[test]
fn what_the_body_may_not_be_is_refused_whole() {
    let endpoint = Endpoint::start("");
    let post = Post::of(&vended(0..3));
    let text = String::from_utf8(post.body.clone()).unwrap();
    let with = |records: &str| {
        format!(r#"{{"requestId":"{}","timestamp":1,"records":{records}}}"#, post.id())
    };
    let good = r#"{"data":"YQ=="}"#;
    let cases = [
        (text[..text.len() - 1].to_owned(), "no request of Firehose"),
        (format!("{text}{text}"), "no request of Firehose"),
        (with("[]"), "no record"),
        (with(&format!("[{good},{{}}]")), "missing field `data`"),
        (with(&format!("[{good},{{\"data\":{{\"a\":1}}}}]")), "no request of Firehose"),
        (with(&format!("[{good},{{\"data\":\"Y?==\"}}]")), "`data` of record 2 is not base64"),
        (text.replace(post.id(), "another"), "`requestId` of the body"),
        (text.replace("requestId", "requestID"), "missing field `requestId`"),
        (String::new(), "no request of Firehose"),
    ];
    for (body, message) in cases {
        let reply = endpoint.send(&post.clone().body(body.clone()));
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert!(reply.message().contains(message), "{body}: {reply:?}");
    }
    let torn = post.clone().gzip();
    let half = torn.body[..torn.body.len() / 2].to_vec();
    for body in [half, text.clone().into_bytes()] {
        let reply = endpoint.send(&torn.clone().body(body));
        assert_eq!((reply.status, reply.message().contains("not gzip")), (400, true), "{reply:?}");
    }
    assert_eq!(endpoint.service.records(), 0);
    // The same request is applied when it is whole.
    endpoint.deliver(&post);
    assert_eq!(endpoint.service.sum(), sum_of(3));
}

#[test]
fn a_body_in_any_spelling_of_json_is_the_same_request() {
    let endpoint = Endpoint::start("");
    let post = Post::of(&vended(0..5));
    let body: serde_json::Value = serde_json::from_slice(&post.body).unwrap();
    endpoint.deliver(&post.clone().body(format!("\n{body:#}\n")));
    assert_eq!(endpoint.service.sum(), sum_of(5));
    // And so it counts once.
    endpoint.deliver(&post);
    assert_eq!((endpoint.service.sum(), endpoint.repeats()), (sum_of(5), 1));
}

#[test]
fn a_body_in_chunks_and_one_that_waits_to_be_asked_for_are_taken() {
    let endpoint = Endpoint::start("");
    let post = Post::of(&vended(0..3));
    let mut connection = endpoint.connect();
    let head = post.head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    connection.write_all(head.as_bytes());
    for chunk in post.body.chunks(100) {
        connection.write_all(format!("{:x}\r\n", chunk.len()).as_bytes());
        connection.write_all(chunk);
        connection.write_all(b"\r\n");
    }
    connection.write_all(b"0\r\n\r\n");
    assert_eq!(connection.reply().status, 200);
    // One that is refused leaves the connection as it was, too.
    let refused = Post::of(&vended(0..1)).body("{");
    connection.write_all(
        refused.head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked").as_bytes(),
    );
    connection.write_all(b"1\r\n{\r\n0\r\n\r\n");
    assert_eq!(connection.reply().status, 400);
    let post = Post::of(&vended(3..4)).header("Expect", "100-continue");
    connection.write_all(post.head(post.body.len()).as_bytes());
    assert_eq!(connection.reply().status, 100);
    connection.write_all(&post.body);
    assert_eq!(connection.reply().status, 200);
    assert_eq!(endpoint.service.sum(), sum_of(4));
}
