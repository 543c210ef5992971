//! The rows of a table: the cells of one rank, in chunks that vector instructions like.

use super::super::stamps::{Advance, NEVER, Stamp, StampRange};
use super::{CHUNKS, LANES};

/// Rows that memory is allocated for at once: a table that grows soon needs the next.
const RANKS_AT_ONCE: usize = 4;

/// The last stamps of one event.
pub(super) type Row = [[Stamp; LANES]; CHUNKS];

/// The openings of one rank.
pub(super) type OpenedRow = [Opened; CHUNKS];

/// The openings of 16 cells: one cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Opened {
    pub(super) last: [Stamp; LANES],
    /// Bit i: there was an opening in the pane `i + 1` before the newest of the sketch.
    pub(super) recent: [u16; LANES],
}

impl Opened {
    pub(super) const NEVER: Self = Self { last: [NEVER; LANES], recent: [0; LANES] };

    /// Both, where the newest pane is the same.
    pub(super) fn merged(&self, other: &Self) -> Self {
        let last = std::array::from_fn(|lane| self.last[lane].max(other.last[lane]));
        let recent = std::array::from_fn(|lane| self.recent[lane] | other.recent[lane]);
        Self { last, recent }
    }

    /// The same openings, told from a later newest pane.
    pub(super) fn advanced(&self, advance: Advance) -> Self {
        let Advance { from, panes, distance } = advance;
        // Shifts by multiplying: that is one vector instruction for any number of panes.
        let scale = 1_u16.checked_shl(panes).unwrap_or(0);
        // An opening in the newest pane was known by its stamp alone.
        let newest = panes.checked_sub(1).and_then(|bit| 1_u16.checked_shl(bit)).unwrap_or(0);
        Self {
            last: std::array::from_fn(|lane| self.last[lane].saturating_sub(distance)),
            recent: std::array::from_fn(|lane| {
                let was_newest = if self.last[lane] == from { newest } else { 0 };
                self.recent[lane].wrapping_mul(scale) | was_newest
            }),
        }
    }

    /// Without the cells that were last opened before `oldest_kept`.
    pub(super) fn expired(&self, oldest_kept: Stamp) -> Self {
        let is_kept = |lane: usize| self.last[lane] >= oldest_kept;
        Self {
            last: std::array::from_fn(|lane| if is_kept(lane) { self.last[lane] } else { NEVER }),
            recent: std::array::from_fn(|lane| if is_kept(lane) { self.recent[lane] } else { 0 }),
        }
    }
}

impl Default for Opened {
    fn default() -> Self {
        Self::NEVER
    }
}

/// The bits of [`Opened::recent`] that lie within `range`.
pub(super) fn recent_mask(range: StampRange, newest: Stamp) -> u16 {
    let Some(latest) = newest.checked_sub(1).map(|latest| latest.min(range.last())) else {
        return 0;
    };
    if latest < range.first() {
        return 0;
    }
    let below = |bits: Stamp| 1_u16.checked_shl(bits.into()).map_or(u16::MAX, |bit| bit - 1);
    below(newest - range.first()) & !below(newest - 1 - latest)
}

/// The earliest stamp in `window`; the largest there is if there is none.
pub(super) fn earliest<'s>(
    chunks: impl IntoIterator<Item = &'s [Stamp; LANES]>,
    window: StampRange,
) -> Stamp {
    let mut earliest = [Stamp::MAX; LANES];
    for chunk in chunks {
        for (earliest, &stamp) in earliest.iter_mut().zip(chunk) {
            // Without branches: what is not in the window is later than everything.
            *earliest = (*earliest).min(if window.contains(stamp) { stamp } else { Stamp::MAX });
        }
    }
    earliest.into_iter().fold(Stamp::MAX, Stamp::min)
}

/// The row of a rank, after its table has got all rows up to it.
pub(super) fn grown<C: Copy + Default>(
    table: &mut Vec<[C; CHUNKS]>,
    rank: usize,
) -> &mut [C; CHUNKS] {
    if table.len() <= rank {
        grow(table, rank + 1);
    }
    &mut table[rank]
}

