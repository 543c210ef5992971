//! One row group of a Parquet file: what its footer says, and the bytes of the columns that are wanted.

use std::sync::Arc;

use bytes::Bytes;

use crate::flow::Layout;
use crate::flow::field::FieldId;

/// Rows of a Parquet file, column by column, as they stand in the file: encoded and compressed.
#[derive(Debug, Clone)]
pub struct RowGroup {
    /// Which row group of its file, counted from 0.
    pub index: usize,
    /// How many rows the footer claims.
    pub rows: u64,
    /// The file's columns, in its order; only those that are neither groups nor repeated.
    pub columns: Arc<[ColumnType]>,
    /// The columns that were read, by rising [`Chunk::column`].
    pub chunks: Vec<Chunk>,
}

/// Name and type of one column of a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// As the file has it, with underscores.
    pub name: String,
    /// The documented field, or `None` for a name that this version does not know.
    pub field: Option<FieldId>,
    /// How its values are stored.
    pub physical: PhysicalType,
    /// Whether values may be null.
    pub is_optional: bool,
    /// Whether integers are to be taken without sign.
    pub is_unsigned: bool,
}

/// How Parquet stores a value (parquet-format, `Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhysicalType {
    /// One bit.
    Boolean,
    /// Four bytes, little endian.
    Int32,
    /// Eight bytes, little endian.
    Int64,
    /// Twelve bytes: an old form of time.
    Int96,
    /// IEEE 754, four bytes.
    Float,
    /// IEEE 754, eight bytes.
    Double,
    /// Bytes with their length before them.
    ByteArray,
    /// As many bytes as this says.
    Fixed(u32),
}

/// One column of one row group.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Its place in [`RowGroup::columns`].
    pub column: usize,
    /// How its pages are compressed.
    pub codec: Codec,
    /// Its pages, one after the other, each behind its header.
    pub bytes: Bytes,
}

/// How pages are compressed (parquet-format, `CompressionCodec`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// Snappy blocks.
    Snappy,
    /// gzip members, as AWS writes them.
    Gzip,
    /// Zstandard frames.
    Zstd,
    /// One that is not supported, by its number.
    Unknown(i32),
}

impl RowGroup {
    /// The columns that were read as the layout of a line; `None` when their names could not stand in one.
    #[must_use]
    pub fn layout(&self) -> Option<Layout> {
        let names = self.chunks.iter().filter_map(|chunk| self.columns.get(chunk.column));
        let fields: Vec<String> =
            names.map(|column| format!("${{{}}}", column.name.replace('_', "-"))).collect();
        Layout::from_format(&fields.join(" ")).ok()
    }

    /// Bytes that are held for it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }
}
