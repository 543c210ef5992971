//! The route through CloudWatch Logs: a subscription filter that delivers to Firehose, which delivers to the endpoint, with
//! and without its own decompression; and the client of another project.

use flowscout_tests::gzip;
use flowscout_tests::http::Post;
use flowscout_tests::records::{line, sum_of};
use serde_json::{Value, json};

use super::endpoint::Endpoint;

fn envelope(numbers: std::ops::Range<u64>) -> Value {
    let event = |number: u64| json!({ "id": format!("{number:056}"), "timestamp": 1, "message": line(number).trim_end() });
    let events: Vec<Value> = numbers.map(event).collect();
    json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/vpc/prod",
        "logStream": "eni-1-all", "subscriptionFilters": ["flow-logs"], "logEvents": events,
    })
}

/// A health probe, whose time was seen as text too.
fn control(timestamp: &Value) -> Value {
    let message = "CWL CONTROL MESSAGE: Checking health of destination Firehose.";
    json!({
        "messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "",
        "subscriptionFilters": [], "logEvents": [{ "id": "", "timestamp": timestamp, "message": message }],
    })
}

#[test]
fn envelopes_are_read_compressed_once_twice_or_not_at_all() {
    let endpoint = Endpoint::start("");
    let zipped = |numbers| gzip(envelope(numbers).to_string().as_bytes());
    // Without decompression: one envelope a record.
    endpoint.deliver(&Post::of(&[zipped(0..10), zipped(10..20)]));
    // And with the content encoding GZIP around it.
    endpoint.deliver(&Post::of(&[zipped(20..30)]).gzip());
    // With decompression: documents with nothing between them.
    let both = envelope(30..40).to_string() + &envelope(40..50).to_string();
    endpoint.deliver(&Post::of(&[both]));
    // With the messages extracted.
    let lines: String = (50..60).map(line).collect();
    endpoint.deliver(&Post::of(&[lines]));
    assert_eq!(endpoint.service.sum(), sum_of(60));
    assert_eq!(endpoint.service.metric("flowscout_refused_lines_total"), 0);
}

#[test]
fn control_messages_are_neither_records_nor_refusals() {
    let endpoint = Endpoint::start("");
    let probes = [control(&json!(1_510_254_469_274_u64)), control(&json!("1510254469274"))];
    let plain: Vec<String> = probes.iter().map(Value::to_string).collect();
    let zipped: Vec<Vec<u8>> = plain.iter().map(|probe| gzip(probe.as_bytes())).collect();
    endpoint.deliver(&Post::of(&plain));
    endpoint.deliver(&Post::of(&zipped));
    endpoint.deliver(&Post::of(&[plain.concat() + &envelope(0..1).to_string()]));
    assert_eq!(endpoint.service.sum(), sum_of(1));
    assert_eq!(endpoint.service.metric("flowscout_refused_lines_total"), 0);
}

#[test]
fn log_groups_choose_the_format() {
    let lines = "[decode]\nlog_groups = [{ name = \"/vpc/*\", format = \"${end} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol}\" }]";
    let endpoint = Endpoint::start(lines);
    let mut custom = envelope(0..1);
    custom["logEvents"][0]["message"] = json!("1767225610 10.0.0.1 10.1.0.5 1024 443 6");
    endpoint.deliver(&Post::of(&[gzip(custom.to_string().as_bytes())]));
    assert_eq!(endpoint.service.records(), 1);
}
