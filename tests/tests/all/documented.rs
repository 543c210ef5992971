//! The example records that AWS documents ("Flow log record examples" in the VPC User Guide), as data, so that the
//! project stands alone.

use std::io::Cursor;

use flowscout_tests::flowscout;
use serde_json::{Map, Value, json};

const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol \
                       packets bytes start end action log-status";
const TCP_FLAGS: &str = "version vpc-id subnet-id instance-id interface-id account-id type \
                         srcaddr dstaddr srcport dstport pkt-srcaddr pkt-dstaddr protocol bytes \
                         packets start end action tcp-flags log-status";
const NAT_GATEWAY: &str = "instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr";
const TRANSIT_GATEWAY: &str = "version interface-id account-id vpc-id subnet-id instance-id \
                               srcaddr dstaddr srcport dstport protocol tcp-flags type \
                               pkt-srcaddr pkt-dstaddr action log-status";
const SERVICE_AND_PATH: &str = "version srcaddr dstaddr srcport dstport protocol start end type \
                                packets bytes account-id vpc-id subnet-id instance-id \
                                interface-id region az-id sublocation-type sublocation-id action \
                                tcp-flags pkt-srcaddr pkt-dstaddr pkt-src-aws-service \
                                pkt-dst-aws-service traffic-path flow-direction log-status";

const ACCEPTED_SSH: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 \
                            20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";
const REJECTED_RDP: &str = "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 \
                            3389 6 20 4249 1418530010 1418530070 REJECT OK";
const NO_DATA: &str = "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 \
                       - NODATA";
const SKIPPED_DATA: &str = "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 \
                            1431280934 - SKIPDATA";
/// A ping that the security group and the inbound rules of the network ACL allow ...
const PING: &str = "2 123456789010 eni-1235b8ca123456789 203.0.113.12 172.31.16.139 0 0 1 4 336 \
                    1432917027 1432917142 ACCEPT OK";
/// ... and its answer, which the outbound rules of the network ACL deny.
const PING_REPLY: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 203.0.113.12 0 0 1 \
                          4 336 1432917094 1432917142 REJECT OK";
const IPV6_SSH: &str = "2 123456789010 eni-1235b8ca123456789 \
                        2001:db8:1234:a100:8d6e:3477:df66:f105 \
                        2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 \
                        1477913820 ACCEPT OK";

/// One connection within an interval: SYN and FIN of the client, SYN-ACK and FIN of the server. The second record is
/// printed with two spaces in a row.
const SHORT_CONNECTION: [&str; 2] = [
    "3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 \
     eni-1235b8ca123456789 123456789010 IPv4 52.213.180.42 10.0.0.62 43638 5001 52.213.180.42 \
     10.0.0.62 6 1260 17 1566933133 1566933193 ACCEPT 3 OK",
    "3 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 i-01234567890123456 \
     eni-1235b8ca123456789 123456789010 IPv4 10.0.0.62 52.213.180.42 5001 43638  10.0.0.62 \
     52.213.180.42 6 967 14 1566933133 1566933193 ACCEPT 19 OK",
];

/// The four legs of a connection through a NAT gateway, seen on its interface.
const NAT_LEGS: [&str; 4] = [
    "- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5",
    "- eni-1235b8ca123456789 10.0.0.220 203.0.113.5 10.0.0.220 203.0.113.5",
    "- eni-1235b8ca123456789 203.0.113.5 10.0.0.220 203.0.113.5 10.0.0.220",
    "- eni-1235b8ca123456789 10.0.0.220 10.0.1.5 203.0.113.5 10.0.1.5",
];

const TRANSIT_REQUEST: &str = "3 eni-11111111111111111 123456789010 vpc-abcdefab012345678 \
                               subnet-11111111aaaaaaaaa - 10.40.1.175 10.40.2.236 39812 80 6 3 \
                               IPv4 10.20.33.164 10.40.2.236 ACCEPT OK";
const TRANSIT_RESPONSE: &str = "3 eni-22222222222222222 123456789010 vpc-abcdefab012345678 \
                                subnet-22222222bbbbbbbbb - 10.40.2.236 10.40.2.31 80 39812 6 19 \
                                IPv4 10.40.2.236 10.20.33.164 ACCEPT OK";

