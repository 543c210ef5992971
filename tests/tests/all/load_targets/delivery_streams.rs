//! `firehose:STREAM`: batches that Firehose takes, and only what it refused again.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use flowscout_tests::{Ministack, Program};
use serde_json::{Value, json};

use super::script::{Call, Reply, Server, answer};
use super::{lines_of_traffic, number_of, run_to, sorted};

const JSON: &str = "application/x-amz-json-1.1";

/// With credentials that every server here takes.
fn put(url: &str) -> Program {
    let run = run_to("firehose:flows").env("AWS_ENDPOINT_URL_FIREHOSE", url);
    let run = run.env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
    run.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
}

/// The base64 of each record.
fn records(call: &Call) -> Vec<String> {
    assert_eq!(call.headers["x-amz-target"], "Firehose_20150804.PutRecordBatch");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["DeliveryStreamName"], "flows");
    let records = body["Records"].as_array().unwrap();
    assert!((1..=500).contains(&records.len()));
    records.iter().map(|record| record["Data"].as_str().unwrap().to_owned()).collect()
}

/// Refuses each record that `refuses` names by its place.
fn taken(call: &Call, refuses: impl Fn(usize) -> bool) -> Reply {
    let results: Vec<Value> = (0..records(call).len())
        .map(|place| {
            if refuses(place) {
                json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." })
            } else {
                json!({ "RecordId": place.to_string() })
            }
        })
        .collect();
    let failed = results.iter().filter(|result| result["ErrorCode"].is_string()).count();
    let body = json!({ "FailedPutCount": failed, "RequestResponses": results });
    answer(200, JSON, &body.to_string())
}

#[test]
fn only_refused_records_are_put_again_and_every_line_arrives() {
    let server = Server::start(|number, call| match number {
        0 => {
            answer(503, JSON, r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#)
        }
        number if number % 7 == 3 => taken(call, |place| place % 3 == 0),
        _ => taken(call, |_| false),
    });
    let run = put(&server.url("http")).succeed();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for (number, call) in server.calls().iter().enumerate().skip(1) {
        for (place, data) in records(call).into_iter().enumerate() {
            if number % 7 != 3 || place % 3 != 0 {
                *accepted.entry(data).or_default() += 1;
            }
        }
    }
    let lines = accepted.into_iter().flat_map(|(data, count)| {
        let text = base64_turbo::STANDARD.decode(&data).unwrap();
        let message: Value = serde_json::from_slice(&text).unwrap();
        vec![message["message"].as_str().unwrap().to_owned(); count]
    });
    let expected = lines_of_traffic();
    assert_eq!(sorted(lines), expected);
    assert_eq!(number_of("lines", &run.stderr), expected.len() as u64);
    assert!(number_of("throttles", &run.stderr) > 500);
}

#[test]
fn a_batch_stays_within_four_mebibytes() {
    let server = Server::start(|_, call| taken(call, |_| false));
    let run = put(&server.url("http")).args(["--payload", "plain", "--lines-per-record", "2000"]);
    let run = run.succeed();
    let calls = server.calls();
    let bytes = |call: &Call| -> usize {
        let decoded = |data: String| base64_turbo::STANDARD.decode(&data).unwrap().len();
        records(call).into_iter().map(decoded).sum()
    };
    assert!(calls.len() > 1 && calls.iter().all(|call| bytes(call) <= 4 << 20));
    assert_eq!(number_of("lines", &run.stderr), lines_of_traffic().len() as u64);
}

#[test]
fn a_stream_that_is_not_there_ends_the_run() {
    let server = Server::start(|_, _| {
        answer(
            400,
            JSON,
            r#"{"__type":"ResourceNotFoundException","message":"Firehose flows not found."}"#,
        )
    });
    let run = put(&server.url("http")).args(["--in-flight", "1"]).exit_with(1);
    run.assert_says("there is no stream flows in this region and account");
    assert!(server.calls().len() < 3);
}

#[test]
fn another_implementation_takes_every_payload() {
    let Some(ministack) = Ministack::shared() else { return };
    let url = ministack.url();
    create(url.strip_prefix("http://").unwrap());
    let expected = lines_of_traffic().len() as u64;
    for payload in ["message", "cloudwatch", "envelope", "extracted"] {
        let run = put(&url).args(["--payload", payload]).succeed();
        assert_eq!(number_of("lines", &run.stderr), expected, "{payload}");
        assert_eq!(number_of("throttles", &run.stderr), 0);
    }
}

/// Makes the delivery stream `flows`.
fn create(address: &str) {
    let body = json!({
        "DeliveryStreamName": "flows", "DeliveryStreamType": "DirectPut",
        "ExtendedS3DestinationConfiguration": {
            "BucketARN": "arn:aws:s3:::flows", "RoleARN": "arn:aws:iam::123456789012:role/flows",
        },
    });
    let body = body.to_string();
    let mut connection = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST / HTTP/1.0\r\nHost: {address}\r\nX-Amz-Target: Firehose_20150804.CreateDeliveryStream\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/firehose/aws4_request, \
         SignedHeaders=host, Signature=none\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.split(' ').nth(1) == Some("200"), "{answer}");
}
