//! Where each fingerprint of an exact set is: made for one merge, and gone after it.

use super::super::element::Fingerprint;
use super::EXACT_MAX;

/// At most half full.
const SLOTS: usize = 2 * EXACT_MAX;

const FREE: u8 = u8::MAX;

/// Open addressing with linear probing; the fingerprint is a keyed hash already.
pub(super) struct Index {
    places: [u8; SLOTS],
}

impl Index {
    /// The index of `fingerprints`, at most [`EXACT_MAX`] of them.
    pub(super) fn new(fingerprints: &[Fingerprint]) -> Self {
        let mut index = Self { places: [FREE; SLOTS] };
        for (place, &fingerprint) in (0..).zip(fingerprints) {
            let mut slot = first_slot(fingerprint);
            while index.places[slot] != FREE {
                slot = next_slot(slot);
            }
            index.places[slot] = place;
        }
        index
    }

    /// The place of a fingerprint; one that has none is taken to come next after `fingerprints`, which are all those
    /// in the index.
    pub(super) fn find_or_insert(
        &mut self,
        fingerprints: &[Fingerprint],
        fingerprint: Fingerprint,
    ) -> Option<usize> {
        let mut slot = first_slot(fingerprint);
        loop {
            let place = usize::from(self.places[slot]);
            match fingerprints.get(place) {
                Some(&found) if found == fingerprint => return Some(place),
                Some(_) => slot = next_slot(slot),
                None => {
                    self.places[slot] = u8::try_from(fingerprints.len()).unwrap_or(FREE);
                    return None;
                }
            }
        }
    }
}

const fn first_slot(fingerprint: Fingerprint) -> usize {
    fingerprint as usize % SLOTS
}

const fn next_slot(slot: usize) -> usize {
    (slot + 1) % SLOTS
}
