//! Distinct elements over a sliding window: one counter for all windows up to its longest.
//!
//! An element (the keyed hash of a port, of a host) is kept once, with the last pane in which it was seen, not once per pane.
//! Updates and merges are maxima of stamps, so neither the order of the records nor their repetition matters.
//!
//! Three tiers, with lossless promotion:
//! 1. up to 7 elements inline;
//! 2. up to 128 exactly, in lines of sixteen entries (`distinct/entries.rs`): the count is the count, so no noise can alarm;
//! 3. beyond, a bitmap of ranks and registers with a stamp per bit (`distinct/registers.rs`), estimated by maximum likelihood
//!    with a standard error: 4.1 % in 4 KiB, 2.1 % in 16 KiB.
//!
//! A counter that had more than 128 elements in its window at once estimates until all of them are out of it.
//!
//! Elements are told apart by 24 bits of their hash: of 128 elements, two are taken for one with a probability of 5 in 10,000.
//! A count is then one too low, never too high. For millions of keys, see [`crate::table`], which holds the same tiers.

pub(crate) mod ages;
mod encode;
pub(crate) mod entries;
pub(crate) mod registers;
pub(crate) mod stamps;

use crate::error::MergeError;
use crate::likelihood;
use crate::pane::Pane;
pub use entries::EXACT_ELEMENTS_MAX;
use entries::{Fingerprint, Line, Raised};
use registers::Shape;
pub use stamps::HORIZON_PANES;
use stamps::{Clock, NEVER, Stamp};

/// Distinct elements over a sliding window.
///
/// ```
/// use sketches::distinct::{Distinct, Precision};
/// use sketches::hash::HashKey;
///
/// let key = HashKey::new(1, 2);
/// let mut ports = Distinct::new(60, Precision::Percent4);
/// for port in 0..100 {
///     ports.update(key.hash_u64(port), 1_000);
/// }
/// ports.update(key.hash_u64(443), 1_030);
/// assert_eq!(ports.count(60).distinct, 101.0);
/// assert_eq!(ports.count(10).distinct, 1.0);
/// assert!(ports.count(60).is_exact);
/// ```
///
/// Counters are equal if they give the same counts now and after the same updates: they look back over the same window from
/// the same newest pane, have the same precision, and hold the same within the window, whatever the order in which it came.
/// A counter that had more than 128 elements in its window at once goes on estimating until all of them are out of it, so it
/// does not equal one that has always been exact, and which of the two it is may depend on the order in which the elements
/// of a longer time came. Until then, alarm by [`Estimate::interval`].
#[derive(Clone, Debug)]
pub struct Distinct {
    clock: Clock,
    precision: Precision,
    tier: Tier,
}

/// The standard error of counts above 128, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 4.1 % in 4 KiB.
    Percent4,
    /// 2.1 % in 16 KiB.
    Percent2,
}

/// A number of distinct elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Distinct elements.
    pub distinct: f64,
    /// One sigma, in elements; 0 when exact.
    pub standard_error: f64,
    /// Whether the number was counted, not estimated.
    pub is_exact: bool,
}

