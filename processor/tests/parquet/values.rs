//! Every column of a row, rows as text, and what reading costs.

use std::path::Path;

use flowscout::decode::parquet::RowReader;
use flowscout::decode::{Limits, Oddities, Value};
use flowscout::source::parquet::{Columns, ParquetFile};
use serde_json::{Value as Json, json};

use super::reading;
use super::table::{Column, Kind, Style, write};

/// Each row as an object, absent fields left out, or why it is refused.
fn objects(file: ParquetFile) -> Vec<Json> {
    let mut reader = RowReader::new(Limits::default());
    let mut rows = Vec::new();
    for group in file {
        let group = group.unwrap();
        let end = reader.all(&group, &mut |_, values| {
            rows.push(values.map_or_else(|refusal| json!(refusal.to_string()), object));
        });
        end.unwrap();
    }
    rows
}

fn object(values: &[(&str, Value<'_>)]) -> Json {
    let values = values.iter().filter_map(|(name, value)| match value {
        Value::Absent => None,
        Value::Integer(number) => Some(((*name).to_owned(), json!(number))),
        Value::Text(text) => Some(((*name).to_owned(), json!(String::from_utf8_lossy(text)))),
    });
    Json::Object(values.collect())
}

fn columns() -> Vec<Column> {
    vec![
        Column::new("account_id", Kind::Int64, &[Some("12"), Some("-12"), None]),
        Column::new("log_status", Kind::Text, &[Some("OK"), Some("OK"), Some("NODATA")]),
        Column::new("srcport", Kind::Text, &[Some("-"), Some("70000"), Some("70000")]),
        Column::new("vpc_id", Kind::Text, &[Some("vpc-1"), Some(""), Some("a b")]),
        Column::new("new_field", Kind::Double, &[Some("1.5"), None, Some("-2")]),
        Column::new("flag", Kind::Boolean, &[Some("true"), None, Some("false")]),
    ]
}

#[test]
fn every_column_is_given_under_its_documented_name() {
    for style in [Style::default(), Style { has_dictionary: false, ..Style::default() }] {
        let rows = objects(reading::open(&write(&columns(), style), Columns::All).unwrap());
        let first = json!({"account-id": 12, "log-status": "OK", "vpc-id": "vpc-1", "new_field": "1.5",
            "flag": "true"});
        // It describes no packets, so a port that is none binds to nothing.
        let last = json!({"log-status": "NODATA", "srcport": 70000, "vpc-id": "a b", "new_field": "-2",
            "flag": "false"});
        assert_eq!(rows, [first, json!("bad_number in srcport"), last]);
    }
}

#[test]
fn chosen_rows_are_given_as_text() {
    let style = Style { page_rows: 1, ..Style::default() };
    let group = &reading::groups(&write(&columns(), style))[0];
    let mut reader = RowReader::new(Limits::default());
    let mut texts = Vec::new();
    reader
        .texts(group, &[0, 2, 3], &mut |number, text| {
            texts.push((number, String::from_utf8(text.to_vec()).unwrap()));
        })
        .unwrap();
    let expected = [(0, "12 OK - vpc-1 1.5 true"), (2, "- NODATA 70000 a b -2 false")];
    assert_eq!(texts, expected.map(|(number, text)| (number, text.to_owned())));
}

#[test]
fn a_text_that_every_row_would_have_to_hash_is_refused() {
    let long = "e".repeat(1025);
    let columns = [
        Column::new("interface_id", Kind::Text, &[Some(&long), Some(&long[1..])]),
        Column::new("end", Kind::Text, &[Some("1418530070"); 2]),
        Column::new("log_status", Kind::Text, &[Some("NODATA"); 2]),
    ];
    let group = &reading::groups(&write(&columns, Style::default()))[0];
    let mut rows = Vec::new();
    let mut reader = RowReader::new(Limits::default());
    reader
        .rows(group, &mut Oddities::default(), &mut |_, line| rows.push(format!("{line:?}")))
        .unwrap();
    assert_eq!(rows[0], "Err(Refusal { reason: LineTooLong, field: None })");
    assert_eq!(rows[1], "Ok(Silence)");
}

#[test]
fn a_hundred_thousand_rows_allocate_nothing_once_the_buffers_are_there() {
    let rows = 100_000;
    let values = |value: &dyn Fn(usize) -> String| -> Vec<Option<String>> {
        (0..rows).map(|row| Some(value(row)).filter(|_| row % 10 != 3)).collect()
    };
    let column = |name: &str, kind, values| Column {
        name: name.to_owned(),
        kind,
        is_optional: true,
        values,
    };
    let columns = [
        column("interface_id", Kind::Text, values(&|row| format!("eni-{}", row % 50))),
        column(
            "srcaddr",
            Kind::Text,
            values(&|row| format!("10.0.{}.{}", row / 256 % 256, row % 256)),
        ),
        column("dstaddr", Kind::Text, values(&|_| "10.1.0.1".to_owned())),
        column("srcport", Kind::Int32, values(&|row| (row % 60_000).to_string())),
        column("bytes", Kind::Int64, values(&|row| (row * 7919).to_string())),
        column("end", Kind::Int64, values(&|row| (1_418_530_010 + row / 1000).to_string())),
    ];
    let style = Style { group_rows: rows, ..Style::default() };
    let group = reading::groups(&write(&columns, style)).remove(0);
    let mut reader = RowReader::new(Limits::default());
    let mut read = 0;
    let mut run = || {
        reader.rows(&group, &mut Oddities::default(), &mut |_, _| read += 1).unwrap();
    };
    run();
    let measured = allocation_counter::measure(run);
    assert_eq!(read, 2 * rows);
    assert_eq!(measured.count_total, 0, "{} allocations", measured.count_total);
}

#[test]
fn the_file_of_flowlogs_reader_decodes_to_its_expected_fields() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/vectors");
    let folder = std::env::var_os("FLOWSCOUT_SHARED_DATA")
        .map_or(folder, |data| Path::new(&data).join("vectors"));
    let Ok(vectors) = std::fs::read_to_string(folder.join("files.jsonl")) else { return };
    let vectors = vectors.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let mut checked = 0;
    for vector in vectors.filter(|vector| vector["kind"] == "parquet_file") {
        let path = folder.join(vector["input_file"].as_str().unwrap());
        let file = ParquetFile::open(&path, "vector".into(), Columns::All).unwrap();
        let mut expected = vector["expected"].clone();
        for row in expected.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        assert_eq!(Json::Array(objects(file)), expected);
        let file = ParquetFile::open(&path, "vector".into(), Columns::Used).unwrap();
        let mut lines = Vec::new();
        for group in file {
            let mut reader = RowReader::new(Limits::default());
            let end = reader.rows(&group.unwrap(), &mut Oddities::default(), &mut |_, line| {
                lines.push(format!("{line:?}"));
            });
            end.unwrap();
        }
        assert!(lines[0].starts_with("Ok(Flow("), "{lines:?}");
        assert_eq!(lines[1..], ["Ok(Silence)", "Ok(Silence)"]);
        checked += 1;
    }
    assert_eq!(checked, 1);
}
