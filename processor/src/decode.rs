//! Bytes in, records out: takes the lines of a batch and a layout, gives borrowed [`Line`]s and counted refusals.
//!
//! Only the fields that the pipeline uses are parsed; the rest are reachable as slices through [`Splitter`]. A line
//! that cannot be read is refused under a [`Reason`] and never stops the batch. No I/O, no allocation per record.
//!
//! Rules: Amazon VPC User Guide, "Flow log records", and the quirks that other parsers met (runs of spaces in AWS's
//! own example, times in milliseconds).

pub mod aggregate;
mod base64;
mod cloudwatch;
mod config;
mod decoder;
mod extraction;
mod fields;
mod firehose;
mod format;
mod gzip;
pub mod health;
mod json;
mod letter;
mod limits;
mod line;
pub mod parquet;
mod peel;
mod place;
mod records;
mod refusal;
pub mod request;
mod scalar;
pub mod sections;
mod shape;
mod split;
mod text;

pub use config::{Config, LogGroup, Texts};
pub use decoder::{Decoded, Decoder, Reader, Refused};
pub use fields::{Value, fields};
pub use format::{Format, FormatError, Formats};
pub use letter::{BATCH_LETTERS_BYTES_MAX, LETTER_BYTES_MAX, Letter, Letters};
pub use limits::Limits;
pub use line::{LINE_BYTES_MAX, parse_line};
pub use peel::{Found, Peeler};
pub use place::{Extracted, Place, Position};
pub use records::{RecordParser, Records};
pub use refusal::{Example, Oddities, Reason, Refusal, Refusals};
pub use scalar::{parse_address, parse_integer};
pub use split::Splitter;
pub use text::{Instructions, TextParser, lines};

#[cfg(doc)]
use crate::flow::Line;
