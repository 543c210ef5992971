//! Updates, one by one and many at a time.

use super::cells::{self, Place};
use super::room::Newcomer;
use super::{DistinctTable, Update};
use crate::distinct::entries::{Fingerprint, Line};
use crate::distinct::stamps::NEVER;

#[derive(Clone, Copy, Debug, Default)]
struct Prepared {
    place: Place,
    fingerprint: Fingerprint,
    /// The half of the home line in which the key's cell stood, if it did.
    guess: usize,
}

impl Prepared {
    const fn new(update: &Update, pages: usize) -> Self {
        Self {
            place: Place::of_key(update.key, pages),
            fingerprint: Fingerprint::of_hash(update.element),
            guess: 0,
        }
    }
}

/// Updates between two stations: some 20 lines can be under way at once.
const AHEAD: usize = 16;
const RING: usize = 4 * AHEAD;

impl DistinctTable {
    /// Applies one update. As with [`Self::advance`], its pane is believed. Whether the counts of its key may have changed.
    pub fn update(&mut self, update: Update) -> bool {
        self.advance(update.pane);
        let prepared = Prepared::new(&update, self.cells.len());
        self.apply(prepared, &update) > 0
    }

    /// Applies updates in order. Adds to `changed` the index of each whose key may have come to more elements in some window,
    /// and may have at least `elements_min` in the longest: those that a rule has to look at.
    ///
    /// Each update passes three stations, so that its cache lines are under way while others are worked on: its home line is
    /// asked for; then what that refers to; then it is applied.
    pub fn update_batch(
        &mut self,
        updates: &[Update],
        elements_min: u32,
        changed: &mut Vec<usize>,
    ) {
        let mut ring = [Prepared::default(); RING];
        for step in 0..updates.len() + 2 * AHEAD {
            if let Some(update) = updates.get(step) {
                let prepared = Prepared::new(update, self.cells.len());
                prefetch(&self.cells.lines()[prepared.place.home()]);
                ring[step % RING] = prepared;
            }
            if step >= AHEAD && step < updates.len() + AHEAD {
                self.look(&mut ring[(step - AHEAD) % RING]);
            }
            if step < 2 * AHEAD {
                continue;
            }
            let index = step - 2 * AHEAD;
            let update = &updates[index];
            self.advance(update.pane);
            let elements = self.apply(ring[index % RING], update);
            if elements > 0 && elements >= elements_min {
                changed.push(index);
            }
        }
    }

    fn apply(&mut self, prepared: Prepared, update: &Update) -> u32 {
        let stamp = self.clock.stamp(update.pane);
        if stamp == NEVER {
            self.counters.late = self.counters.late.saturating_add(1);
            return 0;
        }
        let Prepared { place, fingerprint, guess } = prepared;
        if self.is_at(place, (place.home(), guess)) {
            return self.raise_at((place.home(), guess), fingerprint, stamp);
        }
        // Neither one element of many keys nor one key is favoured.
        let newcomer = Newcomer { elements: 1, luck: update.key ^ update.element };
        self.raise(place, fingerprint, stamp, newcomer)
    }

    /// Asks for the lines that an update needs besides its home line, without a branch: what they would depend on is not
    /// foreseeable.
    fn look(&self, prepared: &mut Prepared) {
        let (lines, blocks) = (self.cells.lines(), self.blocks.pages.lines());
        let line = &lines[prepared.place.home()];
        let (is_found, half) = prepared.place.guess(line);
        prepared.guess = half;
        prefetch(&lines[prepared.place.next(is_found)]);
        prefetch(&blocks[cells::block_line(line, half, prepared.fingerprint)]);
    }
}

/// Asks for a line without waiting for it.
#[inline]
fn prefetch(line: &Line) {
    #[cfg(target_arch = "x86_64")]
    safe_arch::prefetch_t0(line);
    // Elsewhere the line is read, and the processor goes on as far as it can without it.
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(line[0]);
}
