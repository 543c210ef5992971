//! The exact tier: up to 128 elements, one of them inline.
//!
//! An element is three words: its fingerprint, its openings, and its last refusal and answer. All
//! fingerprints lie side by side, then all openings, then all the rest: a search is a comparison of
//! vectors over few cache lines, and touches one more word or two. Allocations have room for 2, 4,
//! 8 ... 128 elements (12 bytes each). Most sets never have more than one element: that one is inline.

use super::element::{Element, Fingerprint, Openings, Ranges, Stamps};
use super::stamps::{Stamp, StampRange};

mod equality;
mod index;

use index::Index;

/// The most elements that are counted exactly.
///
/// Products that detect scans alarm at 15 to 100 distinct services: at those thresholds no estimator
/// noise may alarm. Beyond it a linear search costs more than the sketch.
pub(super) const EXACT_MAX: usize = 128;

/// Words of an element.
const WORDS: usize = 3;

/// Elements whose fingerprints are compared before a search looks at the result.
const LANES: usize = 8;

/// From this many comparisons on, a merge makes an index first.
const INDEXED_MIN: usize = 256;

/// The set has [`EXACT_MAX`] elements and does not hold the one that was to be raised.
#[derive(Debug)]
pub(super) struct Full;

/// Up to [`EXACT_MAX`] elements with their stamps; no heap when there are less than two.
///
/// Words that belong to no element are 0.
#[derive(Clone, Debug)]
pub(super) enum ExactSet {
    Inline { len: u8, words: [u32; WORDS] },
    Heap { len: u8, room: u8, words: Box<[u32]> },
}

/// The words of all places, used or not.
struct Planes<'s> {
    fingerprints: &'s [Fingerprint],
    /// [`Openings`], packed.
    openings: &'s [u32],
    /// The last refusal in the upper half, the last answer in the lower one.
    ends: &'s [u32],
}

impl ExactSet {
    pub(super) const fn new() -> Self {
        Self::Inline { len: 0, words: [0; WORDS] }
    }

    /// Empty, with the least room that takes so many elements, at most [`EXACT_MAX`].
    pub(super) fn with_room_for(elements: usize) -> Self {
        if elements > 1 { Self::with_room(elements.next_power_of_two()) } else { Self::new() }
    }

    /// What [`Self::with_room_for`] allocates, in bytes.
    pub(super) const fn heap_bytes_of(elements: usize) -> usize {
        if elements > 1 { elements.next_power_of_two() * WORDS * size_of::<u32>() } else { 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of elements.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Inline { len, .. } | Self::Heap { len, .. } => *len as usize,
        }
    }

    /// Merges the element's stamps, not all of which are `NEVER`, into those kept.
    pub(super) fn raise(&mut self, element: Element) -> Result<(), Full> {
        match self.find(element.fingerprint) {
            Some(place) => self.raise_at(place, element.stamps),
            None => self.push(element)?,
        }
        Ok(())
    }

    /// Raises all elements of `other`, each less `distance`; those with no stamp left are not taken.
    ///
    /// When full, some are already raised: raising them again changes nothing.
    pub(super) fn merge(&mut self, other: &Self, distance: Stamp) -> Result<(), Full> {
        let theirs = other.elements().filter_map(|element| element.swept(distance));
        if self.len() * other.len() < INDEXED_MIN {
            return theirs.into_iter().try_for_each(|element| self.raise(element));
        }
        let mut index = Index::new(self.used().fingerprints);
        for element in theirs {
            match index.find_or_insert(self.used().fingerprints, element.fingerprint) {
                Some(place) => self.raise_at(place, element.stamps),
                None => self.push(element)?,
            }
        }
        Ok(())
    }

    /// Whether the set holds an element of this fingerprint.
    pub(super) fn contains(&self, fingerprint: Fingerprint) -> bool {
        self.find(fingerprint).is_some()
    }

