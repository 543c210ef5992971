//! Columns of flow-log fields in Parquet (facts/flow-log-record.md, 3): names with `_` for `-`, whole
//! numbers as such, everything else as text, all of them optional.
//!
//! How AWS writes a `-` is not documented. Here a number that does not apply is null and a text is
//! `-`, as it is in the lines.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedColumnWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns {
    fields: Vec<(String, Kind)>,
}

/// Rows that wait for their row group, column by column.
#[derive(Debug)]
pub(super) struct Rows {
    columns: Vec<Values>,
    pub(super) count: usize,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int32,
    Int64,
    Text,
}

#[derive(Debug)]
enum Values {
    Int32(Column<i32>),
    Int64(Column<i64>),
    Text(Column<ByteArray>),
}

/// A definition level for each row, 0 for null, and the values of the others.
#[derive(Debug)]
struct Column<T> {
    levels: Vec<i16>,
    values: Vec<T>,
}

impl Columns {
    /// The fields of a header line.
    pub(super) fn new(header: &str) -> Self {
        let field = |name: &str| (name.replace('-', "_"), kind(name));
        Self { fields: header.split(' ').map(field).collect() }
    }

    pub(super) fn schema(&self) -> Result<TypePtr, ParquetError> {
        let fields = self.fields.iter().map(|(name, kind)| {
            let (physical, logical) = match kind {
                Kind::Int32 => (Physical::INT32, LogicalType::integer(32, true)),
                Kind::Int64 => (Physical::INT64, LogicalType::integer(64, true)),
                Kind::Text => (Physical::BYTE_ARRAY, LogicalType::String),
            };
            let field = Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(logical));
            field.build().map(Arc::new)
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        Type::group_type_builder("schema").with_fields(fields).build().map(Arc::new)
    }

    pub(super) fn rows(&self) -> Rows {
        let columns = self.fields.iter().map(|(_, kind)| match kind {
            Kind::Int32 => Values::Int32(Column::default()),
            Kind::Int64 => Values::Int64(Column::default()),
            Kind::Text => Values::Text(Column::default()),
        });
        Rows { columns: columns.collect(), count: 0 }
    }
}

impl Rows {
    /// Takes a line; a field that it lacks is null.
    pub(super) fn push(&mut self, line: &[u8]) {
        let line = Bytes::copy_from_slice(line);
        let mut start = 0;
        for column in &mut self.columns {
            let rest = line.get(start..).unwrap_or_default();
            let end = start + rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            let field = if start <= line.len() { line.slice(start..end) } else { Bytes::new() };
            start = end + 1;
            match column {
                Values::Int32(column) => column.push(number(&field)),
                Values::Int64(column) => column.push(number(&field)),
                Values::Text(column) => {
                    column.push((!field.is_empty()).then(|| ByteArray::from(field)));
                }
            }
        }
        self.count += 1;
    }

    /// Writes all rows as a row group, and is empty afterwards.
    pub(super) fn write<W: std::io::Write + Send>(
        &mut self,
        mut group: SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        for column in &mut self.columns {
            let Some(writer) = group.next_column()? else { break };
            match column {
                Values::Int32(column) => column.write::<Int32Type>(writer)?,
                Values::Int64(column) => column.write::<Int64Type>(writer)?,
                Values::Text(column) => column.write::<ByteArrayType>(writer)?,
            }
        }
        self.count = 0;
        group.close().map(drop)
    }
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { levels: Vec::new(), values: Vec::new() }
    }
}

impl<T> Column<T> {
    fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn write<D: DataType<T = T>>(
        &mut self,
        mut writer: SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        writer.typed::<D>().write_batch(&self.values, Some(&self.levels), None)?;
        self.levels.clear();
        self.values.clear();
        writer.close()
    }
}

fn kind(field: &str) -> Kind {
    match field {
        "version" | "srcport" | "dstport" | "protocol" | "tcp-flags" | "traffic-path"
        | "encryption-status" => Kind::Int32,
        "packets" | "bytes" | "start" | "end" => Kind::Int64,
        _ if field.starts_with("packets-lost-") => Kind::Int64,
        _ => Kind::Text,
    }
}

fn number<N: std::str::FromStr>(field: &[u8]) -> Option<N> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use parquet::basic::ConvertedType;

    use super::*;

    #[test]
    fn columns_have_the_names_and_types_that_aws_documents() {
        let columns =
            Columns::new("version pkt-src-aws-service bytes tcp-flags end instance-tag-2");
        let schema = columns.schema().unwrap();
        let described: Vec<(&str, ConvertedType)> = schema
            .get_fields()
            .iter()
            .map(|field| (field.name(), field.get_basic_info().converted_type()))
            .collect();
        let expected = [
            ("version", ConvertedType::INT_32),
            ("pkt_src_aws_service", ConvertedType::UTF8),
            ("bytes", ConvertedType::INT_64),
            ("tcp_flags", ConvertedType::INT_32),
            ("end", ConvertedType::INT_64),
            ("instance_tag_2", ConvertedType::UTF8),
        ];
        assert_eq!(described, expected);
        assert!(schema.get_fields().iter().all(|field| field.is_optional()));
    }

    #[test]
    fn a_dash_is_null_in_a_number_and_a_dash_in_a_text() {
        let mut rows = Columns::new("srcaddr bytes dstport").rows();
        for line in ["10.0.0.1 7 80", "- - -", "10.0.0.2"] {
            rows.push(line.as_bytes());
        }
        assert_eq!(rows.count, 3);
        let [Values::Text(source), Values::Int64(bytes), Values::Int32(port)] = &rows.columns[..]
        else {
            panic!("{rows:?}")
        };
        let texts: Vec<&[u8]> = source.values.iter().map(ByteArray::data).collect();
        assert_eq!(texts, [&b"10.0.0.1"[..], b"-", b"10.0.0.2"]);
        assert_eq!((&source.levels[..], &bytes.levels[..]), (&[1, 1, 1][..], &[1, 0, 0][..]));
        assert_eq!((&bytes.values[..], &port.values[..]), (&[7][..], &[80][..]));
    }
}
