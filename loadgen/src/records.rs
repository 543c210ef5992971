//! Flow-log lines as producers put them into a stream of Kinesis or Firehose: records, requests, and
//! what of a request is sent again.
//!
//! In the order in which a line passes: [`payload`](mod@crate::payload) groups lines, `joint` and
//! `aggregate` join payloads, `packer` packs records into calls, `attempts` judges what the service
//! answers. All of it is pure: the caller sends, sleeps and draws the jitter. Same plan and same
//! shape, same records, byte for byte. Memory bound: one open payload, and one open record, per
//! interface.
//!
//! Source: facts/kinesis.md (8, 9), facts/firehose.md (5, 7), facts/cloudwatch-subscription.md (1, 3,
//! 5). The encoders are written for this crate, so that a decoder can be judged by what they make.

mod aggregate;
mod attempts;
mod joint;
mod packer;

use std::collections::BTreeMap;

use crate::draws::mix;
use crate::generator::Origin;
use crate::payload::{self, Open, Payload};
use crate::record::INTERVAL_S;
use joint::Joint;

pub use attempts::{Answer, Attempts, Next, RecordError};
pub use packer::{Limits, PUT_RECORD_BATCH, PUT_RECORDS, Packer, Request};

/// How lines become records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What a payload holds.
    pub payload: Payload,
    /// At most so many lines in one payload; fewer when its interval or its room ends.
    pub lines_per_payload: u32,
    /// What joins payloads into one record.
    pub joined: Joined,
    /// Which records share a shard.
    pub key: PartitionKey,
    /// Chooses random keys and identifiers.
    pub seed: u64,
}

/// What joins payloads into one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// Nothing: each is a record of its own.
    No,
    /// The KPL, which calls them user records.
    Aggregate,
    /// One follows the other without anything between them: envelopes as Firehose concatenates
    /// them (facts/cloudwatch-subscription.md, 2).
    BackToBack {
        /// So many in one record; fewer when its interval or its room ends.
        payloads_max: u32,
    },
}

/// Which records share a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionKey {
    /// Those of one interface: its log stream is the key, as of a subscription that distributes by
    /// log stream.
    Interface,
    /// None: each record has a key of its own, like a UUID.
    Random,
    /// There are no keys: Firehose has none.
    Absent,
}

/// One record of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its partition key; empty for Firehose.
    pub key: String,
    /// What is in it.
    pub data: Vec<u8>,
    /// How many flow-log lines are in it.
    pub lines: u64,
}

impl Record {
    /// What the service counts: data and key.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len() + self.key.len()
    }
}

/// Shapes lines into records.
#[derive(Debug)]
pub struct Shaper {
    shape: Shape,
    /// Open payloads by interface, or under the empty name where lines of all interfaces mix.
    open: BTreeMap<String, Open>,
    /// Open records by interface, in the same way.
    joints: BTreeMap<String, Joint>,
    interval: u64,
    events: u64,
    keys: u64,
}

