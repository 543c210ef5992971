//! Seeded VPC flow-log traffic with injected attacks and the truth about them, and the scorer that
//! compares what a detector said with that truth.
//!
//! In the order in which a record comes to life: [`profile`] sizes a network, [`scenario`] names what
//! is injected, `network` lays out hosts and interfaces, `ordinary` and `attack` decide who talks to
//! whom (`conversation` spans intervals, `draws` are the seeded choices), `legs` says which interfaces
//! log it, `calendar` orders the records by their end, [`format`](mod@format) and `line` write them,
//! and [`generator`] drives all of that. Lines then leave in one of three ways: [`payload`] and
//! [`records`] shape them for a stream of Kinesis or Firehose, [`delivery`] sends such records as
//! Firehose does, [`objects`] writes the files that AWS puts into a bucket. [`truth`] is what was
//! injected; [`score`](mod@score) judges findings against it.
//!
//! The crate shares no code with the detector that it judges. It reads no clock: event time comes
//! from the plan.

#[cfg(feature = "cli")]
pub mod delivery;
pub mod format;
pub mod generator;
#[cfg(feature = "cli")]
pub mod objects;
pub mod payload;
pub mod profile;
pub mod records;
pub mod scenario;
pub mod score;
pub mod truth;

mod address;
mod attack;
mod calendar;
mod conversation;
#[cfg(feature = "cli")]
mod date;
mod draws;
mod legs;
mod line;
mod network;
mod ordinary;
mod record;

pub use format::LineFormat;
pub use generator::{Generator, Origin, Plan, PlanError};
pub use profile::Profile;
pub use scenario::Scenario;
pub use score::{Finding, Scorecard, Truth, parse_signals, score};
pub use truth::TruthRow;
