//! Tables that tests write as Parquet files, with the writer of the `parquet` crate: another implementation than ours.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// How a column is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Int32,
    Uint32,
    Int64,
    Uint64,
    Text,
    /// Bytes without a logical type.
    Bytes,
    Fixed(usize),
    Double,
    Boolean,
}

/// One column, its values as text.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) is_optional: bool,
    pub(crate) values: Vec<Option<String>>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) codec: Compression,
    pub(crate) is_version_2: bool,
    pub(crate) has_dictionary: bool,
    /// Delta encodings where there is no dictionary.
    pub(crate) has_deltas: bool,
    pub(crate) page_rows: usize,
    pub(crate) group_rows: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            codec: Compression::SNAPPY,
            is_version_2: false,
            has_dictionary: true,
            has_deltas: false,
            page_rows: 20_000,
            group_rows: 1 << 20,
        }
    }
}

impl Column {
    pub(crate) fn new(name: &str, kind: Kind, values: &[Option<&str>]) -> Self {
        let values: Vec<_> = values.iter().map(|value| value.map(str::to_owned)).collect();
        Self { name: name.to_owned(), kind, is_optional: true, values }
    }

    fn schema(&self) -> String {
        let repetition = if self.is_optional { "OPTIONAL" } else { "REQUIRED" };
        let name = &self.name;
        match self.kind {
            Kind::Int32 => format!("{repetition} INT32 {name} (INTEGER(32,true));"),
            Kind::Uint32 => format!("{repetition} INT32 {name} (UINT_32);"),
            Kind::Int64 => format!("{repetition} INT64 {name};"),
            Kind::Uint64 => format!("{repetition} INT64 {name} (INTEGER(64,false));"),
            Kind::Text => format!("{repetition} BYTE_ARRAY {name} (UTF8);"),
            Kind::Bytes => format!("{repetition} BYTE_ARRAY {name};"),
            Kind::Fixed(length) => format!("{repetition} FIXED_LEN_BYTE_ARRAY ({length}) {name};"),
            Kind::Double => format!("{repetition} DOUBLE {name};"),
            Kind::Boolean => format!("{repetition} BOOLEAN {name};"),
        }
    }

    fn encoding(&self, has_deltas: bool) -> Encoding {
        match self.kind {
            Kind::Boolean | Kind::Double => Encoding::PLAIN,
            _ if !has_deltas => Encoding::PLAIN,
            Kind::Int32 | Kind::Uint32 | Kind::Int64 | Kind::Uint64 => {
                Encoding::DELTA_BINARY_PACKED
            }
            Kind::Fixed(_) => Encoding::DELTA_BYTE_ARRAY,
            Kind::Text => Encoding::DELTA_BYTE_ARRAY,
            Kind::Bytes => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        }
    }

    fn write(&self, rows: std::ops::Range<usize>, writer: &mut ColumnWriter<'_>) {
        let rows = &self.values[rows];
        let levels: Vec<i16> = rows.iter().map(|value| i16::from(value.is_some())).collect();
        let levels = self.is_optional.then_some(&levels[..]);
        assert!(self.is_optional || rows.iter().all(Option::is_some));
        let texts = || rows.iter().flatten();
        let written = match writer {
            ColumnWriter::Int32ColumnWriter(writer) => {
                let values: Vec<i32> = texts().map(|text| integer(text) as i32).collect();
                writer.write_batch(&values, levels, None)
            }
            ColumnWriter::Int64ColumnWriter(writer) => {
                let values: Vec<i64> = texts().map(|text| integer(text) as i64).collect();
                writer.write_batch(&values, levels, None)
            }
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                let values: Vec<ByteArray> = texts().map(|text| text.as_str().into()).collect();
                writer.write_batch(&values, levels, None)
            }
            ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                let values: Vec<_> =
                    texts().map(|text| ByteArray::from(text.as_str()).into()).collect();
                writer.write_batch(&values, levels, None)
            }
            ColumnWriter::DoubleColumnWriter(writer) => {
                let values: Vec<f64> = texts().map(|text| text.parse().unwrap()).collect();
                writer.write_batch(&values, levels, None)
            }
            ColumnWriter::BoolColumnWriter(writer) => {
                let values: Vec<bool> = texts().map(|text| text == "true").collect();
                writer.write_batch(&values, levels, None)
            }
            _ => panic!("a type that no test writes"),
        };
        written.unwrap();
    }
}

fn integer(text: &str) -> i128 {
    text.parse().unwrap()
}

/// The whole file.
pub(crate) fn write(columns: &[Column], style: Style) -> Bytes {
    let fields: String = columns.iter().map(Column::schema).collect();
    let schema = Arc::new(parse_message_type(&format!("message logs {{ {fields} }}")).unwrap());
    let mut file = Vec::new();
    let properties = Arc::new(properties(columns, style).build());
    let mut writer = SerializedFileWriter::new(&mut file, schema, properties).unwrap();
    let rows = columns[0].values.len();
    for start in (0..rows).step_by(style.group_rows) {
        let mut group = writer.next_row_group().unwrap();
        for column in columns {
            let mut writer = group.next_column().unwrap().unwrap();
            column.write(start..rows.min(start + style.group_rows), writer.untyped());
            writer.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    file.into()
}

fn properties(columns: &[Column], style: Style) -> WriterPropertiesBuilder {
    let version =
        if style.is_version_2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
    let mut properties = WriterProperties::builder()
        .set_compression(style.codec)
        .set_writer_version(version)
        .set_dictionary_enabled(style.has_dictionary)
        .set_data_page_row_count_limit(style.page_rows)
        .set_write_batch_size(style.page_rows.min(1024));
    for column in columns.iter().filter(|column| column.kind != Kind::Boolean) {
        let encoding = column.encoding(style.has_deltas);
        properties = properties.set_column_encoding(column.name.as_str().into(), encoding);
    }
    properties
}
