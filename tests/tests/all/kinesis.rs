//! `flowscout run` on streams of Kinesis: what is promised in docs/kinesis.md.

mod aggregates;
mod delivery;
mod failures;
mod resharding;
mod service;
mod stalls;
mod workers;
