//! Distinct elements opened and answered over a sliding window: how many were left unanswered?
//!
//! A scan is many services opened and few answered. An element (the hash of a service or of a host)
//! is kept once, with the last pane in which it was opened, refused and answered, not once per pane:
//! one structure answers every window, and all updates and merges are maxima of stamps and unions of
//! panes, so neither the order of the records nor their repetition matters.
//!
//! Three tiers, with lossless promotion:
//! 1. up to one element: no heap;
//! 2. exact, up to 128 elements (`exact.rs`): the count is the count, so no noise can alarm;
//! 3. sketch (`sketch.rs`): a bitmap of 16 ranks and 256 registers as in PCSA (Flajolet & Martin 1985),
//!    whose bits are stamps, as in the sliding-window `HyperLogLog` (Chabchoub & Hebrail 2010), with the
//!    maximum-likelihood estimate.
//!
//! Stamps cover 2^15 panes behind the newest one (`stamps.rs`); what is older is not counted.

mod element;
mod encode;
mod exact;
mod sketch;
mod stamps;

use crate::pane::{Pane, PaneRange};
use element::{Element, Ranges, Stamps, fingerprint};
use exact::ExactSet;
use sketch::Sketch;
use stamps::{Advance, NEVER, Stamp, StampRange};

/// Distinct elements that were opened, refused and answered, over a sliding window.
///
/// An element is unanswered in a window when it was refused in it, or opened in it at or before the
/// settled pane, and was not answered in it or later. An answer outweighs a refusal.
///
/// Kept are the last pane of each event and which of the 16 panes before the last opening (in the sketch
/// tier: before the newest pane) had one too: windows of up to 17 panes that end at the newest pane see
/// every opening, longer ones may miss one that a much later, unsettled one has replaced.
///
/// Panes that lie more than 2^15 behind the newest one are not counted, and updates there are dropped.
///
/// ```
/// use sketches::answered::OpenedAnswered;
/// use sketches::hash::HashKey;
/// use sketches::pane::PaneRange;
///
/// let key = HashKey::new(1, 2);
/// let mut services = OpenedAnswered::new();
/// for port in 0..20 {
///     services.opened(key.hash_pair(0x0a00_0001, port), 100);
/// }
/// services.answered(key.hash_pair(0x0a00_0001, 7), 101);
///
/// let window = PaneRange { first: 92, last: 101 };
/// let counts = services.count(window, 100);
/// assert!(counts.exact);
/// assert_eq!((counts.seen, counts.answered, counts.unanswered), (20.0, 1.0, 19.0));
/// // Before pane 100 settles, an answer may still be under way.
/// assert_eq!(services.count(window, 99).unanswered, 0.0);
/// ```
#[derive(Clone, Debug)]
pub struct OpenedAnswered {
    /// The newest pane of any update; meaningless while empty.
    newest: Pane,
    tier: Tier,
}

/// Distinct elements of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Opened, refused or answered in the window.
    pub seen: f64,
    /// One sigma of `seen`, in elements; 0 when exact.
    pub seen_error: f64,
    /// Answered in the window. A sketch counts later answers too: in the cells that elements share they
    /// take the place of earlier ones, so that few would be left of a window that ended while answers went on.
    pub answered: f64,
    /// Refused in the window, or opened in its settled part, and not answered in it or later.
    pub unanswered: f64,
    /// One sigma of `unanswered`, in elements; 0 when exact. Twice as much covers the truth, to the nearest element, in
    /// at least 93 % of cases, whatever the share of the answered.
    pub standard_error: f64,
    /// Whether the counts are exact.
    pub exact: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tier {
    /// An empty set is the empty tier.
    Exact(ExactSet),
    /// Boxed: the whole structure stays small for the many that never get here.
    Sketch(Box<Sketch>),
}