/// Rows that memory is allocated for when there are so many.
pub(super) const fn room(ranks: usize) -> usize {
    ranks.next_multiple_of(RANKS_AT_ONCE)
}

/// Appends empty rows until there are so many.
#[cold]
pub(super) fn grow<C: Copy + Default>(table: &mut Vec<[C; CHUNKS]>, ranks: usize) {
    table.reserve_exact(room(ranks) - table.len());
    table.resize(ranks, [C::default(); CHUNKS]);
}

/// Merges each chunk of `theirs` into ours.
pub(super) fn merge<C: Copy + Default>(
    ours: &mut Vec<[C; CHUNKS]>,
    theirs: &[[C; CHUNKS]],
    merged: impl Fn(&C, &C) -> C,
) {
    if let Some(last) = theirs.len().checked_sub(1) {
        grown(ours, last);
    }
    for (ours, theirs) in ours.as_flattened_mut().iter_mut().zip(theirs.as_flattened()) {
        *ours = merged(ours, theirs);
    }
}

/// Frees the rows at the end that are empty.
pub(super) fn trim<R>(table: &mut Vec<R>, is_empty: impl Fn(&R) -> bool) {
    let used = table.iter().rposition(|row| !is_empty(row)).map_or(0, |last| last + 1);
    if used < table.len() {
        table.truncate(used);
        table.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::element::Openings;
    use super::super::super::stamps::stamp;
    use super::*;
    use crate::pane::PaneRange;
    use proptest::prelude::*;

    const LANE: usize = 3;

    /// One cell, opened in each of `panes` in turn, told from `newest`.
    fn opened(panes: &[u32], newest: u32) -> Opened {
        let (mut opened, mut at) = (Opened::NEVER, panes.first().copied().unwrap_or(newest));
        for &pane in panes {
            opened = opened.advanced(Advance::new(at, pane.max(at)));
            at = at.max(pane);
            let (last, now) = (stamp(pane, at), stamp(at, at));
            opened.last[LANE] = opened.last[LANE].max(last);
            opened.recent[LANE] |= Openings::at(last).recent(now);
        }
        opened.advanced(Advance::new(at, newest))
    }

    proptest! {
        #[test]
        fn openings_are_the_union_of_panes_as_seen_from_the_newest(
            panes in prop::collection::vec(0..60_u32, 1..40), cut in 0..40_usize,
            first in 0..70_u32, last in 0..70_u32, later in 0..20_u32,
        ) {
            let latest = panes.iter().copied().max().unwrap_or(0);
            let newest = latest + later;
            let (left, right) = panes.split_at(cut.min(panes.len()));
            let all = opened(&panes, newest);
            prop_assert_eq!(opened(left, newest).merged(&opened(right, newest)), all);
            prop_assert_eq!(all.merged(&opened(left, newest)), all);

            let known = |pane: u32| pane == latest || pane + 16 >= newest;
            let expected = panes.iter().any(|&pane| (first..=last).contains(&pane) && known(pane));
            let range = StampRange::new(PaneRange { first, last }, newest);
            let mask = recent_mask(range, stamp(newest, newest));
            let found = range.contains(all.last[LANE]) || all.recent[LANE] & mask != 0;
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_an_exact_set_knows_of_openings_is_enough(
            panes in prop::collection::vec(0..60_u32, 1..40), later in 0..20_u32,
        ) {
            let newest = panes.iter().copied().max().unwrap_or(0) + later;
            let exact = panes.iter().map(|&pane| Openings::at(stamp(pane, newest)));
            let exact = exact.fold(Openings::default(), Openings::merged);
            let all = opened(&panes, newest);
            prop_assert_eq!(exact.last, all.last[LANE]);
            prop_assert_eq!(exact.recent(stamp(newest, newest)), all.recent[LANE]);
        }
    }
}
