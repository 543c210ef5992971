//! The sketch tier: a sliding-window `HyperLogLog` that keeps a stamp per rank.
//!
//! Each of 256 registers keeps, for each of 16 ranks, the last stamp at which an element had that
//! rank. The register of a window is the highest rank stamped within it, so the ordinary estimate
//! follows for every window at once. A single (rank, stamp) pair per register is a trap: an old high
//! rank hides newer low ones, or is overwritten by them.
//!
//! There is one table of 8 KB per event, allocated when the event first happens, and one for the
//! panes before the last opening (see [`Openings`]). Tables are rank by rank: the registers of a
//! window are then computed eight at a time, and most updates stay within the first few rows.
//! What was opened, refused or answered is a union, the maximum of registers; the unanswered are
//! the failed-or-answered less the answered.

use super::Counts;
use super::element::{Element, Fingerprint, Openings, Ranges};
use super::stamps::{NEVER, Stamp, StampRange};
use crate::estimator;

/// 256 registers: 6.5 % standard error, and 8 of the fingerprint's 32 bits.
const REGISTERS: usize = 256;

/// 16 ranks reach 256 * 2^15 = 8 million elements.
const RANKS: usize = 16;

type Table = [[Stamp; REGISTERS]; RANKS];

/// The rank of each register, 0 if none: as wide as a stamp, for the vector instructions.
type Registers = [u16; REGISTERS];

/// One table per event; those that have never happened take no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sketch {
    opened: Option<Box<Table>>,
    /// [`Openings::before`] of each stamp of `opened`.
    opened_before: Option<Box<Table>>,
    refused: Option<Box<Table>>,
    answered: Option<Box<Table>>,
}

impl Sketch {
    /// Merges the element's stamps into those of its rank.
    pub(super) fn raise(&mut self, element: Element) {
        let cell = cell_of(element.fingerprint);
        self.raise_opened(cell, element.stamps.opened);
        raise_cell(&mut self.refused, cell, element.stamps.refused);
        raise_cell(&mut self.answered, cell, element.stamps.answered);
    }

    /// Merges the stamps of `other`, each less `distance`.
    pub(super) fn merge(&mut self, other: &Self, distance: Stamp) {
        raise_table(&mut self.refused, other.refused.as_deref(), distance);
        raise_table(&mut self.answered, other.answered.as_deref(), distance);
        let Some(theirs) = &other.opened else { return };
        if self.opened_before.is_none() && other.opened_before.is_none() && self.opened.is_none() {
            raise_table(&mut self.opened, Some(theirs), distance);
            return;
        }
        for rank in 0..RANKS {
            if theirs[rank] == [NEVER; REGISTERS] {
                continue;
            }
            for register in 0..REGISTERS {
                let openings = other.openings((rank, register)).swept(distance);
                self.raise_opened((rank, register), openings);
            }
        }
    }

    /// Forgets the stamps before `oldest_kept`.
    pub(super) fn expire(&mut self, oldest_kept: Stamp) {
        self.update(|stamp| if stamp < oldest_kept { NEVER } else { stamp });
    }

    /// Takes `distance` from every stamp.
    pub(super) fn sweep(&mut self, distance: Stamp) {
        self.update(|stamp| stamp.saturating_sub(distance));
    }