    /// The elements, in the order of their arrival.
    pub(super) fn elements(&self) -> impl Iterator<Item = Element> + '_ {
        let Planes { fingerprints, openings, ends } = self.used();
        let words = fingerprints.iter().zip(openings).zip(ends);
        words.map(|((&fingerprint, &openings), &ends)| Element {
            fingerprint,
            stamps: Stamps::unpacked([openings, ends]),
        })
    }

    /// Drops the elements whose newest stamp is before `oldest_kept`, and fits the memory.
    pub(super) fn expire(&mut self, oldest_kept: Stamp) {
        let is_kept = |element: &Element| element.stamps.newest() >= oldest_kept;
        if !self.elements().all(|element| is_kept(&element)) {
            *self = self.elements().filter(is_kept).collect();
        }
    }

    /// Takes `distance` from every stamp and drops the elements that have none left.
    pub(super) fn sweep(&mut self, distance: Stamp) {
        *self = self.elements().filter_map(|element| element.swept(distance)).collect();
    }

    /// How many elements were seen, were answered, and are unanswered, in this order.
    pub(super) fn count(&self, ranges: Ranges) -> [u32; 3] {
        let Ranges { window, settled, .. } = ranges;
        let last_in_window = |openings: Openings| window.contains(openings.last);
        let in_window = |openings: Openings| openings.within(window);
        let in_settled = |openings: Openings| openings.within(settled);
        // What ends with the newest pane holds an opening if it holds the last.
        match (window.is_open_ended(), settled == window) {
            (true, true) => self.tally(ranges, last_in_window, last_in_window),
            (true, false) => self.tally(ranges, last_in_window, in_settled),
            (false, _) => self.tally(ranges, in_window, in_settled),
        }
    }

    /// The earliest opening or refusal within `window`.
    pub(super) fn first_opened(&self, window: StampRange) -> Option<Stamp> {
        let firsts = self.elements().filter_map(|Element { stamps, .. }| {
            let refused = Some(stamps.refused).filter(|&stamp| window.contains(stamp));
            stamps.opened.earliest_within(window).into_iter().chain(refused).min()
        });
        firsts.min()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Heap { words, .. } => size_of_val(&**words),
        }
    }

    fn tally(
        &self,
        ranges: Ranges,
        is_opened: impl Fn(Openings) -> bool,
        is_settled: impl Fn(Openings) -> bool,
    ) -> [u32; 3] {
        let Planes { openings, ends, .. } = self.used();
        let mut totals = [0; 3];
        for (&openings, &ends) in openings.iter().zip(ends) {
            let Stamps { opened, refused, answered } = Stamps::unpacked([openings, ends]);
            // Bitwise operators: what traffic does is no pattern that branches could learn.
            let is_refused = ranges.window.contains(refused);
            let is_answered = ranges.window.contains(answered);
            let has_failed = is_refused | is_settled(opened);
            totals[0] += u32::from(is_refused | is_answered | is_opened(opened));
            totals[1] += u32::from(is_answered);
            totals[2] += u32::from(has_failed & !ranges.since.contains(answered));
        }
        totals
    }

    fn find(&self, fingerprint: Fingerprint) -> Option<usize> {
        let (chunks, rest) = self.words()[..self.room()].as_chunks::<LANES>();
        // Without an early exit the comparisons of a chunk become vector instructions.
        let holds = |chunk: &[Fingerprint; LANES]| {
            chunk.iter().fold(false, |any, &f| any | (f == fingerprint))
        };
        let place = match chunks.iter().position(holds) {
            Some(chunk) => chunk * LANES + first_lane(&chunks[chunk], fingerprint),
            None => chunks.len() * LANES + rest.iter().position(|&f| f == fingerprint)?,
        };
        // Fingerprint 0 is also found where no element is, but after its own place if it has one.
        (place < self.len()).then_some(place)
    }

    fn raise_at(&mut self, place: usize, stamps: Stamps) {
        let room = self.room();
        let words = self.words_mut();
        let (openings, ends) = (room + place, 2 * room + place);
        let kept = Stamps::unpacked([words[openings], words[ends]]);
        [words[openings], words[ends]] = kept.merged(stamps).packed();
    }

    /// Appends an element that the set does not hold: much rarer than another stamp for one that it holds.
    #[inline(never)]
    pub(super) fn push(&mut self, element: Element) -> Result<(), Full> {
        let place = self.len();
        if place == EXACT_MAX {
            return Err(Full);
        }
        if place == self.room() {
            *self = self.with_twice_the_room();
        }
        let room = self.room();
        let words = self.words_mut();
        let [openings, ends] = element.stamps.packed();
        words[place] = element.fingerprint;
        words[room + place] = openings;
        words[2 * room + place] = ends;
        match self {
            Self::Inline { len, .. } | Self::Heap { len, .. } => *len += 1,
        }
        Ok(())
    }

    fn with_twice_the_room(&self) -> Self {
        let mut grown = Self::with_room(2 * self.room());
        let room = grown.room();
        let Planes { fingerprints, openings, ends } = self.used();
        let planes = grown.words_mut().chunks_exact_mut(room);
        for (plane, used) in planes.zip([fingerprints, openings, ends]) {
            plane[..used.len()].copy_from_slice(used);
        }
        if let (Self::Heap { len, .. }, Ok(used)) = (&mut grown, u8::try_from(self.len())) {
            *len = used;
        }
        grown
    }

    fn with_room(room: usize) -> Self {
        let words = vec![0; room * WORDS].into_boxed_slice();
        Self::Heap { len: 0, room: u8::try_from(room).unwrap_or(u8::MAX), words }
    }

    /// The number of elements that fit into the words.
    const fn room(&self) -> usize {
        match self {
            Self::Inline { .. } => 1,
            Self::Heap { room, .. } => *room as usize,
        }
    }

    const fn words(&self) -> &[u32] {
        match self {
            Self::Inline { words, .. } => words,
            Self::Heap { words, .. } => words,
        }
    }

    const fn words_mut(&mut self) -> &mut [u32] {
        match self {
            Self::Inline { words, .. } => words,
            Self::Heap { words, .. } => words,
        }
    }

    fn planes(&self) -> Planes<'_> {
        let words = self.words();
        let (fingerprints, stamps) = words.split_at(self.room());
        let (openings, ends) = stamps.split_at(fingerprints.len());
        Planes { fingerprints, openings, ends }
    }

    /// The words of the elements alone.
    fn used(&self) -> Planes<'_> {
        let Planes { fingerprints, openings, ends } = self.planes();
        let len = self.len();
        Planes {
            fingerprints: &fingerprints[..len],
            openings: &openings[..len],
            ends: &ends[..len],
        }
    }
}

/// The first lane that holds the fingerprint, which one does; without branches that nothing could foretell.
fn first_lane(chunk: &[Fingerprint; LANES], fingerprint: Fingerprint) -> usize {
    let lanes = (0..).zip(chunk);
    let matches = lanes.map(|(lane, &f)| if f == fingerprint { lane } else { u32::MAX });
    matches.fold(u32::MAX, u32::min) as usize
}

/// From distinct elements, at most [`EXACT_MAX`]: what is beyond is left out.
impl FromIterator<Element> for ExactSet {
    fn from_iter<I: IntoIterator<Item = Element>>(elements: I) -> Self {
        let mut set = Self::new();
        let is_full = elements.into_iter().try_for_each(|element| set.push(element)).is_err();
        debug_assert!(!is_full);
        set
    }
}
