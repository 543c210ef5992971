//! What counters hold, as bytes; the layout is in [`crate::encoding`].
//!
//! A pane is written as its age, counted back from the newest pane, so that the bytes do not depend on the eras of stamps.
//! What is out of the window is left out, and elements stand in order, so that they do not depend on what came when either.

use super::entries::{self, EXACT_ELEMENTS_MAX, Fingerprint};
use super::registers::Shape;
use super::stamps::{Clock, HORIZON_PANES, NEVER, Stamp};
use crate::encoding::{DecodeError, Reader, put_varint};
use crate::pane::Pane;

/// An age takes the low seven bits of a bit's varint: it is less than the horizon.
const AGE_BITS: u32 = HORIZON_PANES.trailing_zeros();
const AGE: usize = (1 << AGE_BITS) - 1;

/// Ages for stamps, and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    newest: Stamp,
    oldest: Stamp,
}

/// Appends newest pane and window.
#[expect(clippy::cast_possible_truncation, reason = "windows are cut to the horizon of 128")]
pub(crate) fn put_clock(clock: Clock, out: &mut Vec<u8>) {
    put_varint(clock.newest().into(), out);
    out.push(clock.window_panes() as u8);
}

/// Reads what [`put_clock`] appended.
pub(crate) fn read_clock(body: &mut Reader<'_>) -> Result<Clock, DecodeError> {
    let newest = Pane::try_from(body.varint()?);
    let newest = newest.map_err(|_| DecodeError::structure("a pane past the last"))?;
    let window_panes = u32::from(body.u8()?);
    if (1..=HORIZON_PANES).contains(&window_panes) {
        Ok(Clock::new(newest, window_panes))
    } else {
        Err(DecodeError::structure("window outside 1 to 128"))
    }
}

impl Ages {
    pub(crate) fn of(clock: Clock) -> Self {
        Self { newest: clock.oldest(1), oldest: clock.oldest(u32::MAX) }
    }

    /// Appends those of `entries` that are in the window, less `distance`.
    pub(crate) fn put_entries(self, entries: &[u32], distance: Stamp, out: &mut Vec<u8>) {
        let mut aged = [0; EXACT_ELEMENTS_MAX];
        let mut count = 0;
        for &entry in entries {
            if let Some(age) = self.age(entries::stamp_of(entry), distance) {
                aged[count] = Fingerprint::of_entry(entry).entry(age);
                count += 1;
            }
        }
        let aged = &mut aged[..count];
        aged.sort_unstable();
        // At most 128.
        out.push(u8::try_from(count).unwrap_or(u8::MAX));
        aged.iter().for_each(|entry| out.extend(entry.to_le_bytes()));
    }

    /// Reads what [`Self::put_entries`] appended, as entries with stamps, in the order of their fingerprints.
    pub(crate) fn read_entries<'k>(
        self,
        body: &mut Reader<'_>,
        kept: &'k mut [u32; EXACT_ELEMENTS_MAX],
    ) -> Result<&'k [u32], DecodeError> {
        let count = usize::from(body.u8()?);
        let kept = kept.get_mut(..count).ok_or(DecodeError::structure("more than 128 elements"))?;
        let mut before = Fingerprint::default().bits();
        for entry in &mut *kept {
            let aged = body.u32()?;
            let fingerprint = Fingerprint::of_entry(aged);
            if fingerprint.bits() <= before {
                return Err(DecodeError::structure("elements that are not in order"));
            }
            before = fingerprint.bits();
            *entry = fingerprint.entry(self.stamp(entries::stamp_of(aged))?);
        }
        Ok(kept)
    }

    /// Appends those of a sketch's `stamps` that are in the window, less `distance`.
    ///
    /// A token covers as many places as it takes bytes, or more, so no full sketch would be shorter as plain bytes.
    pub(crate) fn put_bits(self, stamps: &[Stamp], distance: Stamp, out: &mut Vec<u8>) {
        let ages = || stamps.iter().map(|&stamp| self.age(stamp, distance));
        put_varint(ages().flatten().count() as u64, out);
        let mut gap = 0;
        for age in ages() {
            match age {
                None => gap += 1,
                Some(age) => {
                    put_varint(gap << AGE_BITS | u64::from(age), out);
                    gap = 0;
                }
            }
        }
    }

    /// Reads what [`Self::put_bits`] appended into `stamps`, of which there are as many as the shape has bytes, all
    /// [`NEVER`]. Gives the newest of them.
    pub(crate) fn read_bits(
        self,
        body: &mut Reader<'_>,
        shape: Shape,
        stamps: &mut [Stamp],
    ) -> Result<Stamp, DecodeError> {
        let mut newest = NEVER;
        let mut next = 0_usize;
        for _ in 0..body.varint()? {
            let token = body.varint_usize()?;
            let place = next.saturating_add(token >> AGE_BITS);
            if !shape.has_place(place) {
                return Err(DecodeError::structure("a bit where no element has one"));
            }
            let stamp = self.stamp(u8::try_from(token & AGE).unwrap_or(u8::MAX))?;
            stamps[place] = stamp;
            newest = newest.max(stamp);
            next = place + 1;
        }
        Ok(newest)
    }

    /// The age of a stamp less `distance`, if that is in the window.
    fn age(self, stamp: Stamp, distance: Stamp) -> Option<u8> {
        let stamp = stamp.saturating_sub(distance);
        (stamp >= self.oldest).then(|| self.newest.saturating_sub(stamp))
    }

    fn stamp(self, age: u8) -> Result<Stamp, DecodeError> {
        let stamp = self.newest.checked_sub(age).filter(|&stamp| stamp >= self.oldest);
        stamp.ok_or(DecodeError::structure("a pane out of the window"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ages_are_counted_in_panes_whatever_the_era(
            newest: Pane, window_panes in 1..=HORIZON_PANES, age in 0..=255_u8, distance in 0..=64_u8,
        ) {
            let clock = Clock::new(newest, window_panes);
            let ages = Ages::of(clock);
            let pane = newest.checked_sub(age.into());
            let stamp = pane.map_or(NEVER, |pane| clock.stamp(pane));
            prop_assert_eq!(ages.stamp(age).ok(), (stamp != NEVER).then_some(stamp));
            if stamp != NEVER && stamp <= Stamp::MAX - distance {
                prop_assert_eq!(ages.age(stamp + distance, distance), Some(age));
            }
            prop_assert_eq!(ages.age(clock.oldest(u32::MAX) - 1, 0), None);
        }
    }
}
