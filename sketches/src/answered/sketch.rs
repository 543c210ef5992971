//! The sketch tier: a rank-by-register bitmap whose bits are stamps.
//!
//! An element has one cell, in one of 16 ranks and one of 256 registers; a cell keeps the last stamp
//! of each event of its elements. The bitmap of a window is what is stamped within it, for every
//! window at once, and the likelihood of all its bits gives the estimate (`likelihood.rs`). A single
//! (rank, stamp) pair per register is a trap: an old high rank hides newer low ones, or is
//! overwritten by them.
//!
//! There is one table per event. Openings also keep which of the 16 panes before the newest had
//! one: before the newest of the whole sketch, not of the cell, so that a question or a merge does the
//! same to all cells, eight per vector instruction. Rows of a table are ranks, and only those up to
//! the highest that was hit are allocated: the fewer elements, the fewer ranks they reach.
//!
//! What was opened, refused or answered is a union of bitmaps; the unanswered are the
//! failed-or-answered less the answered.

mod cells;
mod row;
mod tally;

use super::Counts;
use super::element::{Element, Fingerprint, Ranges, Stamps};
use super::exact::ExactSet;
use super::stamps::{Advance, NEVER, Stamp, StampRange};
use crate::likelihood::{self, Estimate};
pub(super) use cells::Ranks;
use row::{Opened, OpenedRow, Row};
use tally::Tally;

/// 256 registers: 4.1 % standard error, and 8 of the fingerprint's 32 bits.
const REGISTERS: u32 = 256;

/// 16 ranks reach 256 * 2^15 = 8 million elements.
const RANKS: usize = 16;

/// Registers side by side in memory.
const LANES: usize = 16;

/// Cells of all ranks.
pub(super) const CELLS: usize = RANKS * REGISTERS as usize;

/// Chunks of a row.
const CHUNKS: usize = REGISTERS as usize / LANES;

/// One table per event; those that have never happened take no memory.
///
/// The last row of a table is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    opened: Vec<OpenedRow>,
    refused: Vec<Row>,
    answered: Vec<Row>,
}

impl Sketch {
    /// Merges the element's stamps into those of its cell. `newest` is the stamp of the newest pane.
    pub(super) fn raise(&mut self, element: Element, newest: Stamp) {
        let (rank, register) = cell_of(element.fingerprint);
        self.raise_in(rank, register, element.stamps, newest);
    }

    #[inline]
    fn raise_in(&mut self, rank: usize, register: usize, stamps: Stamps, newest: Stamp) {
        let Stamps { opened, refused, answered } = stamps;
        let (chunk, lane) = (register / LANES, register % LANES);
        if opened.last != NEVER {
            let kept = &mut row::grown(&mut self.opened, rank)[chunk];
            kept.last[lane] = kept.last[lane].max(opened.last);
            kept.recent[lane] |= opened.recent(newest);
        }
        for (table, stamp) in [(&mut self.refused, refused), (&mut self.answered, answered)] {
            if stamp != NEVER {
                let kept = &mut row::grown(table, rank)[chunk][lane];
                *kept = (*kept).max(stamp);
            }
        }
    }

    /// Raises all elements of an exact set that have a stamp left when each has lost `distance`.
    pub(super) fn raise_all(&mut self, set: &ExactSet, distance: Stamp, newest: Stamp) {
        let elements = set.elements().filter_map(|element| element.swept(distance));
        elements.for_each(|element| self.raise(element, newest));
    }

    /// Merges the stamps of `other`, each after `advance` to our newest pane.
    pub(super) fn merge(&mut self, other: &Self, advance: Advance) {
        let Advance { panes, distance, .. } = advance;
        if panes == 0 {
            row::merge(&mut self.opened, &other.opened, Opened::merged);
        } else {
            row::merge(&mut self.opened, &other.opened, |ours, theirs| {
                ours.merged(&theirs.advanced(advance))
            });
        }
        for (ours, theirs) in
            [(&mut self.refused, &other.refused), (&mut self.answered, &other.answered)]
        {
            row::merge(ours, theirs, |ours, theirs| {
                std::array::from_fn(|lane| ours[lane].max(theirs[lane].saturating_sub(distance)))
            });
        }
        self.trim();
    }

