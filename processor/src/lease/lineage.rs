//! Shards and what came of them: which leases a stream needs, which may be worked on, which are done with.
//!
//! A shard that is split or merged is closed; its children hold what comes after. Records of one key stay in order only if
//! all parents were read to their ends before a child is started (AWS guide, "Resharding a stream"). So a table never
//! gets several generations at once: children get their leases when a parent ends, and here only what is missing.
//!
//! Rules: those that KCL documents for the sync of shards and the clean-up of leases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Checkpoint, HashRange, Lease, LeaseKey};

/// A shard, as `ListShards` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shard {
    /// `ShardId`.
    pub id: Arc<str>,
    /// `ParentShardId` and `AdjacentParentShardId`: none, one after a split, two after a merge. They may be expired.
    pub parents: Vec<Arc<str>>,
    /// `HashKeyRange`.
    pub hash_range: HashRange,
    /// Whether records are still put into it.
    pub is_open: bool,
}

/// A shard that begins where another ended, as `ChildShards` tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Child {
    /// `ShardId`.
    pub shard_id: Arc<str>,
    /// `ParentShards`: one after a split, two after a merge.
    pub parents: Vec<Arc<str>>,
    /// `HashKeyRange`.
    pub hash_range: HashRange,
}

/// Where reading starts when nothing of a stream has been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initial {
    /// At the oldest record.
    TrimHorizon,
    /// After the newest record.
    Latest,
    /// At a time that the reader knows.
    AtTimestamp,
}

/// A stream and how its leases are named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// Its name.
    pub name: Arc<str>,
    /// Account id, 12 digits.
    pub account: Arc<str>,
    /// When it was created, in seconds since 1970: a stream of the same name that is created again is another one.
    pub creation_epoch: u64,
    /// Whether the table serves no other stream; the keys are then ids of shards.
    pub is_only: bool,
}

impl Initial {
    /// The checkpoint of a lease that starts here.
    #[must_use]
    pub const fn checkpoint(self) -> Checkpoint {
        match self {
            Self::TrimHorizon => Checkpoint::TrimHorizon,
            Self::Latest => Checkpoint::Latest,
            Self::AtTimestamp => Checkpoint::AtTimestamp,
        }
    }
}

impl Stream {
    /// The key of a shard's lease.
    #[must_use]
    pub fn key(&self, shard: &str) -> LeaseKey {
        match self.is_only {
            true => shard.into(),
            false => format!("{}:{shard}", self.identifier()).into(),
        }
    }

    /// Whether it is a lease of this stream.
    #[must_use]
    pub fn owns(&self, lease: &Lease) -> bool {
        let key = lease.key.as_str();
        match self.is_only {
            true => !key.contains(':'),
            false => key.rsplit_once(':').is_some_and(|(stream, _)| stream == self.identifier()),
        }
    }

    /// A lease of this stream that nobody holds.
    #[must_use]
    pub fn lease(&self, shard: &Shard, checkpoint: Checkpoint) -> Lease {
        let mut lease = Lease::new(self.key(&shard.id), checkpoint);
        lease.parents.clone_from(&shard.parents);
        lease.parents.sort();
        lease.hash_range = Some(shard.hash_range);
        if !self.is_only {
            lease.stream_name = Some(self.identifier().into());
            lease.shard_id = Some(Arc::clone(&shard.id));
        }
        lease
    }

    fn identifier(&self) -> String {
        format!("{}:{}:{}", self.account, self.name, self.creation_epoch)
    }
}

impl Child {
    /// The lease of a child of `parent`: it starts at its oldest record, so that nothing is lost between the two.
    #[must_use]
    pub fn lease(&self, parent: &Lease) -> Lease {
        let mut lease = Lease::new(parent.key.sibling(&self.shard_id), Checkpoint::TrimHorizon);
        lease.parents.clone_from(&self.parents);
        lease.parents.sort();
        lease.hash_range = Some(self.hash_range);
        lease.stream_name.clone_from(&parent.stream_name);
        lease.shard_id = parent.shard_id.as_ref().map(|_| Arc::clone(&self.shard_id));
        lease
    }
}

