//! The attributes of a lease in a table, as KCL names and types them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Checkpoint, HashRange, Lease, LeaseKey, Pending};

/// A value of the table, by the type that DynamoDB has for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Attribute {
    /// `S`.
    Text(String),
    /// `N`.
    Number(String),
    /// `SS`.
    Texts(Vec<String>),
    /// `B`.
    Bytes(Vec<u8>),
}

/// An item by names of attributes.
pub(super) type Attributes = BTreeMap<&'static str, Attribute>;

/// Why an item cannot be read as a lease.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("lease {key}: attribute {attribute} is missing or cannot be read")]
pub(super) struct Unreadable {
    pub(super) key: String,
    pub(super) attribute: &'static str,
}

pub(super) const KEY: &str = "leaseKey";
pub(super) const OWNER: &str = "leaseOwner";
pub(super) const COUNTER: &str = "leaseCounter";
pub(super) const OWNER_SWITCHES: &str = "ownerSwitchesSinceCheckpoint";
pub(super) const CHECKPOINT: &str = "checkpoint";
pub(super) const SUB_SEQUENCE: &str = "checkpointSubSequenceNumber";
pub(super) const PENDING: &str = "pendingCheckpoint";
pub(super) const PENDING_SUB_SEQUENCE: &str = "pendingCheckpointSubSequenceNumber";
pub(super) const PENDING_STATE: &str = "pendingCheckpointState";
pub(super) const PARENTS: &str = "parentShardId";
pub(super) const CHILDREN: &str = "childShardIds";
pub(super) const HASH_START: &str = "startingHashKey";
pub(super) const HASH_END: &str = "endingHashKey";
pub(super) const THROUGHPUT: &str = "throughputKBps";
pub(super) const CHECKPOINT_OWNER: &str = "checkpointOwner";
pub(super) const STREAM_NAME: &str = "streamName";
pub(super) const SHARD_ID: &str = "shardId";
/// Ours.
pub(super) const LATEST_SINCE: &str = "latestSinceMillis";
/// Absent from leases of KCL before 3.5; a table of 3.5 holds other things too.
pub(super) const ENTITY_TYPE: &str = "entityType";
/// [`ENTITY_TYPE`] of a lease.
pub(super) const ENTITY_LEASE: &str = "LEASE";

/// All that is to be written of a lease.
pub(super) fn to_attributes(lease: &Lease) -> Attributes {
    let text = |text: &str| Attribute::Text(text.to_owned());
    let number = |number: u64| Attribute::Number(number.to_string());
    let (checkpoint, sub_sequence) = lease.checkpoint.to_text();
    let mut attributes = Attributes::from([
        (KEY, text(lease.key.as_str())),
        (ENTITY_TYPE, text(ENTITY_LEASE)),
        (COUNTER, number(lease.counter)),
        (OWNER_SWITCHES, number(lease.owner_switches)),
        (CHECKPOINT, text(&checkpoint)),
        (SUB_SEQUENCE, number(sub_sequence)),
    ]);
    if let Some(pending) = &lease.pending {
        let (checkpoint, sub_sequence) = pending.checkpoint.to_text();
        attributes.insert(PENDING, text(&checkpoint));
        attributes.insert(PENDING_SUB_SEQUENCE, number(sub_sequence));
        if let Some(state) = &pending.state {
            attributes.insert(PENDING_STATE, Attribute::Bytes(state.clone()));
        }
    }
    // DynamoDB knows no empty set.
    for (name, ids) in [(PARENTS, &lease.parents), (CHILDREN, &lease.children)] {
        if !ids.is_empty() {
            let ids = ids.iter().map(|id| id.to_string()).collect();
            attributes.insert(name, Attribute::Texts(ids));
        }
    }
    if let Some(range) = lease.hash_range {
        attributes.insert(HASH_START, text(&range.start.to_string()));
        attributes.insert(HASH_END, text(&range.end.to_string()));
    }
    if let Some(throughput) = lease.throughput_kbps {
        attributes.insert(THROUGHPUT, Attribute::Number(throughput.to_string()));
    }
    if let Some(since_ms) = lease.since_ms {
        attributes.insert(LATEST_SINCE, number(since_ms));
    }
    let optional = [
        (OWNER, &lease.owner),
        (CHECKPOINT_OWNER, &lease.checkpoint_owner),
        (STREAM_NAME, &lease.stream_name),
        (SHARD_ID, &lease.shard_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            attributes.insert(name, text(value));
        }
    }
    attributes
}

/// Reads an item, whose attributes `get` gives by name.
///
/// # Returns
/// None if it is no lease.
///
/// # Errors
/// It is a lease, and not one that can be read.
pub(super) fn from_attributes(
    get: impl Fn(&str) -> Option<Attribute>,
) -> Result<Option<Lease>, Unreadable> {
    let entity = get(ENTITY_TYPE);
    if entity.is_some_and(|entity| entity != Attribute::Text(ENTITY_LEASE.to_owned())) {
        return Ok(None);
    }
    let Some(Attribute::Text(key)) = get(KEY) else {
        return Err(Unreadable { key: String::new(), attribute: KEY });
    };
    let reader = Reader { key: &key, get };
    let checkpoint = reader.checkpoint(CHECKPOINT, SUB_SEQUENCE)?;
    let checkpoint = checkpoint.ok_or_else(|| reader.unreadable(CHECKPOINT))?;
    let pending = reader.checkpoint(PENDING, PENDING_SUB_SEQUENCE)?;
    let state = match (reader.get)(PENDING_STATE) {
        Some(Attribute::Bytes(state)) => Some(state),
        _ => None,
    };
    let counter = reader.number::<u64>(COUNTER)?.ok_or_else(|| reader.unreadable(COUNTER))?;
    Ok(Some(Lease {
        owner: reader.text(OWNER)?,
        counter,
        owner_switches: reader.number(OWNER_SWITCHES)?.unwrap_or(0),
        checkpoint,
        pending: pending.map(|checkpoint| Pending { checkpoint, state }),
        parents: reader.texts(PARENTS)?,
        children: reader.texts(CHILDREN)?,
        hash_range: reader.hash_range()?,
        throughput_kbps: reader.number(THROUGHPUT)?,
        checkpoint_owner: reader.text(CHECKPOINT_OWNER)?,
        stream_name: reader.text(STREAM_NAME)?,
        shard_id: reader.text(SHARD_ID)?,
        since_ms: reader.number(LATEST_SINCE)?,
        key: LeaseKey::from(key.as_str()),
    }))
}

