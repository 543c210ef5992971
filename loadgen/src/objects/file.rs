//! A file that still takes lines: gzip of text under a header, or Parquet.

use std::fmt::{self, Debug, Formatter};
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::basic::{Compression as Codec, GzipLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::columns::{Columns, Rows};

pub(super) enum File {
    Text { gzip: Box<GzEncoder<Vec<u8>>>, lines: u64 },
    Columns { writer: Box<SerializedFileWriter<Vec<u8>>>, rows: Rows, lines: u64 },
}

/// The memory that one row group takes stays some megabytes.
const ROWS_PER_GROUP: usize = 50_000;

impl File {
    /// An empty file of lines, which begins with this header.
    pub(super) fn text(header: &str) -> Result<Self, ParquetError> {
        let mut gzip = Box::new(GzEncoder::new(Vec::new(), Compression::default()));
        write_line(&mut gzip, header.as_bytes())?;
        Ok(Self::Text { gzip, lines: 0 })
    }

    /// An empty file of columns.
    pub(super) fn columns(columns: &Columns) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Codec::GZIP(GzipLevel::default()))
            .set_created_by("loadgen".to_owned());
        let properties = Arc::new(properties.build());
        let writer = SerializedFileWriter::new(Vec::new(), columns.schema()?, properties)?;
        Ok(Self::Columns { writer: Box::new(writer), rows: columns.rows(), lines: 0 })
    }

    /// Bytes so far, without those that wait to be compressed.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Text { gzip, .. } => gzip.get_ref().len(),
            Self::Columns { writer, .. } => writer.bytes_written(),
        }
    }

    /// Takes a line without its end.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), ParquetError> {
        match self {
            Self::Text { gzip, lines } => {
                write_line(gzip, line)?;
                *lines += 1;
            }
            Self::Columns { writer, rows, lines } => {
                rows.push(line);
                *lines += 1;
                if rows.count == ROWS_PER_GROUP {
                    rows.write(writer.next_row_group()?)?;
                }
            }
        }
        Ok(())
    }

    /// The bytes of the file, and how many lines are in it.
    pub(super) fn close(self) -> Result<(Vec<u8>, u64), ParquetError> {
        match self {
            Self::Text { gzip, lines } => Ok((gzip.finish()?, lines)),
            Self::Columns { mut writer, mut rows, lines } => {
                if rows.count > 0 {
                    rows.write(writer.next_row_group()?)?;
                }
                Ok((writer.into_inner()?, lines))
            }
        }
    }
}

impl Debug for File {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "File of {} bytes", self.bytes())
    }
}

fn write_line(out: &mut impl Write, line: &[u8]) -> Result<(), ParquetError> {
    out.write_all(line)?;
    Ok(out.write_all(b"\n")?)
}
