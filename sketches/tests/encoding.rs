//! Sketches as bytes: what comes back, what is refused, and what refusing costs.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "encoding/allocation.rs"]
mod allocation;
#[path = "encoding/answered.rs"]
mod answered;
#[path = "encoding/check.rs"]
mod check;
#[path = "encoding/corpus.rs"]
mod corpus;
#[path = "encoding/count_min.rs"]
mod count_min;
#[path = "encoding/distinct.rs"]
mod distinct;
#[path = "encoding/golden.rs"]
mod golden;
#[path = "encoding/identity.rs"]
mod identity;
#[path = "encoding/quantiles.rs"]
mod quantiles;
#[path = "encoding/refusals.rs"]
mod refusals;
#[path = "encoding/samples.rs"]
mod samples;
#[path = "encoding/sizes.rs"]
mod sizes;
#[path = "encoding/table.rs"]
mod table;
