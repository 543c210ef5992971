//! Panes as 8-bit stamps that never alias.
//!
//! A stamp counts panes from a base, and the base is a function of the newest pane alone: the start of its era of 64 panes,
//! less the horizon of 128. Whatever shares an era shares the base, so that a merge is a plain maximum. When the newest pane
//! enters a later era, each stamp loses the distance between the bases; what would fall below 1 becomes [`NEVER`]. The
//! largest stamp is 128 + 64, so none ever wraps, and an owner that remembers the era of its stamps may take that loss
//! whenever it next looks at them: nothing must be swept in time.

use crate::error::MergeError;
use crate::pane::Pane;

/// A pane relative to the base; 0 is [`NEVER`]. Later panes have larger stamps.
pub(crate) type Stamp = u8;

/// The stamp of what has not happened, or too long ago.
pub(crate) const NEVER: Stamp = 0;

/// The longest window: 10 minutes in panes of 5 s, an hour in panes of 30 s, a day in panes of 12 minutes.
pub const HORIZON_PANES: u32 = 128;

/// Panes between two changes of the base.
const ERA_PANES: Pane = 64;

/// A stretch of panes whose stamps count from one base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Era(u32);

impl Era {
    /// What the stamps of `self` lose on the way to the `later` era.
    pub(crate) fn distance(self, later: Self) -> Stamp {
        Stamp::try_from(later.base().saturating_sub(self.base())).unwrap_or(Stamp::MAX)
    }

    /// The pane that has stamp 1.
    const fn base(self) -> Pane {
        (self.0 * ERA_PANES).saturating_sub(HORIZON_PANES)
    }
}

/// The newest pane, and how far one looks back from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    newest: Pane,
    window_panes: u32,
    /// The stamps of the newest pane and of the oldest one of the window: asked for at each update.
    newest_stamp: Stamp,
    oldest_stamp: Stamp,
}

impl Clock {
    /// `window_panes` is cut to `1..=HORIZON_PANES`.
    pub(crate) fn new(newest: Pane, window_panes: u32) -> Self {
        let window_panes = window_panes.clamp(1, HORIZON_PANES);
        let mut clock = Self { newest, window_panes, newest_stamp: NEVER, oldest_stamp: NEVER };
        clock.set_stamps();
        clock
    }

    pub(crate) const fn newest(self) -> Pane {
        self.newest
    }

    pub(crate) const fn window_panes(self) -> u32 {
        self.window_panes
    }

    pub(crate) const fn era(self) -> Era {
        Era(self.newest / ERA_PANES)
    }

    /// Whether two clocks look back equally far: what one has forgotten, the other would miss.
    pub(crate) const fn require_window_of(self, other: Self) -> Result<(), MergeError> {
        if self.window_panes == other.window_panes {
            return Ok(());
        }
        let [ours, theirs] = [self.window_panes as usize, other.window_panes as usize];
        Err(MergeError { ours, theirs })
    }

    /// Moves on to `pane` if that is later.
    pub(crate) fn advance(&mut self, pane: Pane) {
        if pane > self.newest {
            self.newest = pane;
            self.set_stamps();
        }
    }

    fn set_stamps(&mut self) {
        self.newest_stamp = self.stamp_within_horizon(self.newest);
        self.oldest_stamp = self.stamp_within_horizon(self.first(self.window_panes));
    }

    /// The stamp of `pane`, which is not after the newest; [`NEVER`] before the window.
    pub(crate) fn stamp(self, pane: Pane) -> Stamp {
        let age = self.newest.saturating_sub(pane);
        if age >= self.window_panes {
            return NEVER;
        }
        // An age is below the newest stamp: the base is before the window, or is pane 0.
        self.newest_stamp - u8::try_from(age).unwrap_or(self.newest_stamp)
    }

    /// The least stamp of the `panes` newest panes, of no more than the window.
    pub(crate) fn oldest(self, panes: u32) -> Stamp {
        if panes >= self.window_panes {
            return self.oldest_stamp;
        }
        self.stamp_within_horizon(self.first(panes.max(1)))
    }

    /// The pane of a stamp other than [`NEVER`].
    #[cfg(test)]
    pub(crate) fn pane(self, stamp: Stamp) -> Pane {
        self.era().base() + Pane::from(stamp.saturating_sub(1))
    }

    /// The first of the `panes` newest panes.
    const fn first(self, panes: u32) -> Pane {
        self.newest.saturating_sub(panes - 1)
    }

    /// A pane within the horizon is less than 192 panes after the base.
    fn stamp_within_horizon(self, pane: Pane) -> Stamp {
        let after_base = pane.saturating_sub(self.era().base());
        Stamp::try_from(after_base + 1).unwrap_or(Stamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stamp_gives_its_pane_back_or_its_pane_is_out_of_the_window(
            newest: Pane, window_panes in 1..=HORIZON_PANES, age in 0..300_u32,
        ) {
            let clock = Clock::new(newest, window_panes);
            let pane = newest.saturating_sub(age);
            let stamp = clock.stamp(pane);
            if newest - pane < window_panes {
                prop_assert!(stamp != NEVER && stamp <= 192);
                prop_assert_eq!(clock.pane(stamp), pane);
            } else {
                prop_assert_eq!(stamp, NEVER);
            }
        }

        #[test]
        fn a_stamp_that_is_carried_into_a_later_era_keeps_its_pane_or_is_gone(
            newest: Pane, age in 0..HORIZON_PANES, jump in prop_oneof![0..400_u32, any::<Pane>()],
        ) {
            let clock = Clock::new(newest, HORIZON_PANES);
            let later = Clock::new(newest.saturating_add(jump), HORIZON_PANES);
            let pane = newest.saturating_sub(age);
            let carried = clock.stamp(pane).saturating_sub(clock.era().distance(later.era()));
            if carried == NEVER {
                prop_assert!(later.newest() - pane >= HORIZON_PANES);
            } else {
                prop_assert_eq!(later.pane(carried), pane);
            }
        }

        #[test]
        fn a_window_begins_with_its_oldest_stamp(newest: Pane, window in 1..=HORIZON_PANES, panes in 0..200_u32) {
            let clock = Clock::new(newest, window);
            let first = newest.saturating_sub(panes.clamp(1, window) - 1);
            prop_assert_eq!(clock.pane(clock.oldest(panes)), first);
        }
    }
}
