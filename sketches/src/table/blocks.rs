//! Blocks for the sets that outgrow their cell: 1, 2, 4 or 8 lines of entries, or a page of registers.
//!
//! A page holds blocks of one size class, and goes back to all classes when its last block is free, so that no sequence of
//! sizes can use the memory up with holes that fit nobody.

use super::pages::{LINES, PAGE_BYTES, Pages};

/// Size classes; the last is the sketch.
pub(super) const CLASSES: usize = 5;
/// The class of sketches.
pub(super) const SKETCH: usize = CLASSES - 1;
/// Lines of a block by class, as a power of two.
const LINES_LOG2: [u32; CLASSES] = [0, 1, 2, 3, LINES.trailing_zeros()];
/// Of the pages, the share (one in so many) below which a class takes a page from the largest.
const SHARE: usize = 16;
/// No cell.
pub(super) const NOBODY: u32 = u32::MAX;
const NO_CLASS: usize = usize::MAX;

/// The blocks of a table.
#[derive(Debug)]
pub(super) struct Blocks {
    /// The lines.
    pub(super) pages: Pages,
    /// By line: the cell that refers to the block that begins there.
    owners: Vec<u32>,
    page_states: Vec<PageState>,
    classes: [Class; CLASSES],
    free_pages: Vec<u32>,
}

/// What has to go to make room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pressure {
    /// One of the blocks of these cells.
    OneOf([u32; SAMPLE]),
    /// All blocks of one of these pages.
    AllOf([usize; SAMPLE]),
}

/// Candidates drawn; the least of them goes.
pub(super) const SAMPLE: usize = 8;

#[derive(Clone, Debug)]
struct PageState {
    class: usize,
    /// One bit for each free block.
    free: u64,
    /// Where in [`Class::pages`].
    position: usize,
}

#[derive(Debug, Default)]
struct Class {
    /// Those that have free blocks first.
    pages: Vec<u32>,
    with_free: usize,
}

/// Lines of a block.
pub(super) const fn lines(class: usize) -> usize {
    1 << LINES_LOG2[class]
}

impl Blocks {
    pub(super) fn new(pages: usize) -> Self {
        let class = || Class { pages: Vec::with_capacity(pages), with_free: 0 };
        Self {
            pages: Pages::new(pages),
            owners: vec![NOBODY; pages * LINES],
            page_states: vec![PageState { class: NO_CLASS, free: 0, position: 0 }; pages],
            classes: std::array::from_fn(|_| class()),
            free_pages: (0..u32::try_from(pages).unwrap_or(u32::MAX)).rev().collect(),
        }
    }

    /// Bytes that a page costs with all that is kept about it.
    pub(super) const fn page_bytes() -> usize {
        PAGE_BYTES + 4 + LINES * size_of::<u32>() + size_of::<PageState>() + (CLASSES + 1) * 4
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        let pages = self.page_states.len();
        self.pages.memory_bytes()
            + self.owners.capacity() * size_of::<u32>()
            + pages * (size_of::<PageState>() + (CLASSES + 1) * 4)
    }

    /// The first line of a free block for the cell `owner`; `None` when something has to go first.
    pub(super) fn claim(&mut self, class: usize, owner: u32) -> Option<usize> {
        if self.classes[class].with_free == 0 {
            let page = self.free_pages.pop()? as usize;
            let blocks = LINES >> LINES_LOG2[class];
            let position = self.classes[class].pages.len();
            self.page_states[page] = PageState { class, free: u64::MAX >> (64 - blocks), position };
            self.classes[class].pages.push(u32::try_from(page).unwrap_or(NOBODY));
            self.swap(class, position, 0);
            self.classes[class].with_free = 1;
        }
        let of_class = &mut self.classes[class];
        let page = of_class.pages[of_class.with_free - 1] as usize;
        let state = &mut self.page_states[page];
        let block = state.free.trailing_zeros() as usize;
        state.free &= state.free - 1;
        if state.free == 0 {
            of_class.with_free -= 1;
        }
        let line = page * LINES + (block << LINES_LOG2[class]);
        self.owners[line] = owner;
        Some(line)
    }

