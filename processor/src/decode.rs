//! Bytes in, records out: takes the lines of a batch and a layout, gives borrowed [`Line`]s and counted refusals.
//!
//! Only the fields that the pipeline uses are parsed; the rest are reachable as slices through [`Splitter`]. A line
//! that cannot be read is refused under a [`Reason`] and never stops the batch. No I/O, no allocation per record.
//!
//! Rules: Amazon VPC User Guide, "Flow log records", and the quirks that other parsers met (runs of spaces in AWS's
//! own example, times in milliseconds).

mod fields;
mod limits;
mod line;
pub mod parquet;
mod place;
mod refusal;
mod scalar;
mod split;
mod text;

pub use fields::{Value, fields};
pub use limits::Limits;
pub use line::{LINE_BYTES_MAX, parse_line};
pub use place::{Extracted, Place, Position};
pub use refusal::{Example, Oddities, Reason, Refusal, Refusals};
pub use scalar::{parse_address, parse_integer};
pub use split::Splitter;
pub use text::lines;

#[cfg(doc)]
use crate::flow::Line;
