//! What became of the requests of a run.

use anyhow::anyhow;
use loadgen::delivery::{Failure, Outcome, Request, Retries};

use crate::tell;

/// One request that will not be sent again.
pub(super) struct Done {
    pub(super) request: Request,
    pub(super) retries: Retries,
    pub(super) outcome: Outcome,
    pub(super) arrived_ms: u64,
    pub(super) ended_ms: u64,
}

/// What became of requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    delivered: Count,
    retries: u64,
    given_up: Count,
    dropped: Count,
    /// The latest reason for either.
    reason: Option<Failure>,
}

#[derive(Debug, Default)]
struct Count {
    requests: u64,
    records: u64,
    lines: u64,
    bytes: u64,
}

impl Tally {
    /// True if nothing arrived, but something could not.
    pub(super) fn is_in_vain(&self) -> bool {
        self.delivered.requests == 0 && self.given_up.requests > 0
    }

    pub(super) fn add(&mut self, done: &Done) {
        let (count, reason, retries) = match &done.outcome {
            Outcome::Delivered => (&mut self.delivered, None, done.retries.failures()),
            Outcome::Dropped(failure) => {
                (&mut self.dropped, Some(failure), done.retries.failures())
            }
            Outcome::Failed(failure) => {
                (&mut self.given_up, Some(failure), done.retries.failures().saturating_sub(1))
            }
        };
        count.requests += 1;
        count.records += u64::from(done.request.records);
        count.lines += done.request.lines;
        count.bytes += done.request.bytes;
        self.retries += u64::from(retries);
        self.reason = reason.cloned().or(self.reason.take());
    }

    /// Says what was delivered.
    ///
    /// # Errors
    /// What was not, and why.
    pub(super) fn report(self) -> anyhow::Result<()> {
        let Self { delivered, retries, given_up, dropped, reason } = self;
        let Count { requests, records, lines, bytes } = delivered;
        tell(&format!(
            "delivered {requests} requests, {records} records, {lines} lines, {bytes} bytes; {retries} retries"
        ));
        let Some(reason) = reason else { return Ok(()) };
        let lost = [("given up", given_up), ("dropped at 413", dropped)].into_iter();
        let lost = lost.filter(|(_, count)| count.requests > 0).map(|(how, count)| {
            let Count { requests, records, lines, .. } = count;
            format!("{requests} requests with {records} records and {lines} lines were {how}")
        });
        Err(anyhow!("{}: {reason}", lost.collect::<Vec<_>>().join(", ")))
    }
}
