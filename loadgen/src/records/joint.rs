//! What joins payloads into one record: an aggregate of the KPL, or nothing at all, one payload right
//! behind the other.

use super::{Joined, aggregate::Aggregate};
use crate::payload::RECORD_BYTES_MAX;

/// A record that still takes payloads.
#[derive(Debug)]
pub(super) enum Joint {
    Aggregate(Aggregate),
    BackToBack { data: Vec<u8>, lines: u64, payloads: u32, payloads_max: u32 },
}

impl Joint {
    /// An empty one; `None` where each payload is a record of its own.
    pub(super) fn new(joined: Joined) -> Option<Self> {
        match joined {
            Joined::No => None,
            Joined::Aggregate => Some(Self::Aggregate(Aggregate::default())),
            Joined::BackToBack { payloads_max } => {
                Some(Self::BackToBack { data: Vec::new(), lines: 0, payloads: 0, payloads_max })
            }
        }
    }

    /// True if the record stays within its size with this payload in it, whatever its key.
    pub(super) fn has_room(&self, payload: &[u8]) -> bool {
        match self {
            Self::Aggregate(aggregate) => aggregate.has_room(payload),
            Self::BackToBack { data, payloads, payloads_max, .. } => {
                payloads < payloads_max && data.len() + payload.len() <= RECORD_BYTES_MAX
            }
        }
    }

    pub(super) fn push(&mut self, payload: &[u8], more_lines: u64) {
        match self {
            Self::Aggregate(aggregate) => aggregate.push(payload, more_lines),
            Self::BackToBack { data, lines, payloads, .. } => {
                data.extend_from_slice(payload);
                *lines += more_lines;
                *payloads += 1;
            }
        }
    }

    /// The record, and how many lines are in it.
    pub(super) fn seal(self, key: &str) -> (Vec<u8>, u64) {
        match self {
            Self::Aggregate(aggregate) => {
                let lines = aggregate.lines();
                (aggregate.seal(key), lines)
            }
            Self::BackToBack { data, lines, .. } => (data, lines),
        }
    }
}
