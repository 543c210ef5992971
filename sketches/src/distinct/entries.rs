//! The exact tier: elements as 32-bit entries in lines of sixteen, which are one cache line.
//!
//! An entry is a 24-bit fingerprint above an 8-bit stamp; stamp 0 is no entry. A set is 1, 2, 4 or 8 lines. The fingerprint chooses
//! the line in which an element is put and looked for first; it may stand in any other if that one was full, so all are
//! searched before an element is called new. (Stopping at a free entry would be wrong: it may have become free after the
//! element went elsewhere, and the element would then be counted twice.)

use wide::{u32x8, u32x16};

use super::stamps::{NEVER, Stamp};

/// Sixteen entries.
pub(crate) type Line = [u32; 16];

/// The most elements that are counted exactly.
pub const EXACT_ELEMENTS_MAX: usize = 128;

/// 24 bits of an element's hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint(u32);

impl Fingerprint {
    /// Never 0, which is the fingerprint of a free entry.
    pub(crate) const fn of_hash(hash: u64) -> Self {
        let bits = (hash >> 40) as u32;
        Self(if bits == 0 { 1 } else { bits })
    }

    pub(crate) const fn of_entry(entry: u32) -> Self {
        Self(entry >> 8)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn entry(self, stamp: Stamp) -> u32 {
        self.0 << 8 | stamp as u32
    }
}

/// The bits of an entry's stamp.
const STAMP: u32 = 0xff;

/// What became of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raised {
    /// It was there with this stamp or a later one.
    Same,
    /// It was there with an earlier stamp.
    Newer,
    /// It is new, and took the place of one that is out of the window or an entry that was free.
    Added,
    /// It is new, and there is no room for it.
    Full,
}

/// Raises the stamp of an element, or adds it; entries below `oldest` count as free.
pub(crate) fn raise(
    lines: &mut [Line],
    fingerprint: Fingerprint,
    stamp: Stamp,
    oldest: Stamp,
) -> Raised {
    let home = home(fingerprint, lines.len());
    let mut free = None;
    for step in 0..lines.len() {
        let place = (home + step) & (lines.len() - 1);
        let line = &mut lines[place];
        let matches = matching(line, fingerprint);
        if matches != 0 {
            return raise_entry(&mut line[matches.trailing_zeros() as usize % 16], stamp);
        }
        if free.is_none() {
            let below = below(line, oldest);
            free = (below != 0).then_some((place, below.trailing_zeros() as usize % 16));
        }
    }
    let Some((place, slot)) = free else { return Raised::Full };
    lines[place][slot] = fingerprint.entry(stamp);
    Raised::Added
}

/// As [`raise`], of the last seven words of a cell of eight; the first is not an entry.
#[inline]
pub(crate) fn raise_cell(
    cell: &mut [u32; 8],
    fingerprint: Fingerprint,
    stamp: Stamp,
    oldest: Stamp,
) -> Raised {
    const ENTRIES: u32 = 0xfe;
    let words = u32x8::new(*cell);
    let fingerprints = words & u32x8::splat(!STAMP);
    let matches = fingerprints.simd_eq(u32x8::splat(fingerprint.entry(NEVER))).to_bitmask();
    if matches & ENTRIES != 0 {
        return raise_entry(&mut cell[(matches & ENTRIES).trailing_zeros() as usize & 7], stamp);
    }
    let stamps = words & u32x8::splat(STAMP);
    let free = stamps.simd_lt(u32x8::splat(oldest.into())).to_bitmask() & ENTRIES;
    if free == 0 {
        return Raised::Full;
    }
    cell[free.trailing_zeros() as usize & 7] = fingerprint.entry(stamp);
    Raised::Added
}

/// The line in which a fingerprint is looked for first.
pub(crate) const fn home(fingerprint: Fingerprint, lines: usize) -> usize {
    fingerprint.bits() as usize & (lines - 1)
}

/// Raises the stamp of an entry; an entry has the element's fingerprint.
pub(crate) fn raise_entry(entry: &mut u32, stamp: Stamp) -> Raised {
    if stamp <= stamp_of(*entry) {
        return Raised::Same;
    }
    *entry = Fingerprint::of_entry(*entry).entry(stamp);
    Raised::Newer
}

/// Which of a line's entries are of the fingerprint, one bit each.
fn matching(line: &Line, fingerprint: Fingerprint) -> u32 {
    let fingerprints = u32x16::new(*line) & u32x16::splat(!STAMP);
    fingerprints.simd_eq(u32x16::splat(fingerprint.entry(NEVER))).to_bitmask()
}

/// Which of a line's entries have a stamp below `oldest`, one bit each.
fn below(line: &Line, oldest: Stamp) -> u32 {
    let stamps = u32x16::new(*line) & u32x16::splat(STAMP);
    stamps.simd_lt(u32x16::splat(oldest.into())).to_bitmask()
}

/// Entries with a stamp of `oldest` or later.
pub(crate) fn count(entries: &[u32], oldest: Stamp) -> u32 {
    entries.iter().map(|&entry| u32::from(stamp_of(entry) >= oldest.max(1))).sum()
}

