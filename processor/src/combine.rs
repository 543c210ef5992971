//! One batch in, one mergeable [`Partial`] out: observations of the same conversation become one row.
//!
//! Runs wherever the bytes arrive and keeps nothing between batches, so it needs no lock and no order. A row is the
//! exact, sparse form of everything the window needs: marks that are OR-ed and sums that are added, so that merging rows
//! does not depend on their order. A server with a thousand requests in a batch costs one row per client; scans, whose
//! targets are all distinct, do not compress, and are what must be kept.
//!
//! Memory: at most two rows per record of the batch.

use std::hash::{Hash, Hasher};

use indexmap::IndexMap;
use sketches::hash::{HashKey, KeyedState};

use crate::batch::BatchId;
use crate::flow::{Action, Address, Record};
use crate::observe::{Confidence, Observation, Outcome, observe};

/// One conversation in one pane, as one interface saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConversationKey {
    /// Who opened it.
    pub initiator: Address,
    /// To whom.
    pub target: Address,
    /// Pane of the records' `end`.
    pub pane: u32,
    /// Keyed hash of `interface-id`.
    pub interface: u32,
    /// The target's port.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
}

/// One write of all fields: a keyed hash pays for every call.
impl Hash for ConversationKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [0; 43];
        bytes[..16].copy_from_slice(&self.initiator.bits().to_le_bytes());
        bytes[16..32].copy_from_slice(&self.target.bits().to_le_bytes());
        bytes[32..36].copy_from_slice(&self.pane.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.interface.to_le_bytes());
        bytes[40..42].copy_from_slice(&self.port.to_le_bytes());
        bytes[42] = self.protocol;
        state.write(&bytes);
    }
}

/// What was seen of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conversation {
    /// Which outcomes occurred.
    pub marks: Marks,
    /// The best evidence for its direction.
    pub confidence: Confidence,
    /// Its packets went to an AWS service's public range, other than `EC2`.
    pub is_to_aws_service: bool,
    /// Flow records, both directions.
    pub records: u32,
    /// Records with action REJECT, sent by the initiator.
    pub rejected: u32,
    /// Bytes from initiator to target, rejected ones included.
    pub bytes_up: u64,
    /// Of these, bytes that were rejected.
    pub bytes_rejected: u64,
    /// Bytes from target to initiator.
    pub bytes_down: u64,
    /// Earliest `start`, Unix seconds.
    pub first_s: u64,
    /// Latest `end`, Unix seconds.
    pub last_s: u64,
}

impl Conversation {
    /// Whether its initiator tried something that was not answered within the row.
    #[must_use]
    pub const fn has_failed_attempt(&self) -> bool {
        let is_attempt =
            self.marks.contains(Outcome::Opened) || self.marks.contains(Outcome::Refused);
        is_attempt && !self.marks.contains(Outcome::Answered)
    }
}

/// A set of [`Outcome`]s.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks(u8);

impl Marks {
    /// Adds an outcome.
    pub const fn insert(&mut self, outcome: Outcome) {
        self.0 |= 1 << outcome as u8;
    }

    /// Whether an outcome occurred.
    #[must_use]
    pub const fn contains(self, outcome: Outcome) -> bool {
        self.0 & 1 << outcome as u8 != 0
    }
}

/// An interface for which AWS lost records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blindness {
    /// Keyed hash of `interface-id`, as in [`ConversationKey`].
    pub interface: u32,
    /// `interface-id`.
    pub interface_id: Box<str>,
    /// `start`, Unix seconds.
    pub start_s: u64,
    /// `end`, Unix seconds.
    pub end_s: u64,
}

/// Everything that the fold needs to know of one batch.
#[derive(Clone, Debug)]
pub struct Partial {
    /// The batch it stands for.
    pub id: BatchId,
    /// Rows in order of pane; within a pane in order of appearance.
    pub conversations: Vec<(ConversationKey, Conversation)>,
    /// Interfaces with lost records.
    pub blind: Vec<Blindness>,
    /// Traffic records combined.
    pub records: u64,
    /// `NODATA` records.
    pub silent: u64,
}