impl OpenedAnswered {
    /// Nothing seen yet; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { newest: 0, tier: Tier::Exact(ExactSet::new()) }
    }

    /// The element with this keyed hash was opened, and may yet be answered.
    pub fn opened(&mut self, hash: u64, pane: Pane) {
        self.update(hash, pane, Stamps::opened);
    }

    /// The element was opened and is known to have failed: nobody need wait for an answer.
    pub fn refused(&mut self, hash: u64, pane: Pane) {
        self.update(hash, pane, Stamps::refused);
    }

    /// The element has answered.
    pub fn answered(&mut self, hash: u64, pane: Pane) {
        self.update(hash, pane, Stamps::answered);
    }

    /// The element has answered, if it is one that was seen before.
    ///
    /// A sketch cannot tell whether it has seen an element, and takes it for one that it has.
    pub fn answered_if_seen(&mut self, hash: u64, pane: Pane) {
        let is_seen = match &self.tier {
            Tier::Exact(set) => set.contains(fingerprint(hash)),
            Tier::Sketch(_) => true,
        };
        if is_seen {
            self.answered(hash, pane);
        }
    }

    /// The counts of `window`; openings after `settled` are seen but not yet unanswered.
    #[must_use]
    pub fn count(&self, window: PaneRange, settled: Pane) -> Counts {
        self.count_since(window, settled, window.first)
    }

    /// As [`Self::count`], where an answer in or after `answered_since` acquits, which may lie before the window: a service
    /// that answered an hour ago is there, and its silence now is no failed attempt to find it.
    #[must_use]
    pub fn count_since(&self, window: PaneRange, settled: Pane, answered_since: Pane) -> Counts {
        let settled = PaneRange { last: window.last.min(settled), ..window };
        let since = PaneRange { first: answered_since, last: self.newest };
        let window = StampRange::new(window, self.newest);
        let settled = StampRange::new(settled, self.newest);
        let ranges = Ranges { window, settled, since: StampRange::new(since, self.newest) };
        match &self.tier {
            Tier::Exact(set) => {
                let [seen, answered, unanswered] = set.count(ranges).map(f64::from);
                Counts {
                    seen,
                    answered,
                    unanswered,
                    seen_error: 0.0,
                    standard_error: 0.0,
                    exact: true,
                }
            }
            Tier::Sketch(sketch) => sketch.count(ranges, self.newest_stamp()),
        }
    }

    /// The earliest known pane in `window` in which an element was opened or refused.
    ///
    /// An opening is forgotten when the element is opened again more than 16 panes later; in the
    /// sketch tier when it, or an element that shares its register and rank, is opened later and the
    /// newest pane is more than 16 panes after the opening.
    #[must_use]
    pub fn first_opened(&self, window: PaneRange) -> Option<Pane> {
        let range = StampRange::new(window, self.newest);
        let first = match &self.tier {
            Tier::Exact(set) => set.first_opened(range),
            Tier::Sketch(sketch) => sketch.first_opened(range, self.newest_stamp()),
        };
        first.map(|stamp| stamps::pane(stamp, self.newest))
    }

    /// Adds everything that `other` has seen; equals seeing both streams in any order, repeats
    /// included.
    pub fn merge(&mut self, other: &Self) {
        let Some(theirs_newest) = other.newest() else { return };
        self.advance(theirs_newest);
        if stamps::stamp(theirs_newest, self.newest) == NEVER {
            return;
        }
        let advance = Advance::new(theirs_newest, self.newest);
        let newest = self.newest_stamp();
        match (&mut self.tier, &other.tier) {
            (Tier::Exact(ours), Tier::Exact(theirs)) => {
                if ours.merge(theirs, advance.distance).is_err() {
                    let mut sketch = promoted(ours, newest);
                    sketch.raise_all(theirs, advance.distance, newest);
                    self.tier = Tier::Sketch(sketch);
                }
            }
            (Tier::Exact(ours), Tier::Sketch(theirs)) => {
                let mut sketch = promoted(ours, newest);
                sketch.merge(theirs, advance);
                self.tier = Tier::Sketch(sketch);
            }
            (Tier::Sketch(ours), Tier::Exact(theirs)) => {
                ours.raise_all(theirs, advance.distance, newest);
            }
            (Tier::Sketch(ours), Tier::Sketch(theirs)) => ours.merge(theirs, advance),
        }
    }

    /// Forgets what is older than `oldest_kept` where that frees memory.
    ///
    /// Counts of windows that start at or after `oldest_kept` do not change.
    pub fn expire(&mut self, oldest_kept: Pane) {
        if self.is_empty() {
            return;
        }
        if oldest_kept > self.newest {
            *self = Self::new();
            return;
        }
        let oldest_kept = stamps::stamp(oldest_kept, self.newest);
        match &mut self.tier {
            Tier::Exact(set) => set.expire(oldest_kept),
            Tier::Sketch(sketch) => sketch.expire(oldest_kept),
        }
        if self.is_empty() {
            *self = Self::new();
        }
    }

    /// The newest pane of any update that is still kept.
    #[must_use]
    pub fn newest(&self) -> Option<Pane> {
        (!self.is_empty()).then_some(self.newest)
    }

    /// Bytes held, inline and on the heap: 32 up to one element, at most 1,568 exact and 32,872 sketched.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let heap = match &self.tier {
            Tier::Exact(set) => set.heap_bytes(),
            Tier::Sketch(sketch) => sketch.heap_bytes(),
        };
        size_of::<Self>() + heap
    }

    /// The number of elements held, an upper bound of every count; `None` for a sketch.
    ///
    /// A count reads every element: a caller with a threshold need not count below it.
    #[must_use]
    pub const fn elements_max(&self) -> Option<usize> {
        match &self.tier {
            Tier::Exact(set) => Some(set.len()),
            Tier::Sketch(_) => None,
        }
    }

    /// Whether counts are exact.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        matches!(self.tier, Tier::Exact(_))
    }

    fn is_empty(&self) -> bool {
        match &self.tier {
            Tier::Exact(set) => set.is_empty(),
            Tier::Sketch(sketch) => sketch.is_empty(),
        }
    }

    fn update(&mut self, hash: u64, pane: Pane, stamps_at: fn(Stamp) -> Stamps) {
        self.advance(pane);
        let stamp = stamps::stamp(pane, self.newest);
        if stamp != NEVER {
            self.raise(Element { fingerprint: fingerprint(hash), stamps: stamps_at(stamp) });
        }
    }

    /// Moves the newest pane forward to `pane`, if it is later.
    fn advance(&mut self, pane: Pane) {
        if self.is_empty() {
            self.newest = pane;
        } else if pane > self.newest {
            self.move_newest(pane);
        }
    }

    /// Sweeps when `pane` enters another era. Once per pane: kept apart from what happens per update.
    #[inline(never)]
    fn move_newest(&mut self, pane: Pane) {
        let advance = Advance::new(self.newest, pane);
        self.newest = pane;
        match &mut self.tier {
            Tier::Exact(set) if advance.distance > 0 => set.sweep(advance.distance),
            Tier::Exact(_) => {}
            Tier::Sketch(sketch) => sketch.advance(advance),
        }
        if self.is_empty() {
            self.tier = Tier::Exact(ExactSet::new());
        }
    }

    fn newest_stamp(&self) -> Stamp {
        stamps::stamp(self.newest, self.newest)
    }

    fn raise(&mut self, element: Element) {
        let newest = self.newest;
        let newest = || stamps::stamp(newest, newest);
        match &mut self.tier {
            Tier::Exact(set) => {
                if set.raise(element).is_err() {
                    let mut sketch = promoted(set, newest());
                    sketch.raise(element, newest());
                    self.tier = Tier::Sketch(sketch);
                }
            }
            Tier::Sketch(sketch) => sketch.raise(element, newest()),
        }
    }
}

/// The cells of direct insertion: both tiers know an element by the same fingerprint.
fn promoted(set: &ExactSet, newest: Stamp) -> Box<Sketch> {
    let mut sketch = Box::<Sketch>::default();
    sketch.raise_all(set, 0, newest);
    sketch
}

/// Equal when they go on alike: each holds the same elements or cells with the same stamps, in whatever order and room.
/// That includes what is beyond the horizon and has not been swept yet.
impl PartialEq for OpenedAnswered {
    fn eq(&self, other: &Self) -> bool {
        self.newest() == other.newest() && self.tier == other.tier
    }
}

impl Eq for OpenedAnswered {}

impl Default for OpenedAnswered {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
