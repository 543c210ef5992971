//! A lease that this worker holds: renewed in time, written to in turn.
//!
//! At most one write is on its way for a lease, so that the counter is known when the next is sent. When an answer is lost
//! and the write is refused when it is tried again, the lease shows whether the first try was done: the counter is one
//! larger and the holder the same, which only that try can have brought about.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Timing, Token, WriteId};
use crate::lease::rules::{CheckpointError, Request, RequestId};
use crate::lease::{Lease, StoreError, Write, Written};

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) token: Token,
    /// As the last answer said.
    pub(super) lease: Lease,
    /// When the last write was sent that showed that we hold it.
    pub(super) renewed_ms: u64,
    pub(super) in_flight: Option<WriteId>,
    pub(super) requests: VecDeque<(RequestId, Request)>,
    /// To be given up: not believed in, only evicted.
    pub(super) is_leaving: bool,
    is_handoff_told: bool,
    /// No write before.
    retry_at_ms: u64,
    failures: u32,
    /// When the first of the tries with this counter was sent whose answer was lost.
    unconfirmed_since_ms: Option<u64>,
}

/// What an answer means for the lease.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is held, and a request may be settled.
    Held(Option<(RequestId, Result<(), CheckpointError>)>),
    /// Its shard is finished, or it is released; the request is settled.
    Over(Option<RequestId>),
    /// It is somebody else's.
    Lost,
}

/// More requests than these do not wait for one lease; whoever waits sends one at a time.
const REQUESTS_MAX: usize = 64;

impl Held {
    pub(super) const fn new(token: Token, lease: Lease, sent_ms: u64) -> Self {
        Self {
            token,
            lease,
            renewed_ms: sent_ms,
            in_flight: None,
            requests: VecDeque::new(),
            is_leaving: false,
            is_handoff_told: false,
            retry_at_ms: 0,
            failures: 0,
            unconfirmed_since_ms: None,
        }
    }

    /// Whether the holder may still believe that nobody else holds it.
    pub(super) const fn is_believed(&self, now_ms: u64, timing: &Timing) -> bool {
        now_ms < self.renewed_ms + timing.belief_ms()
    }

    pub(super) fn push(&mut self, id: RequestId, request: Request) -> Result<(), CheckpointError> {
        if self.requests.len() >= REQUESTS_MAX {
            return Err(StoreError::Throttled.into());
        }
        if let Request::Checkpoint { checkpoint, .. } = &request {
            let queued = self.requests.iter().rev().find_map(|(_, request)| match request {
                Request::Checkpoint { checkpoint, .. } => Some(checkpoint),
                Request::Release => None,
            });
            let from = queued.unwrap_or(&self.lease.checkpoint);
            if checkpoint < from {
                return Err(CheckpointError::Backward {
                    from: from.clone(),
                    to: checkpoint.clone(),
                });
            }
        }
        self.requests.push_back((id, request));
        Ok(())
    }

    /// When the next write is due.
    pub(super) fn next_write_ms(&self, timing: &Timing) -> Option<u64> {
        if self.in_flight.is_some() {
            return None;
        }
        let has_request = self.is_leaving || !self.requests.is_empty();
        let renewal_ms = self.renewed_ms + timing.renewal_interval_ms();
        Some(if has_request { self.retry_at_ms } else { renewal_ms.max(self.retry_at_ms) })
    }

    /// The next write; the caller sends it.
    pub(super) fn next_write(&self, me: &Arc<str>) -> Write {
        let (key, counter, holder) = (self.lease.key.clone(), self.lease.counter, Arc::clone(me));
        match self.requests.front() {
            Some((_, Request::Checkpoint { checkpoint, children })) => Write::Checkpoint {
                key,
                counter,
                holder,
                checkpoint: checkpoint.clone(),
                children: children.clone(),
            },
            Some((_, Request::Release)) => self.evict(),
            None if self.is_leaving => self.evict(),
            None => Write::Renew { key, counter, holder },
        }
    }

