//! How sets change: elements come, sets grow, shrink and are carried into a new era.

use super::DistinctTable;
use super::blocks::{self, SKETCH};
use super::cells::{self, Block, Cell, INLINE_MAX, Place, SKETCH_USED, View};
use super::pages::LINES;
use super::room::{At, Newcomer, owner};
use crate::distinct::entries::{self, EXACT_ELEMENTS_MAX, Fingerprint, Line, Raised};
use crate::distinct::registers::{self, Shape};
use crate::distinct::stamps::Stamp;

/// The bound that is told of a set that is no longer counted exactly.
const MANY: u32 = u32::MAX;

impl DistinctTable {
    /// Raises an element of a key, whose cell is made if need be. An upper bound of the key's elements if that has changed
    /// something, or 0.
    pub(super) fn raise(
        &mut self,
        place: Place,
        fingerprint: Fingerprint,
        stamp: Stamp,
        newcomer: Newcomer,
    ) -> u32 {
        if let Some(at) = self.locate(place) {
            return self.raise_at(at, fingerprint, stamp);
        }
        let Some(at) = self.seat(place, newcomer) else { return self.refuse() };
        self.cell(at)[1] = fingerprint.entry(stamp);
        1
    }

    /// Raises the bits of a sketch in those of a key.
    pub(super) fn raise_sketch(&mut self, place: Place, theirs: &[Stamp], distance: Stamp) {
        let newest = registers::newest(theirs).saturating_sub(distance);
        if newest < self.clock.oldest(u32::MAX) {
            return;
        }
        let newcomer = Newcomer { elements: SKETCH_USED, luck: 0 };
        let at = self.locate(place).or_else(|| self.seat(place, newcomer));
        let Some(at) = at.filter(|&at| self.is_sketch(at) || self.grow(at, SKETCH)) else {
            self.refuse();
            return;
        };
        self.enter_cells(at.0);
        if let View::Block(block) = cells::view(self.cell(at)) {
            self.enter_block(&block);
            registers::merge(
                bytemuck::must_cast_slice_mut(self.lines_of(&block)),
                theirs,
                distance,
            );
            let newest = block.newest.max(newest);
            cells::set_block(self.cell(at), Block { newest, ..block });
        }
    }

    /// A cell of a new key, without elements yet.
    fn seat(&mut self, place: Place, newcomer: Newcomer) -> Option<At> {
        let at = self.make_room(place, newcomer)?;
        *self.cell(at) = cells::FREE;
        self.cell(at)[0] = place.inline_header();
        Some(at)
    }

    /// Counts an element for which no room was made; nothing has changed.
    fn refuse(&mut self) -> u32 {
        self.counters.refused = self.counters.refused.saturating_add(1);
        0
    }

    /// The cell of a key.
    pub(super) fn locate(&self, place: Place) -> Option<At> {
        let lines = self.cells.lines();
        let in_line = |line: usize| place.find(&lines[line]).map(|half| (line, half));
        in_line(place.home()).or_else(|| in_line(place.other()))
    }

    /// Frees what is out of the window in a page of cells, and moves sets that have shrunk to where they fit.
    pub(super) fn sweep(&mut self, page: usize) {
        self.enter_cells(page * LINES);
        let oldest = self.clock.oldest(u32::MAX);
        for line in page * LINES..(page + 1) * LINES {
            for at in [(line, 0), (line, 1)] {
                let cell = *self.cell(at);
                match cells::view(&cell) {
                    View::Free => {}
                    _ if cells::newest(&cell) < oldest => self.release(at),
                    View::Inline => {}
                    View::Block(block) if block.class == SKETCH => {}
                    View::Block(block) => self.shrink(at, &block),
                }
            }
        }
    }

    pub(super) fn raise_at(&mut self, at: At, fingerprint: Fingerprint, stamp: Stamp) -> u32 {
        self.enter_cells(at.0);
        let oldest = self.clock.oldest(u32::MAX);
        let cell = self.cell(at);
        let (raised, elements) = match cells::view(cell) {
            View::Free => return 0,
            View::Inline => (entries::raise_cell(cell, fingerprint, stamp, oldest), INLINE_MAX),
            View::Block(block) if block.newest < oldest => {
                // All of it is out of the window: what comes now is counted exactly again.
                self.blocks.free(block.class, block.line);
                let cell = self.cell(at);
                cells::set_inline(cell, std::iter::empty());
                (entries::raise_cell(cell, fingerprint, stamp, oldest), INLINE_MAX)
            }
            View::Block(block) => self.raise_block(at, block, fingerprint, stamp, oldest),
        };
        match raised {
            Raised::Same => 0,
            Raised::Newer | Raised::Added => elements,
            Raised::Full => {
                let class = match cells::view(self.cell(at)) {
                    View::Block(block) => block.class + 1,
                    _ => 0,
                };
                if self.grow(at, class) {
                    return self.raise_at(at, fingerprint, stamp);
                }
                self.refuse()
            }
        }
    }

