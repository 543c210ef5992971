//! Writes to the lease table: for each the condition under which it is done, and what it does.
//!
//! [`Write::apply`] is the definition; the DynamoDB table says the same in condition and update expressions, and a test
//! runs both on the same random writes. The conditions are those of KCL, and stricter where that keeps a write that
//! arrives late from undoing something newer: a renewal and a checkpoint ask for the holder beside the counter, an
//! eviction for the counter beside the owners.

use std::sync::Arc;

use super::{Checkpoint, HashRange, Lease, LeaseKey};

/// One conditional write.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few in a second: a box would only be in the way")]
pub enum Write {
    /// Puts a lease where none of its key is.
    Create(Lease),
    /// The holder lives: only the counter changes.
    Renew {
        /// Of which lease.
        key: LeaseKey,
        /// Done only while this is the counter.
        counter: u64,
        /// Done only while this worker is the holder.
        holder: Arc<str>,
    },
    /// Gives the lease to a worker, and ends a handoff.
    Take {
        /// Of which lease.
        key: LeaseKey,
        /// Done only while this is the counter.
        counter: u64,
        /// The new owner.
        owner: Arc<str>,
        /// Whether it had another owner, which is counted.
        is_switch: bool,
    },
    /// Asks the owner to finish its work and to release. The counter stays, so that the owner can renew.
    RequestHandoff {
        /// Of which lease.
        key: LeaseKey,
        /// Done only while this is the owner, and no handoff is under way.
        owner: Arc<str>,
        /// Who asks.
        next: Arc<str>,
    },
    /// Says how far the shard has been read.
    Checkpoint {
        /// Of which lease.
        key: LeaseKey,
        /// Done only while this is the counter.
        counter: u64,
        /// Done only while this worker is the holder.
        holder: Arc<str>,
        /// The checkpoint.
        checkpoint: Checkpoint,
        /// Ids of child shards, at the end of the shard; none leaves those that are there.
        children: Vec<Arc<str>>,
    },
    /// Gives the lease up: to the next owner in a handoff, else to nobody.
    Evict {
        /// Of which lease.
        key: LeaseKey,
        /// Done only while this is the counter.
        counter: u64,
        /// Done only while this is the owner.
        owner: Option<Arc<str>>,
        /// Done only while this is the checkpoint's owner.
        checkpoint_owner: Option<Arc<str>>,
    },
    /// Adds what is known about a shard. The counter stays, so that the holder can renew.
    UpdateMeta {
        /// Of which lease; it must be there.
        key: LeaseKey,
        /// Ids of child shards; none leaves those that are there.
        children: Vec<Arc<str>>,
        /// The slice of the hash space; none leaves the one that is there.
        hash_range: Option<HashRange>,
    },
    /// Removes the lease, if it is there.
    Delete {
        /// Which.
        key: LeaseKey,
    },
}

/// The condition of a write was not met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the lease has changed")]
pub struct Refused;

impl Write {
    /// The lease that it is about.
    #[must_use]
    pub const fn key(&self) -> &LeaseKey {
        match self {
            Self::Create(lease) => &lease.key,
            Self::Renew { key, .. }
            | Self::Take { key, .. }
            | Self::RequestHandoff { key, .. }
            | Self::Checkpoint { key, .. }
            | Self::Evict { key, .. }
            | Self::UpdateMeta { key, .. }
            | Self::Delete { key } => key,
        }
    }

    /// The lease after the write on a table where it is `current`; none if it is not there.
    ///
    /// # Errors
    /// The condition is not met; nothing changes.
    pub fn apply(&self, current: Option<&Lease>) -> Result<Option<Lease>, Refused> {
        match (self, current) {
            (Self::Create(lease), None) => Ok(Some(lease.clone())),
            (Self::Create(_), Some(_)) => Err(Refused),
            (Self::Delete { .. }, _) => Ok(None),
            (_, None) => Err(Refused),
            (_, Some(current)) if !self.is_allowed(current) => Err(Refused),
            (_, Some(current)) => {
                let mut lease = current.clone();
                self.change(&mut lease);
                Ok(Some(lease))
            }
        }
    }

    fn is_allowed(&self, lease: &Lease) -> bool {
        match self {
            Self::Create(_) | Self::Delete { .. } | Self::UpdateMeta { .. } => true,
            Self::Renew { counter, holder, .. } | Self::Checkpoint { counter, holder, .. } => {
                lease.counter == *counter && lease.holder() == Some(holder)
            }
            Self::Take { counter, .. } => lease.counter == *counter,
            Self::RequestHandoff { owner, .. } => {
                lease.owner.as_ref() == Some(owner) && lease.checkpoint_owner.is_none()
            }
            Self::Evict { counter, owner, checkpoint_owner, .. } => {
                lease.counter == *counter
                    && lease.owner == *owner
                    && lease.checkpoint_owner == *checkpoint_owner
            }
        }
    }

    fn change(&self, lease: &mut Lease) {
        match self {
            Self::Create(_) | Self::Delete { .. } => {}
            Self::Renew { .. } => lease.counter = lease.counter.saturating_add(1),
            Self::Take { owner, is_switch, .. } => {
                lease.owner = Some(Arc::clone(owner));
                lease.checkpoint_owner = None;
                lease.counter = lease.counter.saturating_add(1);
                lease.owner_switches = lease.owner_switches.saturating_add(u64::from(*is_switch));
            }
            Self::RequestHandoff { owner, next, .. } => {
                lease.owner = Some(Arc::clone(next));
                lease.checkpoint_owner = Some(Arc::clone(owner));
            }
            Self::Checkpoint { checkpoint, children, .. } => {
                lease.counter = lease.counter.saturating_add(1);
                lease.checkpoint = checkpoint.clone();
                lease.pending = None;
                lease.owner_switches = 0;
                set_children(lease, children);
            }
            Self::Evict { checkpoint_owner, .. } => {
                lease.counter = lease.counter.saturating_add(1);
                lease.checkpoint_owner = None;
                if checkpoint_owner.is_none() {
                    lease.owner = None;
                }
            }
            Self::UpdateMeta { children, hash_range, .. } => {
                set_children(lease, children);
                lease.hash_range = hash_range.or(lease.hash_range);
            }
        }
    }
}

/// The table keeps a set: in order, each once.
fn set_children(lease: &mut Lease, children: &[Arc<str>]) {
    if !children.is_empty() {
        lease.children = children.to_vec();
        lease.children.sort();
        lease.children.dedup();
    }
}
