//! The cells of a sketch one by one, for what reads and restores them all.

use super::super::element::{Openings, Stamps};
use super::super::stamps::{NEVER, Stamp};
use super::row::{self, OpenedRow, Row};
use super::{CELLS, LANES, REGISTERS, Sketch};

/// How many ranks the table of each event reaches.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Ranks {
    opened: usize,
    refused: usize,
    answered: usize,
}

impl Ranks {
    /// Makes room for the cell of this place.
    pub(in super::super) fn include(&mut self, place: usize, stamps: Stamps) {
        let ranks = place / REGISTERS as usize + 1;
        for (kept, stamp) in [
            (&mut self.opened, stamps.opened.last),
            (&mut self.refused, stamps.refused),
            (&mut self.answered, stamps.answered),
        ] {
            if stamp != NEVER {
                *kept = ranks.max(*kept);
            }
        }
    }

    /// What a sketch of these ranks takes, itself included, in bytes.
    pub(in super::super) const fn heap_bytes(self) -> usize {
        size_of::<Sketch>()
            + row::room(self.opened) * size_of::<OpenedRow>()
            + (row::room(self.refused) + row::room(self.answered)) * size_of::<Row>()
    }
}

impl Sketch {
    /// Empty rows; a cell has to be raised in the last one of each table.
    pub(in super::super) fn with_ranks(ranks: Ranks) -> Self {
        let mut sketch = Self::default();
        row::grow(&mut sketch.opened, ranks.opened);
        row::grow(&mut sketch.refused, ranks.refused);
        row::grow(&mut sketch.answered, ranks.answered);
        sketch
    }

    /// All cells in the order of their places: by rank, then by register.
    pub(in super::super) fn cells(&self, newest: Stamp) -> impl Iterator<Item = Stamps> + '_ {
        (0..CELLS).map(move |place| {
            let (chunk, lane) = (place / LANES, place % LANES);
            let ends =
                |table: &[Row]| table.as_flattened().get(chunk).map_or(NEVER, |row| row[lane]);
            let opened = self.opened.as_flattened().get(chunk);
            Stamps {
                opened: opened.map_or_else(Openings::default, |kept| {
                    Openings::of_recent(kept.last[lane], kept.recent[lane], newest)
                }),
                refused: ends(&self.refused),
                answered: ends(&self.answered),
            }
        })
    }

    /// Merges stamps into those of the cell of this place, which is less than [`CELLS`].
    pub(in super::super) fn raise_cell(&mut self, place: usize, stamps: Stamps, newest: Stamp) {
        let registers = REGISTERS as usize;
        self.raise_in(place / registers, place % registers, stamps, newest);
    }
}