    /// Moves the newest pane.
    pub(super) fn advance(&mut self, advance: Advance) {
        for chunk in self.opened.as_flattened_mut() {
            *chunk = chunk.advanced(advance);
        }
        if advance.distance > 0 {
            for table in [&mut self.refused, &mut self.answered] {
                for stamp in table.as_flattened_mut().as_flattened_mut() {
                    *stamp = stamp.saturating_sub(advance.distance);
                }
            }
            self.trim();
        }
    }

    /// Forgets the stamps before `oldest_kept`.
    pub(super) fn expire(&mut self, oldest_kept: Stamp) {
        for chunk in self.opened.as_flattened_mut() {
            *chunk = chunk.expired(oldest_kept);
        }
        for table in [&mut self.refused, &mut self.answered] {
            for stamp in table.as_flattened_mut().as_flattened_mut() {
                *stamp = if *stamp < oldest_kept { NEVER } else { *stamp };
            }
        }
        self.trim();
    }

    /// Whether no stamp is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.refused.is_empty() && self.answered.is_empty()
    }

    /// Estimates what the exact tier counts.
    pub(super) fn count(&self, ranges: Ranges, newest: Stamp) -> Counts {
        let tally = Tally::new(self, ranges, newest);
        let seen = estimate(&tally.seen);
        let same_or = |set, known, estimated| if set == known { estimated } else { estimate(set) };
        let all = same_or(&tally.failed_or_answered, &tally.seen, seen);
        let answered = estimate(&tally.answered);
        let since = same_or(&tally.answered_since, &tally.answered, answered);
        // Equal bits give exactly 0: everything that failed was answered as far as we can tell.
        let unanswered = all.without(since);
        Counts {
            seen: seen.distinct,
            seen_error: seen.standard_error,
            answered: answered.distinct,
            unanswered: unanswered.distinct,
            standard_error: unanswered.standard_error,
            exact: false,
        }
    }

    /// The earliest known opening or refusal in `window` of any cell.
    pub(super) fn first_opened(&self, window: StampRange, newest: Stamp) -> Option<Stamp> {
        let opened = self.opened.as_flattened();
        let last = opened.iter().map(|chunk| &chunk.last);
        let refused = self.refused.as_flattened();
        let last = row::earliest(last, window).min(row::earliest(refused, window));
        let recent = opened.iter().fold([0; LANES], |any, chunk| {
            std::array::from_fn(|lane| any[lane] | chunk.recent[lane])
        });
        let recent = recent.into_iter().fold(0, |any, lane| any | lane);
        // The highest bit is the earliest pane.
        let bits = u16::BITS - (recent & row::recent_mask(window, newest)).leading_zeros();
        let before = Stamp::try_from(bits).ok().filter(|&bits| bits > 0);
        let recent = before.map_or(Stamp::MAX, |panes| newest.saturating_sub(panes));
        Some(last.min(recent)).filter(|&stamp| stamp != Stamp::MAX)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>()
            + self.opened.capacity() * size_of::<OpenedRow>()
            + (self.refused.capacity() + self.answered.capacity()) * size_of::<Row>()
    }

    fn trim(&mut self) {
        row::trim(&mut self.opened, |row| row.iter().all(|chunk| chunk.last == [NEVER; LANES]));
        row::trim(&mut self.refused, |row| *row == [[NEVER; LANES]; CHUNKS]);
        row::trim(&mut self.answered, |row| *row == [[NEVER; LANES]; CHUNKS]);
    }
}

fn estimate(set: &[u32; RANKS]) -> Estimate {
    likelihood::estimate(set, REGISTERS)
}

/// Rank less one and register of a fingerprint.
const fn cell_of(fingerprint: Fingerprint) -> (usize, usize) {
    let [register, ..] = fingerprint.to_le_bytes();
    // The register's bits, all set, would end a longer run of zeros at rank 25.
    let zeros = (fingerprint | 0xff).leading_zeros() as usize;
    (if zeros < RANKS { zeros } else { RANKS - 1 }, register as usize)
}