/// Collects the observations of one batch at a time.
#[derive(Debug)]
pub struct Combiner {
    key: HashKey,
    pane_s: u32,
    rows: IndexMap<ConversationKey, Conversation, KeyedState>,
    blind: Vec<Blindness>,
    records: u64,
    silent: u64,
    /// The last `interface-id` and its hash: records of one interface often stand together.
    interface: (Vec<u8>, u32),
}

impl Combiner {
    /// `pane_s` is the width of a pane in seconds, at least 1; `key` is the deployment's secret.
    #[must_use]
    pub fn new(key: HashKey, pane_s: u32) -> Self {
        let rows = IndexMap::with_hasher(KeyedState::new(key));
        let interface = (Vec::new(), interface_hash(key, b""));
        Self { key, pane_s, rows, blind: Vec::new(), records: 0, silent: 0, interface }
    }

    /// Takes a traffic record.
    pub fn add(&mut self, record: &Record<'_>) {
        self.records += 1;
        let (first, second) = observe(record);
        self.fold(record, &first, true);
        if let Some(second) = second {
            self.fold(record, &second, false);
        }
    }

    /// Takes a `SKIPDATA` record.
    pub fn add_blind(&mut self, interface_id: &[u8], start_s: u64, end_s: u64) {
        let interface = self.interface(interface_id);
        // Shown to people: control bytes of a broken file must not reach a terminal.
        let interface_id = interface_id.escape_ascii().to_string().into();
        self.blind.push(Blindness { interface, interface_id, start_s, end_s });
    }

    /// Takes a `NODATA` record.
    pub const fn add_silent(&mut self) {
        self.silent += 1;
    }

    /// Gives the partial of all that was added since the last call.
    pub fn finish(&mut self, id: BatchId) -> Partial {
        let mut conversations: Vec<_> = self.rows.drain(..).collect();
        conversations.sort_by_key(|(key, _)| key.pane);
        Partial {
            id,
            conversations,
            blind: std::mem::take(&mut self.blind),
            records: std::mem::take(&mut self.records),
            silent: std::mem::take(&mut self.silent),
        }
    }

    /// `counts` is false for the second observation of one record, whose volume the first has counted.
    fn fold(&mut self, record: &Record<'_>, seen: &Observation, counts: bool) {
        let key = ConversationKey {
            initiator: seen.initiator,
            target: seen.target,
            pane: u32::try_from(record.end_s / u64::from(self.pane_s)).unwrap_or(u32::MAX),
            interface: self.interface(record.interface_id),
            port: seen.port,
            protocol: seen.protocol,
        };
        let row = self.rows.entry(key).or_insert(Conversation {
            marks: Marks::default(),
            confidence: Confidence::Low,
            is_to_aws_service: false,
            records: 0,
            rejected: 0,
            bytes_up: 0,
            bytes_rejected: 0,
            bytes_down: 0,
            first_s: record.start_s,
            last_s: record.end_s,
        });
        row.marks.insert(seen.outcome);
        row.confidence = row.confidence.max(seen.confidence);
        row.first_s = row.first_s.min(record.start_s);
        row.last_s = row.last_s.max(record.end_s);
        if !counts {
            return;
        }
        row.records = row.records.saturating_add(1);
        if seen.is_from_initiator {
            row.bytes_up = row.bytes_up.saturating_add(record.bytes);
            row.is_to_aws_service |= !matches!(record.destination_service, b"" | b"EC2");
            let is_rejected = record.action == Some(Action::Reject);
            row.rejected = row.rejected.saturating_add(u32::from(is_rejected));
            let bytes_rejected = if is_rejected { record.bytes } else { 0 };
            row.bytes_rejected = row.bytes_rejected.saturating_add(bytes_rejected);
        } else {
            row.bytes_down = row.bytes_down.saturating_add(record.bytes);
        }
    }

    fn interface(&mut self, interface_id: &[u8]) -> u32 {
        if self.interface.0 != interface_id {
            self.interface.0.clear();
            self.interface.0.extend_from_slice(interface_id);
            self.interface.1 = interface_hash(self.key, interface_id);
        }
        self.interface.1
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
fn interface_hash(key: HashKey, interface_id: &[u8]) -> u32 {
    key.hash_bytes(interface_id) as u32
}

#[cfg(test)]
mod tests;