/// The leases to create now. On a table without leases of the stream: one for each of the shards, which are those that
/// `ListShards` gives for the initial position. Else `shards` are all that there are, and for each open shard without a
/// lease
/// * that descends from a shard with a lease, the first missing generation below, to be read from its oldest record;
/// * that does not, its own lease or, unless reading starts at the newest record, those of its oldest ancestors.
#[must_use]
pub fn missing(
    stream: &Stream,
    shards: &[Shard],
    leases: &[Lease],
    initial: Initial,
) -> Vec<Lease> {
    let leased: BTreeSet<&str> =
        leases.iter().filter(|lease| stream.owns(lease)).map(Lease::shard_id).collect();
    if leased.is_empty() {
        return shards.iter().map(|shard| stream.lease(shard, initial.checkpoint())).collect();
    }
    let family = Family::new(shards, leased);
    let mut wanted = BTreeMap::new();
    for shard in shards.iter().filter(|shard| shard.is_open) {
        family.want(&shard.id, initial, &mut wanted);
    }
    let lease = |(id, checkpoint): (&str, Checkpoint)| {
        family.shards.get(id).map(|shard| stream.lease(shard, checkpoint))
    };
    wanted.into_iter().filter_map(lease).collect()
}

/// Whether a shard may be read: the leases of all its parents are at their ends, or there are none.
#[must_use]
pub fn may_start(lease: &Lease, leases: &[Lease]) -> bool {
    let parents: Vec<LeaseKey> =
        lease.parents.iter().map(|parent| lease.key.sibling(parent)).collect();
    leases.iter().filter(|other| parents.contains(&other.key)).all(Lease::is_finished)
}

/// The leases of one stream that nobody needs any more:
/// * those of shards read to the end whose children have leases and were started, once the leases of their own parents
///   are gone;
/// * those of shards that no longer exist: not among `listed`, which are all of the stream, though newer ones are.
#[must_use]
pub fn finished(leases: &[Lease], listed: &[Shard]) -> Vec<LeaseKey> {
    let by_shard: BTreeMap<&str, &Lease> =
        leases.iter().map(|lease| (lease.shard_id(), lease)).collect();
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for shard in listed {
        for parent in &shard.parents {
            children.entry(parent).or_default().push(&shard.id);
        }
    }
    let ids: BTreeSet<&str> = listed.iter().map(|shard| &*shard.id).collect();
    let is_started =
        |id: &str| by_shard.get(id).is_some_and(|child| !is_waiting(&child.checkpoint));
    let is_done = |lease: &&Lease| {
        let id = lease.shard_id();
        // A listing that is older than the lease does not show the shard: ids grow with time.
        if ids.last().is_some_and(|newest| id < *newest) && !ids.contains(id) {
            return true;
        }
        let mut told = lease.children.iter().map(|child| &**child).peekable();
        let are_children_started = match told.peek() {
            Some(_) => told.all(is_started),
            None => {
                children.get(id).is_some_and(|known| known.iter().all(|child| is_started(child)))
            }
        };
        let are_parents_gone = lease.parents.iter().all(|parent| !by_shard.contains_key(&**parent));
        lease.is_finished() && are_children_started && are_parents_gone
    };
    leases.iter().filter(is_done).map(|lease| lease.key.clone()).collect()
}

/// Whether a lease that was made for a child has not been worked on. (A lease at `LATEST` was made at the start of the
/// application, not for a child.)
fn is_waiting(checkpoint: &Checkpoint) -> bool {
    matches!(checkpoint, Checkpoint::TrimHorizon | Checkpoint::AtTimestamp)
}

/// Looks for hash keys that no lease covers, which an interrupted reshard or a deleted item leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    hole_start: Option<u128>,
    seen: u32,
}

impl Audit {
    /// A hole that is met so often in a row is no reshard under way.
    const SEEN_MAX: u32 = 3;

