//! Panes and entity state: rows of a [`Partial`](crate::combine::Partial) in, counts over sliding windows out.
//!
//! Event time is a record's `end`, in panes. The newest pane seen is the clock: it comes from the data, never from a
//! wall clock, so the same input gives the same state. A row behind the clock is applied at its own pane; one that is
//! behind every window is counted as late and dropped.
//!
//! Each row updates up to three entities ([`Scope`]): the pair (its elements are ports), the service across hosts (hosts)
//! and the source (host and port). An element carries the pane in which it was last opened and answered, so one
//! structure serves all windows, and a repeated row changes nothing. Volumes are sums and rely on each batch being
//! applied once.

mod admission;
mod blindness;
mod config;
mod entity;
mod recent;
mod sum;
mod table;
mod volume;

use sketches::hash::HashKey;
use sketches::pane::{Pane, PaneRange};

use admission::Admission;
pub use blindness::Blind;
pub use config::{Config, NetworkConfig};
pub use entity::{Breadth, Entity, Samples, Scope, elements_max};
use recent::Recent;
pub use sum::SlidingSum;
use table::Table;
pub use volume::{Upload, VOLUME_BYTES_MAX, Volumes};

use crate::combine::{Conversation, ConversationKey};
use crate::flow::{Address, protocol};
use crate::observe::{Confidence, Outcome};

/// The state of all entities.
#[derive(Debug)]
pub struct Window {
    config: Config,
    key: HashKey,
    /// Who talks, how much.
    pub volumes: Volumes,
    /// Interfaces with lost records.
    pub blind: Blind,
    entities: Table<Entity>,
    admission: Admission,
    recent: Recent,
    /// Who may ever have sent a ping.
    pingers: recent::Pingers,
    clock: Pane,
    horizon_panes: u32,
    late: u64,
    behind: u64,
}

/// The entities of a row, and where they were when they were sought.
#[derive(Clone, Copy, Debug)]
pub struct Sought {
    scopes: [Scope; 3],
    hashes: [u64; 3],
    places: [Option<usize>; 3],
}

/// Elements from which on an entity keeps samples of its targets as evidence.
const SAMPLED_ELEMENTS: usize = 4;
/// Of the state's memory, the part (one in so many) for sources that have been seen once.
const ADMISSION_SHARE: usize = 8;

impl Window {
    /// `horizon_s` is the longest window of any rule; `upload_window_s` and `gate_bytes` are for [`Volumes`]. `None`
    /// when a sketch cannot be made, which its constants exclude.
    #[must_use]
    pub fn new(
        config: Config,
        key: HashKey,
        horizon_s: u32,
        (upload_window_s, gate_bytes): (u32, u64),
    ) -> Option<Self> {
        let upload_panes = upload_window_s / config.pane_s.max(1);
        let admission_bytes = config.state_bytes_max / ADMISSION_SHARE;
        Some(Self {
            volumes: Volumes::new(key, upload_panes, gate_bytes)?,
            blind: Blind::new(key),
            entities: Table::new(key, config.state_bytes_max - admission_bytes),
            admission: Admission::new(key, admission_bytes, horizon_s / config.pane_s.max(1)),
            recent: Recent::new(),
            horizon_panes: horizon_s / config.pane_s.max(1),
            pingers: recent::Pingers::new(),
            clock: 0,
            late: 0,
            behind: 0,
            config,
            key,
        })
    }

    /// The newest pane seen.
    #[must_use]
    pub const fn clock(&self) -> Pane {
        self.clock
    }

    /// The longest window, in panes.
    #[must_use]
    pub const fn horizon_panes(&self) -> u32 {
        self.horizon_panes
    }

    /// Rows dropped because they were behind every window.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a row is too old for any window; counts it if so, or if it is too old for its answer to be waited for.
    pub const fn refuse_late(&mut self, pane: Pane) -> bool {
        let is_late = pane < self.clock.saturating_sub(self.horizon_panes);
        self.late += is_late as u64;
        self.behind += (pane < self.clock.saturating_sub(self.settle_panes())) as u64;
        is_late
    }

    /// Rows that came when answers to them, or to what they answer, were no longer waited for.
    #[must_use]
    pub const fn behind(&self) -> u64 {
        self.behind
    }

    /// Moves the clock to `pane` if that is later, and lets the sweep pass over its share of the entities.
    pub fn advance(&mut self, pane: Pane) {
        if pane > self.clock {
            self.clock = pane;
            let oldest_kept = pane.saturating_sub(self.horizon_panes);
            self.entities.sweep(oldest_kept);
            self.volumes.sweep(pane, self.horizon_panes);
            self.blind.expire(oldest_kept);
        }
    }

