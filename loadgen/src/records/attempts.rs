//! What of a request is sent again, and when: exponential back-off with full jitter, and only of the
//! records that were refused (facts/kinesis.md, 8; facts/firehose.md, 5).

use std::time::Duration;

use super::{Record, Request};

/// One request until all of it is put, or is given up.
#[derive(Debug)]
pub struct Attempts {
    pending: Vec<Record>,
    /// Tries since a record was last accepted.
    vain: u32,
    /// Requests sent again.
    pub retries: u64,
    /// Records that were refused because their shard or stream had enough.
    pub throttles: u64,
    /// Records that were accepted.
    pub records: u64,
    /// Lines in them.
    pub lines: u64,
    /// Bytes in them, keys included.
    pub bytes: u64,
}

/// Why one record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// Its shard, or the stream, takes no more in this second.
    Throttled,
    /// The service failed.
    Failed,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What became of each record, in their order.
    Results(Vec<Result<(), RecordError>>),
    /// Nothing was accepted, because of too many requests.
    Throttled,
    /// Nothing is known to have been accepted, and it may go better next time.
    Failed,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Everything is put.
    Done,
    /// Send what is pending, after this time.
    Wait(Duration),
    /// What is pending is given up.
    GiveUp,
}

/// Tries without a single accepted record until a request is given up: some 25 s on average.
const VAIN_TRIES_MAX: u32 = 14;
/// A shard counts by the second; much less than that finds it as it was.
const BACK_OFF_MS: u64 = 100;
const BACK_OFF_MS_MAX: u64 = 6_400;

impl Attempts {
    /// Nothing sent yet.
    #[must_use]
    pub fn new(request: Request) -> Self {
        let pending = request.records;
        Self { pending, vain: 0, retries: 0, throttles: 0, records: 0, lines: 0, bytes: 0 }
    }

    /// What is to be sent.
    #[must_use]
    pub fn pending(&self) -> &[Record] {
        &self.pending
    }

    /// Takes the answer to a request of all that was pending. `draw` in `0.0..=1.0` is the jitter.
    ///
    /// An answer of another length counts as a failure of the records that it does not name.
    pub fn answered(&mut self, answer: &Answer, draw: f64) -> Next {
        let before = self.pending.len();
        match answer {
            Answer::Results(results) => self.sort(results),
            Answer::Throttled => self.throttles += before as u64,
            Answer::Failed => {}
        }
        if self.pending.is_empty() {
            return Next::Done;
        }
        self.vain = if self.pending.len() < before { 0 } else { self.vain + 1 };
        if self.vain >= VAIN_TRIES_MAX {
            return Next::GiveUp;
        }
        self.retries += 1;
        Next::Wait(back_off(self.vain, draw))
    }

    fn sort(&mut self, results: &[Result<(), RecordError>]) {
        let results = results.iter().copied().chain(std::iter::repeat(Err(RecordError::Failed)));
        let mut still = Vec::new();
        for (record, result) in std::mem::take(&mut self.pending).into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.records += 1;
                    self.lines += record.lines;
                    self.bytes += record.bytes() as u64;
                }
                Err(error) => {
                    self.throttles += u64::from(error == RecordError::Throttled);
                    still.push(record);
                }
            }
        }
        self.pending = still;
    }
}

