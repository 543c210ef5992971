//! What the benchmarks share: generated traffic with the truth about it, Zipf draws, and the peers.
//!
//! Every benchmark checks its own answer, and runs a peer beside the code that it measures: on a shared machine only the
//! ratio of two numbers from one run means something.

pub mod columns;
pub mod counters;
pub mod enveloped;
pub mod meter;
pub mod peer;
pub mod scans;
pub mod traffic;
pub mod zipf;
