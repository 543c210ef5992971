//! Cells: a key's tag and its first seven elements, or where its block is.
//!
//! Two cells share a cache line. A key may stand in either of two lines of one region of 64 KiB; the second follows from the first and
//! the tag alone, so a cell can be moved without knowing its key (partial-key cuckoo hashing: Fan, Andersen, Kaminsky &
//! Mitzenmacher 2014, "Cuckoo filter: practically better than Bloom").

use super::blocks;
use super::pages::LINES;
use crate::distinct::entries::{self, Fingerprint, Line};
use crate::distinct::stamps::{NEVER, Stamp};

/// Words of a cell: the header, and seven entries or the reference to a block.
pub(super) const WORDS: usize = 8;
/// Elements that a cell holds itself.
pub(super) const INLINE_MAX: u32 = 7;
/// What a sketch weighs when room is made, however many elements it has: as much as the largest set that is exact.
pub(super) const SKETCH_USED: u32 = 128;
/// A cell's words.
pub(super) type Cell = [u32; WORDS];
/// Pages of a region: large enough that all fill alike, small enough that few address translations are needed.
pub(super) const REGION_PAGES: usize = 16;
const REGION_LINES: usize = REGION_PAGES * LINES;
/// No key.
pub(super) const FREE: Cell = [0; WORDS];

/// Bits of a tag; the rest of a header says what kind of cell it is.
const TAG_BITS: u32 = 29;
const KIND_BITS: u32 = 3;
const KIND_MASK: u32 = (1 << KIND_BITS) - 1;
const KIND_INLINE: u32 = 1;

/// Where a key may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    home: u32,
    tag: u32,
}

impl Place {
    /// Multiply-shift chooses the region, so their number need not be a power of two.
    #[expect(clippy::cast_possible_truncation, reason = "bits of a hash, and less than the pages")]
    pub(super) const fn of_key(key: u64, pages: usize) -> Self {
        let regions = (pages / REGION_PAGES) as u128;
        let region = ((key as u128 * regions) >> 64) as usize;
        let line = (key >> TAG_BITS) as usize % REGION_LINES;
        Self::of_tag(region * REGION_LINES + line, key as u32 & ((1 << TAG_BITS) - 1))
    }

    /// The place of a cell that stands in `line`.
    #[expect(clippy::cast_possible_truncation, reason = "a table has fewer than 2^31 lines")]
    pub(super) const fn of_tag(line: usize, tag: u32) -> Self {
        Self { home: line as u32, tag }
    }

    /// What a cell says of its key.
    pub(super) const fn tag(self) -> u32 {
        self.tag
    }

    /// The line in which it is put if there is room.
    pub(super) const fn home(self) -> usize {
        self.home as usize
    }

    /// The other line of the same region.
    pub(super) const fn other(self) -> usize {
        self.home() ^ self.step()
    }

    /// The line to look at when it is known whether the home line has it.
    pub(super) const fn next(self, is_home: bool) -> usize {
        self.home() ^ (self.step() * !is_home as usize)
    }

    /// 1 to 1,023, from the tag.
    const fn step(self) -> usize {
        1 + ((self.tag as u64 * (REGION_LINES as u64 - 1)) >> TAG_BITS) as usize
    }

    /// The header of a cell of this key that holds its elements itself.
    pub(super) const fn inline_header(self) -> u32 {
        self.tag << KIND_BITS | KIND_INLINE
    }

    /// In which half of a line the cell of this key stands, and whether it does.
    pub(super) const fn guess(self, line: &Line) -> (bool, usize) {
        let (one, two) = (self.is_of(line[0]), self.is_of(line[WORDS]));
        (one | two, two as usize)
    }

    /// Whether a header is that of the key.
    pub(super) const fn is_of(self, header: u32) -> bool {
        (header >> KIND_BITS == self.tag) & (header & KIND_MASK != 0)
    }

    /// The place in its line of a cell with this tag.
    pub(super) fn find(self, line: &Line) -> Option<usize> {
        let (is_found, half) = self.guess(line);
        is_found.then_some(half)
    }
}

/// A set too large for its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Size class, 0 to 4.
    pub(super) class: usize,
    /// Its first line.
    pub(super) line: usize,
    /// An upper bound of its elements, cut at 2^24; [`SKETCH_USED`] of a sketch.
    pub(super) used: u32,
    /// Its latest stamp.
    pub(super) newest: Stamp,
}

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Free,
    Inline,
    Block(Block),
}

