//! What becomes of a message: how long it stays ours, when it comes again, when it has had enough tries. Pure.
//!
//! Amazon SQS Developer Guide, "Amazon SQS visibility timeout": a message that was received is hidden from all other readers until its
//! timeout, which can be extended to at most twelve hours since it was received.

use crate::source::jitter::share;

/// The queue's longest timeout, since a message was received.
pub(super) const HIDDEN_S_MAX: u64 = 43_200;
/// After the first failure a message waits so long.
const BACK_OFF_S: u64 = 30;
/// A message that fails again and again still comes every quarter of an hour, so that whatever was mended is noticed.
pub(super) const BACK_OFF_S_MAX: u64 = 900;
/// After the first failure nothing is asked for so long, and after the tenth, or when a person must mend it, for half a minute.
const PAUSE_MS: u64 = 1_000;
const PAUSE_MS_MAX: u64 = 30_000;
/// A call takes no longer: the queue's clock may be so far ahead of ours.
const CALL_S_MAX: u64 = 60;
/// Between an extension and the end of the timeout before it there is time for so many more tries.
const EXTENSIONS_PER_TIMEOUT: u64 = 3;

/// How messages are treated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How long a message is hidden at a time.
    pub(super) visibility_s: u64,
    /// Failures of its own after which a failed object is given up.
    pub(super) tries_max: u32,
    /// Whether there are dead letters. Without, nothing is given up here: the queue's redrive policy decides.
    pub(super) keeps_letters: bool,
}

/// How often a message came to nothing so far, this time included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    /// By a fault of one of its objects, as far as this process knows.
    pub(super) tries: u32,
    /// For whatever reason, by the queue's count of receives: outages and restarts are among them.
    pub(super) receives: u32,
}

/// Whose fault a failure is, which says what helps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Blame {
    /// What it holds: reading it again gives the same.
    Content,
    /// This object: it is not there, say. Tried again some times, since it may have to do with when it was asked for.
    Object,
    /// The service, the network, or what we may do: it concerns all objects alike and says nothing about this one, so no number of
    /// tries is enough.
    Service,
}

/// What to do with a message of which an object could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It comes again, to us or another reader.
    Again {
        /// After so long.
        after_s: u64,
    },
    /// It is kept as a dead letter and deleted.
    GivenUp,
}

impl Rules {
    /// After a message has failed.
    pub(super) fn after_failure(&self, failures: Failures, blame: Blame) -> Fate {
        let Failures { tries, receives } = failures;
        let is_enough = match blame {
            Blame::Content => true,
            Blame::Object => tries >= self.tries_max,
            Blame::Service => false,
        };
        if is_enough && self.keeps_letters {
            return Fate::GivenUp;
        }
        let after_s = match blame {
            // Nothing can have been mended so soon.
            Blame::Content => BACK_OFF_S_MAX,
            Blame::Object => back_off_s(tries),
            Blame::Service => back_off_s(receives),
        };
        Fate::Again { after_s }
    }

    /// How long to wait between two extensions.
    pub(super) const fn extends_after_s(&self) -> u64 {
        self.visibility_s / EXTENSIONS_PER_TIMEOUT
    }

    /// The new timeout, which counts from the call, of a message that was received `held_s` ago and is hidden until `hidden_until_s` after
    /// that; `None` when the queue allows no more.
    pub(super) fn extension_s(&self, held_s: u64, hidden_until_s: u64) -> Option<u64> {
        let left_s = HIDDEN_S_MAX.checked_sub(held_s + CALL_S_MAX)?;
        let visibility_s = self.visibility_s.min(left_s);
        (held_s + visibility_s > hidden_until_s).then_some(visibility_s)
    }
}

/// How long a message waits after its `receives`-th receive.
pub(super) fn back_off_s(receives: u32) -> u64 {
    let doublings = receives.saturating_sub(1).min(10);
    (BACK_OFF_S << doublings).min(BACK_OFF_S_MAX)
}

