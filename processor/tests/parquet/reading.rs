//! Reading of whole files, as the tests need it.

use std::sync::Arc;

use bytes::Bytes;
use flowscout::batch::RowGroup;
use flowscout::source::SourceError;
use flowscout::source::parquet::{Columns, ParquetFile};

/// All row groups, all columns, whatever the columns are.
pub(crate) fn groups(file: &Bytes) -> Vec<RowGroup> {
    open(file, Columns::All).unwrap().map(Result::unwrap).collect()
}

/// A file in memory.
pub(crate) fn open(file: &Bytes, wanted: Columns) -> Result<ParquetFile, SourceError> {
    ParquetFile::from_bytes(Arc::from("memory"), file.clone(), wanted)
}

/// Why a file is refused.
pub(crate) fn refusal(file: &Bytes, wanted: Columns) -> String {
    open(file, wanted).unwrap_err().to_string()
}
