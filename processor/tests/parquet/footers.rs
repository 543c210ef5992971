//! What a footer may say, and what a file must have.

use std::sync::atomic::Ordering;

use flowscout::decode::parquet::{Footer, FooterError};
use flowscout::source::parquet::{Columns, ParquetFile};
use parquet::basic::{Compression, ZstdLevel};

use super::reading;
use super::table::{Column, Kind, Style, write};

fn columns(names: &[&str]) -> Vec<Column> {
    let column = |name: &&str| Column::new(name, Kind::Text, &[Some("1"), None]);
    names.iter().map(column).collect()
}

#[test]
fn a_file_without_what_detection_needs_is_refused_by_the_name_of_the_column() {
    let message =
        |names: &[&str]| reading::refusal(&write(&columns(names), Style::default()), Columns::Used);
    let expected = "memory: the Parquet file has no column `dstaddr`, which detection needs";
    assert_eq!(message(&["pkt_srcaddr", "end"]), expected);
    let expected = "memory: the Parquet file has no column `srcaddr` (is `srcadr` misspelt?), \
                    which detection needs";
    assert_eq!(message(&["srcadr", "dstaddr", "end"]), expected);
    let good = write(&columns(&["pkt_srcaddr", "pkt_dstaddr", "start"]), Style::default());
    assert!(reading::open(&good, Columns::Used).is_ok());
}

#[test]
fn a_column_of_a_type_that_its_field_cannot_have_is_refused() {
    let mut columns = columns(&["srcaddr", "dstaddr", "end"]);
    columns.push(Column::new("bytes", Kind::Double, &[Some("1.5"), None]));
    let file = write(&columns, Style::default());
    let expected =
        "memory: the Parquet file has column `bytes` as Double: neither integers nor text";
    assert_eq!(reading::refusal(&file, Columns::Used), expected);
    // Those who want every column get it as it is.
    assert!(reading::open(&file, Columns::All).is_ok());
    columns[0].kind = Kind::Int64;
    let file = write(&columns, Style::default());
    assert!(reading::refusal(&file, Columns::Used).contains("column `srcaddr` as Int64"));
}

#[test]
fn only_the_columns_in_use_are_read() {
    let names = ["version", "srcaddr", "vpc_id", "dstaddr", "end", "new_field"];
    let file = write(&columns(&names), Style::default());
    let group = reading::open(&file, Columns::Used).unwrap().next().unwrap().unwrap();
    let read: Vec<_> =
        group.chunks.iter().map(|chunk| &*group.columns[chunk.column].name).collect();
    assert_eq!(read, ["srcaddr", "dstaddr", "end"]);
}

#[test]
fn a_file_on_disk_gives_what_it_gives_in_memory_and_tells_how_far_it_is() {
    let style = Style { group_rows: 1, ..Style::default() };
    let bytes = write(&columns(&["srcaddr", "vpc_id", "dstaddr", "end"]), style);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, &bytes).unwrap();
    let mut file = ParquetFile::open(&path, "a".into(), Columns::Used).unwrap();
    let consumed = file.consumed_bytes();
    let mut told = Vec::new();
    for expected in reading::open(&bytes, Columns::Used).unwrap() {
        let group = file.next().unwrap().unwrap();
        assert_eq!(format!("{group:?}"), format!("{:?}", expected.unwrap()));
        told.push(consumed.load(Ordering::Relaxed));
    }
    assert!(file.next().is_none() && told[0] < told[1], "{told:?}");
    assert_eq!(consumed.load(Ordering::Relaxed), bytes.len() as u64);
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_told_and_the_rest_follows() {
    let style = Style { group_rows: 1, ..Style::default() };
    let bytes = write(&columns(&["srcaddr", "dstaddr", "end"]), style);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, &bytes).unwrap();
    let file = ParquetFile::open(&path, "a".into(), Columns::Used).unwrap();
    std::fs::write(&path, &bytes[..50]).unwrap();
    let ends: Vec<String> = file.map(|group| group.unwrap_err().to_string()).collect();
    assert_eq!(ends.len(), 2);
    assert!(ends[0].starts_with("a: cannot read: "), "{ends:?}");
}

#[test]
fn a_codec_that_is_not_supported_is_named() {
    let codec = Compression::ZSTD(ZstdLevel::default());
    let style = Style { codec, ..Style::default() };
    let mut file = write(&columns(&["srcaddr", "dstaddr", "end"]), style).to_vec();
    // The column's path, then its codec: 6 is Zstandard, 5 is LZ4, both doubled (zigzag).
    let place = file.windows(5).rposition(|bytes| bytes == b"end\x15\x0c").unwrap();
    file[place + 4] = 10;
    let group = reading::open(&file.into(), Columns::Used).unwrap().next().unwrap();
    let expected = "memory: row group 0 has column `end` compressed by LZ4, which is not supported";
    assert_eq!(group.unwrap_err().to_string(), expected);
}

