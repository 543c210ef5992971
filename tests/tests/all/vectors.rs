//! Decoder conformance: the shared vectors, field by field through `flowscout decode`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::Path;

use flowscout_tests::{Run, flowscout, shared_data};
use serde_json::Value;

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
