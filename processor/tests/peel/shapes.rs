//! Each envelope in its documented shape and with the oddities that it may have.

use flowscout::decode::Reason;
use serde_json::{Value, json};

use super::seen::{Seen, Text, base64, envelope, gzip, request};

fn of_json(document: &Value) -> Seen {
    let compact = Seen::of(document.to_string().as_bytes());
    assert_eq!(compact.texts, Seen::of(format!("\n {document:#}\n").as_bytes()).texts);
    compact
}

#[test]
fn lines_are_one_text_as_they_stand() {
    assert_eq!(Seen::of(b"2 a\r\n2 b\n\n").placed(), [("record 1", "2 a\r\n2 b\n\n")]);
    assert_eq!(Seen::of(b"\xef\xbb\xbf2 a").lines(), ["2 a"]);
    for blank in ["", "\n", " \r\n\t", "\u{feff}"] {
        assert_eq!(Seen::of(blank.as_bytes()), Seen::default(), "{blank:?}");
    }
}

#[test]
fn an_envelope_gives_its_messages_with_their_events_and_log_group() {
    let seen = Seen::of(envelope(&["2 a", "2 b"]).as_bytes());
    assert_eq!(seen.placed(), [("record 1, event 1", "2 a"), ("record 1, event 2", "2 b")]);
    assert!(seen.texts.iter().all(|text| text.log_group == "/vpc/flow"));
    assert!(seen.refused.is_empty());
}

#[test]
fn an_envelope_may_have_its_keys_in_any_order_and_others_beside_them() {
    let document = r#"{"logEvents":[{"message":"2 a","@x":{"y":[1,{}]},"timestamp":"14185","id":"1"},
        {"message":"2 \u0062\"é"},{"timestamp":1.5e3,"message":"","id":null}],"policyLevel":"ACCOUNT",
        "@aws.region":"eu","logGroup":"gr\u00fcn","messageType":"DATA_MESSAGE"}"#;
    let seen = Seen::of(document.as_bytes());
    assert_eq!(seen.placed(), [("record 1, event 1", "2 a"), ("record 1, event 2", "2 b\"é")]);
    assert!(seen.texts.iter().all(|text| text.log_group == "grün"));
}

#[test]
fn an_envelope_without_a_log_group_is_one_all_the_same() {
    let document = json!({"messageType": "DATA_MESSAGE", "logEvents": [{"message": "2 a"}]});
    assert_eq!(of_json(&document).texts[0].log_group, "");
    let none = json!({"messageType": "DATA_MESSAGE", "logEvents": []});
    assert_eq!(of_json(&none), Seen::default());
}

#[test]
fn a_health_probe_is_counted_and_never_an_error() {
    let probe = r#"{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":"1741312971934","message":"CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}]}"#;
    let as_data = envelope(&["CWL CONTROL MESSAGE"]).replace("123456789010", "CloudwatchLogs");
    for text in [
        probe,
        r#"{"messageType":"CONTROL_MESSAGE"}"#,
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":null}"#,
        r#"{"owner":"CloudwatchLogs","messageType":"DATA_MESSAGE"}"#,
        &as_data,
    ] {
        let expected = Seen { control_messages: 1, ..Seen::default() };
        assert_eq!(Seen::of(text.as_bytes()), expected, "{text}");
        assert_eq!(Seen::of(&gzip(text.as_bytes())), expected, "{text}");
    }
}

#[test]
fn a_log_event_and_a_vended_record_give_their_message() {
    let event = json!({"id": "1", "timestamp": 1, "message": "2 a"});
    for document in [
        event,
        json!({"message": "2 a"}),
        json!({"message": "2 a", "more": [1]}),
        json!({"message": "2 a", "id": 5}),
    ] {
        assert_eq!(of_json(&document).placed(), [("record 1", "2 a")]);
    }
    let lines = b"{\"message\":\"2 a\"}\n{\"message\":\"2 b\"}\n\n";
    let seen = Seen::of(lines);
    assert_eq!(seen.placed(), [("record 1", "2 a"), ("record 1, part 2", "2 b")]);
}