    fn raise_block(
        &mut self,
        at: At,
        mut block: Block,
        fingerprint: Fingerprint,
        stamp: Stamp,
        oldest: Stamp,
    ) -> (Raised, u32) {
        self.enter_block(&block);
        let lines = self.lines_of(&block);
        if block.class == SKETCH {
            let bits = bytemuck::must_cast_slice_mut(lines);
            if !Shape::SMALL.raise(bits, fingerprint, stamp) {
                return (Raised::Same, 0);
            }
            block.newest = block.newest.max(stamp);
            cells::set_block(self.cell(at), block);
            return (Raised::Newer, MANY);
        }
        let raised = entries::raise(lines, fingerprint, stamp, oldest);
        if matches!(raised, Raised::Newer | Raised::Added) {
            block.newest = block.newest.max(stamp);
            // One that takes the place of another, which is out of the window, adds none.
            let room = 16 << block.class;
            block.used = room.min(block.used + u32::from(raised == Raised::Added));
            cells::set_block(self.cell(at), block);
        }
        (raised, block.used)
    }

    /// Moves a set into a block of a larger class; false, and nothing is changed, where none is to be had.
    fn grow(&mut self, at: At, class: usize) -> bool {
        let Some(line) = self.claim(class, at) else { return false };
        let oldest = self.clock.oldest(u32::MAX);
        let mut kept = [0; EXACT_ELEMENTS_MAX];
        let (used, newest) = self.take(at, oldest, &mut kept);
        let bound = if class == SKETCH { SKETCH_USED } else { used };
        let block = Block { class, line, used: bound, newest };
        self.fill(&block, &kept[..used as usize]);
        cells::set_block(self.cell(at), block);
        true
    }

    /// Moves a set into a smaller block, or into its cell, if it would leave a quarter of that free.
    fn shrink(&mut self, at: At, block: &Block) {
        self.enter_block(block);
        let oldest = self.clock.oldest(u32::MAX);
        let live = entries::count(self.lines_of(block).as_flattened(), oldest);
        cells::set_block(self.cell(at), Block { used: live, ..*block });
        let fits = |room: usize| live as usize * 4 <= room * 3;
        let mut kept = [0; EXACT_ELEMENTS_MAX];
        if fits(INLINE_MAX as usize) {
            self.take(at, oldest, &mut kept);
            cells::set_inline(self.cell(at), kept[..live as usize].iter().copied());
        } else if let Some(class) = (0..block.class).find(|&class| fits(16 * blocks::lines(class)))
            && let Some(line) = self.blocks.claim(class, owner(at))
        {
            let (used, newest) = self.take(at, oldest, &mut kept);
            let smaller = Block { class, line, used, newest };
            self.fill(&smaller, &kept[..used as usize]);
            cells::set_block(self.cell(at), smaller);
        }
    }

    /// Copies the entries of a cell that are in the window, and frees its block if it has one. How many, and the newest stamp.
    fn take(
        &mut self,
        at: At,
        oldest: Stamp,
        kept: &mut [u32; EXACT_ELEMENTS_MAX],
    ) -> (u32, Stamp) {
        self.enter_cells(at.0);
        let cell = *self.cell(at);
        let mut used = 0;
        let mut keep = |entries: &[u32]| {
            for &entry in entries.iter().filter(|&&entry| entries::stamp_of(entry) >= oldest) {
                kept[used] = entry;
                used += 1;
            }
        };
        match cells::view(&cell) {
            View::Free => {}
            View::Inline => keep(&cell[1..]),
            View::Block(block) => {
                self.enter_block(&block);
                keep(self.lines_of(&block).as_flattened());
                self.blocks.free(block.class, block.line);
            }
        }
        let newest = entries::newest(&kept[..used]);
        (u32::try_from(used).unwrap_or(MANY), newest)
    }

    /// Puts entries into a block that has just been claimed, whatever it held before.
    pub(super) fn fill(&mut self, block: &Block, kept: &[u32]) {
        self.enter_block(block);
        let lines = self.lines_of(block);
        lines.fill([0; 16]);
        for &entry in kept {
            let (fingerprint, stamp) = (Fingerprint::of_entry(entry), entries::stamp_of(entry));
            if block.class == SKETCH {
                Shape::SMALL.raise(bytemuck::must_cast_slice_mut(lines), fingerprint, stamp);
            } else {
                entries::raise(lines, fingerprint, stamp, 1);
            }
        }
    }

    fn is_sketch(&mut self, at: At) -> bool {
        matches!(cells::view(self.cell(at)), View::Block(Block { class: SKETCH, .. }))
    }

    pub(super) fn cell(&mut self, (line, half): At) -> &mut Cell {
        cells::in_line(&mut self.cells.lines_mut()[line], half)
    }

    pub(super) fn lines_of(&mut self, block: &Block) -> &mut [Line] {
        &mut self.blocks.pages.lines_mut()[block.line..block.line + blocks::lines(block.class)]
    }

    /// Brings the stamps of a page of cells into the present era.
    pub(super) fn enter_cells(&mut self, line: usize) {
        if let Some((distance, lines)) = self.cells.enter(line, self.clock.era()) {
            for line in lines {
                for cell in line.as_chunks_mut().0 {
                    cells::carry(cell, distance);
                }
            }
        }
    }

    pub(super) fn is_at(&self, place: Place, (line, half): At) -> bool {
        place.is_of(self.cells.lines()[line][half * cells::WORDS])
    }

    /// Brings the stamps of the page of a block into the present era.
    fn enter_block(&mut self, block: &Block) {
        let era = self.clock.era();
        let Some((distance, lines)) = self.blocks.pages.enter(block.line, era) else { return };
        if block.class == SKETCH {
            registers::carry(bytemuck::must_cast_slice_mut(lines), distance);
        } else {
            entries::carry(lines.as_flattened_mut(), distance);
        }
    }
}
