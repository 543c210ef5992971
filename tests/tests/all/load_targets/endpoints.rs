//! `http(s)://…`: an endpoint gets what Amazon Data Firehose would send.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flowscout_tests::{Program, Scratch};
use serde_json::Value;

use super::script::{Call, Reply, Server, answer};
use super::{lines_of_traffic, number_of, run_to, sorted};

const JSON: &str = "application/json";

/// The document in a request.
fn document(call: &Call) -> Value {
    let is_gzip = call.headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip");
    let mut body = call.body.clone();
    if is_gzip {
        body.clear();
        GzDecoder::new(&call.body[..]).read_to_end(&mut body).unwrap();
    }
    serde_json::from_slice(&body).unwrap()
}

/// The lines in base64 of `{"message":"LINE"}`.
fn message(data: &Value) -> String {
    let data = base64_turbo::STANDARD.decode(data.as_str().unwrap()).unwrap();
    assert!(data.ends_with(b"\n"));
    let message: Value = serde_json::from_slice(&data).unwrap();
    message["message"].as_str().unwrap().to_owned()
}

fn lines(call: &Call) -> Vec<String> {
    let document = document(call);
    let records = document["records"].as_array().unwrap();
    records.iter().map(|record| message(&record["data"])).collect()
}

fn request_id(call: &Call) -> String {
    call.headers["x-amz-firehose-request-id"].clone()
}

fn good(call: &Call) -> Reply {
    answer(
        200,
        JSON,
        &format!(r#"{{"requestId":"{}","timestamp":1578090903599}}"#, request_id(call)),
    )
}

/// Delivers with a back-off of milliseconds, one request after the other.
fn deliver(server: &Server) -> Program {
    let target = format!("{}/flows?tenant=a%2Fb", server.url("http"));
    run_to(&target).args(["--retry-first-ms", "1", "--in-flight", "1"])
}

#[test]
fn an_endpoint_gets_every_line_with_the_headers_of_firehose() {
    let server = Server::start(|_, call| good(call));
    let scratch = Scratch::new();
    let key = scratch.file("key", "s3cret=/+\nolder\n");
    let arn = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/flows";
    let run = deliver(&server).args(["--gzip", "--common-attribute", "team=net=work"]);
    let run = run.args(["--common-attribute", "empty=", "--source-arn", arn]);
    let run = run.arg("--access-key-file").arg(key).succeed();
    let calls = server.calls();
    assert_eq!(sorted(calls.iter().flat_map(lines)), lines_of_traffic());
    let ids: BTreeSet<String> = calls.iter().map(request_id).collect();
    assert!(ids.len() == calls.len() && calls.len() > 2);
    for call in &calls {
        let header = |name: &str| call.headers.get(name).map(String::as_str);
        assert_eq!(call.line, "POST /flows?tenant=a%2Fb");
        assert_eq!(header("x-amz-firehose-protocol-version"), Some("1.0"));
        assert_eq!(header("x-amz-firehose-source-arn"), Some(arn));
        assert_eq!(header("x-amz-firehose-access-key"), Some("s3cret=/+"));
        assert_eq!(header("content-type"), Some(JSON));
        let attributes = r#"{"commonAttributes":{"empty":"","team":"net=work"}}"#;
        let sent: Value =
            serde_json::from_str(header("x-amz-firehose-common-attributes").unwrap()).unwrap();
        assert_eq!(sent.to_string(), attributes);
        let document = document(call);
        let fields: Vec<&String> = document.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["records", "requestId", "timestamp"]);
        assert_eq!(document["requestId"], request_id(call));
        assert!(document["timestamp"].as_u64().unwrap() > 1_700_000_000_000);
        assert!(document["records"].as_array().unwrap().len() <= 10_000);
    }
    let said = |word| number_of(word, &run.stderr);
    let count = lines_of_traffic().len() as u64;
    assert_eq!((said("requests"), said("lines")), (calls.len() as u64, count));
    assert_eq!((said("records"), said("retries")), (count, 0));
}

