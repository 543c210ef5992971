//! How far a shard has been read: sequence numbers, positions, checkpoints, and the slice of the hash space of a shard.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The number of a record in its shard, as decimal text of up to 129 digits: `0|[1-9]\d{0,128}`, and leading zeros are forgiven
/// (AWS API reference, "Record", `SequenceNumber`). Compared as an integer, never as text.
#[derive(Clone, Debug)]
pub struct SequenceNumber(Arc<str>);

/// Text that is no sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a sequence number: expected up to 129 decimal digits")]
pub struct SequenceNumberError;

/// A place in a shard: everything through here has been read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// The record.
    pub sequence: SequenceNumber,
    /// The record of a user within an aggregated one, counted from 0; 0 if it is not aggregated.
    pub sub_sequence: u64,
}

/// From where a shard is read on. The order is KCL's: what is nothing read yet comes before every position, the end after.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Checkpoint {
    /// Nothing read; starts at the time that the configuration says.
    AtTimestamp,
    /// Nothing read; starts at the oldest record.
    TrimHorizon,
    /// Nothing read; starts after the newest record.
    Latest,
    /// Read up to here, inclusive.
    Through(Position),
    /// Read to the end of a closed shard.
    ShardEnd,
}

/// Hash keys of a shard, both ends inclusive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HashRange {
    /// First.
    pub start: u128,
    /// Last.
    pub end: u128,
}

/// More digits than this has no sequence number.
const DIGITS_MAX: usize = 129;

impl SequenceNumber {
    /// As Kinesis wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SequenceNumber {
    type Err = SequenceNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        if text.is_empty() || text.len() > DIGITS_MAX || !is_number {
            return Err(SequenceNumberError);
        }
        Ok(Self(text.into()))
    }
}

impl SequenceNumber {
    /// The API writes none, but servers that stand in for it do.
    fn without_leading_zeros(&self) -> &str {
        self.0.trim_start_matches('0')
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of two numbers the longer one is the larger one.
        let (own, other) = (self.without_leading_zeros(), other.without_leading_zeros());
        own.len().cmp(&other.len()).then_with(|| own.cmp(other))
    }
}

impl PartialEq for SequenceNumber {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SequenceNumber {}

impl std::hash::Hash for SequenceNumber {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.without_leading_zeros().hash(state);
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtTimestamp => formatter.write_str("AT_TIMESTAMP"),
            Self::TrimHorizon => formatter.write_str("TRIM_HORIZON"),
            Self::Latest => formatter.write_str("LATEST"),
            Self::Through(position) => {
                write!(formatter, "{}/{}", position.sequence, position.sub_sequence)
            }
            Self::ShardEnd => formatter.write_str("SHARD_END"),
        }
    }
}

impl Checkpoint {
    /// The text and the sub-sequence number of the lease table.
    #[must_use]
    pub fn to_text(&self) -> (Arc<str>, u64) {
        match self {
            Self::Through(position) => (Arc::clone(&position.sequence.0), position.sub_sequence),
            sentinel => (sentinel.to_string().into(), 0),
        }
    }

    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// The text is no sentinel and no sequence number.
    pub fn from_text(text: &str, sub_sequence: u64) -> Result<Self, SequenceNumberError> {
        Ok(match text {
            "AT_TIMESTAMP" => Self::AtTimestamp,
            "TRIM_HORIZON" => Self::TrimHorizon,
            "LATEST" => Self::Latest,
            "SHARD_END" => Self::ShardEnd,
            number => Self::Through(Position { sequence: number.parse()?, sub_sequence }),
        })
    }

    /// Whether nothing of the shard has been read.
    #[must_use]
    pub const fn is_initial(&self) -> bool {
        matches!(self, Self::AtTimestamp | Self::TrimHorizon | Self::Latest)
    }
}

impl HashRange {
    /// All of it: 0 to 2^128 - 1.
    pub const WHOLE: Self = Self { start: 0, end: u128::MAX };

    /// Whether records of this hash key go to the shard.
    #[must_use]
    pub const fn contains(&self, hash_key: u128) -> bool {
        self.start <= hash_key && hash_key <= self.end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sequence_numbers_are_ordered_as_integers(left: u128, right: u128) {
            let [one, other] = [left, right].map(|number| number.to_string().parse::<SequenceNumber>().unwrap());
            prop_assert_eq!(one.cmp(&other), left.cmp(&right));
        }

        #[test]
        fn a_checkpoint_is_read_as_it_was_written(number: u128, sub_sequence: u64) {
            let sequence = number.to_string().parse().unwrap();
            let mut checkpoints = vec![Checkpoint::AtTimestamp, Checkpoint::TrimHorizon, Checkpoint::Latest];
            checkpoints.push(Checkpoint::Through(Position { sequence, sub_sequence }));
            checkpoints.push(Checkpoint::ShardEnd);
            prop_assert!(checkpoints.is_sorted(), "KCL's order");
            for checkpoint in checkpoints {
                let (text, sub_sequence) = checkpoint.to_text();
                prop_assert_eq!(Checkpoint::from_text(&text, sub_sequence), Ok(checkpoint));
            }
        }
    }

    #[test]
    fn what_kinesis_does_not_write_is_no_sequence_number() {
        let longest = "9".repeat(129);
        for text in ["0", "49590338271490256608559692538361571095921575989136588898", &longest] {
            assert_eq!(
                text.parse::<SequenceNumber>().map(|number| number.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "-1", "+1", "1.0", " 1", "x", &format!("{longest}9")] {
            assert_eq!(text.parse::<SequenceNumber>(), Err(SequenceNumberError), "{text}");
        }
    }

    #[test]
    fn leading_zeros_do_not_count() {
        let number = |text: &str| text.parse::<SequenceNumber>().unwrap();
        assert_eq!(number("0012"), number("12"));
        assert!(number("0099") < number("100"));
        assert_eq!(number("0012").to_string(), "0012", "the service gets what it gave");
    }
}