#[test]
fn extracted_fields_are_a_second_view_of_the_record() {
    let fields = json!({"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "account_id": "1", "x": "y"});
    let expected = ("account-id srcaddr dstaddr".to_owned(), "1 10.0.0.1 10.0.0.2".to_owned());
    let event = json!({"id": "1", "message": "2 a", "extractedFields": fields});
    assert_eq!(of_json(&event).texts[0].extracted.as_ref(), Some(&expected));
    let events =
        [event, json!({"message": "2 b"}), json!({"message": "2 c", "extractedFields": 1})];
    let document = json!({"messageType": "DATA_MESSAGE", "logEvents": events});
    let seen = of_json(&document);
    let extracted: Vec<_> = seen.texts.iter().map(|text| text.extracted.as_ref()).collect();
    assert_eq!(extracted, [Some(&expected), None, None]);
}

#[test]
fn a_request_of_firehose_gives_its_records_with_their_numbers() {
    let vended = "{\"message\":\"2 a\"}\n";
    let body = request(&[vended, "2 b\n2 c\n", "", "2 d"]);
    let expected = [
        ("record 1, part 1", "2 a"),
        ("record 1, part 2", "2 b\n2 c\n"),
        ("record 1, part 4", "2 d"),
    ];
    assert_eq!(Seen::of(body.as_bytes()).placed(), expected);
    let spaced = body.replace(',', " ,\n").replace(':', " : ").replace('[', "[ ");
    assert_eq!(Seen::of(spaced.as_bytes()).placed(), expected);
    let document: Value = serde_json::from_str(&body).unwrap();
    let records = &document["records"];
    assert_eq!(of_json(&json!({"records": records})).placed(), expected);
    assert_eq!(of_json(&json!({"records": records, "timestamp": 1})).placed(), expected);
    let event = json!({"invocationId": "i", "deliveryStreamArn": "a", "records": records});
    assert_eq!(of_json(&event).placed(), expected);
    assert_eq!(of_json(&json!({"requestId": "i", "records": []})), Seen::default());
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let [first, last] = ["2 a", "2 b"].map(|text| format!(r#"[{{"data":"{}"}}]"#, base64(text)));
    let body = format!(r#"{{"records":{first},"requestId":"a","requestId":"b","records":{last}}}"#);
    assert_eq!(Seen::of(body.as_bytes()).lines(), ["2 b"]);
    assert_eq!(Seen::of(br#"{"message":"2 a","message":"2 b"}"#).lines(), ["2 b"]);
    let envelope = envelope(&["2 a"]).replace(r#","logStream""#, r#","logGroup":"b","logStream""#);
    assert_eq!(Seen::of(envelope.as_bytes()).texts[0].log_group, "b");
}

#[test]
fn base64_may_be_escaped_or_lack_its_padding() {
    let body = request(&["2 a?>"]);
    let encoded = base64("2 a?>");
    assert!(encoded.ends_with('='));
    let slashed = body.replace(&encoded, &encoded.replace('=', "\\u003d"));
    assert_eq!(Seen::of(slashed.as_bytes()).lines(), ["2 a?>"]);
    let unpadded = body.replace(&encoded, encoded.trim_end_matches('='));
    assert_eq!(Seen::of(unpadded.as_bytes()).lines(), ["2 a?>"]);
}

#[test]
fn a_lambda_gets_its_records_from_logs_kinesis_or_firehose() {
    let data = base64(gzip(envelope(&["2 a"]).as_bytes()));
    let from_logs = json!({"awslogs": {"data": data}});
    assert_eq!(of_json(&from_logs).placed(), [("record 1, event 1", "2 a")]);
    let kinesis = json!({"partitionKey": "k", "data": data, "sequenceNumber": "1"});
    let record = json!({"kinesis": kinesis, "eventSource": "aws:kinesis", "eventID": "s:1"});
    let expected = [("record 1, part 1, event 1", "2 a"), ("record 1, part 2, event 1", "2 a")];
    assert_eq!(of_json(&json!({"Records": [record, record]})).placed(), expected);
}

#[test]
fn records_that_the_kinesis_api_gives_are_read() {
    let record =
        |data: &str| json!({"Data": base64(data), "PartitionKey": "k", "SequenceNumber": "1"});
    let answer = json!({"Records": [record("2 a"), record("2 b")], "NextShardIterator": "x", "MillisBehindLatest": 0});
    assert_eq!(of_json(&answer).lines(), ["2 a", "2 b"]);
    assert_eq!(of_json(&json!({"Records": [], "MillisBehindLatest": 0})), Seen::default());
}

#[test]
fn what_firehose_failed_to_deliver_is_read_again() {
    let data = base64(gzip(envelope(&["2 a"]).as_bytes()));
    let failed = |data: &str| json!({"attemptsMade": 4, "errorCode": "HttpEndpoint.RequestTimeout", "errorMessage": "late", "rawData": data});
    let file = format!("{}\n{}\n", failed(&data), failed(&base64("2 b")));
    let expected = [("record 1, event 1", "2 a"), ("record 1, part 2", "2 b")];
    assert_eq!(Seen::of(file.as_bytes()).placed(), expected);
}

#[test]
fn a_dead_letter_is_read_under_its_format_or_peeled_again() {
    let letter = |format: Value, data: &str| {
        json!({"flowscout": "dead_letter", "reason": "field_count", "field": null, "source": "s",
            "position": "7", "log_group": "/vpc/flow", "format": format, "data": base64(data), "truncated": true})
    };
    let seen = of_json(&letter("${version} ${end}".into(), "{\"message\":\"2 a\"}"));
    let expected = Text {
        position: "record 1".to_owned(),
        log_group: "/vpc/flow".to_owned(),
        format: Some("${version} ${end}".to_owned()),
        text: "{\"message\":\"2 a\"}".to_owned(),
        ..Text::default()
    };
    assert_eq!(seen.texts, [expected]);
    let seen = of_json(&letter(Value::Null, "{\"message\":\"2 a\"}"));
    assert_eq!(seen.lines(), ["2 a"]);
    assert_eq!((seen.texts[0].log_group.as_str(), &seen.texts[0].format), ("/vpc/flow", &None));
    let seen = of_json(&letter(Value::Null, "{\"logEvents\":[{"));
    assert_eq!(seen.refusals(), [(Reason::BadJson, "{\"logEvents\":[{")]);
    let mut without = letter(Value::Null, "");
    without["data"] = Value::Null;
    assert_eq!(of_json(&without).refused[0].reason, Reason::UnknownJson);
}

#[test]
fn lines_and_documents_may_alternate() {
    let text = "2 a\n{\"message\":\"2 b\"}\n2 c\n2 d {x}\n\n  {\"message\":\"2 e\"} 2 f\n";
    let expected = [
        ("record 1", "2 a\n"),
        ("record 1", "2 b"),
        ("record 1, line 3", "2 c\n2 d {x}\n\n"),
        ("record 1, part 2", "2 e"),
        ("record 1, part 2, line 6", "2 f\n"),
    ];
    let seen = Seen::of(text.as_bytes());
    assert_eq!(seen.placed(), expected);
}

#[test]
fn documents_stand_back_to_back_or_apart() {
    let document = envelope(&["2 a"]);
    for between in ["", "\n", "\r\n", " ", ",", ",\n", "\n\n,\t"] {
        let text = [document.as_str(); 3].join(between);
        assert_eq!(Seen::of(text.as_bytes()).lines(), ["2 a"; 3], "{between:?}");
        let other = text.replace("DATA_MESSAGE\",", "DATA_MESSAGE\", ");
        assert_eq!(Seen::of(other.as_bytes()).lines(), ["2 a"; 3], "{between:?}");
    }
}
