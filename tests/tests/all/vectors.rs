//! Decoder conformance: the shared vectors, field by field through `flowscout decode`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::Path;

use base64_turbo::STANDARD;
use flowscout_tests::{Run, Scratch, flowscout, gzip, shared_data};
use serde_json::{Value, json};

fn vectors(shared: &Path, kinds: &[&str]) -> Vec<Value> {
    let mut files: Vec<_> =
        shared.join("vectors").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|vector| kinds.contains(&vector["kind"].as_str().unwrap())).collect()
}

/// `["version", "srcaddr"]` as `${version} ${srcaddr}`.
fn format_string(vector: &Value) -> String {
    let names = vector["format"].as_array().unwrap().iter();
    let fields: Vec<String> =
        names.map(|name| format!("${{{}}}", name.as_str().unwrap())).collect();
    fields.join(" ")
}

/// The numbers of the lines that `decode` refused on standard input.
fn refused_lines(run: &Run) -> BTreeSet<usize> {
    let number = |line: &str| {
        let rest = line.strip_prefix("flowscout: -:")?;
        rest.split(':').next()?.parse().ok()
    };
    let parsed = |line: &str| number(line).unwrap_or_else(|| panic!("not a refusal: {line}"));
    run.stderr.lines().map(parsed).collect()
}

/// Absent, null and unknown are one and the same.
fn without_nulls(record: &Value) -> BTreeMap<&String, &Value> {
    record.as_object().unwrap().iter().filter(|(_, value)| !value.is_null()).collect()
}

/// Decodes `vectors`, all of one format, in one process.
fn check_format(format: &str, vectors: &[Value]) {
    let inputs: Vec<&str> =
        vectors.iter().map(|vector| vector["input"].as_str().unwrap()).collect();
    assert!(inputs.iter().all(|input| !input.contains('\n')), "one line per vector");
    let run = flowscout().args(["decode", "--format", format]);
    let run = run.stdin(Cursor::new(inputs.join("\n"))).succeed();
    let refused = refused_lines(&run);
    let mut records = run.json_lines().into_iter();
    for (place, vector) in vectors.iter().enumerate() {
        let id = &vector["id"];
        if vector["kind"] == "line_error" {
            assert!(refused.contains(&(place + 1)), "{id} must be refused: {run}");
            continue;
        }
        assert!(!refused.contains(&(place + 1)), "{id} must not be refused: {run}");
        let record = records.next().unwrap();
        assert_eq!(without_nulls(&record), without_nulls(&vector["expected"]), "{id}");
    }
    assert_eq!(records.next(), None);
}

#[test]
fn every_line_vector_decodes_to_its_expected_fields() {
    let Some(shared) = shared_data() else { return };
    let vectors = vectors(&shared, &["line", "line_error"]);
    let mut by_format: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let (mut lines, mut errors) = (0, 0);
    for vector in vectors {
        if vector["kind"] == "line" {
            lines += 1
        } else {
            errors += 1
        }
        by_format.entry(format_string(&vector)).or_default().push(vector);
    }
    assert!(lines > 0 && errors > 0, "{lines} lines and {errors} errors");
    for (format, vectors) in &by_format {
        check_format(format, vectors);
    }
}

#[test]
fn every_file_vector_gives_its_number_of_records_and_refusals() {
    let Some(shared) = shared_data() else { return };
    let vectors = vectors(&shared, &["s3_file"]);
    assert!(!vectors.is_empty());
    for vector in vectors {
        let input = vector["input"].as_str().unwrap().to_owned();
        let run = flowscout().arg("decode").stdin(Cursor::new(input)).succeed();
        let found = (run.json_lines().len() as u64, refused_lines(&run).len() as u64);
        let expected = (&vector["expected_records"], &vector["expected_skipped"]);
        let expected = (expected.0.as_u64().unwrap(), expected.1.as_u64().unwrap());
        assert_eq!(found, expected, "{}: {run}", vector["id"]);
    }
}

fn decode(input: impl Into<Vec<u8>>) -> Run {
    flowscout().arg("decode").stdin(Cursor::new(input.into())).succeed()
}

