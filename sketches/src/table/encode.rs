//! `DistinctTable` as bytes; the layout is in [`crate::encoding`].
//!
//! Cells are written where they stand and with the class of their block, so that what is read back fits, and is freed,
//! grows and is evicted as before. Where in memory a block lies is not written.

use super::blocks::{self, CLASSES, SKETCH};
use super::cells::{self, Block, Cell, INLINE_MAX, Place, REGION_PAGES, SKETCH_USED, View};
use super::pages::LINES;
use super::room::{At, at_of, owner};
use super::{Counters, DistinctTable, PAGES_MAX};
use crate::distinct::ages::{self, Ages};
use crate::distinct::entries::{self, EXACT_ELEMENTS_MAX};
use crate::distinct::registers::Shape;
use crate::encoding::{Context, DecodeError, Encode, Kind, Reader, put_varint};

impl Encode for DistinctTable {
    const KIND: Kind = Kind::DistinctTable;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        put_varint(self.cells.len() as u64, out);
        put_varint(self.blocks.pages.len() as u64, out);
        ages::put_clock(self.clock, out);
        out.extend(self.draws.to_le_bytes());
        put_varint(self.hand as u64, out);
        put_varint(self.misses.into(), out);
        let Counters { evicted, evicted_elements_max, refused, late } = self.counters;
        [evicted, evicted_elements_max.into(), refused, late]
            .into_iter()
            .for_each(|count| put_varint(count, out));

        let mut free = 0;
        let lines = self.cells.lines().iter().take(self.cells.len() * LINES);
        for (line, cells) in lines.map(cells::of_line).enumerate() {
            for cell in &cells {
                if self.is_worth_writing(line, cell) {
                    put_varint(free, out);
                    out.extend(cell[0].to_le_bytes());
                    self.encode_contents(line, cell, out);
                    free = 0;
                } else {
                    free += 1;
                }
            }
        }
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        let mut table = decode_empty(body, context)?;
        let cells = table.cells.len() * LINES * 2;
        let mut next = 0;
        while body.remaining() > 0 {
            let index = body.varint_usize()?.saturating_add(next);
            let number = u32::try_from(index).ok().filter(|_| index < cells);
            let at = number.map(at_of).ok_or(DecodeError::structure("a cell past the last"))?;
            table.decode_cell(body, at)?;
            next = index + 1;
        }
        Ok(table)
    }
}

impl DistinctTable {
    /// Not if it has nothing in the window. A sketch stays: its key is estimated until the cell is swept.
    fn is_worth_writing(&self, line: usize, cell: &Cell) -> bool {
        let oldest = self.clock.oldest(u32::MAX);
        match cells::view(cell) {
            View::Free => false,
            View::Block(Block { class: SKETCH, .. }) => true,
            View::Inline | View::Block(_) => {
                let distance = self.cells.distance(line, self.clock.era());
                cells::newest(cell) >= oldest.saturating_add(distance)
            }
        }
    }

    fn encode_contents(&self, line: usize, cell: &Cell, out: &mut Vec<u8>) {
        let ages = Ages::of(self.clock);
        match cells::view(cell) {
            View::Free => {}
            View::Inline => {
                let distance = self.cells.distance(line, self.clock.era());
                ages.put_entries(&cell[1..], distance, out);
            }
            View::Block(block) => {
                let distance = self.blocks.pages.distance(block.line, self.clock.era());
                let lines = self.block_lines(&block).as_flattened();
                match block.class {
                    SKETCH => ages.put_bits(bytemuck::must_cast_slice(lines), distance, out),
                    _ => ages.put_entries(lines, distance, out),
                }
            }
        }
    }

