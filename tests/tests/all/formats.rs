//! Which format a source speaks: known defaults, several in one stream, by log group; and what is said of a wrong one.

use std::io::Cursor;

use flowscout_tests::{Run, Scratch, Traffic, flowscout, gzip};
use serde_json::{Value, json};

const LINE: &str =
    "2 123456789010 eni-1 10.0.0.1 10.0.0.2 40000 443 6 20 4249 1418530010 1418530070 ACCEPT OK";
const GATEWAY: &str = "6 TransitGateway 123456789012 tgw-1 tgw-attach-1 123456789012 123456789012 vpc-1 vpc-2 \
    subnet-1 subnet-2 eni-1 eni-2 use1-az1 use1-az2 tgw-attach-2 10.0.0.1 10.0.1.1 40000 443 6 10 1000 1700000000 \
    1700000060 OK IPv4 0 0 0 0 2 us-east-1 ingress - -";

fn decode(options: &[&str], input: &str) -> Run {
    flowscout().arg("decode").args(options).stdin(Cursor::new(input.to_owned())).succeed()
}

fn envelope(log_group: &str, messages: &[&str]) -> String {
    let event = |message: &&str| json!({ "id": "1", "timestamp": 1, "message": message });
    let events: Vec<Value> = messages.iter().map(event).collect();
    let (owner, kind) = ("123456789012", "DATA_MESSAGE");
    json!({ "messageType": kind, "owner": owner, "logGroup": log_group, "logStream": "eni-1-all",
            "subscriptionFilters": ["all"], "logEvents": events })
    .to_string()
}

#[test]
fn lines_of_vpc_and_of_transit_gateways_in_one_stream_need_no_setting() {
    let run = decode(&[], &[LINE, GATEWAY, GATEWAY, LINE].join("\n"));
    assert_eq!(run.stderr, "");
    let versions: Vec<Value> =
        run.json_lines().iter().map(|line| line["version"].clone()).collect();
    assert_eq!(versions, [2, 6, 6, 2]);
    let replay = flowscout().args(["replay", "-", "--report", "json"]);
    let replay = replay.stdin(Cursor::new([LINE, GATEWAY].join("\n"))).succeed();
    assert_eq!((&replay.report()["records"], &replay.report()["bytes"]), (&json!(2), &json!(5249)));
}

#[test]
fn each_line_is_read_by_the_first_of_several_formats_that_fits_it() {
    let formats =
        ["--format", "${srcaddr} ${dstaddr} ${end}", "--format", "${end} ${srcaddr} ${dstaddr}"];
    let run = decode(&formats, "10.0.0.1 10.0.0.2 1418530070\n1418530070 10.0.0.3 10.0.0.4\n1 2\n");
    let sources: Vec<Value> = run.json_lines().iter().map(|line| line["srcaddr"].clone()).collect();
    assert_eq!(sources, ["10.0.0.1", "10.0.0.3"]);
    run.assert_says("-:3: field_count: 1 2");
    run.assert_says("--format: two formats have the same number of fields");
}

#[test]
fn a_log_group_has_the_format_that_is_configured_for_it() {
    let scratch = Scratch::new();
    let config = scratch.file(
        "flowscout.toml",
        r#"
        [decode]
        log_groups = [{ name = "/vpc/*", format = "${version} ${interface-id} ${srcaddr} ${dstaddr} ${end}" }]
        "#,
    );
    let custom = "2 eni-9 172.31.16.139 172.31.16.21 1418530070";
    let input = envelope("/vpc/custom", &[custom, custom]) + &envelope("other", &[LINE, custom]);
    for input in [input.clone().into_bytes(), gzip(input.as_bytes())] {
        let path = scratch.file("envelopes", input);
        let run = flowscout().arg("decode").arg(&path).arg("--config").arg(&config).succeed();
        let found: Vec<Value> =
            run.json_lines().iter().map(|line| line["interface-id"].clone()).collect();
        assert_eq!(found, ["eni-9", "eni-9", "eni-1"]);
        run.assert_says("envelopes:record 2, event 2: field_count: 2 eni-9 172.31.16.139");
        let replay = flowscout().arg("replay").arg(&path).arg("--config").arg(&config);
        let report = replay.args(["--report", "json"]).succeed().report();
        assert_eq!((&report["records"], &report["refused_lines"]), (&json!(3), &json!(1)));
    }
}

#[test]
fn a_wrong_format_is_a_health_problem_that_names_the_setting_and_the_field() {
    let traffic = Traffic::calm();
    let replay = |format: &str| {
        let run = flowscout().arg("replay").arg(&traffic.flows).args(["--format", format]);
        run.args(["--report", "json"]).succeed().report()
    };
    let report = replay("${srcaddr} ${dstaddr} ${start} ${end}");
    let problem = report["health"][0].as_str().unwrap();
    assert!(problem.starts_with("--format: 100% of the last "), "{problem}");
    assert!(problem.contains("field_count: the format has 4 fields and the lines "), "{problem}");
    // The right number of fields in another order.
    let right = Traffic::new(&["--rate", "20", "--seconds", "600", "--format", "default"]);
    let swapped = "${version} ${account-id} ${interface-id} ${srcport} ${dstaddr} ${srcaddr} ${dstport} ${protocol} \
                   ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";
    let run = flowscout().arg("replay").arg(&right.flows).args(["--format", swapped]);
    let run = run.succeed();
    run.assert_says("health     --format: 99% of the last ");
    run.assert_says("bad_address in srcaddr: do its fields stand in this order?");
    let healthy = flowscout().arg("replay").arg(&right.flows).args(["--report", "json"]).succeed();
    assert_eq!(healthy.report()["health"], json!([]));
}

#[test]
fn fields_that_cloudwatch_extracted_serve_where_no_format_fits() {
    let event = json!({ "id": "1", "timestamp": 1, "message": "10.0.0.1 said hello to 10.0.0.2 at 1418530070",
        "extractedFields": { "srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "end": "1418530070", "verb": "said" } });
    let run = decode(&[], &event.to_string());
    assert_eq!(run.stderr, "");
    let expected = json!({ "srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "end": 1_418_530_070 });
    assert_eq!(run.json_lines(), [expected]);
}

#[test]
fn probes_of_cloudwatch_are_counted_and_are_no_refusals() {
    let probe = json!({ "messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "",
        "logStream": "", "subscriptionFilters": [], "logEvents": [{ "id": "", "timestamp": "1",
        "message": "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream." }] });
    let replay = flowscout().args(["replay", "-", "--report", "json"]);
    let report = replay.stdin(Cursor::new(probe.to_string())).succeed().report();
    assert_eq!((&report["control_messages"], &report["refused_lines"]), (&json!(1), &json!(0)));
}

#[test]
fn a_bomb_within_a_document_is_refused_as_too_large() {
    let scratch = Scratch::new();
    let config = scratch.file("small.toml", "[decode]\ndecompressed_bytes_max = 1000000\n");
    let data = base64_turbo::STANDARD.encode(gzip(&vec![b'0'; 2_000_000]));
    let path = scratch.file("bomb.json", json!({ "awslogs": { "data": data } }).to_string());
    let run = flowscout().arg("decode").arg(path).arg("--config").arg(config).succeed();
    run.assert_says("bomb.json:record 1: too_large");
    assert_eq!(run.stdout, "");
}