/// Reads a cell.
pub(super) const fn view(cell: &Cell) -> View {
    match cell[0] & KIND_MASK {
        0 => View::Free,
        KIND_INLINE => View::Inline,
        kind => View::Block(Block {
            class: (kind - KIND_INLINE - 1) as usize,
            line: cell[1] as usize,
            used: cell[2] >> 8,
            newest: entries::stamp_of(cell[2]),
        }),
    }
}

/// The line of a cell's block in which a fingerprint is looked for first; 0 for a cell without a block.
pub(super) const fn block_line(line: &Line, half: usize, fingerprint: Fingerprint) -> usize {
    /// By kind; arithmetic in place of branches, which would be foretold wrongly more often than not.
    const LINE_MASKS: [usize; 8] = {
        let mut masks = [0; 8];
        let mut class = 0;
        while class < blocks::CLASSES {
            masks[class + KIND_INLINE as usize + 1] = blocks::lines(class) - 1;
            class += 1;
        }
        masks
    };
    let half = half & 1;
    let kind = line[half * WORDS] & KIND_MASK;
    let has_block = (kind > KIND_INLINE) as usize;
    line[half * WORDS + 1] as usize * has_block
        + (fingerprint.bits() as usize & LINE_MASKS[kind as usize])
}

/// Makes a cell refer to a block; the tag stays.
#[expect(clippy::cast_possible_truncation, reason = "classes are few, lines fewer than 2^32")]
pub(super) fn set_block(cell: &mut Cell, block: Block) {
    let header = cell[0] & !KIND_MASK | (block.class as u32 + KIND_INLINE + 1);
    let used = block.used.min((1 << 24) - 1);
    *cell = [header, block.line as u32, used << 8 | u32::from(block.newest), 0, 0, 0, 0, 0];
}

/// Makes a cell hold its elements itself; the tag stays.
pub(super) fn set_inline(cell: &mut Cell, elements: impl Iterator<Item = u32>) {
    let header = cell[0] & !KIND_MASK | KIND_INLINE;
    *cell = FREE;
    cell[0] = header;
    cell[1..].iter_mut().zip(elements).for_each(|(word, element)| *word = element);
}

/// The tag of a cell.
pub(super) const fn tag(cell: &Cell) -> u32 {
    cell[0] >> KIND_BITS
}

/// The latest stamp of a cell.
pub(super) fn newest(cell: &Cell) -> Stamp {
    match view(cell) {
        View::Free => NEVER,
        View::Inline => entries::newest(&cell[1..]),
        View::Block(block) => block.newest,
    }
}

/// What would be lost with a cell: its elements, then how new they are.
pub(super) fn worth(cell: &Cell, oldest: Stamp) -> (u32, Stamp) {
    match view(cell) {
        View::Free => (0, NEVER),
        View::Inline => (entries::count(&cell[1..], oldest), entries::newest(&cell[1..])),
        View::Block(block) if block.newest < oldest => (0, NEVER),
        View::Block(block) => (block.used, block.newest),
    }
}

/// Takes `distance` from all stamps of a cell.
pub(super) fn carry(cell: &mut Cell, distance: Stamp) {
    match view(cell) {
        View::Free => {}
        View::Inline => entries::carry(&mut cell[1..], distance),
        View::Block(block) => {
            set_block(cell, Block { newest: block.newest.saturating_sub(distance), ..block });
        }
    }
}

/// Both cells of a line.
pub(super) fn of_line(line: &Line) -> [Cell; 2] {
    let (cells, _) = line.as_chunks::<WORDS>();
    [cells[0], cells[1]]
}

/// One cell of a line.
pub(super) fn in_line(line: &mut Line, half: usize) -> &mut Cell {
    &mut line.as_chunks_mut::<WORDS>().0[half & 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_line_of_a_place_gives_the_other(key: u64, regions in 1..500_usize) {
            let pages = regions * REGION_PAGES;
            let place = Place::of_key(key, pages);
            prop_assert!(place.home() != place.other());
            prop_assert_eq!(place.home() / REGION_LINES, place.other() / REGION_LINES);
            prop_assert!(place.home() < pages * LINES);
            let back = Place::of_tag(place.other(), place.tag);
            prop_assert_eq!((back.home(), back.other()), (place.other(), place.home()));
        }

        #[test]
        fn a_block_reads_as_it_was_set(class in 0..5_usize, line in 0..u32::MAX, used in 0..1_u32 << 24, newest: u8) {
            let mut cell = FREE;
            cell[0] = Place::of_key(u64::MAX - 3, 32).inline_header();
            let tag_before = tag(&cell);
            let block = Block { class, line: line as usize, used, newest };
            set_block(&mut cell, block);
            prop_assert_eq!(view(&cell), View::Block(block));
            prop_assert_eq!(tag(&cell), tag_before);
        }
    }
}