    /// Looks at the leases of one stream; true if all its shards have to be listed and missing leases to be created: at
    /// once if there are no leases, else when the same hole is found for the third time.
    pub fn is_sync_needed(&mut self, leases: &[Lease]) -> bool {
        if leases.is_empty() {
            *self = Self::default();
            return true;
        }
        let hole = first_hole(leases);
        self.seen = match hole {
            None => 0,
            Some(_) if hole == self.hole_start => self.seen + 1,
            Some(_) => 1,
        };
        self.hole_start = hole;
        self.seen >= Self::SEEN_MAX
    }
}

/// The first hash key that no unfinished lease covers. A lease without a range may cover anything.
fn first_hole(leases: &[Lease]) -> Option<u128> {
    let ranges = leases.iter().filter(|lease| !lease.is_finished()).map(|lease| lease.hash_range);
    let mut ranges: Vec<HashRange> = ranges.collect::<Option<_>>()?;
    ranges.sort_unstable();
    let mut next = 0;
    for range in ranges {
        if range.start > next {
            return Some(next);
        }
        match range.end.max(next).checked_add(1) {
            // Only a range that reaches `next` moves it.
            Some(after) if range.end >= next => next = after,
            Some(_) => {}
            None => return None,
        }
    }
    Some(next)
}

/// The shards of a stream by id.
struct Family<'a> {
    shards: BTreeMap<&'a str, &'a Shard>,
    leased: BTreeSet<&'a str>,
    /// Those with a lease, and those that descend from one.
    processed: BTreeSet<&'a str>,
}

impl<'a> Family<'a> {
    fn new(shards: &'a [Shard], leased: BTreeSet<&'a str>) -> Self {
        let mut children: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
        for shard in shards {
            for parent in &shard.parents {
                children.entry(parent).or_default().push(&shard.id);
            }
        }
        let mut processed = leased.clone();
        let mut below: Vec<&str> = leased.iter().copied().collect();
        while let Some(id) = below.pop() {
            let children = children.get(id).into_iter().flatten();
            below.extend(children.filter(|child| processed.insert(child)));
        }
        let shards = shards.iter().map(|shard| (&*shard.id, shard)).collect();
        Self { shards, leased, processed }
    }

    /// Parents that are there: listed, or with a lease.
    fn parents(&self, id: &str) -> impl Iterator<Item = &'a str> {
        let parents = self.shards.get(id).map(|shard| shard.parents.as_slice()).unwrap_or_default();
        let is_there =
            |parent: &&str| self.shards.contains_key(parent) || self.leased.contains(parent);
        parents.iter().map(|parent| &**parent).filter(is_there)
    }

    /// Adds the leases that `id` needs, itself or above it.
    fn want(&self, id: &'a str, initial: Initial, wanted: &mut BTreeMap<&'a str, Checkpoint>) {
        let mut seen = BTreeSet::new();
        let mut above = vec![id];
        while let Some(id) = above.pop() {
            if self.leased.contains(id) || !seen.insert(id) {
                continue;
            }
            if !self.processed.contains(id) {
                self.want_unprocessed(id, initial, wanted);
            } else if self.parents(id).all(|parent| self.leased.contains(parent)) {
                let checkpoint = match initial {
                    Initial::AtTimestamp => Checkpoint::AtTimestamp,
                    Initial::TrimHorizon | Initial::Latest => Checkpoint::TrimHorizon,
                };
                wanted.insert(id, checkpoint);
            } else {
                above.extend(self.parents(id));
            }
        }
    }

    /// Nothing above `id` was ever read.
    fn want_unprocessed(
        &self,
        id: &'a str,
        initial: Initial,
        wanted: &mut BTreeMap<&'a str, Checkpoint>,
    ) {
        if initial == Initial::Latest {
            wanted.insert(id, Checkpoint::Latest);
            return;
        }
        let mut seen = BTreeSet::new();
        let mut above = vec![id];
        while let Some(id) = above.pop() {
            if !seen.insert(id) {
                continue;
            }
            let listed = above.len();
            above.extend(self.parents(id));
            if above.len() == listed {
                wanted.insert(id, initial.checkpoint());
            }
        }
    }
}

#[cfg(test)]
mod tests;
