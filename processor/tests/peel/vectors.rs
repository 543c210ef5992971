//! The shared vectors of envelopes and aggregates.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64_turbo::STANDARD;
use serde_json::Value;

use super::seen::{Seen, Text, base64};

/// The vectors of a file; none if the shared data is neither where `FLOWSCOUT_SHARED_DATA` says nor beside the project.
fn vectors(file: &str) -> Vec<Value> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("FLOWSCOUT_SHARED_DATA").map_or_else(beside, PathBuf::from);
    let Ok(text) = fs::read_to_string(folder.join("vectors").join(file)) else {
        // Past the harness, which hides what a passing test prints.
        let line = format!("skipped: the vectors of {file} are not here\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return Vec::new();
    };
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!all.is_empty());
    all
}

fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Messages that are JSON of no flow log are refused whole, one by one.
fn messages(seen: &Seen) -> Vec<String> {
    let texts = seen.texts.iter().map(|text| text.text.trim_end().to_owned());
    let refused = seen.refused.iter().map(|refused| String::from_utf8(refused.bytes.clone()));
    texts.chain(refused.map(Result::unwrap)).collect()
}

/// The payload of a vector; records that it shows decoded are encoded again.
fn input(vector: &Value) -> Vec<u8> {
    match &vector["input"] {
        Value::String(text) => text.clone().into_bytes(),
        event => {
            let mut event = event.clone();
            for record in event["records"].as_array_mut().unwrap() {
                record["data"] = base64(record["data_decoded"].to_string()).into();
            }
            event.to_string().into_bytes()
        }
    }
}

#[test]
fn every_envelope_vector_gives_its_messages() {
    for vector in vectors("envelopes.jsonl") {
        let (id, kind) = (&vector["id"], vector["kind"].as_str().unwrap());
        let seen = Seen::of(&input(&vector));
        match kind {
            "firehose_http_request" => {
                let found = (seen.texts.len() + seen.refused.len()) as u64;
                assert_eq!(Some(found), vector["expected"]["records"].as_u64(), "{id}");
            }
            "cwl_log_event" => {
                let [Text { text, extracted: Some((header, line)), .. }] = &seen.texts[..] else {
                    panic!("{id}: {seen:?}")
                };
                for (name, word) in header.split(' ').zip(line.split(' ')) {
                    let expected = &vector["expected"][name];
                    let expected =
                        expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
                    assert_eq!(word, expected, "{id}: {name}");
                    assert!(text.contains(word), "{id}: {name}");
                }
            }
            "cwl_subscription_json"
            | "awslogs_gzip_base64"
            | "firehose_json_message"
            | "firehose_lambda_transform_event" => {
                assert_eq!(messages(&seen), strings(&vector["expected_messages"]), "{id}");
            }
            other => panic!("{id}: {other}"),
        }
        if let Some(types) = vector["message_types"].as_array() {
            let probes = types.iter().filter(|kind| *kind == "CONTROL_MESSAGE").count();
            assert_eq!(seen.control_messages, probes, "{id}");
        }
        if let Some(compressed) = vector["input_gzip_base64"].as_str() {
            assert_eq!(
                messages(&Seen::of(&STANDARD.decode(compressed).unwrap())),
                messages(&seen),
                "{id}"
            );
        }
    }
}

#[test]
fn every_kpl_vector_gives_its_user_records() {
    for vector in vectors("kpl.jsonl") {
        let payload = STANDARD.decode(vector["input_base64"].as_str().unwrap()).unwrap();
        let seen = Seen::of(&payload);
        let records = vector["expected_user_records"].as_array().unwrap().iter();
        let expected: Vec<&str> = records.map(|record| record["data"].as_str().unwrap()).collect();
        assert_eq!(seen.lines(), expected, "{}", vector["id"]);
    }
}