impl Shaper {
    /// Nothing shaped yet.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let (open, joints) = (BTreeMap::new(), BTreeMap::new());
        Self { shape, open, joints, interval: 0, events: 0, keys: 0 }
    }

    /// Takes a line without its end. Records that are complete are appended to `out`.
    ///
    /// What is open when an aggregation interval ends is closed, as AWS delivers what an interface
    /// logged at its end.
    pub fn push(&mut self, line: &[u8], origin: Origin<'_>, out: &mut Vec<Record>) {
        let interval = origin.end_s / INTERVAL_S;
        if interval != self.interval {
            self.finish(out);
            self.interval = interval;
        }
        let payload = self.shape.payload;
        let by_interface = payload.has_one_interface() || self.shape.key == PartitionKey::Interface;
        let lane = if by_interface { origin.interface } else { "" };
        let full =
            |open: &Open| open.lines() >= self.shape.lines_per_payload || !open.has_room(line);
        if self.open.get(lane).is_some_and(full) {
            self.close(lane, out);
        }
        if !self.open.contains_key(lane) {
            self.open.insert(lane.to_owned(), Open::new(payload, origin.interface));
        }
        if let Some(open) = self.open.get_mut(lane) {
            let id = mix(self.shape.seed ^ mix(self.events));
            open.push(payload, line, origin.start_s, (self.events, id));
            self.events += 1;
        }
    }

    /// Closes all that is open.
    pub fn finish(&mut self, out: &mut Vec<Record>) {
        while let Some((lane, open)) = self.open.pop_first() {
            self.close_payload(&lane, open, out);
        }
        while let Some((lane, joint)) = self.joints.pop_first() {
            out.push(self.sealed(&lane, joint));
        }
    }

    fn close(&mut self, lane: &str, out: &mut Vec<Record>) {
        if let Some(open) = self.open.remove(lane) {
            self.close_payload(lane, open, out);
        }
    }

    fn close_payload(&mut self, interface: &str, open: Open, out: &mut Vec<Record>) {
        let lines = u64::from(open.lines());
        let data = open.close(self.shape.payload);
        let lane = match self.shape.key {
            PartitionKey::Interface => interface,
            PartitionKey::Random | PartitionKey::Absent => "",
        };
        let Some(empty) = Joint::new(self.shape.joined).filter(|empty| empty.has_room(&data))
        else {
            let key = self.key(lane);
            out.push(Record { key, data, lines });
            return;
        };
        let mut joint = self.joints.remove(lane).unwrap_or(empty);
        if !joint.has_room(&data) {
            out.push(self.sealed(lane, joint));
            let Some(another) = Joint::new(self.shape.joined) else { return };
            joint = another;
        }
        joint.push(&data, lines);
        self.joints.insert(lane.to_owned(), joint);
    }

    /// All user records share the key of the aggregate, so that all belong to the shard that it
    /// goes to: consumers drop an aggregate in which one does not.
    fn sealed(&mut self, lane: &str, joint: Joint) -> Record {
        let key = self.key(lane);
        let (data, lines) = joint.seal(&key);
        Record { key, data, lines }
    }

    fn key(&mut self, lane: &str) -> String {
        if self.shape.key == PartitionKey::Absent {
            return String::new();
        }
        if !lane.is_empty() {
            return payload::log_stream(lane);
        }
        self.keys += 1;
        let high = mix(self.shape.seed.wrapping_add(mix(self.keys)));
        let low = mix(high ^ self.keys);
        let [a, b, c] = [high >> 32, high >> 16 & 0xffff, high & 0xffff];
        format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(payload: Payload, lines_per_payload: u32, key: PartitionKey) -> Shape {
        Shape { payload, lines_per_payload, joined: Joined::No, key, seed: 1 }
    }

    fn with(joined: Joined, shape: Shape) -> Shape {
        Shape { joined, ..shape }
    }

    fn shaped(shape: Shape, lines: &[(&str, &str, u64)]) -> Vec<Record> {
        let mut shaper = Shaper::new(shape);
        let mut out = Vec::new();
        for (interface, line, end_s) in lines {
            let origin = Origin { interface, start_s: end_s.saturating_sub(5), end_s: *end_s };
            shaper.push(line.as_bytes(), origin, &mut out);
        }
        shaper.finish(&mut out);
        out
    }

    fn texts(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| std::str::from_utf8(&record.data).unwrap()).collect()
    }

    const LINES: [(&str, &str, u64); 5] = [
        ("eni-1", "a", 1),
        ("eni-2", "b", 1),
        ("eni-1", "c", 2),
        ("eni-1", "d", 59),
        ("eni-2", "e", 60),
    ];

    #[test]
    fn lines_of_all_interfaces_mix_under_random_keys_that_differ() {
        let records = shaped(shape(Payload::Plain, 2, PartitionKey::Random), &LINES);
        assert_eq!(texts(&records), ["a\nb\n", "c\nd\n", "e\n"]);
        assert_eq!(records.iter().map(|record| record.lines).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(records.iter().all(|record| record.key.len() == 36));
        assert!(records[0].key != records[1].key && records[1].key != records[2].key);
    }

    #[test]
    fn an_interface_has_records_of_its_own_and_its_log_stream_is_the_key() {
        let records = shaped(shape(Payload::Message, 2, PartitionKey::Interface), &LINES);
        let both = "{\"message\":\"a\"}\n{\"message\":\"c\"}\n";
        let rest = ["{\"message\":\"d\"}\n", "{\"message\":\"b\"}\n", "{\"message\":\"e\"}\n"];
        assert_eq!(texts(&records), [both, rest[0], rest[1], rest[2]]);
        let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
        assert_eq!(keys, ["eni-1-all", "eni-1-all", "eni-2-all", "eni-2-all"]);
    }

    #[test]
    fn the_end_of_an_interval_closes_what_is_open() {
        let records = shaped(shape(Payload::Plain, 100, PartitionKey::Random), &LINES);
        assert_eq!(texts(&records), ["a\nb\nc\nd\n", "e\n"]);
    }

    #[test]
    fn an_aggregate_of_random_keys_shares_one_key() {
        let shape = with(Joined::Aggregate, shape(Payload::Plain, 1, PartitionKey::Random));
        let records = shaped(shape, &LINES);
        assert_eq!(records.iter().map(|record| record.lines).collect::<Vec<_>>(), [4, 1]);
        for record in &records {
            let key = record.key.as_bytes();
            assert_eq!(record.data.windows(key.len()).filter(|part| *part == key).count(), 1);
        }
    }

    #[test]
    fn a_user_record_without_room_in_an_aggregate_goes_alone() {
        let long = "x".repeat(60_000);
        let lines = [("eni-1", "a", 1), ("eni-1", long.as_str(), 1), ("eni-1", "b", 1)];
        let shape = with(Joined::Aggregate, shape(Payload::Plain, 1, PartitionKey::Interface));
        let records = shaped(shape, &lines);
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].data.len(), 60_001);
        assert_eq!(records[1].lines, 2);
    }

    #[test]
    fn envelopes_of_all_interfaces_follow_each_other_in_a_record_without_a_key() {
        let joined = Joined::BackToBack { payloads_max: 2 };
        let shape = with(joined, shape(Payload::Envelope, 1, PartitionKey::Absent));
        let records = shaped(shape, &LINES);
        let events = |record: &Record| {
            let documents = serde_json::Deserializer::from_slice(&record.data);
            let documents = documents.into_iter::<serde_json::Value>().map(Result::unwrap);
            documents.map(|one| one["logEvents"][0]["message"].to_string()).collect::<Vec<_>>()
        };
        let messages: Vec<Vec<String>> = records.iter().map(events).collect();
        assert_eq!(messages, [vec!["\"a\"", "\"c\""], vec!["\"d\"", "\"b\""], vec!["\"e\""]]);
        assert_eq!(records.iter().map(|record| record.lines).collect::<Vec<_>>(), [2, 2, 1]);
        assert!(records.iter().all(|record| record.key.is_empty()));
    }

    #[test]
    fn a_record_of_payloads_back_to_back_ends_at_its_room() {
        let long = "x".repeat(400_000);
        let lines = [("eni-1", long.as_str(), 1); 3];
        let joined = Joined::BackToBack { payloads_max: 9 };
        let records = shaped(with(joined, shape(Payload::Plain, 1, PartitionKey::Absent)), &lines);
        assert_eq!(records.iter().map(|record| record.lines).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn extracted_messages_are_of_one_interface() {
        let records = shaped(shape(Payload::Extracted, 9, PartitionKey::Absent), &LINES);
        assert_eq!(texts(&records), ["a\nc\nd\n", "b\n", "e\n"]);
    }

    #[test]
    fn another_seed_gives_other_keys() {
        let keys = |seed| {
            let shape = Shape { seed, ..shape(Payload::Plain, 1, PartitionKey::Random) };
            shaped(shape, &LINES).into_iter().map(|record| record.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
    }
}
