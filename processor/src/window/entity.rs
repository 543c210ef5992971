//! What is remembered of an entity: a pair of hosts, a service across hosts, or a source as a whole.

use sketches::answered::OpenedAnswered;
use sketches::hash::HashKey;
use sketches::pane::{Pane, PaneRange};

use super::sum::SlidingSum;
use super::table::Value;
use crate::flow::Address;
use crate::observe::Confidence;

/// Which question an entity answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Which ports did one host try at another?
    Pair {
        /// The initiator.
        source: Address,
        /// The target.
        target: Address,
    },
    /// At which hosts did one host try a service?
    Service {
        /// The initiator.
        source: Address,
        /// IANA protocol number.
        protocol: u8,
        /// The target's port; 0 for ICMP.
        port: u16,
    },
    /// What did one host try anywhere?
    Source {
        /// The initiator.
        source: Address,
    },
}

impl Scope {
    /// Its keyed hash.
    #[must_use]
    pub fn hash(&self, key: HashKey) -> u64 {
        let [low, high] = halves(self.source());
        match *self {
            Self::Pair { target, .. } => {
                let [target_low, target_high] = halves(target);
                key.hash_words([low, high, target_low, target_high])
            }
            Self::Service { protocol, port, .. } => {
                key.hash_words([low, high, u64::from(protocol) << 16 | u64::from(port)])
            }
            Self::Source { .. } => key.hash_words([low, high]),
        }
    }