const FROM_S3: &str = "5 52.95.128.179 10.0.0.71 80 34210 6 1616729292 1616729349 IPv4 14 15044 \
                       123456789012 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 \
                       i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - \
                       ACCEPT 19 52.95.128.179 10.0.0.71 S3 - - ingress OK";
const TO_S3: &str = "5 10.0.0.71 52.95.128.179 34210 80 6 1616729292 1616729349 IPv4 7 471 \
                     123456789012 vpc-abcdefab012345678 subnet-aaaaaaaa012345678 \
                     i-0c50d5961bcb2d47b eni-1235b8ca123456789 ap-southeast-2 apse2-az3 - - \
                     ACCEPT 3 10.0.0.71 52.95.128.179 - S3 8 egress OK";

fn format_string(names: &str) -> String {
    let fields: Vec<String> = names.split(' ').map(|name| format!("${{{name}}}")).collect();
    fields.join(" ")
}

/// The naive decoder: words by name, `-` as null, and a number where the field is one.
fn naive(names: &str, line: &str) -> Value {
    let is_number = |name: &str| {
        let numbers = "version srcport dstport protocol packets bytes start end tcp-flags \
                       traffic-path";
        numbers.split_whitespace().any(|number| number == name)
    };
    let value = |name: &str, word: &str| match word {
        "-" => Value::Null,
        word if is_number(name) => json!(word.parse::<u64>().unwrap()),
        word => json!(word),
    };
    let (names, words) = (names.split_whitespace(), line.split_whitespace());
    assert_eq!(names.clone().count(), words.clone().count(), "{line}");
    let fields: Map<String, Value> =
        names.zip(words).map(|(name, word)| (name.to_owned(), value(name, word))).collect();
    Value::Object(fields)
}

fn decode(names: &str, lines: &[&str]) -> Vec<Value> {
    let run = flowscout().args(["decode", "--format", &format_string(names)]);
    let run = run.stdin(Cursor::new(lines.join("\n"))).succeed();
    assert_eq!(run.stderr, "");
    run.json_lines()
}

/// Decodes one example, compares it with the naive decoder and with what the page says about it.
fn check(names: &str, line: &str, said: &Value) {
    let records = decode(names, &[line]);
    assert_eq!(records, [naive(names, line)], "{line}");
    for (name, value) in said.as_object().unwrap() {
        assert_eq!(&records[0][name], value, "{name} of {line}");
    }
}

#[test]
fn accepted_ssh_and_rejected_rdp() {
    check(DEFAULT, ACCEPTED_SSH, &json!({"dstport": 22, "protocol": 6, "action": "ACCEPT"}));
    check(DEFAULT, REJECTED_RDP, &json!({"dstport": 3389, "protocol": 6, "action": "REJECT"}));
    // Account ids keep their leading zeros: they are text.
    check(DEFAULT, ACCEPTED_SSH, &json!({"account-id": "123456789010", "bytes": 4249}));
}

#[test]
fn intervals_without_data_and_with_skipped_records() {
    let empty = json!({"srcaddr": null, "bytes": null, "action": null, "start": 1_431_280_876});
    for (line, status) in [(NO_DATA, "NODATA"), (SKIPPED_DATA, "SKIPDATA")] {
        check(DEFAULT, line, &empty);
        check(DEFAULT, line, &json!({"log-status": status, "end": 1_431_280_934}));
    }
}

#[test]
fn a_ping_that_the_security_group_allows_and_the_network_acl_does_not_answer() {
    check(DEFAULT, PING, &json!({"protocol": 1, "srcport": 0, "dstport": 0, "action": "ACCEPT"}));
    check(DEFAULT, PING_REPLY, &json!({"dstaddr": "203.0.113.12", "action": "REJECT"}));
}

#[test]
fn ssh_over_ipv6() {
    let addresses = json!({
        "srcaddr": "2001:db8:1234:a100:8d6e:3477:df66:f105",
        "dstaddr": "2001:db8:1234:a102:3304:8879:34cf:4071",
    });
    check(DEFAULT, IPV6_SSH, &addresses);
}