#[test]
fn nothing_is_sent_that_was_not_asked_for() {
    let server = Server::start(|_, call| good(call));
    let run = deliver(&server).env("FLOWSCOUT_FIREHOSE_ACCESS_KEY", r#"{"api_key":"s3cret"}"#);
    assert!(!run.succeed().stderr.contains("s3cret"));
    assert!(deliver(&server).succeed().stderr.ends_with("; 0 retries\n"));
    let calls = server.calls();
    let keys: Vec<Option<&str>> = calls
        .iter()
        .map(|call| call.headers.get("x-amz-firehose-access-key").map(String::as_str))
        .collect();
    assert_eq!((keys[0], keys[keys.len() - 1]), (Some("s3cret"), None));
    assert!(calls.iter().all(|call| !call.headers.contains_key("content-encoding")));
    assert!(
        calls.iter().all(|call| !call.headers.contains_key("x-amz-firehose-common-attributes"))
    );
}

/// One after the other, everything that is no right answer.
fn bad(number: usize, call: &Call) -> Option<Reply> {
    const TYPE: &str = "HTTP/1.1 200 .\r\nContent-Type: application/json\r\n";
    let id = request_id(call);
    let right = format!(r#"{{"requestId":"{id}","timestamp":1}}"#);
    Some(match number {
        0 => answer(500, JSON, &right),
        1 => answer(503, "text/html", "<html>busy"),
        2 => answer(200, JSON, "{\"requestId\""),
        3 => answer(200, JSON, &format!(r#"{{"requestId":"{id}","timestamp":"1"}}"#)),
        4 => answer(200, JSON, r#"{"requestId":"another","timestamp":1}"#),
        5 => answer(202, JSON, &right),
        6 => answer(200, "text/plain", &right),
        7 => answer(200, JSON, &format!(r#"{{"requestId":"{id}","timestamp":1,"ok":true}}"#)),
        8 => Reply::Torn(Vec::new()),
        9 => {
            let (head, length) = ("Transfer-Encoding: chunked\r\n\r\n", right.len());
            Reply::Bytes(format!("{TYPE}{head}{length:x}\r\n{right}\r\n0\r\n\r\n").into_bytes())
        }
        10 => Reply::Bytes(
            b"HTTP/1.1 307 .\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_vec(),
        ),
        11 => answer(429, JSON, &right),
        12 => Reply::Torn(format!("{TYPE}Content-Length: 99\r\n\r\n{{").into_bytes()),
        13 => answer(200, JSON, &format!("{right}{}", " ".repeat(1 << 20))),
        _ => return None,
    })
}

#[test]
fn a_request_is_the_same_until_it_is_answered_rightly() {
    let server = Server::start(|number, call| bad(number, call).unwrap_or_else(|| good(call)));
    let run = deliver(&server).succeed();
    let calls = server.calls();
    let repeats = &calls[..15];
    assert!(repeats.iter().all(|call| call.body == calls[0].body && call.line == calls[0].line));
    assert_eq!(repeats.iter().map(request_id).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(sorted(calls[14..].iter().flat_map(lines)), lines_of_traffic());
    assert_eq!(number_of("retries", &run.stderr), 14);
    run.assert_says(
        "note: HttpEndpoint.DestinationException: the endpoint answered 500; it is sent again\n",
    );
    assert_eq!(run.stderr.matches("note:").count(), 1);
}

#[test]
fn what_is_too_large_for_an_endpoint_is_lost_and_counted() {
    let server = Server::start(|number, call| match number {
        1 => answer(413, JSON, ""),
        _ => good(call),
    });
    let scratch = Scratch::new();
    let backup = scratch.path("backup");
    let run = deliver(&server).arg("--backup").arg(&backup).exit_with(1);
    let calls = server.calls();
    let lost = lines(&calls[1]).len() as u64;
    let all = lines_of_traffic().len() as u64;
    assert_eq!(calls.iter().map(request_id).collect::<BTreeSet<_>>().len(), calls.len());
    assert_eq!(number_of("lines", &run.stderr), all - lost);
    run.assert_says(&format!(
        "1 requests with {lost} records and {lost} lines were dropped at 413"
    ));
    run.assert_says("HttpEndpoint.DestinationException: the endpoint answered 413");
    // Firehose keeps nothing of it either.
    assert_eq!(fs::read_dir(&backup).unwrap().count(), 0);
}

#[test]
fn what_is_given_up_is_in_the_backup_as_firehose_writes_it() {
    let server = Server::start(|number, call| match number {
        0 => good(call),
        _ => answer(503, JSON, r#"{"requestId":"","timestamp":1}"#),
    });
    let scratch = Scratch::new();
    let backup = scratch.path("backup");
    let run = deliver(&server).args(["--retry-seconds", "0", "--backup"]).arg(&backup).exit_with(1);
    let calls = server.calls();
    let failed: Vec<Value> = files(&backup)
        .iter()
        .flat_map(|file| {
            let name = file.strip_prefix(&backup).unwrap().display().to_string();
            assert!(
                name.starts_with("http-endpoint-failed/20") && name.contains("/flow-logs-1-20")
            );
            let text = fs::read_to_string(file).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        })
        .collect();
    let kept = failed.iter().map(|record| message(&record["rawData"]));
    assert_eq!(sorted(kept), sorted(calls[1..].iter().flat_map(lines)));
    let fields: Vec<&String> = failed[0].as_object().unwrap().keys().collect();
    let expected = [
        "arrivalTimestamp",
        "attemptEndingTimestamp",
        "attemptsMade",
        "dataId",
        "errorCode",
        "errorMessage",
        "rawData",
        "subsequenceNumber",
    ];
    assert_eq!(fields, expected);
    assert_eq!(failed[0]["errorCode"], "HttpEndpoint.DestinationException");
    assert_eq!(failed[0]["attemptsMade"], 1);
    run.assert_says(
        "lines were given up: HttpEndpoint.DestinationException: the endpoint answered 503",
    );
}

#[test]
fn an_endpoint_that_is_not_there_is_told_by_firehoses_codes() {
    let silent = Server::start(|_, _| Reply::Silence);
    let no_tls = Server::start(|_, call| good(call));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scratch = Scratch::new();
    let authority = scratch.file("authority.pem", AUTHORITY);
    let targets = [
        (silent.url("http"), "HttpEndpoint.RequestTimeout"),
        (format!("http://{closed}/"), "HttpEndpoint.ConnectionFailed"),
        (no_tls.url("https"), "HttpEndpoint.SSLHandshakeFailure"),
    ];
    for (target, code) in targets {
        let run = run_to(&target).args(["--answer-ms", "200", "--retry-seconds", "0"]);
        let run = run.args(["--in-flight", "1", "--ca-file"]).arg(&authority).exit_with(1);
        run.assert_says(code);
        // Nothing ever arrived and nothing is kept: it does not go on.
        run.assert_says("delivered 0 requests");
    }
    assert!(no_tls.calls().is_empty() && silent.calls().len() < 4);
}

#[test]
fn at_a_pace_records_wait_no_longer_than_they_may() {
    let server = Server::start(|_, call| good(call));
    let target = server.url("http");
    // Six thousand records, of which their size alone would make two requests, in three seconds.
    let run = run_to(&target).args(["--payload", "plain", "--lines-per-record", "10"]);
    let run = run.args(["--pace", "200", "--buffer-seconds", "1"]).succeed();
    assert!((3..=8).contains(&server.calls().len()), "{} requests", server.calls().len());
    assert_eq!(number_of("lines", &run.stderr), lines_of_traffic().len() as u64);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found
}

/// A certificate whose key nobody has.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBoDCCAUWgAwIBAgIUfMje53p3Moo2Z2WQfRc8WlG5voYwCgYIKoZIzj0EAwIw
JDEiMCAGA1UEAwwZYW4gYXV0aG9yaXR5IG9mIHRoZSB0ZXN0czAgFw0yNjExMjQx
OTQ0MzRaGA8yMTI2MTAzMTE5NDQzNFowJDEiMCAGA1UEAwwZYW4gYXV0aG9yaXR5
IG9mIHRoZSB0ZXN0czBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFypSlJg9IqS
Ip+sxqsC6ot4SczJaLALDJO7VLuzWjLeVdOPpb/sjVK4z7OoidLKJjpXTOHcffcc
JZK7MHo9x3OjUzBRMB0GA1UdDgQWBBTv6r9MrODtbgWttpRdHdjRC37IJTAfBgNV
HSMEGDAWgBTv6r9MrODtbgWttpRdHdjRC37IJTAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0kAMEYCIQCAvoPbkaLalp92a6juPPqb64rE5CxvJCLCEuLVis9e
MAIhAO+htCWiLA8DDV19JX568AfQnpvHgw512iNsz6EeVlC0
-----END CERTIFICATE-----
";