/// What was refused, as it is shown: in order, without its place.
fn excerpts(run: &Run) -> Vec<String> {
    let excerpt = |line: &str| line.splitn(4, ": ").nth(3).unwrap().to_owned();
    run.stderr.lines().map(excerpt).collect()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// `input` must hold these messages, in this order, as if they stood in a file of their own.
fn check_messages(id: &Value, input: impl Into<Vec<u8>>, messages: &[String]) {
    let (enveloped, plain) = (decode(input), decode(messages.join("\n")));
    assert_eq!(enveloped.stdout, plain.stdout, "{id}");
    assert_eq!(excerpts(&enveloped), excerpts(&plain), "{id}: {enveloped}");
    assert_eq!(enveloped.json_lines().len() + excerpts(&enveloped).len(), messages.len(), "{id}");
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[test]
fn every_envelope_of_cloudwatch_gives_its_messages_plain_compressed_and_wrapped() {
    let Some(shared) = shared_data() else { return };
    let kinds = ["firehose_json_message", "cwl_subscription_json", "awslogs_gzip_base64"];
    let vectors = vectors(&shared, &kinds);
    assert!(vectors.len() >= 10);
    for vector in vectors {
        let (id, input) = (&vector["id"], vector["input"].as_str().unwrap());
        let messages = texts(&vector["expected_messages"]);
        check_messages(id, input, &messages);
        let compressed = match vector["input_gzip_base64"].as_str() {
            Some(text) => STANDARD.decode(text).unwrap(),
            None => gzip(input.as_bytes()),
        };
        check_messages(id, gzip(&compressed), &messages);
        let data = base64(&compressed);
        check_messages(id, json!({ "awslogs": { "data": data } }).to_string(), &messages);
        let records = json!({ "requestId": "r", "timestamp": 1, "records": [{ "data": data }] });
        check_messages(id, records.to_string(), &messages);
        check_messages(
            id,
            [&compressed[..], &compressed].concat(),
            &[&messages[..], &messages].concat(),
        );
        check_messages(id, compressed, &messages);
    }
}

#[test]
fn a_log_event_of_its_own_gives_its_fields() {
    let Some(shared) = shared_data() else { return };
    let vectors = vectors(&shared, &["cwl_log_event"]);
    assert!(!vectors.is_empty());
    for vector in vectors {
        let records = decode(vector["input"].as_str().unwrap()).json_lines();
        let [record] = &records[..] else { panic!("{records:?}") };
        assert_eq!(without_nulls(record), without_nulls(&vector["expected"]), "{}", vector["id"]);
    }
}

#[test]
fn every_firehose_request_gives_its_records() {
    let Some(shared) = shared_data() else { return };
    let requests = vectors(&shared, &["firehose_http_request"]);
    assert!(!requests.is_empty());
    for vector in requests {
        let run = decode(vector["input"].as_str().unwrap());
        // Its only record is a query of a resolver: a document that is no flow log.
        let expected = vector["expected"]["records"].as_u64().unwrap();
        assert_eq!(excerpts(&run).len() as u64, expected, "{}: {run}", vector["id"]);
        run.assert_says("record 1, part 1: unknown_json");
    }
    let events = vectors(&shared, &["firehose_lambda_transform_event"]);
    assert!(!events.is_empty());
    for mut vector in events {
        for record in vector["input"]["records"].as_array_mut().unwrap() {
            let data = base64(record["data_decoded"].to_string().as_bytes());
            record["data"] = data.into();
            record.as_object_mut().unwrap().remove("data_decoded");
        }
        let messages = texts(&vector["expected_messages"]);
        check_messages(&vector["id"], vector["input"].to_string(), &messages);
    }
}

#[test]
fn every_aggregate_of_the_kinesis_producer_library_gives_its_user_records() {
    let Some(shared) = shared_data() else { return };
    let vectors = vectors(&shared, &["kpl_aggregated", "kinesis_plain"]);
    assert!(vectors.len() >= 4);
    for vector in vectors {
        let run = decode(STANDARD.decode(vector["input_base64"].as_str().unwrap()).unwrap());
        let records = vector["expected_user_records"].as_array().unwrap().iter();
        let expected: Vec<&str> =
            records.map(|record| record["data"].as_str().unwrap().trim_end()).collect();
        assert_eq!(excerpts(&run), expected, "{}", vector["id"]);
    }
}

#[test]
fn every_parquet_file_gives_its_rows() {
    let Some(shared) = shared_data() else { return };
    let vectors = vectors(&shared, &["parquet_file"]);
    assert!(!vectors.is_empty());
    let scratch = Scratch::new();
    for vector in vectors {
        let name = vector["input_file"].as_str().unwrap();
        let bytes = fs::read(shared.join("vectors").join(name)).unwrap();
        // Whatever it is called.
        let path = scratch.file("flows", bytes);
        let run = flowscout().arg("decode").arg(path).succeed();
        let expected = vector["expected"].as_array().unwrap();
        let records = run.json_lines();
        assert_eq!(records.len(), expected.len(), "{run}");
        for (record, expected) in records.iter().zip(expected) {
            assert_eq!(without_nulls(record), without_nulls(expected), "{}", vector["id"]);
        }
    }
}
