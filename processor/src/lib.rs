//! flowscout: VPC Flow Logs in, port-scan and exfiltration signals out.
//!
//! The modules stand in the order in which data visits them. Between `decode` and `detect` lies the pure core: no I/O, no
//! clock, no threads, no logging; time and randomness are arguments. `tests/architecture.rs` holds which module may import
//! which.

// What is said: values without behaviour.
pub mod batch;
pub mod flow;
pub mod s3;
pub mod signal;

// Which task reads which shard of a stream, and where bytes come from.
pub mod lease;
pub mod source;

// The core, in order.
pub mod combine;
pub mod decode;
pub mod detect;
pub mod observe;
pub mod window;

// Around it: where partials become durable, and the threads that carry batches through it all.
pub mod journal;
pub mod pipeline;

// Where signals go, and where a run can be watched.
pub mod sink;
pub mod web;

// The program: logs, settings, command line, and the one place that wires edges together.
pub mod app;
pub mod cli;
pub mod config;
pub mod telemetry;