    /// Who acts.
    #[must_use]
    pub const fn source(&self) -> Address {
        match *self {
            Self::Pair { source, .. } | Self::Service { source, .. } | Self::Source { source } => {
                source
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
const fn halves(address: Address) -> [u64; 2] {
    [address.bits() as u64, (address.bits() >> 64) as u64]
}

/// What is remembered of one entity.
#[derive(Debug, Default)]
pub struct Entity {
    /// Its elements: ports of a pair, hosts of a service, (host, port) of a source.
    pub elements: OpenedAnswered,
    /// Failed attempts less answers, repeats included: what it is worth to keep, without reading the elements.
    pub failures: u32,
    /// When the last of its failed attempts ended, Unix seconds.
    pub last_failed_s: u64,
    /// The pane in which it is to be judged again, once open attempts have settled.
    pub due: Option<Pane>,
    /// Evidence up to this pane belongs to a closed finding about this entity, or for a source about any of its pairs and
    /// services, and opens no other.
    pub reported_through: Option<Pane>,
    /// The best evidence for the direction.
    pub confidence: Option<Confidence>,
    /// Recent targets, kept only once there are enough elements to look suspicious.
    pub samples: Option<Box<Samples>>,
    /// Breadth and rejections; for sources only.
    pub breadth: Option<Box<Breadth>>,
}

impl Entity {
    /// Counts an attempt that failed so far, or an answer.
    pub const fn count_failure(&mut self, has_failed: bool) {
        self.failures = if has_failed {
            self.failures.saturating_add(1)
        } else {
            self.failures.saturating_sub(1)
        };
    }

    /// Whether any of its elements has answered within what is remembered.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        self.elements.count(PaneRange { first: 0, last: Pane::MAX }, Pane::MAX).answered > 0.0
    }
}

/// An upper bound of the elements of a set, without counting them.
#[must_use]
pub fn elements_max(set: &OpenedAnswered) -> usize {
    set.elements_max().unwrap_or(usize::MAX)
}

/// The two projections of a source's failed services, and its rejections.
///
/// Only attempts without an answer in their own batch are projected; those answered in a later batch stay, so these sets
/// say of which kind a scan is, and never whether there is one.
#[derive(Debug, Default)]
pub struct Breadth {
    /// Hosts it failed at.
    pub hosts: OpenedAnswered,
    /// Ports it failed at.
    pub ports: OpenedAnswered,
    /// Evidence up to this pane belongs to a closed finding about the source as a whole, its pairs and services included.
    pub reported_through: Option<Pane>,
    /// Rejected records; made once there are enough of them to matter.
    pub rejections: Option<Box<SlidingSum>>,
    /// Rejected records before [`Self::rejections`] was made.
    pub rejected_first: u32,
}

/// The newest targets of an entity.
#[derive(Debug, Default, Clone)]
pub struct Samples {
    addresses: [Address; Self::MAX],
    ports: [u16; Self::MAX],
    next: u8,
    len: u8,
}

impl Samples {
    /// Targets kept.
    pub const MAX: usize = 10;

    /// Keeps `target` in place of the oldest; one that is already there is not kept twice.
    pub fn push(&mut self, target: (Address, u16)) {
        if self.iter().all(|kept| kept != target) {
            let next = usize::from(self.next) % Self::MAX;
            (self.addresses[next], self.ports[next]) = target;
            self.next = if next + 1 == Self::MAX { 0 } else { self.next + 1 };
            self.len += u8::from(usize::from(self.len) < Self::MAX);
        }
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Address, u16)> {
        let (next, len) = (usize::from(self.next), usize::from(self.len));
        let first = if len < Self::MAX { 0 } else { next };
        (first..first + len).map(|place| {
            let place = place % Self::MAX;
            (self.addresses[place], self.ports[place])
        })
    }
}

/// Rejections that a source may cause before a [`SlidingSum`] is spent on it: internet noise causes few.
const REJECTED_FIRST_MAX: u32 = 16;

impl Breadth {
    /// Counts rejected records.
    pub fn add_rejected(&mut self, pane: Pane, bucket_panes: u32, records: u32) {
        self.rejected_first = self.rejected_first.saturating_add(records);
        if self.rejected_first > REJECTED_FIRST_MAX {
            let sums = self.rejections.get_or_insert_default();
            sums.add(pane, bucket_panes, u64::from(records));
        }
    }
}

impl Value for Entity {
    fn heap_bytes(&self) -> usize {
        let samples = self.samples.as_ref().map_or(0, |_| size_of::<Samples>() + ALLOCATION_BYTES);
        let breadth = self.breadth.as_ref().map_or(0, |breadth| breadth.boxed_bytes());
        set_heap_bytes(&self.elements) + samples + breadth
    }

    /// Failures weigh most, then the time of the last update.
    fn worth(&self) -> u64 {
        u64::from(self.failures) << 32 | u64::from(self.elements.newest().unwrap_or(0))
    }

    fn expire(&mut self, oldest_kept: Pane) -> bool {
        self.elements.expire(oldest_kept);
        if let Some(breadth) = &mut self.breadth {
            breadth.hosts.expire(oldest_kept);
            breadth.ports.expire(oldest_kept);
        }
        self.elements.newest().is_some_and(|newest| newest >= oldest_kept)
    }
}

impl Breadth {
    fn boxed_bytes(&self) -> usize {
        let sums =
            self.rejections.as_ref().map_or(0, |_| size_of::<SlidingSum>() + ALLOCATION_BYTES);
        let sets = set_heap_bytes(&self.hosts) + set_heap_bytes(&self.ports);
        size_of::<Self>() + ALLOCATION_BYTES + sets + sums
    }
}

/// What the allocator adds to a block, and loses by rounding.
const ALLOCATION_BYTES: usize = 16;

fn set_heap_bytes(set: &OpenedAnswered) -> usize {
    match set.memory_bytes() - size_of::<OpenedAnswered>() {
        0 => 0,
        // A sketch is a box with up to three tables, an exact set one block.
        heap => heap + if set.is_exact() { ALLOCATION_BYTES } else { 4 * ALLOCATION_BYTES },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_the_newest_ten_without_repetition() {
        let mut samples = Samples::default();
        for port in 0..25 {
            samples.push((Address::v4(1), port));
            samples.push((Address::v4(1), port));
        }
        let ports: Vec<u16> = samples.iter().map(|(_, port)| port).collect();
        assert_eq!(ports, (15..25).collect::<Vec<_>>());
    }

    #[test]
    fn an_entity_with_failures_is_worth_more_than_a_newer_one_without() {
        let (mut scanner, mut client) = (Entity::default(), Entity::default());
        scanner.elements.refused(1, 10);
        scanner.count_failure(true);
        for (pane, has_failed) in [(98, true), (99, false)] {
            client.elements.opened(1, pane);
            client.count_failure(has_failed);
        }
        assert!(scanner.worth() > client.worth());
    }
}
