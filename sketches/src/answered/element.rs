//! What both tiers share: an element's fingerprint and when it was opened, refused and answered.
//!
//! Why an opening keeps more than its last stamp: the newest openings are not settled, an answer may
//! be under way. A scanner that repeats itself stamps its elements (in the sketch tier: the ranks it
//! shares with them) anew in every pane, so the last stamp alone would never settle; measured, it
//! lost 35 % of a steady scan of 1,000 services per pane, 77 % at 10,000, and all of a repeated one.

use super::stamps::{NEVER, Stamp, StampRange};

/// 32 bits of the element's hash: what the exact tier compares and the sketch tier is defined on.
///
/// One definition for both makes the promotion lossless. Some two of n elements share a fingerprint
/// with probability n^2 / 2^33: one in 500,000 for a full exact tier.
pub(super) type Fingerprint = u32;

/// The fingerprint is the upper half, so that a caller may sample or shard by the lower bits.
pub(super) const fn fingerprint(hash: u64) -> Fingerprint {
    let [.., a, b, c, d] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The last opening, and which of the 16 panes before it had one too.
///
/// Merging is the union of panes, cut to 16 below the last: it commutes, associates and repeats
/// without effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Openings {
    pub(super) last: Stamp,
    /// Bit i: the pane `i + 1` before the last.
    pub(super) before: u16,
}

/// When an element was opened, refused and answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps {
    pub(super) opened: Openings,
    pub(super) refused: Stamp,
    pub(super) answered: Stamp,
}

/// One element with its stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) fingerprint: Fingerprint,
    pub(super) stamps: Stamps,
}

/// The ranges of a question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranges {
    /// The window itself.
    pub(super) window: StampRange,
    /// Its part in which an opening had time to be answered.
    pub(super) settled: StampRange,
    /// The window and everything after it: a later answer is an answer.
    pub(super) since: StampRange,
}

impl Openings {
    pub(super) const fn at(last: Stamp) -> Self {
        Self { last, before: 0 }
    }

    pub(super) fn merged(self, other: Self) -> Self {
        if self.last == other.last {
            return Self { last: self.last, before: self.before | other.before };
        }
        let (late, early) = if self.last >= other.last { (self, other) } else { (other, self) };
        let distance = u32::from(late.last - early.last);
        let before = match distance {
            _ if early.last == NEVER => 0,
            // The earlier last becomes a bit; what is shifted out is more than 16 panes back.
            1..=16 => early.before.checked_shl(distance).unwrap_or(0) | 1 << (distance - 1),
            _ => 0,
        };
        Self { last: late.last, before: late.before | before }
    }

    pub(super) const fn swept(self, distance: Stamp) -> Self {
        match self.last.saturating_sub(distance) {
            NEVER => Self::at(NEVER),
            last => Self { last, ..self },
        }
    }

    /// The earliest known opening in `range`.
    pub(super) fn earliest_within(self, range: StampRange) -> Option<Stamp> {
        let oldest = self.last.checked_sub(range.first())?;
        let newest = u32::from(self.last.saturating_sub(range.last()));
        let mask = u32::MAX.checked_shl(newest).unwrap_or(0) & ((2 << oldest.min(16)) - 1);
        let distance = (self.panes() & mask).checked_ilog2()?;
        self.last.checked_sub(Stamp::try_from(distance).unwrap_or(0))
    }

    /// Whether an opening is known in `range`; without branches.
    pub(super) fn within(self, range: StampRange) -> bool {
        // From the end of the range (or from the last opening, whichever is earlier) backwards.
        let skipped = self.last.saturating_sub(range.last());
        let panes = self.panes() >> skipped.min(31);
        (self.last >= range.first()) & (panes & range.length_mask() != 0)
    }

    /// Which of the 16 panes before `newest`, which is not before the last opening, had one.
    ///
    /// Bit i: the pane `i + 1` before `newest`.
    pub(super) fn recent(self, newest: Stamp) -> u16 {
        let age = u32::from(newest.saturating_sub(self.last));
        let panes = if self.last == NEVER { 0 } else { self.panes() };
        let [low, high, ..] = (panes.checked_shl(age).unwrap_or(0) >> 1).to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// What [`Self::recent`] comes from, where the newest pane is not before the last opening.
    pub(super) fn of_recent(last: Stamp, recent: u16, newest: Stamp) -> Self {
        let age = u32::from(newest.saturating_sub(last));
        Self { last, before: recent.checked_shr(age).unwrap_or(0) }
    }

    /// Whether [`Self::recent`] tells all of it.
    pub(super) fn is_known_from(self, newest: Stamp) -> bool {
        Self::of_recent(self.last, self.recent(newest), newest) == self
    }

    const fn packed(self) -> u32 {
        pack(self.last, self.before)
    }

    const fn unpacked(word: u32) -> Self {
        let [before, last] = unpack(word);
        Self { last, before }
    }

    /// Bit j is the pane j before the last, which is bit 0.
    fn panes(self) -> u32 {
        u32::from(self.before) << 1 | 1
    }
}

impl Stamps {
    pub(super) const fn opened(stamp: Stamp) -> Self {
        Self { opened: Openings::at(stamp), refused: NEVER, answered: NEVER }
    }

