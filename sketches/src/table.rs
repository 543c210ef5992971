//! Distinct counts for millions of keys in a fixed number of bytes.
//!
//! Each key has a sliding-window distinct counter as in [`crate::distinct`]: up to seven elements in a cell of 32 bytes, two
//! cells per cache line (`table/cells.rs`); up to 128 in a block of 1 to 8 lines, and more as a sketch of 4 KiB
//! (`table/blocks.rs`). All memory is claimed at the beginning.
//!
//! - **Cost.** An update touches one cache line, and one more where the set has outgrown its cell. [`DistinctTable::update_batch`]
//!   asks for the lines of later updates before it changes those of earlier ones, so that the cache misses overlap.
//! - **Full.** What is out of the window goes first; then, of the four cells where a new key may stand, the one with the fewest
//!   elements, of these the oldest. Where all four have more than a new key brings, only one in eight is let in with any
//!   one element, so that a flood of keys with one element each displaces few of those with more. Evictions and refusals are counted.
//! - **Expiry.** Stamps never alias, however long a cell is not looked at (`table/pages.rs`); a hand goes round the cells in 32
//!   panes and frees what is out of the window.
//! - **Identity.** A key is known by 29 bits besides its place, so that one of 2^27 new keys shares the counter of another.
//!   Keys and elements must be hashed under a secret ([`crate::hash`]).
//! - **Snapshots.** [`crate::encoding`] writes a table with all that it holds. One of more than a GiB is not read back.

mod batch;
mod blocks;
mod cells;
mod change;
mod encode;
mod merge;
mod pages;
mod room;

use crate::distinct::Estimate;
use crate::distinct::entries::{self, Line};
use crate::distinct::registers::Shape;
use crate::distinct::stamps::Clock;
use crate::error::BudgetError;
use crate::pane::Pane;
use blocks::{Blocks, SKETCH};
use cells::{Block, Cell, Place, REGION_PAGES, View};
use pages::{LINES, PAGE_BYTES, Pages};

/// The least memory of a table: a region of cells, and some pages of blocks.
pub const BYTES_MIN: usize = 128 * 1024;

/// Distinct elements per key over a sliding window, in fixed memory.
#[derive(Debug)]
pub struct DistinctTable {
    clock: Clock,
    cells: Pages,
    blocks: Blocks,
    /// The next page of cells that is swept.
    hand: usize,
    draws: u64,
    /// Moves of cells that failed, less those that later ones made good.
    misses: u32,
    counters: Counters,
}

/// A key has met an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// Keyed hash of the key.
    pub key: u64,
    /// Keyed hash of the element.
    pub element: u64,
    /// When.
    pub pane: Pane,
}

/// What has happened to keys and updates since the table was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Keys dropped while they were within the window, to make room for others.
    pub evicted: u64,
    /// An upper bound of the elements of the largest key among them; 128 for all that were no longer counted exactly.
    pub evicted_elements_max: u32,
    /// Elements for which no room was made: of a new key, because all who stood in its place had more to lose, or of one that
    /// had outgrown its room, because no block was to be had.
    pub refused: u64,
    /// Updates dropped because their pane was before the window.
    pub late: u64,
}

/// A table has fewer than 2^31 lines of each kind.
const PAGES_MAX: usize = (u32::MAX as usize / 2 - 1) / LINES;
/// The hand goes round in this many panes.
const SWEEP_PANES: usize = 32;
/// Of the bytes, those for cells, in eighths.
const CELL_EIGHTHS: usize = 5;
/// One new key in so many is let in where all who stand in its place have more elements.
const ADMITTED: u64 = 8;

impl DistinctTable {
    /// A table of at most `bytes_max` bytes for windows of up to `window_panes` (1 to 128; cut to that). `seed` drives the
    /// choice of what is evicted.
    ///
    /// # Errors
    /// `bytes_max` is below [`BYTES_MIN`], or has room for 2^31 lines of cells, or of blocks.
    pub fn new(bytes_max: usize, window_panes: u32, seed: u64) -> Result<Self, BudgetError> {
        let for_cells = bytes_max / 8 * CELL_EIGHTHS;
        let cell_pages = for_cells / (PAGE_BYTES + 4) / REGION_PAGES * REGION_PAGES;
        let rest = bytes_max.saturating_sub(Self::bytes(cell_pages, 0));
        let block_pages = rest / Blocks::page_bytes();
        if bytes_max < BYTES_MIN || cell_pages.max(block_pages) > PAGES_MAX {
            return Err(BudgetError { bytes_max, bytes_min: BYTES_MIN });
        }
        Ok(Self::with_pages(cell_pages, block_pages, Clock::new(0, window_panes), seed))
    }

