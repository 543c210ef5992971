//! Kinesis Data Streams.

pub mod answer;