    pub(super) const fn refused(stamp: Stamp) -> Self {
        Self { opened: Openings::at(NEVER), refused: stamp, answered: NEVER }
    }

    pub(super) const fn answered(stamp: Stamp) -> Self {
        Self { opened: Openings::at(NEVER), refused: NEVER, answered: stamp }
    }

    pub(super) fn merged(self, other: Self) -> Self {
        Self {
            opened: self.opened.merged(other.opened),
            refused: self.refused.max(other.refused),
            answered: self.answered.max(other.answered),
        }
    }

    /// The stamps after each has lost `distance`.
    pub(super) const fn swept(self, distance: Stamp) -> Self {
        Self {
            opened: self.opened.swept(distance),
            refused: self.refused.saturating_sub(distance),
            answered: self.answered.saturating_sub(distance),
        }
    }

    pub(super) fn newest(self) -> Stamp {
        self.opened.last.max(self.refused).max(self.answered)
    }

    /// Two words of an exact set.
    pub(super) const fn packed(self) -> [u32; 2] {
        [self.opened.packed(), pack(self.refused, self.answered)]
    }

    pub(super) const fn unpacked([openings, ends]: [u32; 2]) -> Self {
        let [answered, refused] = unpack(ends);
        Self { opened: Openings::unpacked(openings), refused, answered }
    }
}

impl Element {
    /// The element after its stamps have lost `distance`, unless none is left.
    pub(super) fn swept(self, distance: Stamp) -> Option<Self> {
        let stamps = self.stamps.swept(distance);
        (stamps.newest() != NEVER).then_some(Self { stamps, ..self })
    }
}

/// The first half is the upper one.
const fn pack(upper: u16, lower: u16) -> u32 {
    let ([a, b], [c, d]) = (lower.to_le_bytes(), upper.to_le_bytes());
    u32::from_le_bytes([a, b, c, d])
}

/// The lower half, then the upper one.
const fn unpack(word: u32) -> [u16; 2] {
    let [a, b, c, d] = word.to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::pane::PaneRange;
    use proptest::prelude::*;

    /// The panes that [`Openings`] promises to know, of all those given.
    fn known(panes: &[u32]) -> BTreeSet<u32> {
        let last = panes.iter().copied().max().unwrap_or(0);
        panes.iter().copied().filter(|&pane| pane + 16 >= last).collect()
    }

    proptest! {
        #[test]
        fn openings_are_the_union_of_panes_in_any_order(
            panes in prop::collection::vec(0..60_u32, 1..40), cut in 0..40_usize,
            first in 0..60_u32, last in 0..60_u32,
        ) {
            let newest = 59;
            let openings = |panes: &[u32]| {
                let at = panes.iter().map(|&pane| Openings::at(super::super::stamps::stamp(pane, newest)));
                at.fold(Openings::default(), Openings::merged)
            };
            let all = openings(&panes);
            let (left, right) = panes.split_at(cut.min(panes.len()));
            prop_assert_eq!(openings(left).merged(openings(right)), all);
            prop_assert_eq!(openings(right).merged(openings(left)), all);
            prop_assert_eq!(all.merged(openings(left)), all);

            let range = StampRange::new(PaneRange { first, last }, newest);
            let expected = known(&panes).into_iter().find(|pane| (first..=last).contains(pane));
            let earliest = all.earliest_within(range);
            prop_assert_eq!(earliest.map(|stamp| u32::from(stamp) - 1), expected);
            prop_assert_eq!(all.within(range), expected.is_some());
        }

        #[test]
        fn an_empty_range_holds_no_opening(last in 0..40_u16, before: u16, first in 1..60_u32) {
            // Also after a sweep, when bits reach below the base.
            let range = StampRange::new(PaneRange { first, last: first - 1 }, 59);
            let openings = Openings { last, before };
            prop_assert!(!openings.within(range));
            prop_assert_eq!(openings.earliest_within(range), None);
        }
    }
}