#[test]
fn tcp_flags_of_one_connection_one_record_with_a_doubled_space() {
    let [client, server] = SHORT_CONNECTION;
    check(TCP_FLAGS, client, &json!({"tcp-flags": 3, "srcaddr": "52.213.180.42", "bytes": 1260}));
    check(TCP_FLAGS, server, &json!({"tcp-flags": 19, "pkt-srcaddr": "10.0.0.62", "packets": 14}));
}

#[test]
fn the_legs_of_a_connection_through_a_nat_gateway() {
    for leg in NAT_LEGS {
        check(NAT_GATEWAY, leg, &json!({"instance-id": null}));
    }
    // Only the packet's addresses tell who talks to whom.
    check(
        NAT_GATEWAY,
        NAT_LEGS[0],
        &json!({"dstaddr": "10.0.0.220", "pkt-dstaddr": "203.0.113.5"}),
    );
    check(
        NAT_GATEWAY,
        NAT_LEGS[3],
        &json!({"srcaddr": "10.0.0.220", "pkt-srcaddr": "203.0.113.5"}),
    );
    assert_eq!(decode(NAT_GATEWAY, &NAT_LEGS).len(), NAT_LEGS.len());
}

#[test]
fn traffic_through_a_transit_gateway() {
    let request = json!({"srcaddr": "10.40.1.175", "pkt-srcaddr": "10.20.33.164", "tcp-flags": 3});
    check(TRANSIT_GATEWAY, TRANSIT_REQUEST, &request);
    let response = json!({"dstaddr": "10.40.2.31", "pkt-dstaddr": "10.20.33.164", "tcp-flags": 19});
    check(TRANSIT_GATEWAY, TRANSIT_RESPONSE, &response);
}

#[test]
fn service_name_traffic_path_and_flow_direction() {
    let ingress = json!({"pkt-src-aws-service": "S3", "traffic-path": null});
    check(SERVICE_AND_PATH, FROM_S3, &ingress);
    let egress =
        json!({"pkt-dst-aws-service": "S3", "traffic-path": 8, "flow-direction": "egress"});
    check(SERVICE_AND_PATH, TO_S3, &egress);
}

#[test]
fn a_header_line_names_the_fields_as_in_files_on_s3() {
    let file = format!("{SERVICE_AND_PATH}\n{FROM_S3}\n{TO_S3}\n");
    let run = flowscout().arg("decode").stdin(Cursor::new(file)).succeed();
    let expected = [FROM_S3, TO_S3].map(|line| naive(SERVICE_AND_PATH, line));
    assert_eq!(run.json_lines(), expected);
    assert_eq!(run.stderr, "");
}

#[test]
fn a_replay_counts_the_examples_for_what_they_are() {
    let lines =
        [ACCEPTED_SSH, REJECTED_RDP, NO_DATA, SKIPPED_DATA, PING, PING_REPLY, IPV6_SSH].join("\n");
    let run = flowscout().args(["replay", "-", "--report", "json"]).stdin(Cursor::new(lines));
    let report = run.succeed().report();
    let counts = ["records", "rejected_records", "no_data_records", "skipped_data_records"];
    assert_eq!(counts.map(|name| report[name].as_u64().unwrap()), [5, 2, 1, 1], "{report}");
    assert_eq!(report["refused_lines"], 0, "{report}");
    assert_eq!(report["bytes"], 4249 + 4249 + 336 + 336 + 8855, "{report}");
    // The interface that AWS lost records of is the one finding.
    let findings = report["findings"].as_array().unwrap();
    let named = |finding: &Value| (finding["kind"].clone(), finding["entity"]["src"].clone());
    let gap = (json!("data_gap"), json!("eni-11111111aaaaaaaaa"));
    assert_eq!(findings.iter().map(named).collect::<Vec<_>>(), [gap]);
}

#[test]
fn a_replay_notes_the_doubled_space() {
    let run = flowscout().args(["replay", "-", "--report", "json"]);
    let run = run.args(["--format", &format_string(TCP_FLAGS)]);
    let report = run.stdin(Cursor::new(SHORT_CONNECTION.join("\n"))).succeed().report();
    assert_eq!((&report["records"], &report["doubled_spaces"]), (&json!(2), &json!(1)));
}