/// How long nothing is asked after so many failures in a row, drawn by `draw` from 0 to 1, so that tasks that failed together do not come
/// again together. What only a person can mend is tried again seldom.
pub(super) fn pause_ms(failures: u32, needs_someone: bool, draw: f64) -> u64 {
    let longest_ms = (PAUSE_MS << failures.saturating_sub(1).min(10)).min(PAUSE_MS_MAX);
    let longest_ms = if needs_someone { PAUSE_MS_MAX } else { longest_ms };
    longest_ms / 2 + share(longest_ms / 2, draw)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { visibility_s: 300, tries_max: 5, keeps_letters: true };

    const OFTEN: Failures = Failures { tries: 1000, receives: 1000 };

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let waits: Vec<u64> = (0..9).map(back_off_s).collect();
        assert_eq!(waits, [30, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(back_off_s(u32::MAX), 900);
    }

    #[test]
    fn pauses_grow_from_a_second_to_half_a_minute_and_are_spread() {
        let pauses = |draw| [1, 2, 3, 6, 99].map(|failures| pause_ms(failures, false, draw));
        assert_eq!(pauses(1.0), [1_000, 2_000, 4_000, 30_000, 30_000]);
        assert_eq!(pauses(0.0), [500, 1_000, 2_000, 15_000, 15_000]);
        assert_eq!(pause_ms(1, true, 1.0), 30_000);
    }

    #[test]
    fn an_object_is_given_up_at_the_last_try_and_its_content_at_the_first() {
        let fate = |tries, blame| RULES.after_failure(Failures { tries, receives: 99 }, blame);
        assert_eq!(fate(1, Blame::Object), Fate::Again { after_s: 30 });
        assert_eq!(fate(4, Blame::Object), Fate::Again { after_s: 240 });
        assert_eq!(fate(5, Blame::Object), Fate::GivenUp);
        assert_eq!(fate(1, Blame::Content), Fate::GivenUp);
    }

    #[test]
    fn an_outage_gives_no_message_up() {
        assert_eq!(RULES.after_failure(OFTEN, Blame::Service), Fate::Again { after_s: 900 });
    }

    #[test]
    fn without_dead_letters_nothing_is_given_up() {
        let rules = Rules { keeps_letters: false, ..RULES };
        assert_eq!(rules.after_failure(OFTEN, Blame::Content), Fate::Again { after_s: 900 });
        assert_eq!(rules.after_failure(OFTEN, Blame::Object), Fate::Again { after_s: 900 });
    }

    #[test]
    fn an_extension_that_comes_late_asks_for_no_more_than_is_left() {
        let rules = Rules { visibility_s: 7_200, ..RULES };
        assert_eq!(rules.extension_s(2_400, 7_200), Some(7_200));
        assert_eq!(rules.extension_s(40_000, 41_000), Some(3_140));
        assert_eq!(rules.extension_s(40_100, 43_140), None);
        let longest = Rules { visibility_s: HIDDEN_S_MAX, ..RULES };
        assert_eq!(longest.extension_s(longest.extends_after_s(), HIDDEN_S_MAX), None);
    }

    proptest! {
        #[test]
        fn extended_in_time_it_stays_hidden_until_the_queue_allows_no_more(visibility_s in 30_u64..=HIDDEN_S_MAX) {
            let rules = Rules { visibility_s, ..RULES };
            let (mut held_s, mut hidden_until_s) = (rules.extends_after_s(), visibility_s);
            while let Some(visibility_s) = rules.extension_s(held_s, hidden_until_s) {
                prop_assert!(held_s < hidden_until_s, "extended too late");
                // The queue refuses what reaches beyond.
                prop_assert!(held_s + visibility_s <= HIDDEN_S_MAX);
                hidden_until_s = held_s + visibility_s;
                held_s += rules.extends_after_s();
            }
            prop_assert!(hidden_until_s + CALL_S_MAX >= HIDDEN_S_MAX, "hidden only for {hidden_until_s} s");
        }
    }
}