struct Reader<'a, G> {
    key: &'a str,
    get: G,
}

impl<G: Fn(&str) -> Option<Attribute>> Reader<'_, G> {
    fn unreadable(&self, attribute: &'static str) -> Unreadable {
        Unreadable { key: self.key.to_owned(), attribute }
    }

    fn text(&self, name: &'static str) -> Result<Option<Arc<str>>, Unreadable> {
        match (self.get)(name) {
            None => Ok(None),
            Some(Attribute::Text(text)) => Ok(Some(text.into())),
            Some(_) => Err(self.unreadable(name)),
        }
    }

    fn texts(&self, name: &'static str) -> Result<Vec<Arc<str>>, Unreadable> {
        let mut texts: Vec<Arc<str>> = match (self.get)(name) {
            None => Vec::new(),
            Some(Attribute::Texts(texts)) => texts.into_iter().map(Arc::from).collect(),
            // Written by KCL 1.0, before a shard could have two parents.
            Some(Attribute::Text(text)) => vec![text.into()],
            Some(_) => return Err(self.unreadable(name)),
        };
        texts.sort();
        Ok(texts)
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, Unreadable> {
        match (self.get)(name) {
            None => Ok(None),
            Some(Attribute::Number(number)) => {
                number.parse().map(Some).map_err(|_| self.unreadable(name))
            }
            Some(_) => Err(self.unreadable(name)),
        }
    }

    fn checkpoint(
        &self,
        name: &'static str,
        sub_name: &'static str,
    ) -> Result<Option<Checkpoint>, Unreadable> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let sub_sequence = self.number(sub_name)?.unwrap_or(0);
        let checkpoint = Checkpoint::from_text(&text, sub_sequence);
        checkpoint.map(Some).map_err(|_| self.unreadable(name))
    }

    fn hash_range(&self) -> Result<Option<HashRange>, Unreadable> {
        let [start, end] = [HASH_START, HASH_END].map(|name| {
            let parsed = self.text(name)?.map(|text| text.parse::<u128>());
            parsed.transpose().map_err(|_| self.unreadable(name))
        });
        Ok(start?.zip(end?).map(|(start, end)| HashRange { start, end }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Lease {
        let mut lease = Lease::new("123456789012:flows:1:s1".into(), Checkpoint::TrimHorizon);
        lease.owner = Some("next".into());
        lease.checkpoint_owner = Some("holder".into());
        (lease.counter, lease.owner_switches) = (u64::MAX, 7);
        lease.checkpoint =
            Checkpoint::from_text("12345678901234567890123456789012345678901234567890", 3).unwrap();
        lease.pending =
            Some(Pending { checkpoint: Checkpoint::ShardEnd, state: Some(vec![0, 255]) });
        lease.parents = vec!["s0".into()];
        lease.children = vec!["s2".into(), "s3".into()];
        lease.hash_range = Some(HashRange::WHOLE);
        lease.throughput_kbps = Some(1.5);
        lease.stream_name = Some("123456789012:flows:1".into());
        lease.shard_id = Some("s1".into());
        lease
    }

    #[test]
    fn a_lease_is_read_as_it_was_written() {
        for lease in [whole(), Lease::new("s".into(), Checkpoint::Latest)] {
            let attributes = to_attributes(&lease);
            let read = from_attributes(|name| attributes.get(name).cloned());
            assert_eq!(read, Ok(Some(lease)));
        }
    }

    #[test]
    fn what_is_no_lease_is_left_out_and_what_is_a_broken_one_is_refused() {
        let attributes = to_attributes(&whole());
        let read = |name: &'static str, value: Option<Attribute>| {
            from_attributes(|asked| {
                if asked == name { value.clone() } else { attributes.get(asked).cloned() }
            })
        };
        let foreign = Attribute::Text("WORKER_METRIC_STATS".to_owned());
        assert_eq!(read(ENTITY_TYPE, Some(foreign)), Ok(None));
        assert!(read(ENTITY_TYPE, None).unwrap().is_some(), "before 3.5");
        let text = || Some(Attribute::Text("x".to_owned()));
        for (name, value) in [
            (KEY, None),
            (COUNTER, None),
            (COUNTER, text()),
            (CHECKPOINT, None),
            (CHECKPOINT, text()),
            (OWNER, Some(Attribute::Number("1".to_owned()))),
            (HASH_START, text()),
            (PARENTS, Some(Attribute::Bytes(Vec::new()))),
        ] {
            assert_eq!(read(name, value).map_err(|error| error.attribute), Err(name));
        }
    }
}
