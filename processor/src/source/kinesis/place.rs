//! Where in a shard to read on, and what of the first record there was read before.

use bytes::Bytes;

use super::batcher::Arrived;
use crate::decode::aggregate::Aggregate;
use crate::lease::{Checkpoint, Position, SequenceNumber};

/// Where to ask for records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// The oldest record that is kept.
    Horizon,
    /// Behind the newest record.
    Latest,
    /// The oldest record that arrived then or later.
    Since {
        /// Milliseconds of Unix time.
        unix_ms: u64,
    },
    /// This record.
    At(SequenceNumber),
    /// The record behind this one.
    After(SequenceNumber),
}

impl Place {
    /// Where a lease's checkpoint says; `since_ms` is the configured time of `AT_TIMESTAMP`, `latest_ms` when the lease was made. `None` for a shard that was read to its end.
    ///
    /// The record of a position is asked for again: it may be an aggregate of which only a part was read, and if it is no longer there,
    /// records behind it may be missing too.
    pub(super) fn of(
        checkpoint: &Checkpoint,
        since_ms: Option<u64>,
        latest_ms: Option<u64>,
    ) -> Option<Self> {
        Some(match checkpoint {
            Checkpoint::TrimHorizon => Self::Horizon,
            // The newest record was another one when the lease was made, perhaps by a task that has gone.
            Checkpoint::Latest => latest_ms.map_or(Self::Latest, |unix_ms| Self::Since { unix_ms }),
            Checkpoint::AtTimestamp => {
                since_ms.map_or(Self::Horizon, |unix_ms| Self::Since { unix_ms })
            }
            Checkpoint::Through(position) => Self::At(position.sequence.clone()),
            Checkpoint::ShardEnd => return None,
        })
    }
}

/// Drops what was read before a restart: everything through a position.
#[derive(Clone, Debug)]
pub(super) struct Resume {
    through: Option<Position>,
}

/// What the first records behind a restart say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Nothing yet, or there was nothing to look for.
    Fine,
    /// The record that was read last is gone: the shard was trimmed past it, and others may be gone with it.
    Gap,
}

impl Resume {
    /// Looks for `through`, inclusive.
    pub(super) const fn behind(through: Option<Position>) -> Self {
        Self { through }
    }

    /// What of `records` is new.
    pub(super) fn filter(&mut self, records: Vec<Arrived>) -> (Vec<Arrived>, Found) {
        let Some(through) = &self.through else { return (records, Found::Fine) };
        let (mut fresh, mut found) = (Vec::with_capacity(records.len()), Found::Fine);
        let mut is_met = false;
        for record in records {
            if is_met || record.sequence > through.sequence {
                if !is_met {
                    found = Found::Gap;
                    is_met = true;
                }
                fresh.push(record);
            } else if record.sequence == through.sequence {
                is_met = true;
                fresh.extend(rest_of(record, through.sub_sequence));
            }
        }
        if is_met {
            self.through = None;
        }
        (fresh, found)
    }
}

/// The user records of an aggregate behind number `read`; nothing of a plain record.
fn rest_of(record: Arrived, read: u64) -> Vec<Arrived> {
    let Some(aggregate) = Aggregate::open(&record.payload) else { return Vec::new() };
    let numbered = (0..).zip(aggregate.records().take_while(|user_record| user_record.has_keys));
    let rest = numbered.filter(|(number, _)| *number > read);
    let alone = |(number, user_record): (u64, crate::decode::aggregate::UserRecord<'_>)| Arrived {
        payload: Bytes::copy_from_slice(user_record.data),
        sub_sequence: Some(number),
        ..record.clone()
    };
    rest.map(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: &str, payload: &[u8]) -> Arrived {
        Arrived {
            sequence: sequence.parse().unwrap(),
            arrival_ms: 0,
            payload: Bytes::copy_from_slice(payload),
            sub_sequence: None,
        }
    }

    fn through(sequence: &str, sub_sequence: u64) -> Resume {
        Resume::behind(Some(Position { sequence: sequence.parse().unwrap(), sub_sequence }))
    }

    fn names(records: &[Arrived]) -> Vec<(String, Option<u64>)> {
        records.iter().map(|record| (record.sequence.to_string(), record.sub_sequence)).collect()
    }

    /// Three user records "0", "1", "2" of one key, as the KPL writes them.
    fn aggregate() -> Vec<u8> {
        use md5::{Digest, Md5};
        let mut message = vec![0x0a, 1, b'k'];
        for data in [b'0', b'1', b'2'] {
            message.extend([0x1a, 5, 0x08, 0, 0x1a, 1, data]);
        }
        let mut bytes = vec![0xf3, 0x89, 0x9a, 0xc2];
        bytes.extend(&message);
        bytes.extend(Md5::digest(&message));
        bytes
    }

    #[test]
    fn a_plain_record_that_was_read_is_dropped_and_the_rest_comes_whole() {
        let mut resume = through("100", 0);
        let (fresh, found) = resume.filter(vec![record("100", b"a"), record("101", b"b")]);
        assert_eq!((names(&fresh), found), (vec![("101".to_owned(), None)], Found::Fine));
        let (fresh, found) = resume.filter(vec![record("102", b"c")]);
        assert_eq!((fresh.len(), found), (1, Found::Fine));
    }

    #[test]
    fn an_aggregate_is_read_on_behind_the_user_record_that_was_read() {
        let (fresh, found) = through("100", 0).filter(vec![record("100", &aggregate())]);
        let expected = vec![("100".to_owned(), Some(1)), ("100".to_owned(), Some(2))];
        assert_eq!((names(&fresh), found), (expected, Found::Fine));
        assert_eq!(&fresh[0].payload[..], b"1");
        let (fresh, _) = through("100", 2).filter(vec![record("100", &aggregate())]);
        assert!(fresh.is_empty());
    }

    #[test]
    fn a_record_that_was_trimmed_away_is_a_gap_told_once() {
        let mut resume = through("100", 0);
        assert_eq!(resume.filter(Vec::new()).1, Found::Fine, "nothing came yet");
        // Longer is larger, whatever its digits.
        let (fresh, found) = resume.filter(vec![record("1000", b"a")]);
        assert_eq!((fresh.len(), found), (1, Found::Gap));
        assert_eq!(resume.filter(vec![record("1001", b"b")]).1, Found::Fine);
    }
}
