//! When two exact sets are equal.

use super::{ExactSet, Planes};

/// The same elements with the same stamps, in whatever order and room.
impl PartialEq for ExactSet {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.used(), other.used());
        let stamps = |of: &Planes<'_>, place: usize| [of.openings[place], of.ends[place]];
        self.len() == other.len()
            && ours.fingerprints.iter().enumerate().all(|(place, &fingerprint)| {
                let other_place = other.find(fingerprint);
                other_place.is_some_and(|other| stamps(&ours, place) == stamps(&theirs, other))
            })
    }
}

impl Eq for ExactSet {}