    /// Whether no stamp is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.opened.is_none() && self.refused.is_none() && self.answered.is_none()
    }

    /// Estimates what the exact tier counts.
    pub(super) fn count(&self, ranges: Ranges) -> Counts {
        let answered = registers(self.answered.as_deref(), ranges.window);
        let refused = registers(self.refused.as_deref(), ranges.window);
        let opened = self.opened_registers(ranges.window);
        // Mostly, the window reaches the newest pane and nothing comes after it.
        let answered_since = match ranges.since {
            since if since == ranges.window => answered,
            since => registers(self.answered.as_deref(), since),
        };
        let settled = match ranges.settled {
            settled if settled == ranges.window => opened,
            settled => self.opened_registers(settled),
        };
        let failed_or_answered = union(&union(&settled, &refused), &answered_since);
        let seen = estimate(&union(&union(&opened, &refused), &answered));
        let all = estimate(&failed_or_answered);
        // Equal registers give exactly 0: everything that failed was answered as far as we can tell.
        let unanswered = (all - estimate(&answered_since)).max(0.0);
        Counts {
            seen,
            answered: estimate(&answered),
            unanswered,
            standard_error: estimator::standard_error(REGISTERS as f64) * seen.max(all),
            exact: false,
        }
    }

    /// The earliest known opening or refusal in `window` of any register and rank.
    pub(super) fn first_opened(&self, window: StampRange) -> Option<Stamp> {
        let cells =
            (0..RANKS).flat_map(|rank| (0..REGISTERS).map(move |register| (rank, register)));
        let opened = cells.filter_map(|cell| self.openings(cell).earliest_within(window));
        let refused = self.refused.iter().flat_map(|table| table.as_flattened()).copied();
        opened.chain(refused.filter(|&stamp| window.contains(stamp))).min()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let tables = [&self.opened, &self.opened_before, &self.refused, &self.answered];
        size_of::<Self>() + tables.into_iter().flatten().count() * size_of::<Table>()
    }

    fn openings(&self, (rank, register): (usize, usize)) -> Openings {
        let at =
            |table: &Option<Box<Table>>| table.as_ref().map_or(0, |table| table[rank][register]);
        Openings { last: at(&self.opened), before: at(&self.opened_before) }
    }

    fn raise_opened(&mut self, cell: (usize, usize), openings: Openings) {
        if openings.last == NEVER {
            return;
        }
        let kept = self.openings(cell);
        let merged = kept.merged(openings);
        if merged == kept {
            return;
        }
        let (rank, register) = cell;
        self.opened.get_or_insert_with(empty_table)[rank][register] = merged.last;
        if merged.before != kept.before {
            self.opened_before.get_or_insert_with(empty_table)[rank][register] = merged.before;
        }
    }

    /// The registers of the openings in `range`, some of which may hide behind a later one.
    fn opened_registers(&self, range: StampRange) -> Registers {
        let mut found = registers(self.opened.as_deref(), range);
        let after = range.after();
        if after.is_empty() {
            return found;
        }
        let later = registers(self.opened.as_deref(), after);
        for (register, (found, later)) in found.iter_mut().zip(later).enumerate() {
            // Ranks above the one found whose last opening is after the range, highest first.
            let hidden = (*found + 1..=later)
                .rev()
                .find(|&rank| self.openings((usize::from(rank) - 1, register)).within(range));
            *found = hidden.unwrap_or(*found);
        }
        found
    }

    /// Applies `change` to every stamp and frees the tables that have none left.
    fn update(&mut self, change: impl Fn(Stamp) -> Stamp) {
        for table in [&mut self.opened, &mut self.refused, &mut self.answered] {
            let Some(stamps) = table else { continue };
            let mut newest = NEVER;
            for stamp in stamps.as_flattened_mut() {
                *stamp = change(*stamp);
                newest = newest.max(*stamp);
            }
            if newest == NEVER {
                *table = None;
            }
        }
        self.forget_before();
    }

    /// Clears what was before openings that are gone.
    fn forget_before(&mut self) {
        let (Some(opened), Some(before)) = (&self.opened, &mut self.opened_before) else {
            self.opened_before = None;
            return;
        };
        for (before, &last) in before.as_flattened_mut().iter_mut().zip(opened.as_flattened()) {
            *before = if last == NEVER { 0 } else { *before };
        }
    }
}

fn empty_table() -> Box<Table> {
    Box::new([[NEVER; REGISTERS]; RANKS])
}

/// Row (rank less one) and column (register) of a fingerprint.
fn cell_of(fingerprint: Fingerprint) -> (usize, usize) {
    let [register, ..] = fingerprint.to_le_bytes();
    // The register's bits, all set, would end a longer run of zeros at rank 25.
    let zeros = (fingerprint | 0xff).leading_zeros() as usize;
    (zeros.min(RANKS - 1), usize::from(register))
}

fn raise_cell(table: &mut Option<Box<Table>>, (rank, register): (usize, usize), stamp: Stamp) {
    if stamp != NEVER {
        let kept = &mut table.get_or_insert_with(empty_table)[rank][register];
        *kept = (*kept).max(stamp);
    }
}

fn raise_table(ours: &mut Option<Box<Table>>, theirs: Option<&Table>, distance: Stamp) {
    let Some(theirs) = theirs else { return };
    let ours = ours.get_or_insert_with(empty_table).as_flattened_mut();
    for (kept, &stamp) in ours.iter_mut().zip(theirs.as_flattened()) {
        *kept = (*kept).max(stamp.saturating_sub(distance));
    }
}

/// The `HyperLogLog` registers of the stamps within `range`.
fn registers(table: Option<&Table>, range: StampRange) -> Registers {
    let mut registers = [0; REGISTERS];
    let Some(table) = table else { return registers };
    if range.is_empty() {
        return registers;
    }
    // One comparison per stamp: those before the range wrap around and end up above its length.
    let length = range.last() - range.first();
    for (rank, row) in (1..).zip(table) {
        for (register, &stamp) in registers.iter_mut().zip(row) {
            let is_within = stamp.wrapping_sub(range.first()) <= length;
            *register = if is_within { rank } else { *register };
        }
    }
    registers
}

fn union(ours: &Registers, theirs: &Registers) -> Registers {
    let mut union = *ours;
    for (register, &other) in union.iter_mut().zip(theirs) {
        *register = (*register).max(other);
    }
    union
}

fn estimate(registers: &Registers) -> f64 {
    let mut histogram = [0; RANKS + 1];
    for &register in registers {
        histogram[usize::from(register)] += 1;
    }
    estimator::estimate(&histogram)
}
