//! How room is made: what goes when a cell or a block is wanted and none is free.

use super::blocks::{self, Pressure};
use super::cells::{self, Place, View};
use super::{ADMITTED, DistinctTable};
use crate::distinct::stamps::Stamp;
use crate::hash::split_mix;

/// A cell: its line, and which half of it.
pub(super) type At = (usize, usize);

/// A key that is not in the table yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    /// Elements that it brings.
    pub(super) elements: u32,
    /// One in so many is let in that brings fewer than all who stand in its place have.
    pub(super) luck: u64,
}

/// Tries to make room for a block before the element is refused.
const CLAIM_TRIES: usize = 8;
/// So many failed moves of cells mean that the table is full, and that moves are seldom worth trying.
const FULL_AFTER_MISSES: u32 = 256;
/// One in so many moves is tried then: each looks at up to 12 lines, and one that succeeds brings the next ones back.
const TRIED_WHEN_FULL: u64 = 64;
/// A move that succeeds makes good so many that failed: under a flood, one now and then does not mean that there is room.
const MISSES_PER_MOVE: u32 = 16;

impl DistinctTable {
    /// Claims a block for a cell, and evicts for it what has to go.
    pub(super) fn claim(&mut self, class: usize, at: At) -> Option<usize> {
        let oldest = self.clock.oldest(u32::MAX);
        for _ in 0..CLAIM_TRIES {
            if let Some(line) = self.blocks.claim(class, owner(at)) {
                return Some(line);
            }
            let mut draws = self.draws;
            let pressure = self.blocks.pressure(class, || split_mix(&mut draws));
            self.draws = draws;
            match pressure? {
                Pressure::OneOf(cells) => {
                    let others = cells.into_iter().filter(|&cell| cell != owner(at));
                    let others = others.filter(|&cell| cell != blocks::NOBODY).map(at_of);
                    let least = others.min_by_key(|&other| self.worth(other, oldest));
                    least.into_iter().for_each(|other| self.evict(other));
                }
                Pressure::AllOf(pages) => {
                    let others = pages
                        .into_iter()
                        .filter(|&page| self.blocks.owners(page).all(|cell| cell != owner(at)));
                    let most = |page: usize| {
                        self.blocks.owners(page).map(|cell| self.worth(at_of(cell), oldest)).max()
                    };
                    let Some(least) = others.min_by_key(|&page| most(page)) else { continue };
                    let owners: Vec<u32> = self.blocks.owners(least).collect();
                    owners.into_iter().for_each(|cell| self.evict(at_of(cell)));
                }
            }
        }
        None
    }

    /// A free cell for a new key: one that is out of the window, one whose key can move, or that of the key with the least to
    /// lose; `None` if all of these have more than the new key, and luck does not favour it.
    pub(super) fn make_room(&mut self, place: Place, newcomer: Newcomer) -> Option<At> {
        let oldest = self.clock.oldest(u32::MAX);
        self.enter_cells(place.home());
        self.enter_cells(place.other());
        if let Some(at) = self.vacant(place, oldest) {
            self.release(at);
            return Some(at);
        }
        if self.misses < FULL_AFTER_MISSES
            || split_mix(&mut self.draws).is_multiple_of(TRIED_WHEN_FULL)
        {
            if let Some(at) = self.move_one(place, oldest) {
                self.misses = self.misses.saturating_sub(MISSES_PER_MOVE);
                return Some(at);
            }
            self.misses = self.misses.saturating_add(1).min(FULL_AFTER_MISSES);
        }
        let candidates = at_of_place(place).map(|at| (self.worth(at, oldest), at));
        let ((elements, _), least) = candidates.into_iter().min()?;
        if elements > newcomer.elements && !newcomer.luck.is_multiple_of(ADMITTED) {
            return None;
        }
        self.evict(least);
        Some(least)
    }

    /// Empties one of the place's cells by moving its key to the other line where it may stand; if need be, after one of the
    /// two there has made room in the same way.
    fn move_one(&mut self, place: Place, oldest: Stamp) -> Option<At> {
        let candidates = at_of_place(place);
        let at_once = candidates.into_iter().find(|&at| self.move_away(at, oldest));
        at_once.or_else(|| {
            candidates.into_iter().find(|&at| {
                let way = self.other_cells(at).into_iter().any(|next| self.move_away(next, oldest));
                way && self.move_away(at, oldest)
            })
        })
    }

    /// Moves a key to the other line where it may stand, if there is room.
    fn move_away(&mut self, from: At, oldest: Stamp) -> bool {
        let cells = self.other_cells(from);
        let Some(to) = cells.into_iter().find(|&at| cells::newest(self.cell(at)) < oldest) else {
            return false;
        };
        self.release(to);
        let cell = std::mem::replace(self.cell(from), cells::FREE);
        *self.cell(to) = cell;
        if let View::Block(block) = cells::view(&cell) {
            self.blocks.set_owner(block.line, owner(to));
        }
        true
    }

    fn other_cells(&mut self, at: At) -> [At; 2] {
        let other = Place::of_tag(at.0, cells::tag(self.cell(at))).other();
        self.enter_cells(other);
        [(other, 0), (other, 1)]
    }

    fn vacant(&mut self, place: Place, oldest: Stamp) -> Option<At> {
        at_of_place(place).into_iter().find(|&at| cells::newest(self.cell(at)) < oldest)
    }

    fn worth(&self, (line, half): At, oldest: Stamp) -> (u32, Stamp) {
        // The page may be of an earlier era; its stamps are only compared with each other and the window.
        let distance = self.cells.distance(line, self.clock.era());
        let cell = &cells::of_line(&self.cells.lines()[line])[half];
        let (elements, newest) = cells::worth(cell, oldest.saturating_add(distance));
        (elements, newest.saturating_sub(distance))
    }

    /// Drops a key for the sake of another.
    fn evict(&mut self, at: At) {
        let (elements, newest) = self.worth(at, self.clock.oldest(u32::MAX));
        if newest >= self.clock.oldest(u32::MAX) {
            self.counters.evicted = self.counters.evicted.saturating_add(1);
            self.counters.evicted_elements_max = self.counters.evicted_elements_max.max(elements);
        }
        self.release(at);
    }

    /// Frees a cell and its block.
    pub(super) fn release(&mut self, at: At) {
        let cell = self.cell(at);
        let view = cells::view(cell);
        *cell = cells::FREE;
        if let View::Block(block) = view {
            self.blocks.free(block.class, block.line);
        }
    }
}

/// The number of a cell over all lines.
pub(super) fn owner((line, half): At) -> u32 {
    u32::try_from(line * 2 + half).unwrap_or(blocks::NOBODY)
}

pub(super) const fn at_of(owner: u32) -> At {
    (owner as usize / 2, owner as usize % 2)
}

const fn at_of_place(place: Place) -> [At; 4] {
    [(place.home(), 0), (place.home(), 1), (place.other(), 0), (place.other(), 1)]
}
