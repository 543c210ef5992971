//! What was asked of the server, for tests to look at.

use std::collections::VecDeque;
use std::time::Duration;

use super::Operation;

/// One call and how it went.
#[derive(Clone, Debug)]
pub struct Call {
    /// What was called.
    pub operation: Operation,
    /// Of which shard, where it is of one.
    pub shard: Option<String>,
    /// When it came, since the server started.
    pub at: Duration,
    /// The name of the error that it was answered with; how it went wrong when it was not answered.
    pub error: Option<String>,
    /// Records that were put or read.
    pub records: usize,
    /// Payload bytes of these records, as they are without base64.
    pub bytes: usize,
}

/// The last calls.
#[derive(Debug, Default)]
pub(super) struct Calls(VecDeque<Call>);

/// A hundred megabytes; no test looks further back.
const CALLS_MAX: usize = 1_000_000;

impl Calls {
    pub(super) fn add(&mut self, call: Call) {
        if self.0.len() == CALLS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(call);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Call> {
        self.0.iter()
    }
}