#[test]
fn what_is_no_parquet_file_says_so() {
    let message = |bytes: &[u8]| reading::refusal(&bytes.to_vec().into(), Columns::All);
    assert_eq!(message(b""), "memory: not a whole Parquet file: it does not end in PAR1");
    assert_eq!(message(b"2 1 eni-1 10.0.0.1"), message(b""));
    assert_eq!(message(b"PAR1\x00\x00\x00\x00PARE"), "memory: the Parquet file is encrypted");
    assert!(message(b"PAR1\xff\xff\xff\x7fPAR1").contains("claims 2147483647 bytes"));
    assert!(message(b"PAR1\xff\x00\x00\x00PAR1").contains("longer than the file"));
}

/// A footer of this list of schema elements and nothing else, in Thrift's compact protocol.
fn schema(elements: &[&[u8]]) -> Vec<u8> {
    let mut footer = vec![0x29, 0xfc];
    let mut count = elements.len();
    while count >= 0x80 {
        footer.push(count as u8 | 0x80);
        count >>= 7;
    }
    footer.push(count as u8);
    footer.extend(elements.iter().flat_map(|element| element.iter()));
    footer.push(0);
    footer
}

/// A group of one child.
const NEST: &[u8] = &[0x48, 1, b'n', 0x15, 2, 0];
/// An integer that may be null.
const LEAF: &[u8] = &[0x15, 2, 0x25, 2, 0x18, 1, b'l', 0];

#[test]
fn a_schema_of_a_million_levels_is_walked_without_recursion() {
    let mut elements = vec![NEST; 1_000_000];
    elements.push(LEAF);
    let error = Footer::parse(&schema(&elements), 1 << 30).unwrap_err();
    let expected = FooterError::Corrupt("it has no column that is neither a group nor a list");
    assert_eq!(error, expected);
}

#[test]
fn a_schema_that_does_not_close_or_goes_on_is_refused() {
    assert!(Footer::parse(&schema(&[NEST, LEAF]), 1 << 30).is_ok());
    for broken in [&[NEST][..], &[NEST, NEST], &[LEAF, LEAF], &[NEST, LEAF, LEAF], &[]] {
        let error = Footer::parse(&schema(broken), 1 << 30);
        assert!(matches!(error, Err(FooterError::Corrupt(_))), "{error:?}");
    }
}

#[test]
fn lists_that_claim_more_than_their_bytes_are_refused_before_they_are_allocated() {
    // Schema as above, then 2^31 - 1 row groups.
    let mut footer = schema(&[NEST, LEAF]);
    footer.pop();
    footer.extend([0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07]);
    let mut error = None;
    let measured =
        allocation_counter::measure(|| error = Some(Footer::parse(&footer, 1 << 30).unwrap_err()));
    assert!(matches!(error, Some(FooterError::Corrupt(_))), "{error:?}");
    assert!(measured.bytes_max < 64 << 10, "{}", measured.bytes_max);
}

#[test]
fn groups_and_lists_beside_the_fields_are_gone_past() {
    use std::sync::Arc;

    use parquet::column::writer::ColumnWriter;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let schema = "message logs { OPTIONAL group tags (LIST) { REPEATED group list { OPTIONAL INT32 element; } }
        REQUIRED INT32 srcport; REPEATED INT32 many; REQUIRED group inner { REQUIRED INT32 dstport; }
        REQUIRED INT32 dstport; }";
    let mut file = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (value, definition, repetition) in [
        (1, Some(3), true),
        (2, None, false),
        (3, Some(1), true),
        (4, None, false),
        (5, None, false),
    ] {
        let mut column = group.next_column().unwrap().unwrap();
        let ColumnWriter::Int32ColumnWriter(writer) = column.untyped() else { panic!() };
        let definition = definition.map(|level| vec![level; 2]);
        let repetition = repetition.then(|| vec![0; 2]);
        writer.write_batch(&[value, value], definition.as_deref(), repetition.as_deref()).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let group = &reading::groups(&file.into())[0];
    let names: Vec<_> = group.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["srcport", "dstport"]);
    let mut rows = Vec::new();
    let mut reader = flowscout::decode::parquet::RowReader::new(Default::default());
    reader.all(group, &mut |_, values| rows.push(format!("{:?}", values.unwrap()))).unwrap();
    assert_eq!(rows, [r#"[("srcport", Integer(2)), ("dstport", Integer(5))]"#; 2]);
}