/// The elements whose stamp, less `distance`, is `oldest` or later.
pub(crate) fn live(
    entries: &[u32],
    distance: Stamp,
    oldest: Stamp,
) -> impl Iterator<Item = (Fingerprint, Stamp)> {
    let element = move |&entry: &u32| {
        (Fingerprint::of_entry(entry), stamp_of(entry).saturating_sub(distance))
    };
    entries.iter().map(element).filter(move |&(_, stamp)| stamp >= oldest)
}

/// The latest stamp.
pub(crate) fn newest(entries: &[u32]) -> Stamp {
    entries.iter().fold(NEVER, |newest, &entry| newest.max(stamp_of(entry)))
}

/// Takes `distance` from every stamp and clears the entries that have none left.
pub(crate) fn carry(entries: &mut [u32], distance: Stamp) {
    for entry in entries {
        let stamp = stamp_of(*entry).saturating_sub(distance);
        *entry = if stamp == NEVER { 0 } else { Fingerprint::of_entry(*entry).entry(stamp) };
    }
}

/// The stamp of an entry: its low byte.
pub(crate) const fn stamp_of(entry: u32) -> Stamp {
    let [stamp, ..] = entry.to_le_bytes();
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Fingerprints that meet in few lines, and stamps of which some are below the window.
    fn updates() -> impl Strategy<Value = Vec<(u32, Stamp)>> {
        prop::collection::vec((1..200_u32, 1..=60_u8), 0..400)
    }

    /// The oracle: last stamps by fingerprint, where an element below the window is as good as gone.
    fn check(
        updates: &[(u32, Stamp)],
        oldest: Stamp,
        room: usize,
        mut raise: impl FnMut(Fingerprint, Stamp) -> Raised,
        entries: impl FnOnce() -> Vec<u32>,
    ) -> Result<(), TestCaseError> {
        let mut last = BTreeMap::<u32, Stamp>::new();
        for &(bits, stamp) in updates.iter().filter(|update| update.1 >= oldest) {
            let live = last.values().filter(|&&stamp| stamp >= oldest).count();
            let before = last.get(&bits).copied();
            let raised = raise(Fingerprint(bits), stamp);
            let expected = match before {
                Some(before) if before >= stamp => Raised::Same,
                Some(_) => Raised::Newer,
                None if live < room => Raised::Added,
                None => Raised::Full,
            };
            prop_assert_eq!(raised, expected, "{} at {}", bits, stamp);
            if raised != Raised::Full {
                last.insert(bits, stamp.max(before.unwrap_or(0)));
            }
        }
        let mut held: Vec<(u32, Stamp)> = entries()
            .into_iter()
            .filter(|&entry| stamp_of(entry) != NEVER)
            .map(|entry| (entry >> 8, stamp_of(entry)))
            .collect();
        held.sort_unstable();
        prop_assert_eq!(held, last.into_iter().collect::<Vec<_>>());
        Ok(())
    }

    proptest! {
        #[test]
        fn lines_hold_what_a_map_holds(updates in updates(), lines_log2 in 0..=3, oldest in 1..40_u8) {
            let lines = std::cell::RefCell::new(vec![[0; 16]; 1_usize << lines_log2]);
            let raise = |f, s| raise(&mut lines.borrow_mut(), f, s, oldest);
            check(&updates, oldest, 16_usize << lines_log2, raise, || lines.borrow().concat())?;
        }

        #[test]
        fn a_cell_holds_what_a_map_holds(updates in updates(), header: u32, oldest in 1..40_u8) {
            let cell = std::cell::RefCell::new([header, 0, 0, 0, 0, 0, 0, 0]);
            let raise = |f, s| raise_cell(&mut cell.borrow_mut(), f, s, oldest);
            check(&updates, oldest, 7, raise, || cell.borrow()[1..].to_vec())?;
            prop_assert_eq!(cell.borrow()[0], header);
        }

        #[test]
        fn entries_below_the_window_make_room_and_are_counted_no_more(
            updates in updates(), distance in 0..70_u8, oldest in 1..60_u8,
        ) {
            let mut lines = [[0; 16]; 8];
            for &(bits, stamp) in updates.iter().take(128) {
                raise(&mut lines, Fingerprint(bits), stamp, 1);
            }
            let stamps: Vec<Stamp> =
                lines.concat().into_iter().map(|entry| stamp_of(entry).saturating_sub(distance)).collect();
            carry(lines.as_flattened_mut(), distance);
            let expected = stamps.iter().filter(|&&stamp| stamp >= oldest).count();
            prop_assert_eq!(count(lines.as_flattened(), oldest) as usize, expected);
            prop_assert_eq!(newest(lines.as_flattened()), stamps.into_iter().max().unwrap_or(NEVER));
            prop_assert!(lines.as_flattened().iter().all(|&e| stamp_of(e) != NEVER || e == 0));
        }
    }
}
