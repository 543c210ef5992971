//! Flow logs as Parquet, in AWS's types.

use std::sync::Arc;

use parquet::basic::{Compression, GzipLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// AWS page "Flow log records" and the tables that Athena makes of them.
const SCHEMA: &str = "message flow_logs {
    OPTIONAL INT32 version; OPTIONAL BYTE_ARRAY account_id (UTF8); OPTIONAL BYTE_ARRAY interface_id (UTF8);
    OPTIONAL BYTE_ARRAY srcaddr (UTF8); OPTIONAL BYTE_ARRAY dstaddr (UTF8); OPTIONAL INT32 srcport;
    OPTIONAL INT32 dstport; OPTIONAL INT64 protocol; OPTIONAL INT64 packets; OPTIONAL INT64 bytes;
    OPTIONAL INT64 start; OPTIONAL INT64 end; OPTIONAL BYTE_ARRAY action (UTF8);
    OPTIONAL BYTE_ARRAY log_status (UTF8); }";
/// Several row groups even of a small file.
const GROUP_ROWS: usize = 1000;

/// Lines in the default format, without a header, as one Parquet file.
#[must_use]
pub fn parquet(lines: &[&str]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let codec = Compression::GZIP(GzipLevel::default());
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties).unwrap();
    let rows: Vec<Vec<&str>> = lines.iter().map(|line| line.split(' ').collect()).collect();
    for rows in rows.chunks(GROUP_ROWS) {
        let mut group = writer.next_row_group().unwrap();
        let mut place = 0;
        while let Some(mut column) = group.next_column().unwrap() {
            let value = |row: &Vec<&'_ str>| (row[place] != "-").then(|| row[place].to_owned());
            let values: Vec<Option<String>> = rows.iter().map(value).collect();
            write(column.untyped(), &values);
            column.close().unwrap();
            place += 1;
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    file
}

fn write(writer: &mut ColumnWriter<'_>, values: &[Option<String>]) {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present = values.iter().flatten();
    match writer {
        ColumnWriter::Int32ColumnWriter(writer) => {
            let numbers: Vec<i32> = present.map(|value| value.parse().unwrap()).collect();
            writer.write_batch(&numbers, Some(&levels), None).unwrap();
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let numbers: Vec<i64> = present.map(|value| value.parse().unwrap()).collect();
            writer.write_batch(&numbers, Some(&levels), None).unwrap();
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let texts: Vec<ByteArray> = present.map(|value| ByteArray::from(&**value)).collect();
            writer.write_batch(&texts, Some(&levels), None).unwrap();
        }
        _ => unreachable!("the schema has no other type"),
    }
}