    fn decode_cell(&mut self, body: &mut Reader<'_>, at: At) -> Result<(), DecodeError> {
        let mut cell = cells::FREE;
        cell[0] = body.u32()?;
        if self.locate(Place::of_tag(at.0, cells::tag(&cell))).is_some() {
            return Err(DecodeError::structure("a key that stands in two cells"));
        }
        self.enter_cells(at.0);
        match cells::view(&cell) {
            View::Inline => {
                let mut kept = [0; EXACT_ELEMENTS_MAX];
                let kept = self.read_entries(body, INLINE_MAX as usize, &mut kept)?;
                cells::set_inline(&mut cell, kept.iter().copied());
            }
            View::Block(Block { class: SKETCH, .. }) => {
                let block = self.decode_sketch(body, at)?;
                cells::set_block(&mut cell, block);
            }
            View::Block(Block { class, .. }) if class < CLASSES => {
                let mut kept = [0; EXACT_ELEMENTS_MAX];
                let kept = self.read_entries(body, 16 * blocks::lines(class), &mut kept)?;
                let block = self.decode_block(kept, class, at)?;
                cells::set_block(&mut cell, block);
            }
            View::Free | View::Block(_) => {
                return Err(DecodeError::structure("a cell of no kind"));
            }
        }
        *self.cell(at) = cell;
        Ok(())
    }

    fn read_entries<'k>(
        &self,
        body: &mut Reader<'_>,
        room: usize,
        kept: &'k mut [u32; EXACT_ELEMENTS_MAX],
    ) -> Result<&'k [u32], DecodeError> {
        let kept = Ages::of(self.clock).read_entries(body, kept)?;
        if (1..=room).contains(&kept.len()) {
            Ok(kept)
        } else {
            Err(DecodeError::structure("none or more elements than its cell has room for"))
        }
    }

    fn decode_block(&mut self, kept: &[u32], class: usize, at: At) -> Result<Block, DecodeError> {
        let line = self.blocks.claim(class, owner(at)).ok_or(NO_BLOCK)?;
        let used = entries::count(kept, 1);
        let block = Block { class, line, used, newest: entries::newest(kept) };
        self.fill(&block, kept);
        Ok(block)
    }

    fn decode_sketch(&mut self, body: &mut Reader<'_>, at: At) -> Result<Block, DecodeError> {
        let line = self.blocks.claim(SKETCH, owner(at)).ok_or(NO_BLOCK)?;
        let empty = Block { class: SKETCH, line, used: SKETCH_USED, newest: 0 };
        self.fill(&empty, &[]);
        let ages = Ages::of(self.clock);
        let stamps = bytemuck::must_cast_slice_mut(self.lines_of(&empty));
        let newest = ages.read_bits(body, Shape::SMALL, stamps)?;
        Ok(Block { newest, ..empty })
    }
}

const NO_BLOCK: DecodeError = DecodeError::structure("more blocks than there are");

/// A table of the size and with the state that the body begins with.
fn decode_empty(body: &mut Reader<'_>, context: &Context) -> Result<DistinctTable, DecodeError> {
    let cell_pages = body.varint_usize()?;
    let block_pages = body.varint_usize()?;
    let pages = 1..=PAGES_MAX;
    if !pages.contains(&cell_pages)
        || !pages.contains(&block_pages)
        || !cell_pages.is_multiple_of(REGION_PAGES)
    {
        return Err(DecodeError::structure("a size that no table has"));
    }
    let clock = ages::read_clock(body)?;
    let draws = body.u64()?;
    let hand = body.varint_usize()?;
    let misses = u32::try_from(body.varint()?);
    let evicted = body.varint()?;
    let evicted_elements_max = u32::try_from(body.varint()?);
    let (refused, late) = (body.varint()?, body.varint()?);
    let (Ok(misses), Ok(evicted_elements_max)) = (misses, evicted_elements_max) else {
        return Err(DecodeError::structure("a number that no table counts to"));
    };
    if hand >= cell_pages {
        return Err(DecodeError::structure("a hand past the last page"));
    }
    if evicted == 0 && evicted_elements_max > 0 {
        return Err(DecodeError::structure("elements of keys that were not evicted"));
    }
    context.allow_memory(DistinctTable::bytes(cell_pages, block_pages))?;
    let mut table = DistinctTable::with_pages(cell_pages, block_pages, clock, draws);
    (table.hand, table.misses) = (hand, misses);
    table.counters = Counters { evicted, evicted_elements_max, refused, late };
    Ok(table)
}