    /// Moves event time on to `pane` if that is later, and frees some of what is out of the window.
    ///
    /// For each pane a 32nd of the cells is looked at: some 3 ms in 256 MB, and 0.1 s for a step of 32 panes or more. Any pane is
    /// believed: after one that lies far ahead, all that follows is late. Who takes time from data has to hold such panes back.
    pub fn advance(&mut self, pane: Pane) {
        if pane <= self.clock.newest() {
            return;
        }
        let panes = usize::try_from(pane - self.clock.newest()).unwrap_or(usize::MAX);
        self.clock.advance(pane);
        let pages = self.cells.len();
        let share = (pages / SWEEP_PANES + 1).saturating_mul(panes).min(pages);
        for _ in 0..share {
            self.sweep(self.hand);
            self.hand = (self.hand + 1) % pages;
        }
    }

    /// Distinct elements of a key in the `panes` newest panes; `None` for a key that is not held.
    #[must_use]
    pub fn count(&self, key: u64, panes: u32) -> Option<Estimate> {
        let (line, cell) = self.find(Place::of_key(key, self.cells.len()))?;
        let oldest = self.clock.oldest(panes);
        match cells::view(&cell) {
            View::Free => None,
            View::Inline => {
                let oldest = oldest.saturating_add(self.cells.distance(line, self.clock.era()));
                Some(Estimate::exact(entries::count(&cell[1..], oldest)))
            }
            View::Block(block) => {
                let distance = self.blocks.pages.distance(block.line, self.clock.era());
                let lines = self.block_lines(&block);
                let oldest = oldest.saturating_add(distance);
                Some(if block.class == SKETCH {
                    Shape::SMALL.estimate(bytemuck::must_cast_slice(lines), oldest).into()
                } else {
                    Estimate::exact(entries::count(lines.as_flattened(), oldest))
                })
            }
        }
    }

    /// An upper bound of the elements of a key in the longest window, without reading a block; 0 for a key that is not held.
    #[must_use]
    pub fn elements_max(&self, key: u64) -> u32 {
        let Some((line, cell)) = self.find(Place::of_key(key, self.cells.len())) else { return 0 };
        let distance = self.cells.distance(line, self.clock.era());
        match cells::view(&cell) {
            View::Block(block) if block.class == SKETCH => u32::MAX,
            _ => cells::worth(&cell, self.clock.oldest(u32::MAX).saturating_add(distance)).0,
        }
    }

    /// Keys held, those out of the window included until they are swept. Looks at every cell.
    #[must_use]
    pub fn keys(&self) -> usize {
        let cells = self.cells.lines().iter().flat_map(cells::of_line);
        cells.filter(|cell| cells::view(cell) != View::Free).count()
    }

    /// Evictions, refusals and late updates so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The newest pane of any update.
    #[must_use]
    pub const fn newest(&self) -> Pane {
        self.clock.newest()
    }

    /// Bytes held, inline and on the heap; never changes.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.cells.memory_bytes() + self.blocks.memory_bytes()
    }

    fn with_pages(cell_pages: usize, block_pages: usize, clock: Clock, draws: u64) -> Self {
        Self {
            clock,
            cells: Pages::new(cell_pages),
            blocks: Blocks::new(block_pages),
            hand: 0,
            draws,
            misses: 0,
            counters: Counters::default(),
        }
    }

    /// What a table of so many pages takes, inline and on the heap.
    const fn bytes(cell_pages: usize, block_pages: usize) -> usize {
        let cells = cell_pages.saturating_mul(PAGE_BYTES + 4);
        let blocks = block_pages.saturating_mul(Blocks::page_bytes());
        // Either kind of page lies on a boundary of a line.
        (size_of::<Self>() + 2 * size_of::<Line>()).saturating_add(cells).saturating_add(blocks)
    }

    fn find(&self, place: Place) -> Option<(usize, Cell)> {
        let (line, half) = self.locate(place)?;
        Some((line, cells::of_line(&self.cells.lines()[line])[half]))
    }

    fn block_lines(&self, block: &Block) -> &[Line] {
        &self.blocks.pages.lines()[block.line..block.line + blocks::lines(block.class)]
    }
}

#[cfg(test)]
mod tests;
