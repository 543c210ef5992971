//! Generated traffic as Parquet: the default format's columns in AWS's types, written by the `parquet` crate.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// Types as the AWS page "Flow log records" has them.
const SCHEMA: &str = "message flow_logs {
    OPTIONAL INT32 version; OPTIONAL BYTE_ARRAY account_id (UTF8); OPTIONAL BYTE_ARRAY interface_id (UTF8);
    OPTIONAL BYTE_ARRAY srcaddr (UTF8); OPTIONAL BYTE_ARRAY dstaddr (UTF8); OPTIONAL INT32 srcport;
    OPTIONAL INT32 dstport; OPTIONAL INT32 protocol; OPTIONAL INT64 packets; OPTIONAL INT64 bytes;
    OPTIONAL INT64 start; OPTIONAL INT64 end; OPTIONAL BYTE_ARRAY action (UTF8);
    OPTIONAL BYTE_ARRAY log_status (UTF8); }";

/// The lines of `text`, in the default format, as one Parquet file with row groups of `group_rows` rows.
///
/// # Panics
/// When the writer fails, or a number is none.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a benchmark without its input has no use")]
pub fn file(text: &str, codec: Compression, group_rows: usize) -> Bytes {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    for rows in rows.chunks(group_rows) {
        let mut group = writer.next_row_group().unwrap();
        let mut place = 0;
        while let Some(mut column) = group.next_column().unwrap() {
            let values: Vec<Option<&str>> =
                rows.iter().map(|row| Some(row[place]).filter(|value| *value != "-")).collect();
            write(column.untyped(), &values);
            column.close().unwrap();
            place += 1;
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    file.into()
}

#[expect(clippy::unwrap_used, reason = "a benchmark without its input has no use")]
fn write(writer: &mut ColumnWriter<'_>, values: &[Option<&str>]) {
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
            let texts: Vec<ByteArray> = present.map(|value| ByteArray::from(*value)).collect();
            writer.write_batch(&texts, Some(&levels), None).unwrap();
        }
        _ => unreachable!("the schema has no other type"),
    }
}
