//! Panes as 16-bit stamps that never alias.
//!
//! A stamp counts panes from a base, and the base is a function of the newest pane that a structure
//! has seen: the start of the newest pane's era of 2^14 panes, less the horizon of 2^15. Structures
//! of the same era thus share their base and merge by plain maximum. When the newest pane enters a
//! later era, everything is swept: each stamp loses the distance between the bases, and those that
//! would fall below 1 become [`NEVER`]. The largest stamp is 2^15 + 2^14, so none ever wraps.

use crate::pane::{Pane, PaneRange};

/// A pane relative to the base; 0 is [`NEVER`]. Later panes have larger stamps.
pub(super) type Stamp = u16;

/// The stamp of what has not happened, or too long ago.
pub(super) const NEVER: Stamp = 0;

/// Panes between two sweeps: rare enough to cost nothing, small enough to leave room for late data.
const ERA_PANES: Pane = 1 << 14;

/// How far behind the newest pane a stamp can lie; older updates are dropped.
pub(super) const HORIZON_PANES: Pane = 1 << 15;

/// The pane that would have stamp 1.
const fn base(newest: Pane) -> Pane {
    (newest - newest % ERA_PANES).saturating_sub(HORIZON_PANES)
}

/// The oldest pane that a structure still tells apart.
const fn horizon(newest: Pane) -> Pane {
    newest.saturating_sub(HORIZON_PANES)
}

/// The stamp of `pane`, which is not after `newest`; [`NEVER`] beyond the horizon.
pub(super) fn stamp(pane: Pane, newest: Pane) -> Stamp {
    if pane < horizon(newest) {
        return NEVER;
    }
    // Never fails: a pane within the horizon is less than 2^15 + 2^14 panes after the base.
    Stamp::try_from(pane - base(newest) + 1).unwrap_or(Stamp::MAX)
}

/// The pane of a stamp other than [`NEVER`].
pub(super) fn pane(stamp: Stamp, newest: Pane) -> Pane {
    base(newest) + Pane::from(stamp.saturating_sub(1))
}

/// What every stamp loses when the newest pane advances from `from` to `to`.
fn sweep_distance(from: Pane, to: Pane) -> Stamp {
    Stamp::try_from(base(to).saturating_sub(base(from))).unwrap_or(Stamp::MAX)
}

/// What becomes of stamps when the newest pane moves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advance {
    /// The stamp of the newest pane before.
    pub(super) from: Stamp,
    /// By how many panes it moves.
    pub(super) panes: u32,
    /// What every stamp loses.
    pub(super) distance: Stamp,
}

impl Advance {
    pub(super) fn new(from: Pane, to: Pane) -> Self {
        let distance = sweep_distance(from, to);
        Self { from: stamp(from, from), panes: to.saturating_sub(from), distance }
    }
}

/// A window in stamps, both ends inclusive; never contains [`NEVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StampRange {
    first: Stamp,
    /// The largest stamp if the window reaches the newest pane.
    last: Stamp,
}

impl StampRange {
    /// No stamp reaches its first end.
    const EMPTY: Self = Self { first: Stamp::MAX, last: NEVER };

    /// The part of `window` that lies within the horizon and not after `newest`.
    pub(super) fn new(window: PaneRange, newest: Pane) -> Self {
        let first = window.first.max(horizon(newest));
        let last = window.last.min(newest);
        if first > last {
            return Self::EMPTY;
        }
        let last = if last < newest { stamp(last, newest) } else { Stamp::MAX };
        Self { first: stamp(first, newest), last }
    }

    /// The range and all that comes after it.
    pub(super) const fn with_later(self) -> Self {
        if self.is_empty() { self } else { Self { last: Stamp::MAX, ..self } }
    }

    /// Whether the range reaches the newest pane.
    pub(super) const fn is_open_ended(self) -> bool {
        self.last == Stamp::MAX
    }

    /// The oldest stamp of the range, inclusive.
    pub(super) const fn first(self) -> Stamp {
        self.first
    }

    /// The newest stamp of the range, inclusive.
    pub(super) const fn last(self) -> Stamp {
        self.last
    }

    /// As many low bits as the range has stamps, at most 17: the panes that an element can know.
    pub(super) fn length_mask(self) -> u32 {
        (2 << self.last.saturating_sub(self.first).min(16)) - 1
    }

    /// Whether the range contains no stamp.
    pub(super) const fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// Whether the stamp lies in the range.
    pub(super) const fn contains(self, stamp: Stamp) -> bool {
        self.first <= stamp && stamp <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stamp_gives_its_pane_back(newest: Pane, age in 0..=HORIZON_PANES) {
            let original = newest.saturating_sub(age);
            let stamped = stamp(original, newest);
            prop_assert!(stamped != NEVER);
            prop_assert_eq!(pane(stamped, newest), original);
        }

        #[test]
        fn beyond_the_horizon_there_is_no_stamp(newest: Pane, age in HORIZON_PANES + 1..) {
            if let Some(original) = newest.checked_sub(age) {
                prop_assert_eq!(stamp(original, newest), NEVER);
            }
        }

        #[test]
        fn a_swept_stamp_keeps_its_pane_or_is_gone(
            newest: Pane, age in 0..=HORIZON_PANES, jump in prop_oneof![0..200_000_u32, any::<Pane>()],
        ) {
            let (original, later) = (newest.saturating_sub(age), newest.saturating_add(jump));
            let swept = stamp(original, newest).saturating_sub(sweep_distance(newest, later));
            if swept == NEVER {
                prop_assert!(later - original > HORIZON_PANES);
            } else {
                prop_assert_eq!(pane(swept, later), original);
            }
        }

        #[test]
        fn ranges_contain_what_their_panes_contain(
            newest: Pane, age in 0..=HORIZON_PANES, first: Pane, length: Pane, near in 0..70_000_u32,
        ) {
            let original = newest.saturating_sub(age);
            for first in [first, newest.saturating_sub(near)] {
                let window = PaneRange { first, last: first.saturating_add(length) };
                let range = StampRange::new(window, newest);
                prop_assert!(!range.contains(NEVER));
                prop_assert_eq!(range.contains(stamp(original, newest)), window.contains(original));
            }
        }
    }
}
