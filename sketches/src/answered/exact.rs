//! The exact tier: up to 128 elements in blocks of four.
//!
//! A block holds four fingerprints side by side, compared at once, and their stamps. Blocks are
//! allocated in size classes of 4, 8, 16 ... 128 elements (48 bytes per four). A slot whose stamps
//! are all `NEVER` is free; free slots are only at the end of the last block and their fingerprint
//! is 0, so a search for fingerprint 0 ends at its own slot or at the slot that it would take.

use super::element::{Element, Fingerprint, Ranges, Stamps};
use super::stamps::{NEVER, Stamp, StampRange};

/// The most elements that are counted exactly.
///
/// Products that detect scans alarm at 15 to 100 distinct services: at those thresholds no estimator
/// noise may alarm. Beyond it a linear search costs more than the sketch.
pub(super) const EXACT_MAX: usize = 128;

const LANES: usize = 4;
const BLOCKS_MAX: usize = EXACT_MAX / LANES;

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    fingerprints: [Fingerprint; LANES],
    stamps: [Stamps; LANES],
}

/// The set has [`EXACT_MAX`] elements and does not hold the one that was to be raised.
#[derive(Debug)]
pub(super) struct Full;

/// Up to [`EXACT_MAX`] elements with their stamps; no heap when empty.
#[derive(Clone, Debug)]
pub(super) struct ExactSet {
    blocks: Vec<Block>,
}

impl ExactSet {
    pub(super) const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The number of elements, rounded up to whole blocks.
    pub(super) const fn len_max(&self) -> usize {
        self.blocks.len() * LANES
    }

    /// Merges the element's stamps, not all of which are `NEVER`, into those kept.
    pub(super) fn raise(&mut self, element: Element) -> Result<(), Full> {
        let stamps = self.slot(element.fingerprint)?;
        *stamps = stamps.merged(element.stamps);
        Ok(())
    }

    /// Whether the set holds an element of this fingerprint.
    pub(super) fn contains(&self, fingerprint: Fingerprint) -> bool {
        self.elements().any(|element| element.fingerprint == fingerprint)
    }

    /// The elements, in the order of their arrival.
    pub(super) fn elements(&self) -> impl Iterator<Item = Element> + '_ {
        let slots =
            self.blocks.iter().flat_map(|block| block.fingerprints.into_iter().zip(block.stamps));
        slots
            .map(|(fingerprint, stamps)| Element { fingerprint, stamps })
            .take_while(|element| element.stamps.newest() != NEVER)
    }

    /// Drops the elements whose newest stamp is before `oldest_kept`, and fits the memory.
    pub(super) fn expire(&mut self, oldest_kept: Stamp) {
        if self.elements().any(|element| element.stamps.newest() < oldest_kept) {
            self.rebuild(
                |stamps| if stamps.newest() < oldest_kept { Stamps::default() } else { stamps },
            );
        }
    }

    /// Takes `distance` from every stamp and drops the elements that have none left.
    pub(super) fn sweep(&mut self, distance: Stamp) {
        self.rebuild(|stamps| stamps.swept(distance));
    }

    /// How many elements were seen, were answered, and are unanswered, in this order.
    pub(super) fn count(&self, ranges: Ranges) -> [u32; 3] {
        let mut totals = [0; 3];
        for stamps in self.blocks.iter().flat_map(|block| &block.stamps) {
            let is_refused = ranges.window.contains(stamps.refused);
            let is_answered = ranges.window.contains(stamps.answered);
            // Bitwise operators: what traffic does is no pattern that branches could learn.
            let is_seen = is_refused | is_answered | stamps.opened.within(ranges.window);
            let has_failed = is_refused | stamps.opened.within(ranges.settled);
            totals[0] += u32::from(is_seen);
            totals[1] += u32::from(is_answered);
            totals[2] += u32::from(has_failed & !ranges.since.contains(stamps.answered));
        }
        totals
    }

    /// The earliest opening or refusal within `window`.
    pub(super) fn first_opened(&self, window: StampRange) -> Option<Stamp> {
        let firsts = self.elements().filter_map(|Element { stamps, .. }| {
            let refused = Some(stamps.refused).filter(|&stamp| window.contains(stamp));
            stamps.opened.earliest_within(window).into_iter().chain(refused).min()
        });
        firsts.min()
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
    }

    /// The stamps of the fingerprint, which takes a free slot if it has none.
    fn slot(&mut self, fingerprint: Fingerprint) -> Result<&mut Stamps, Full> {
        let (block, lane) = match self.find(fingerprint) {
            Some(found) => found,
            None => self.claim(fingerprint)?,
        };
        Ok(&mut self.blocks[block].stamps[lane])
    }

    fn find(&self, fingerprint: Fingerprint) -> Option<(usize, usize)> {
        // Without an early exit the four comparisons become one vector instruction.
        let holds = |block: &Block| {
            block.fingerprints.iter().fold(false, |any, &f| any | (f == fingerprint))
        };
        let block = self.blocks.iter().position(holds)?;
        let lane = self.blocks[block].fingerprints.iter().position(|&f| f == fingerprint)?;
        Some((block, lane))
    }

    /// Gives the first free slot to the fingerprint, in a new block if there is none.
    fn claim(&mut self, fingerprint: Fingerprint) -> Result<(usize, usize), Full> {
        let free = self.blocks.last().and_then(Block::first_free);
        let lane = if let Some(lane) = free {
            lane
        } else {
            self.grow()?;
            self.blocks.push(Block::default());
            0
        };
        let block = self.blocks.len() - 1;
        self.blocks[block].fingerprints[lane] = fingerprint;
        Ok((block, lane))
    }

    /// Makes room for one more block, in size classes.
    fn grow(&mut self) -> Result<(), Full> {
        let blocks = self.blocks.len();
        if blocks == BLOCKS_MAX {
            return Err(Full);
        }
        if blocks == self.blocks.capacity() {
            self.blocks.reserve_exact((blocks + 1).next_power_of_two() - blocks);
        }
        Ok(())
    }

    /// Keeps the elements that have stamps left after `change`.
    fn rebuild(&mut self, change: impl Fn(Stamps) -> Stamps) {
        let mut rebuilt = Self::new();
        for Element { fingerprint, stamps } in self.elements() {
            let stamps = change(stamps);
            // Never full: there are at most as many as before.
            if stamps.newest() != NEVER && rebuilt.raise(Element { fingerprint, stamps }).is_err() {
                break;
            }
        }
        *self = rebuilt;
    }
}

impl Block {
    fn first_free(&self) -> Option<usize> {
        self.stamps.iter().position(|stamps| stamps.newest() == NEVER)
    }
}
