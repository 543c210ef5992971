//! Flow logs in Parquet, against the writer and the reader of the `parquet` crate and against text.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on has failed"
)]

mod footers;
mod hostile;
mod pages;
mod reading;
mod semantics;
mod table;
mod values;
