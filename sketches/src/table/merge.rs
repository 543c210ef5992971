//! Counters that leave a table or come into it, and tables that become one.

use super::DistinctTable;
use super::blocks::SKETCH;
use super::cells::{self, Cell, Place, View};
use super::pages::LINES;
use super::room::Newcomer;
use crate::distinct::entries;
use crate::distinct::{Contents, Distinct, Precision};
use crate::error::MergeError;

impl DistinctTable {
    /// The counter of a key by itself; `None` for a key that is not held.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<Distinct> {
        let (line, cell) = self.find(Place::of_key(key, self.cells.len()))?;
        let distance = self.cells.distance(line, self.clock.era());
        match cells::view(&cell) {
            View::Free => None,
            View::Inline => Some(Distinct::of_entries(self.clock, &cell[1..], distance)),
            View::Block(block) => {
                let distance = self.blocks.pages.distance(block.line, self.clock.era());
                let lines = self.block_lines(&block).as_flattened();
                Some(match block.class {
                    SKETCH => {
                        Distinct::of_bits(self.clock, bytemuck::must_cast_slice(lines), distance)
                    }
                    _ => Distinct::of_entries(self.clock, lines, distance),
                })
            }
        }
    }

    /// Adds everything that `counter` has seen to a key.
    ///
    /// # Errors
    /// The counter's precision is not [`Precision::Percent4`], which is that of tables, or its longest window is not that of the
    /// table; nothing was changed.
    pub fn merge(&mut self, key: u64, counter: &Distinct) -> Result<(), MergeError> {
        Precision::Percent4.require(counter.precision())?;
        self.clock.require_window_of(counter.clock())?;
        self.advance(counter.clock().newest());
        if counter.newest().is_none() {
            return Ok(());
        }
        let place = Place::of_key(key, self.cells.len());
        let distance = counter.clock().era().distance(self.clock.era());
        match counter.contents() {
            Contents::Entries(entries) => self.raise_entries(place, entries, distance),
            Contents::Bits(bits) => self.raise_sketch(place, bits, distance),
        }
        Ok(())
    }

    /// Adds everything that `other` holds: but for what either evicted, every count is that of one table that has seen both
    /// streams. What `other` has evicted and refused is not added to [`Self::counters`].
    ///
    /// # Errors
    /// The tables differ in size or longest window; neither was changed.
    pub fn merge_table(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.cells.len() != other.cells.len() {
            return Err(MergeError { ours: self.cells.len(), theirs: other.cells.len() });
        }
        self.clock.require_window_of(other.clock)?;
        self.advance(other.clock.newest());
        let lines = other.cells.lines().iter().take(other.cells.len() * LINES);
        for (line, cells) in lines.map(cells::of_line).enumerate() {
            cells.iter().for_each(|cell| self.merge_cell(other, line, cell));
        }
        Ok(())
    }

    fn merge_cell(&mut self, other: &Self, line: usize, cell: &Cell) {
        let place = Place::of_tag(line, cells::tag(cell));
        match cells::view(cell) {
            View::Free => {}
            View::Inline => {
                let distance = other.cells.distance(line, self.clock.era());
                self.raise_entries(place, &cell[1..], distance);
            }
            View::Block(block) => {
                let distance = other.blocks.pages.distance(block.line, self.clock.era());
                let lines = other.block_lines(&block).as_flattened();
                match block.class {
                    SKETCH => self.raise_sketch(place, bytemuck::must_cast_slice(lines), distance),
                    _ => self.raise_entries(place, lines, distance),
                }
            }
        }
    }

    fn raise_entries(&mut self, place: Place, entries: &[u32], distance: u8) {
        let oldest = self.clock.oldest(u32::MAX);
        let elements = entries::count(entries, oldest.saturating_add(distance));
        for (fingerprint, stamp) in entries::live(entries, distance, oldest) {
            let luck = u64::from(place.tag() ^ fingerprint.bits());
            self.raise(place, fingerprint, stamp, Newcomer { elements, luck });
        }
    }
}
