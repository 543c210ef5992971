//! A row is what the same values are as a line of text.

use flowscout::decode::parquet::RowReader;
use flowscout::decode::{Limits, Oddities, Splitter, parse_line};
use flowscout::flow::Layout;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use proptest::prelude::*;

use super::reading;
use super::table::{Column, Kind, Style, write};

/// Fields that the pipeline reads, and one that it does not; each with values that are good, odd and bad.
const FIELDS: [(&str, &[&str]); 18] = [
    ("interface-id", &["eni-1", "eni-1235b8ca123456789", "x"]),
    ("srcaddr", &["10.0.0.1", "2001:db8::1", "10.0.0", "::ffff:10.0.0.1", "None"]),
    ("dstaddr", &["10.0.0.2", "fe80::1", "1.2.3.4.5", "010.0.0.1"]),
    ("pkt-srcaddr", &["192.0.2.7", "x"]),
    ("pkt-dstaddr", &["192.0.2.8", "2001:db8::2"]),
    ("srcport", &["0", "443", "65535", "65536", "-1"]),
    ("dstport", &["22", "49152", "100000"]),
    ("protocol", &["6", "17", "255", "256"]),
    ("packets", &["1", "20", "9223372036854775807", "18446744073709551615"]),
    ("bytes", &["40", "1500", "18446744073709551616"]),
    ("start", &["1418530010", "0", "1418530010000", "1418530071"]),
    ("end", &["1418530070", "1418530070000", "0", "99999999999", "1e9"]),
    ("action", &["ACCEPT", "REJECT", "accept"]),
    ("log-status", &["OK", "NODATA", "SKIPDATA", "ok"]),
    ("tcp-flags", &["0", "18", "19", "256"]),
    ("pkt-dst-aws-service", &["S3", "EC2"]),
    ("region", &["us-east-1"]),
    ("new-field", &["a", "b"]),
];

fn codecs() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::UNCOMPRESSED),
        Just(Compression::SNAPPY),
        Just(Compression::GZIP(GzipLevel::default())),
        Just(Compression::ZSTD(ZstdLevel::default())),
    ]
}

fn styles() -> impl Strategy<Value = Style> {
    (codecs(), any::<[bool; 3]>(), 1usize..40, 5usize..60).prop_map(
        |(codec, [is_version_2, has_dictionary, has_deltas], page_rows, group_rows)| Style {
            codec,
            is_version_2,
            has_dictionary,
            has_deltas,
            page_rows,
            group_rows,
        },
    )
}

/// A value of a field: null, one of the absent spellings, the first, which is good, or any other.
fn values(choices: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some("-".to_owned())),
        1 => Just(Some(String::new())),
        12 => Just(Some(choices[0].to_owned())),
        4 => proptest::sample::select(choices).prop_map(|text| Some(text.to_owned())),
    ]
}

/// A column of `rows` values in a type that can hold them all.
fn columns(place: usize, rows: usize) -> impl Strategy<Value = Column> {
    let (name, choices) = FIELDS[place];
    let values = proptest::collection::vec(values(choices), rows);
    (values, any::<[bool; 3]>()).prop_map(move |(values, [wants_integers, is_wide, is_bytes])| {
        let kind = if wants_integers { integers(choices, is_wide) } else { None };
        let kind = kind.unwrap_or(if is_bytes { Kind::Bytes } else { Kind::Text });
        let is_text = matches!(kind, Kind::Text | Kind::Bytes);
        // Absent spellings are text; an integer column has nulls for them.
        let keep = |value: &String| is_text || !matches!(value.as_str(), "" | "-");
        let values: Vec<_> = values.into_iter().map(|value| value.filter(keep)).collect();
        let is_optional = values.iter().any(Option::is_none);
        Column { name: name.replace('-', "_"), kind, is_optional, values }
    })
}

/// The type of integers that holds all of `choices`, if one does.
fn integers(choices: &[&str], is_wide: bool) -> Option<Kind> {
    let numbers: Option<Vec<i128>> = choices.iter().map(|text| text.parse().ok()).collect();
    let numbers = numbers?;
    let fits = |low: i128, high: i128| numbers.iter().all(|number| (low..=high).contains(number));
    let narrow = [
        (Kind::Int32, i128::from(i32::MIN), i128::from(i32::MAX)),
        (Kind::Uint32, 0, i128::from(u32::MAX)),
    ];
    let wide = [
        (Kind::Int64, i128::from(i64::MIN), i128::from(i64::MAX)),
        (Kind::Uint64, 0, i128::from(u64::MAX)),
    ];
    let kinds = if is_wide { [wide, narrow] } else { [narrow, wide] };
    kinds.into_iter().flatten().find(|(_, low, high)| fits(*low, *high)).map(|(kind, _, _)| kind)
}

fn tables() -> impl Strategy<Value = Vec<Column>> {
    let order = Just((0..FIELDS.len()).collect::<Vec<_>>()).prop_shuffle();
    (order, 1usize..=FIELDS.len(), 1usize..120).prop_flat_map(|(order, count, rows)| {
        order[..count].iter().map(|place| columns(*place, rows)).collect::<Vec<_>>()
    })
}

/// What each row is as text, as debugging shows it, and the oddities.
fn as_text(table: &[Column]) -> (Vec<String>, Oddities) {
    let names: Vec<String> =
        table.iter().map(|column| format!("${{{}}}", column.name.replace('_', "-"))).collect();
    let layout = Layout::from_format(&names.join(" ")).unwrap();
    let (mut splitter, mut oddities) = (Splitter::default(), Oddities::default());
    let lines = (0..table[0].values.len()).map(|row| {
        let value = |column: &Column| {
            let text = column.values[row].clone().unwrap_or_default();
            if text.is_empty() { "-".to_owned() } else { text }
        };
        let line = table.iter().map(value).collect::<Vec<_>>().join(" ");
        format!("{:?}", parse_line(line.as_bytes(), &layout, &mut splitter, &mut oddities))
    });
    (lines.collect(), oddities)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_row_is_what_its_values_are_as_a_line(table in tables(), style in styles()) {
        let file = write(&table, style);
        let mut reader = RowReader::new(Limits::default());
        let mut oddities = Oddities::default();
        let mut rows = Vec::new();
        for group in reading::groups(&file) {
            let mut expected_number = 0;
            reader.rows(&group, &mut oddities, &mut |number, line| {
                assert_eq!(number, expected_number);
                expected_number += 1;
                rows.push(format!("{line:?}"));
            }).unwrap();
        }
        prop_assert_eq!((rows, oddities), as_text(&table));
    }
}
