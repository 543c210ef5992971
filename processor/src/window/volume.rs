//! Bytes: who talks most, which services are used most, and how much each of our hosts sends to each outside host.
//!
//! Sums are not idempotent, so a conversation that several interfaces log is summed at one of them: the first that
//! reports it speaks for the pair until it falls silent.
//!
//! Most pairs send little. A count-min sketch with conservative update (it is never merged), which never under-estimates,
//! holds the sums of all pairs, and only a pair whose estimate reaches the gate gets an exact sliding sum. What it sent
//! before that is not in its sum: a sum is never above the truth, and at most two gates below it (one in each of the two
//! gate periods that a window can touch).

use sketches::count_min::ConservativeCountMin;
use sketches::hash::{HashKey, KeyedState};
use sketches::hyperloglog::HyperLogLog;
use sketches::pane::Pane;
use sketches::talkers::{Talker, Talkers};

use super::entity::Scope;
use super::sum::SlidingSum;
use super::table::{Table, Value};
use crate::combine::{Conversation, ConversationKey};
use crate::flow::Address;

/// Volumes of the whole input.
#[derive(Debug)]
pub struct Volumes {
    talkers: Talkers<Address>,
    services: Talkers<(u8, u16)>,
    sources: HyperLogLog,
    key: HashKey,
    gate: ConservativeCountMin,
    gate_bytes: u64,
    gate_period: u32,
    bucket_panes: u32,
    pairs: Table<PairVolume>,
}

/// Bytes from one host to another.
#[derive(Debug, Default)]
struct PairVolume {
    sums: SlidingSum,
    bucket_panes: u32,
    interface: u32,
    interface_pane: Pane,
    first: Pane,
}

/// What a pair sent within a window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upload {
    /// Bytes within the window.
    pub bytes: u64,
    /// When the pair began to send without a long pause.
    pub first: Pane,
}

/// Bytes that [`Volumes`] use at the most: 8 MiB of pairs, half a MiB of count-min, the talkers, and 4 KiB for the number of sources.
pub const VOLUME_BYTES_MAX: usize = 10 * 1024 * 1024;

/// 4 KiB: the number of sources to within 1.6 %.
const SOURCES_PRECISION: u8 = 12;
const TALKERS_MAX: usize = 4096;
const PAIRS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// 4 rows of 2^14 counters of 8 bytes are 512 KiB; an estimate is at most e / 2^14 of all bytes too high.
const GATE_WIDTH_LOG2: u8 = 14;
/// An interface speaks for a pair until it has been silent for this many panes.
const SPEAKER_PANES: Pane = 20;

impl Volumes {
    /// Sums over `window_panes`, at least 12; pairs below `gate_bytes` per window get no sum of their own. `None` when
    /// a sketch cannot be made, which the constants exclude.
    #[must_use]
    pub fn new(key: HashKey, window_panes: u32, gate_bytes: u64) -> Option<Self> {
        let state = KeyedState::new(key);
        Some(Self {
            talkers: Talkers::new(TALKERS_MAX, state),
            services: Talkers::new(TALKERS_MAX, state),
            sources: HyperLogLog::new(SOURCES_PRECISION).ok()?,
            key,
            gate: ConservativeCountMin::new(GATE_WIDTH_LOG2).ok()?,
            gate_bytes,
            gate_period: 0,
            bucket_panes: bucket_panes(window_panes),
            pairs: Table::new(key, PAIRS_BYTES_MAX),
        })
    }

    /// Counts a row towards talkers and services.
    pub fn count(&mut self, key: &ConversationKey, row: &Conversation) {
        let source = self.key.hash_u128(key.initiator.bits());
        self.sources.insert_hash(source);
        self.talkers.add_hashed(source, key.initiator, row.bytes_up);
        if row.bytes_down > 0 {
            self.talkers.add(key.target, row.bytes_down);
        }
        self.services.add((key.protocol, key.port), u64::from(row.records));
    }

    /// Adds what a row sent from inside to outside, and gives the pair's sum over the window that ends with the row, if
    /// it has one.
    pub fn add_upload(&mut self, key: &ConversationKey, bytes: u64) -> Option<Upload> {
        let pair = self.pair_hash((key.initiator, key.target));
        if self.pairs.get(pair).is_none() && !self.passes_gate(pair, key.pane, bytes) {
            return None;
        }
        let bucket_panes = self.bucket_panes;
        self.pairs.update(pair, |volume| {
            volume.bucket_panes = bucket_panes;
            volume.add(key, bytes);
        });
        self.sum(pair, key.pane)
    }

    /// The sum of a pair over the window that ends with `pane`.
    #[must_use]
    pub fn upload(&self, pair: (Address, Address), pane: Pane) -> Option<Upload> {
        self.sum(self.pair_hash(pair), pane)
    }