/// What a counter holds, as the table reads it.
pub(crate) enum Contents<'c> {
    Entries(&'c [u32]),
    Bits(&'c [Stamp]),
}

#[derive(Clone, Debug)]
enum Tier {
    /// As a cell of the table: the first word is not used.
    Inline([u32; 8]),
    Exact(Vec<Line>),
    Sketch(Vec<Stamp>),
}

const EMPTY: Tier = Tier::Inline([0; 8]);

impl Distinct {
    /// Nothing seen yet; allocates nothing. `window_panes` is the longest window that will be asked for, 1 to
    /// [`HORIZON_PANES`]; it is cut to that.
    #[must_use]
    pub fn new(window_panes: u32, precision: Precision) -> Self {
        Self { clock: Clock::new(0, window_panes), precision, tier: EMPTY }
    }

    /// The element with this keyed hash was seen. Whether that may have changed a count.
    ///
    /// A pane before the window changes nothing.
    pub fn update(&mut self, hash: u64, pane: Pane) -> bool {
        self.advance(pane);
        let stamp = self.clock.stamp(pane);
        stamp != NEVER && self.raise(Fingerprint::of_hash(hash), stamp)
    }

    /// Distinct elements in the `panes` newest panes (1 to the longest window; cut to that).
    #[must_use]
    pub fn count(&self, panes: u32) -> Estimate {
        let oldest = self.clock.oldest(panes);
        match &self.tier {
            Tier::Inline(entries) => Estimate::exact(entries::count(entries, oldest)),
            Tier::Exact(lines) => Estimate::exact(entries::count(lines.as_flattened(), oldest)),
            Tier::Sketch(bits) => self.precision.shape().estimate(bits, oldest).into(),
        }
    }

    /// Adds everything that `other` has seen; equals seeing both streams in any order, repeats included.
    ///
    /// What is before the later one's window is dropped.
    ///
    /// # Errors
    /// The precisions or the longest windows differ; nothing was changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        self.precision.require(other.precision)?;
        self.clock.require_window_of(other.clock)?;
        self.advance(other.clock.newest());
        let distance = other.clock.era().distance(self.clock.era());
        let oldest = self.clock.oldest(u32::MAX);
        match other.contents() {
            Contents::Entries(entries) => {
                for (fingerprint, stamp) in entries::live(entries, distance, oldest) {
                    self.raise(fingerprint, stamp);
                }
            }
            Contents::Bits(theirs)
                if !registers::reaches(theirs, oldest.saturating_add(distance)) => {}
            Contents::Bits(theirs) => {
                self.become_sketch();
                if let Tier::Sketch(bits) = &mut self.tier {
                    registers::merge(bits, theirs, distance);
                }
            }
        }
        Ok(())
    }

    /// Moves event time on to `pane` if that is later: counts are of windows that end there. A sketch of which all is then out
    /// of the window begins anew, and counts exactly.
    ///
    /// Any pane is believed: after one that lies far ahead, all that follows is late. Who takes time from data has to hold such
    /// panes back.
    pub fn advance(&mut self, pane: Pane) {
        if pane <= self.clock.newest() {
            return;
        }
        let era = self.clock.era();
        self.clock.advance(pane);
        let distance = era.distance(self.clock.era());
        if distance > 0 {
            match &mut self.tier {
                Tier::Inline(entries) => entries::carry(entries, distance),
                Tier::Exact(lines) => entries::carry(lines.as_flattened_mut(), distance),
                Tier::Sketch(bits) => registers::carry(bits, distance),
            }
        }
        let oldest = self.clock.oldest(u32::MAX);
        if matches!(&self.tier, Tier::Sketch(bits) if !registers::reaches(bits, oldest)) {
            self.tier = EMPTY;
        }
    }

    /// Forgets what is out of the window, and goes back to a smaller tier where that suffices. No count changes.
    pub fn shrink(&mut self) {
        let oldest = self.clock.oldest(u32::MAX);
        let live = match &self.tier {
            Tier::Sketch(bits) if registers::newest(bits) >= oldest => return,
            Tier::Sketch(_) => Vec::new(),
            Tier::Inline(_) | Tier::Exact(_) => self.live_elements(),
        };
        self.tier = EMPTY;
        for (fingerprint, stamp) in live {
            self.raise(fingerprint, stamp);
        }
    }

    /// The newest pane; `None` while nothing in the window is held.
    #[must_use]
    pub fn newest(&self) -> Option<Pane> {
        let oldest = self.clock.oldest(u32::MAX);
        let is_live = match self.contents() {
            Contents::Entries(entries) => entries::newest(entries) >= oldest,
            Contents::Bits(bits) => registers::reaches(bits, oldest),
        };
        is_live.then_some(self.clock.newest())
    }

    /// The precision.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// The longest window.
    #[must_use]
    pub const fn window_panes(&self) -> u32 {
        self.clock.window_panes()
    }

    /// Bytes held, inline and on the heap: at most 64, 64 + 512 exact, and 64 + 4,096 or 64 + 16,384 as a sketch.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        let heap = match &self.tier {
            Tier::Inline(_) => 0,
            Tier::Exact(lines) => lines.capacity() * size_of::<Line>(),
            Tier::Sketch(bits) => bits.capacity(),
        };
        size_of::<Self>() + heap
    }

    /// Whether counts are exact.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        !matches!(self.tier, Tier::Sketch(_))
    }

    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn contents(&self) -> Contents<'_> {
        match &self.tier {
            Tier::Inline(entries) => Contents::Entries(entries),
            Tier::Exact(lines) => Contents::Entries(lines.as_flattened()),
            Tier::Sketch(bits) => Contents::Bits(bits),
        }
    }

    /// A counter of these entries, less `distance`.
    pub(crate) fn of_entries(clock: Clock, entries: &[u32], distance: Stamp) -> Self {
        let precision = Precision::Percent4;
        let mut counter = Self { clock, precision, tier: EMPTY };
        for (fingerprint, stamp) in entries::live(entries, distance, clock.oldest(u32::MAX)) {
            counter.raise(fingerprint, stamp);
        }
        counter
    }

    /// A counter of these stamped bits, less `distance`.
    pub(crate) fn of_bits(clock: Clock, bits: &[Stamp], distance: Stamp) -> Self {
        let mut bits = bits.to_vec();
        registers::carry(&mut bits, distance);
        Self { clock, precision: Precision::Percent4, tier: Tier::Sketch(bits) }
    }

    fn raise(&mut self, fingerprint: Fingerprint, stamp: Stamp) -> bool {
        let oldest = self.clock.oldest(u32::MAX);
        let raised = match &mut self.tier {
            Tier::Inline(cell) => entries::raise_cell(cell, fingerprint, stamp, oldest),
            Tier::Exact(lines) => entries::raise(lines, fingerprint, stamp, oldest),
            Tier::Sketch(bits) => {
                return self.precision.shape().raise(bits, fingerprint, stamp);
            }
        };
        match raised {
            Raised::Same => false,
            Raised::Newer | Raised::Added => true,
            Raised::Full => {
                self.grow();
                self.raise(fingerprint, stamp)
            }
        }
    }

    fn grow(&mut self) {
        let lines = match &self.tier {
            Tier::Inline(_) => 1,
            Tier::Exact(lines) => lines.len() * 2,
            Tier::Sketch(_) => return,
        };
        if lines * size_of::<Line>() / size_of::<u32>() > EXACT_ELEMENTS_MAX {
            return self.become_sketch();
        }
        let mut larger = vec![[0; 16]; lines];
        for (fingerprint, stamp) in self.live_elements() {
            entries::raise(&mut larger, fingerprint, stamp, 1);
        }
        self.tier = Tier::Exact(larger);
    }

    fn become_sketch(&mut self) {
        if let Tier::Sketch(_) = self.tier {
            return;
        }
        let shape = self.precision.shape();
        let mut bits = vec![NEVER; shape.bytes()];
        for (fingerprint, stamp) in self.live_elements() {
            shape.raise(&mut bits, fingerprint, stamp);
        }
        self.tier = Tier::Sketch(bits);
    }

    /// The elements in the window; none of a sketch.
    fn live_elements(&self) -> Vec<(Fingerprint, Stamp)> {
        let Contents::Entries(entries) = self.contents() else { return Vec::new() };
        entries::live(entries, NEVER, self.clock.oldest(u32::MAX)).collect()
    }
}