    /// Gives a block back.
    pub(super) fn free(&mut self, class: usize, line: usize) {
        self.owners[line] = NOBODY;
        let page = line / LINES;
        let state = &mut self.page_states[page];
        let (was_full, position) = (state.free == 0, state.position);
        state.free |= 1 << ((line % LINES) >> LINES_LOG2[class]);
        let is_unused = state.free.count_ones() as usize == LINES >> LINES_LOG2[class];
        if was_full {
            self.swap(class, position, self.classes[class].with_free);
            self.classes[class].with_free += 1;
        }
        if is_unused {
            self.classes[class].with_free -= 1;
            self.swap(class, self.page_states[page].position, self.classes[class].with_free);
            let last = self.classes[class].pages.len() - 1;
            self.swap(class, self.page_states[page].position, last);
            self.classes[class].pages.pop();
            self.page_states[page].class = NO_CLASS;
            self.free_pages.push(u32::try_from(page).unwrap_or(NOBODY));
        }
    }

    /// Notes that a block's cell has moved.
    pub(super) fn set_owner(&mut self, line: usize, owner: u32) {
        self.owners[line] = owner;
    }

    /// Where to look for what has to go before a block of `class` can be claimed: among its own class, which is full, or,
    /// where that has less than its share of the pages, whole pages of the largest. The same may be drawn twice.
    pub(super) fn pressure(&self, class: usize, mut draw: impl FnMut() -> u64) -> Option<Pressure> {
        let mut draw_below =
            |count: usize| usize::try_from((u128::from(draw()) * count as u128) >> 64).unwrap_or(0);
        let own = &self.classes[class].pages;
        if !own.is_empty() && own.len() * SHARE >= self.page_states.len() {
            return Some(Pressure::OneOf(std::array::from_fn(|_| {
                let page = own[draw_below(own.len())] as usize;
                let block = draw_below(LINES >> LINES_LOG2[class]);
                self.owners[page * LINES + (block << LINES_LOG2[class])]
            })));
        }
        let largest = &self.classes.iter().max_by_key(|class| class.pages.len())?.pages;
        let page = |_| largest.get(draw_below(largest.len())).map(|&page| page as usize);
        let pages: [Option<usize>; SAMPLE] = std::array::from_fn(page);
        let first = pages[0]?;
        Some(Pressure::AllOf(pages.map(|page| page.unwrap_or(first))))
    }

    /// The cell that owns the block which begins with a line.
    #[cfg(test)]
    pub(super) fn owner(&self, line: usize) -> u32 {
        self.owners[line]
    }

    /// The cells that own the blocks of a page.
    pub(super) fn owners(&self, page: usize) -> impl Iterator<Item = u32> + '_ {
        let owners = &self.owners[page * LINES..(page + 1) * LINES];
        owners.iter().copied().filter(|&owner| owner != NOBODY)
    }

    fn swap(&mut self, class: usize, one: usize, other: usize) {
        let pages = &mut self.classes[class].pages;
        pages.swap(one, other);
        for position in [one, other] {
            self.page_states[pages[position] as usize].position = position;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// The oracle is a map of the blocks that are out.
        #[test]
        fn blocks_never_overlap_and_all_memory_comes_back(
            steps in prop::collection::vec((0..CLASSES, any::<bool>(), any::<prop::sample::Index>()), 1..600),
        ) {
            const PAGES: usize = 6;
            let mut blocks = Blocks::new(PAGES);
            let mut out = BTreeMap::<usize, usize>::new();
            for (owner, (class, claims, index)) in (0..).zip(steps) {
                if claims {
                    if let Some(line) = blocks.claim(class, owner) {
                        prop_assert_eq!(line % lines(class), 0);
                        let end = line + lines(class);
                        prop_assert!(end <= PAGES * LINES);
                        let before = out.range(..end).next_back();
                        prop_assert!(before.is_none_or(|(&line_before, &class)| line_before + lines(class) <= line));
                        out.insert(line, class);
                    } else {
                        let pressure = blocks.pressure(class, || u64::from(owner) << 60);
                        prop_assert!(pressure.is_some());
                    }
                } else if !out.is_empty() {
                    let line = *out.keys().nth(index.index(out.len())).unwrap();
                    blocks.free(out.remove(&line).unwrap(), line);
                }
            }
            for (line, class) in std::mem::take(&mut out) {
                blocks.free(class, line);
            }
            prop_assert_eq!(blocks.free_pages.len(), PAGES);
            let sketches = (0..PAGES).filter(|_| blocks.claim(SKETCH, 0).is_some()).count();
            prop_assert_eq!(sketches, PAGES);
        }
    }
}
