//! Rows that were just applied, so that their repetitions need not be.
//!
//! Most conversations are logged by two interfaces and go on for several batches within a pane. Applying a row that says
//! nothing new changes nothing (stamps are maxima), but costs three searches in a table larger than any cache. A small
//! direct-mapped table of the last rows, of answered conversations only, spares most of them. Who aims at one slot of it
//! gains nothing but the work that there was before.

use sketches::pane::Pane;

use crate::combine::{ConversationKey, Marks};
use crate::flow::Address;

/// The last rows applied.
#[derive(Debug)]
pub(super) struct Recent {
    rows: Vec<Option<(Seen, Marks)>>,
}

/// A conversation in a pane, whichever interface logged it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen {
    initiator: Address,
    target: Address,
    pane: Pane,
    port: u16,
    protocol: u8,
}

const ROWS_LOG2: u32 = 13;

impl Recent {
    pub(super) fn new() -> Self {
        Self { rows: vec![None; 1 << ROWS_LOG2] }
    }

    /// Whether this row was applied lately with the same marks; notes it otherwise.
    pub(super) fn repeats(&mut self, key: &ConversationKey, marks: Marks) -> bool {
        let &ConversationKey { initiator, target, pane, port, protocol, .. } = key;
        let seen = Seen { initiator, target, pane, port, protocol };
        let slot = &mut self.rows[seen.slot()];
        if *slot == Some((seen, marks)) {
            return true;
        }
        *slot = Some((seen, marks));
        false
    }
}

/// A set of sources that never forgets and sometimes errs on the side of yes: few hosts send pings, and a search for the
/// pings of each of the others would cost more than this.
#[derive(Debug)]
pub(super) struct Pingers {
    bits: Vec<bool>,
}

const PINGERS_LOG2: u32 = 12;

impl Pingers {
    pub(super) fn new() -> Self {
        Self { bits: vec![false; 1 << PINGERS_LOG2] }
    }

    pub(super) fn note(&mut self, source: Address) {
        self.bits[highest(fold(source), PINGERS_LOG2)] = true;
    }

    pub(super) fn may_hold(&self, source: Address) -> bool {
        self.bits[highest(fold(source), PINGERS_LOG2)]
    }
}

impl Seen {
    fn slot(&self) -> usize {
        let hosts = fold(self.initiator).wrapping_mul(ODD) ^ fold(self.target).rotate_left(32);
        highest(hosts ^ u64::from(self.port), ROWS_LOG2)
    }
}

/// 2^64 divided by the golden ratio, made odd: multiplying by it spreads neighbours (Knuth, volume 3, 6.4).
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[expect(clippy::cast_possible_truncation, reason = "a mix of both halves")]
fn fold(address: Address) -> u64 {
    (address.bits() >> 64) as u64 ^ address.bits() as u64
}

#[expect(clippy::cast_possible_truncation, reason = "fewer bits than any usize has")]
fn highest(value: u64, bits: u32) -> usize {
    (value.wrapping_mul(ODD) >> (64 - bits)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Outcome;

    #[test]
    fn only_the_same_conversation_in_the_same_pane_with_the_same_marks_repeats() {
        let (initiator, target) = (Address::v4(1), Address::v4(2));
        let key =
            ConversationKey { initiator, target, pane: 7, interface: 1, port: 443, protocol: 6 };
        let mut marks = Marks::default();
        marks.insert(Outcome::Answered);
        let mut recent = Recent::new();
        assert!(!recent.repeats(&key, marks));
        assert!(recent.repeats(&ConversationKey { interface: 2, ..key }, marks));
        assert!(!recent.repeats(&ConversationKey { pane: 8, ..key }, marks));
        assert!(!recent.repeats(&ConversationKey { pane: 8, port: 80, ..key }, marks));
        marks.insert(Outcome::Opened);
        assert!(!recent.repeats(&ConversationKey { pane: 8, port: 80, ..key }, marks));
    }

    #[test]
    fn a_source_that_pinged_is_never_forgotten() {
        let mut pingers = Pingers::new();
        assert!(!pingers.may_hold(Address::v4(1)));
        for source in 0..10_000 {
            pingers.note(Address::v4(source));
            assert!(pingers.may_hold(Address::v4(source)));
        }
    }
}