    fn sum(&self, pair: u64, pane: Pane) -> Option<Upload> {
        let buckets = u32::try_from(SlidingSum::BUCKETS).unwrap_or(u32::MAX);
        self.pairs.get(pair).map(|volume| Upload {
            bytes: volume.sums.sum(pane, self.bucket_panes, buckets),
            first: volume.first,
        })
    }

    /// Removes a share of the pairs that have been silent for a window.
    pub fn sweep(&mut self, pane: Pane, window_panes: u32) {
        self.pairs.sweep(pane.saturating_sub(window_panes));
    }

    /// The `n` addresses that sent most bytes, as logged.
    #[must_use]
    pub fn top_talkers(&self, n: usize) -> Vec<Talker<Address>> {
        self.talkers.top(n)
    }

    /// How many different addresses have opened conversations, and one sigma of that number.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "estimates from 0 to far below 2^53"
    )]
    pub fn sources(&self) -> (u64, u64) {
        let sources = self.sources.estimate();
        (sources.round() as u64, (sources * self.sources.standard_error()).ceil() as u64)
    }

    /// The `n` services, by protocol and port, with most records.
    #[must_use]
    pub fn top_services(&self, n: usize) -> Vec<Talker<(u8, u16)>> {
        self.services.top(n)
    }

    /// Bytes of all parts.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let talkers = self.talkers.memory_bytes() + self.services.memory_bytes();
        talkers + self.sources.memory_bytes() + self.gate.memory_bytes() + self.pairs.memory_bytes()
    }

    /// Pairs dropped to keep the memory bound.
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.pairs.evictions()
    }

    fn pair_hash(&self, (source, target): (Address, Address)) -> u64 {
        Scope::Pair { source, target }.hash(self.key)
    }

    fn passes_gate(&mut self, pair: u64, pane: Pane, bytes: u64) -> bool {
        let buckets = u32::try_from(SlidingSum::BUCKETS).unwrap_or(u32::MAX);
        let period = pane / (self.bucket_panes * buckets);
        if period > self.gate_period {
            self.gate.clear();
            self.gate_period = period;
        }
        self.gate.add(pair, bytes);
        self.gate.estimate(pair) >= self.gate_bytes
    }
}

/// Bucket width for a window of `window_panes`.
fn bucket_panes(window_panes: u32) -> u32 {
    let buckets = u32::try_from(SlidingSum::BUCKETS).unwrap_or(u32::MAX);
    window_panes.div_ceil(buckets).max(1)
}

impl PairVolume {
    fn add(&mut self, key: &ConversationKey, bytes: u64) {
        let is_silent = key.pane > self.interface_pane.saturating_add(SPEAKER_PANES);
        if self.interface_pane == 0 || is_silent {
            self.interface = key.interface;
            self.first = key.pane;
        }
        if self.interface == key.interface {
            self.interface_pane = self.interface_pane.max(key.pane);
            self.sums.add(key.pane, self.bucket_panes, bytes);
        }
    }
}

impl Value for PairVolume {
    fn heap_bytes(&self) -> usize {
        0
    }

    fn worth(&self) -> u64 {
        self.sums.sum(self.interface_pane, self.bucket_panes.max(1), u32::MAX)
    }

    fn expire(&mut self, oldest_kept: Pane) -> bool {
        self.sums.newest(self.bucket_panes.max(1)) >= oldest_kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW_PANES: u32 = 120;

    fn key(target: u32, pane: u32, interface: u32) -> ConversationKey {
        ConversationKey {
            initiator: Address::v4(1),
            target: Address::v4(target),
            pane,
            interface,
            port: 443,
            protocol: 6,
        }
    }

    fn volumes(gate_bytes: u64) -> Volumes {
        Volumes::new(HashKey::new(1, 2), WINDOW_PANES, gate_bytes).unwrap()
    }

    #[test]
    fn a_sum_is_at_most_two_gates_below_the_truth_and_never_above() {
        let gate_bytes = 1000;
        let mut volumes = volumes(gate_bytes);
        for target in 0..200u32 {
            let mut exact = SlidingSum::new();
            for pane in (0..600).step_by(7) {
                let bytes = u64::from(target * 3 + pane % 11);
                exact.add(pane, 10, bytes);
                let truth = exact.sum(pane, 10, 12);
                let sum = volumes
                    .add_upload(&key(target, pane, 5), bytes)
                    .map_or(0, |upload| upload.bytes);
                assert!(sum <= truth && truth <= sum + 2 * gate_bytes, "{sum} of {truth}");
            }
        }
    }

    #[test]
    fn one_interface_speaks_for_a_pair_until_it_falls_silent() {
        let mut volumes = volumes(0);
        let mut sum = |pane, interface| {
            volumes.add_upload(&key(2, pane, interface), 10).map(|upload| upload.bytes)
        };
        assert_eq!(sum(100, 5), Some(10));
        assert_eq!(sum(100, 6), Some(10));
        assert_eq!(sum(101, 5), Some(20));
        assert_eq!(sum(122, 6), Some(30));
    }
}