    /// Where the entities of a row are: their search, some rows before the row is applied, so that the cache misses of several
    /// rows overlap.
    #[must_use]
    pub fn seek(&self, key: &ConversationKey) -> Sought {
        let ConversationKey { initiator: source, target, port, protocol, .. } = *key;
        let scopes = [
            Scope::Service { source, protocol, port },
            Scope::Pair { source, target },
            Scope::Source { source },
        ];
        let hashes = scopes.map(|scope| scope.hash(self.key));
        let wanted = if has_ports(protocol) { 3 } else { 1 };
        let mut places = [None; 3];
        for (place, &hash) in places.iter_mut().zip(&hashes[..wanted]) {
            *place = self.entities.place(hash);
        }
        Sought { scopes, hashes, places }
    }

    /// Applies a row to its entities and gives their scopes; none where its direction is unknown or proves nothing.
    pub fn update(
        &mut self,
        key: &ConversationKey,
        row: &Conversation,
        sought: &Sought,
    ) -> [Option<Scope>; 3] {
        let has_ports = has_ports(key.protocol);
        let is_icmp = matches!(key.protocol, protocol::ICMP | protocol::ICMPV6);
        let says_something = row.has_failed_attempt() || row.marks.contains(Outcome::Answered);
        let is_evidence =
            says_something && row.confidence > Confidence::Low && (has_ports || is_icmp);
        if !is_evidence || key.target.is_group() || key.initiator.is_group() {
            return [None; 3];
        }
        let is_settled = has_ports && row.marks.contains(Outcome::Answered) && row.rejected == 0;
        if is_settled && self.recent.repeats(key, row.marks) {
            return [None; 3];
        }
        let source = key.initiator;
        let tag = u64::from(key.protocol) << 16 | u64::from(key.port);
        let both = self.key.hash_pair(key.target.bits(), tag);
        let [service, pair, whole] = sought.scopes;
        let Sought { hashes: [service_hash, pair_hash, whole_hash], places, .. } = *sought;
        if self.entities.is_full()
            && self.entities.get(whole_hash).is_none()
            && !self.admission.admits(source, both, key.pane)
        {
            return [None; 3];
        }
        let change = Change { key, row, is_blind: self.blind.covers(key.interface, key.pane) };
        let host = self.key.hash_u128(key.target.bits());
        self.entities.update_at(places[0], service_hash, |entity| change.apply(entity, host));
        if !has_ports {
            self.pingers.note(source);
            let reverse = Scope::Pair { source: key.target, target: source };
            let is_known = self.entities.get(pair_hash).is_some_and(Entity::has_answer);
            if is_known || self.entity(&reverse).is_some() {
                self.entities
                    .update(service_hash, |entity| entity.elements.answered(host, key.pane));
            }
            return [Some(service), None, None];
        }
        if row.marks.contains(Outcome::Answered) {
            self.acquit_ping(source, key.target, key.pane);
        }
        self.acquit_ping(key.target, source, key.pane);
        let port = self.key.hash_u64(tag);
        self.entities.update_at(places[1], pair_hash, |entity| change.apply(entity, port));
        let bucket_panes = self.rejection_bucket_panes();
        self.entities.update_at(places[2], whole_hash, |entity| {
            change.apply(entity, both);
            if row.has_failed_attempt() || row.rejected > 0 {
                let breadth = entity.breadth.get_or_insert_default();
                change.apply_breadth(breadth, host, port, bucket_panes);
            }
        });
        [Some(service), Some(pair), Some(whole)]
    }

    /// Between two hosts that speak TCP or UDP, ICMP discovers nothing: path measurements ping whom one speaks with, and a
    /// host answers with errors those who try its closed ports. `target` answered `source`, or called on it.
    fn acquit_ping(&mut self, source: Address, target: Address, pane: Pane) {
        if !self.pingers.may_hold(source) {
            return;
        }
        let icmp = if target.is_v4() { protocol::ICMP } else { protocol::ICMPV6 };
        let pinged = Scope::Service { source, protocol: icmp, port: 0 }.hash(self.key);
        if self.entities.get(pinged).is_some() {
            let host = self.key.hash_u128(target.bits());
            self.entities.update(pinged, |entity| entity.elements.answered_if_seen(host, pane));
        }
    }

    /// Notes that a finding about `scope` was closed: what was seen through `pane` belongs to it, also in the view of its
    /// source; and where the source as a whole was reported, in the view of its pairs and services.
    pub fn mark_reported(&mut self, scope: &Scope, pane: Pane) {
        let whole = Scope::Source { source: scope.source() };
        for scope in [*scope, whole] {
            if let Some(entity) = self.entities.get_mut(scope.hash(self.key)) {
                entity.reported_through = Some(pane);
            }
        }
        if let Some(breadth) =
            self.entities.get_mut(whole.hash(self.key)).and_then(|whole| whole.breadth.as_mut())
            && *scope == whole
        {
            breadth.reported_through = Some(pane);
        }
    }