    fn evict(&self) -> Write {
        Write::Evict {
            key: self.lease.key.clone(),
            counter: self.lease.counter,
            owner: self.lease.owner.clone(),
            checkpoint_owner: self.lease.checkpoint_owner.clone(),
        }
    }

    /// The table answered; `delay_ms` is how long to wait should it be tried again.
    pub(super) fn answered(
        &mut self,
        sent_ms: u64,
        write: &Write,
        answer: Result<Written, StoreError>,
        me: &str,
    ) -> Verdict {
        self.in_flight = None;
        match answer {
            Ok(Written::Done { now }) => self.done(sent_ms, write, now),
            Ok(Written::Refused { current }) => self.refused(write, current, me),
            Err(error) => {
                self.failures += 1;
                if error.may_be_done() {
                    self.unconfirmed_since_ms.get_or_insert(sent_ms);
                }
                let is_checkpoint = matches!(write, Write::Checkpoint { .. });
                match is_checkpoint && !error.is_passing() {
                    true => Verdict::Held(self.settle(Err(error.into()))),
                    false => Verdict::Held(None),
                }
            }
        }
    }

    fn done(&mut self, sent_ms: u64, write: &Write, now: Option<Lease>) -> Verdict {
        let Some(lease) = now else { return Verdict::Lost };
        self.renewed_ms = self.renewed_ms.max(sent_ms);
        self.confirmed(lease);
        self.carried_out(write)
    }

    fn refused(&mut self, write: &Write, current: Option<Lease>, me: &str) -> Verdict {
        let since_ms = self.unconfirmed_since_ms;
        let is_same = |lease: &Lease| {
            let is_first_try = since_ms.is_some() && lease.counter == self.lease.counter + 1;
            lease.holder() == Some(me) && (lease.counter == self.lease.counter || is_first_try)
        };
        let Some(lease) = current.filter(is_same) else {
            // Whether our eviction came through or somebody took it: we do not hold it, which is what was wanted.
            let is_eviction = matches!(write, Write::Evict { .. });
            return if is_eviction { self.over() } else { Verdict::Lost };
        };
        let is_done = lease.counter > self.lease.counter;
        if is_done {
            self.renewed_ms = self.renewed_ms.max(since_ms.unwrap_or(0));
            self.confirmed(lease);
        } else {
            // Only what the counter does not show has changed: a handoff was requested.
            self.lease = lease;
            self.failures += 1;
        }
        match write {
            Write::Checkpoint { checkpoint, .. }
                if is_done && self.lease.checkpoint == *checkpoint =>
            {
                self.carried_out(write)
            }
            _ => Verdict::Held(None),
        }
    }

    fn confirmed(&mut self, lease: Lease) {
        self.lease = lease;
        self.failures = 0;
        self.retry_at_ms = 0;
        self.unconfirmed_since_ms = None;
    }

    fn carried_out(&mut self, write: &Write) -> Verdict {
        match write {
            Write::Evict { .. } => self.over(),
            Write::Checkpoint { .. } if self.lease.is_finished() => self.over(),
            Write::Checkpoint { .. } => Verdict::Held(self.settle(Ok(()))),
            _ => Verdict::Held(None),
        }
    }

    fn over(&mut self) -> Verdict {
        Verdict::Over(self.requests.pop_front().map(|(id, _)| id))
    }

    fn settle(
        &mut self,
        result: Result<(), CheckpointError>,
    ) -> Option<(RequestId, Result<(), CheckpointError>)> {
        self.requests.pop_front().map(|(id, _)| (id, result))
    }

    /// Whether the last try failed, and how often in a row.
    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) const fn wait_until(&mut self, retry_at_ms: u64) {
        self.retry_at_ms = retry_at_ms;
    }

    /// True once: another worker asks for it.
    pub(super) fn is_newly_asked_for(&mut self) -> bool {
        let is_new = self.lease.checkpoint_owner.is_some() && !self.is_handoff_told;
        self.is_handoff_told |= is_new;
        is_new && !self.is_leaving
    }
}