impl PartialEq for Distinct {
    fn eq(&self, other: &Self) -> bool {
        let oldest = self.clock.oldest(u32::MAX);
        let holds_the_same = match (self.contents(), other.contents()) {
            (Contents::Entries(_), Contents::Entries(_)) => {
                let [mut ours, mut theirs] = [self, other].map(Self::live_elements);
                ours.sort_unstable();
                theirs.sort_unstable();
                ours == theirs
            }
            (Contents::Bits(ours), Contents::Bits(theirs)) => {
                ours.iter().zip(theirs).all(|(&a, &b)| a == b || a.max(b) < oldest)
            }
            _ => false,
        };
        self.clock == other.clock && self.precision == other.precision && holds_the_same
    }
}

impl Precision {
    /// Bytes of a sketch.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.shape().bytes()
    }

    pub(crate) fn require(self, other: Self) -> Result<(), MergeError> {
        let (ours, theirs) = (self.bytes(), other.bytes());
        if ours == theirs { Ok(()) } else { Err(MergeError { ours, theirs }) }
    }

    const fn shape(self) -> Shape {
        match self {
            Self::Percent4 => Shape::SMALL,
            Self::Percent2 => Shape::LARGE,
        }
    }
}

impl Estimate {
    /// Bounds of an interval of so many sigmas on either side, not below 0; both the number itself if that is exact.
    ///
    /// Two sigmas hold the true number in 95 of 100 cases, three in 99.7.
    #[must_use]
    pub fn interval(&self, sigmas: f64) -> (f64, f64) {
        let margin = sigmas * self.standard_error;
        ((self.distinct - margin).max(0.0), self.distinct + margin)
    }

    pub(crate) fn exact(distinct: u32) -> Self {
        Self { distinct: distinct.into(), standard_error: 0.0, is_exact: true }
    }
}

impl From<likelihood::Estimate> for Estimate {
    fn from(estimate: likelihood::Estimate) -> Self {
        let likelihood::Estimate { distinct, standard_error, .. } = estimate;
        Self { distinct, standard_error, is_exact: false }
    }
}