/// Between half of the present step and all of it: never so short that nothing has changed.
fn back_off(vain: u32, draw: f64) -> Duration {
    let step_ms = BACK_OFF_MS.saturating_mul(1 << vain.min(16)).min(BACK_OFF_MS_MAX);
    Duration::from_millis(step_ms).mul_f64(0.5 + draw.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THROTTLED: Result<(), RecordError> = Err(RecordError::Throttled);
    const FAILED: Result<(), RecordError> = Err(RecordError::Failed);

    fn attempts(records: usize) -> Attempts {
        let record = |number| Record { key: format!("{number}"), data: vec![b'x'; 9], lines: 2 };
        Attempts::new(Request { records: (0..records).map(record).collect() })
    }

    fn keys(attempts: &Attempts) -> Vec<&str> {
        attempts.pending().iter().map(|record| record.key.as_str()).collect()
    }

    #[test]
    fn only_refused_records_are_sent_again_and_in_their_order() {
        let mut attempts = attempts(5);
        let answer = Answer::Results(vec![THROTTLED, Ok(()), FAILED, Ok(()), THROTTLED]);
        assert!(matches!(attempts.answered(&answer, 0.5), Next::Wait(_)));
        assert_eq!(keys(&attempts), ["0", "2", "4"]);
        let answer = Answer::Results(vec![Ok(()), Ok(()), THROTTLED]);
        assert!(matches!(attempts.answered(&answer, 0.5), Next::Wait(_)));
        assert_eq!(keys(&attempts), ["4"]);
        assert_eq!(attempts.answered(&Answer::Results(vec![Ok(())]), 0.5), Next::Done);
        assert_eq!((attempts.records, attempts.lines, attempts.bytes), (5, 10, 50));
        assert_eq!((attempts.retries, attempts.throttles), (2, 3));
    }

    #[test]
    fn waits_double_up_to_a_bound_and_are_jittered_over_their_upper_half() {
        let mut attempts = attempts(1);
        let waits = |attempts: &mut Attempts, draw| {
            let mut waits = Vec::new();
            while let Next::Wait(wait) = attempts.answered(&Answer::Failed, draw) {
                waits.push(u64::try_from(wait.as_millis()).unwrap());
            }
            waits
        };
        let longest = waits(&mut attempts, 1.0);
        assert_eq!(longest[..6], [200, 400, 800, 1_600, 3_200, 6_400]);
        assert!(longest[6..].iter().all(|wait| *wait == 6_400));
        assert_eq!(longest.len(), VAIN_TRIES_MAX as usize - 1);
        assert_eq!(attempts.pending().len(), 1);
        let shortest = waits(&mut self::attempts(1), 0.0);
        assert!(shortest.iter().zip(&longest).all(|(short, long)| short * 2 == *long));
    }

    #[test]
    fn an_accepted_record_starts_the_count_of_vain_tries_anew() {
        let mut attempts = attempts(40);
        for _ in 0..39 {
            for _ in 0..VAIN_TRIES_MAX - 1 {
                assert!(matches!(attempts.answered(&Answer::Throttled, 0.0), Next::Wait(_)));
            }
            let mut results = vec![THROTTLED; attempts.pending().len()];
            results[0] = Ok(());
            let next = attempts.answered(&Answer::Results(results), 1.0);
            assert_eq!(next, Next::Wait(Duration::from_millis(100)));
        }
        assert_eq!((attempts.records, attempts.pending().len()), (39, 1));
    }

    #[test]
    fn records_that_an_answer_does_not_name_are_pending() {
        let mut attempts = attempts(3);
        assert!(matches!(attempts.answered(&Answer::Results(vec![Ok(())]), 0.5), Next::Wait(_)));
        assert_eq!(keys(&attempts), ["1", "2"]);
        let long = Answer::Results(vec![Ok(()); 9]);
        assert_eq!(attempts.answered(&long, 0.5), Next::Done);
        assert_eq!(attempts.records, 3);
    }

    proptest! {
        /// A service that accepts what chance lets it: an obvious bookkeeping beside ours.
        #[test]
        fn every_record_is_accepted_once_or_pending_in_the_end(
            rounds in prop::collection::vec(prop::collection::vec(0_u8..4, 1..30), 1..60),
        ) {
            let mut attempts = attempts(20);
            let mut accepted = Vec::new();
            for round in rounds {
                let result = |draw: &u8| match draw { 0 => Ok(()), 1 => FAILED, _ => THROTTLED };
                let results: Vec<_> =
                    round.iter().cycle().take(attempts.pending().len()).map(result).collect();
                let named = attempts.pending().iter().zip(&results);
                accepted.extend(named.filter(|(_, r)| r.is_ok()).map(|(record, _)| record.key.clone()));
                let next = attempts.answered(&Answer::Results(results), 0.5);
                prop_assert_eq!(next == Next::Done, attempts.pending().is_empty());
                if !matches!(next, Next::Wait(_)) {
                    break;
                }
            }
            prop_assert_eq!(attempts.records, accepted.len() as u64);
            let mut all: Vec<String> = keys(&attempts).into_iter().map(str::to_owned).collect();
            all.append(&mut accepted);
            all.sort_by_key(|key| key.parse::<u32>().unwrap());
            prop_assert_eq!(all, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
        }
    }
}