    /// The last pane whose evidence about `scope` belongs to a closed finding.
    #[must_use]
    pub fn reported_through(&self, scope: &Scope) -> Option<Pane> {
        let whole = self.entity(&Scope::Source { source: scope.source() });
        let of_whole = whole.and_then(|whole| whole.breadth.as_ref()?.reported_through);
        self.entity(scope).and_then(|entity| entity.reported_through).max(of_whole)
    }

    /// What is remembered of an entity.
    #[must_use]
    pub fn entity(&self, scope: &Scope) -> Option<&Entity> {
        self.entities.get(scope.hash(self.key))
    }

    /// Sets the pane in which an entity is to be judged again; false if one is set already or it is gone.
    pub fn set_due(&mut self, scope: &Scope, due: Pane) -> bool {
        let Some(entity) = self.entities.get_mut(scope.hash(self.key)) else { return false };
        let is_new = entity.due.is_none();
        entity.due.get_or_insert(due);
        is_new
    }

    /// Clears what [`Self::set_due`] set.
    pub fn clear_due(&mut self, scope: &Scope) {
        if let Some(entity) = self.entities.get_mut(scope.hash(self.key)) {
            entity.due = None;
        }
    }

    /// The panes of a window of `window_s` that ends with `pane`.
    #[must_use]
    pub const fn range(&self, window_s: u32, pane: Pane) -> PaneRange {
        let panes = window_s / self.config.pane_s;
        PaneRange { first: pane.saturating_sub(panes.saturating_sub(1)), last: pane }
    }

    /// The last pane whose unanswered attempts count as failed when judged in `pane`.
    #[must_use]
    pub const fn settled(&self, pane: Pane) -> Pane {
        pane.saturating_sub(self.settle_panes())
    }

    /// How many panes an attempt waits for its answer: enough that `settle_s` have passed even for one at the end of its
    /// pane.
    #[must_use]
    pub const fn settle_panes(&self) -> u32 {
        match self.config.settle_s {
            0 => 0,
            settle_s => settle_s.div_ceil(self.config.pane_s) + 1,
        }
    }

    /// Panes per bucket of [`Breadth::rejections`]: buckets of one minute, or of one pane where that is longer.
    #[must_use]
    pub const fn rejection_bucket_panes(&self) -> u32 {
        let panes = 60 / self.config.pane_s;
        if panes == 0 { 1 } else { panes }
    }

    /// Entities held.
    #[must_use]
    pub fn entities(&self) -> usize {
        self.entities.len()
    }

    /// Entities dropped to keep the memory bound.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.entities.evictions() + self.volumes.evictions()
    }

    /// Rows of sources that were seen once while memory was full, and are not remembered.
    #[must_use]
    pub const fn kept_out(&self) -> u64 {
        self.admission.kept_out()
    }

    /// Bytes in use, by the parts' own account.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.entities.memory_bytes() + self.admission.memory_bytes() + self.volumes.memory_bytes()
    }

    /// Unix seconds of the beginning of a pane.
    #[must_use]
    pub fn start_s(&self, pane: Pane) -> u64 {
        u64::from(pane) * u64::from(self.config.pane_s)
    }
}

/// Whether a protocol has ports; of the others, only ICMP is evidence of a scan.
#[must_use]
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, protocol::TCP | protocol::UDP)
}

struct Change<'r> {
    key: &'r ConversationKey,
    row: &'r Conversation,
    /// Records of this interface were lost, so a missing answer proves nothing.
    is_blind: bool,
}

impl Change<'_> {
    fn apply(&self, entity: &mut Entity, element: u64) {
        let (marks, pane) = (self.row.marks, self.key.pane);
        let is_opened = marks.contains(Outcome::Opened);
        let is_reset = is_opened && marks.contains(Outcome::Reset);
        if marks.contains(Outcome::Refused) || is_reset {
            entity.elements.refused(element, pane);
        } else if is_opened && !self.is_blind {
            entity.elements.opened(element, pane);
        }
        if marks.contains(Outcome::Answered) {
            entity.elements.answered(element, pane);
        }
        entity.confidence = entity.confidence.max(Some(self.row.confidence));
        let has_failed = self.row.has_failed_attempt();
        entity.count_failure(has_failed);
        if !has_failed {
            return;
        }
        entity.last_failed_s = entity.last_failed_s.max(self.row.last_s);
        if elements_max(&entity.elements) >= SAMPLED_ELEMENTS {
            let samples = entity.samples.get_or_insert_default();
            samples.push((self.key.target, self.key.port));
        }
    }

    fn apply_breadth(&self, breadth: &mut Breadth, host: u64, port: u64, bucket_panes: u32) {
        let pane = self.key.pane;
        if self.row.has_failed_attempt() {
            breadth.hosts.opened(host, pane);
            breadth.ports.opened(port, pane);
        }
        if self.row.rejected > 0 {
            breadth.add_rejected(pane, bucket_panes, self.row.rejected);
        }
    }
}

#[cfg(test)]
mod tests;
