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
mod update;
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
pub use update::Sought;
pub use volume::{Upload, VOLUME_BYTES_MAX, Volumes};

use crate::flow::protocol;

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

#[cfg(test)]
mod tests;
