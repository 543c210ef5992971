//! Every envelope of AWS through the peeler: shapes, nesting, what is broken, memory; against oracles.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "peel/aggregates.rs"]
mod aggregates;
#[path = "peel/broken.rs"]
mod broken;
#[path = "peel/gzip.rs"]
mod gzip;
#[path = "peel/memory.rs"]
mod memory;
#[path = "peel/nesting.rs"]
mod nesting;
#[path = "peel/seen.rs"]
mod seen;
#[path = "peel/shapes.rs"]
mod shapes;
#[path = "peel/vectors.rs"]
mod vectors;
