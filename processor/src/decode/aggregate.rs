//! Records that the Kinesis Producer Library packed into one: magic, protobuf, MD5.
//!
//! Rules: the KPL's aggregation format, and what the Kinesis Client Library makes of it: a wrong checksum or a message
//! that cannot be read is plain user data, and a record that names a key which the aggregate lacks ends it.

use md5::{Digest, Md5};

/// How an aggregate begins.
const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const CHECKSUM_BYTES: usize = 16;

/// An aggregate whose checksum and every field were read.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate<'a> {
    message: &'a [u8],
    keys: u64,
    hash_keys: u64,
}

/// One user record of an aggregate.
#[derive(Clone, Copy, Debug)]
pub struct UserRecord<'a> {
    /// What the producer put.
    pub data: &'a [u8],
    /// Whether its keys are in the aggregate's tables.
    pub has_keys: bool,
    key: u64,
    hash_key: Option<u64>,
}

/// The keys of an aggregate, looked up by its user records.
#[derive(Clone, Debug)]
pub struct Keys<'a> {
    partition: Vec<&'a [u8]>,
    explicit: Vec<&'a [u8]>,
}

impl<'a> Aggregate<'a> {
    /// `None` if `payload` is plain user data.
    #[must_use]
    pub fn open(payload: &'a [u8]) -> Option<Self> {
        let body = payload.strip_prefix(&MAGIC)?;
        if body.len() <= CHECKSUM_BYTES {
            return None;
        }
        let (message, checksum) = body.split_at(body.len() - CHECKSUM_BYTES);
        if Md5::digest(message)[..] != *checksum {
            return None;
        }
        let mut aggregate = Self { message, keys: 0, hash_keys: 0 };
        let mut fields = Fields(message);
        while let Some(field) = fields.next()? {
            match field {
                (KEY_TABLE, Value::Bytes(_)) => aggregate.keys += 1,
                (HASH_KEY_TABLE, Value::Bytes(_)) => aggregate.hash_keys += 1,
                (RECORDS, Value::Bytes(record)) => {
                    Record::read(record)?;
                }
                _ => {}
            }
        }
        Some(aggregate)
    }

    /// The user records, in their order.
    pub fn records(self) -> impl Iterator<Item = UserRecord<'a>> {
        let mut fields = Fields(self.message);
        std::iter::from_fn(move || {
            while let Some(field) = fields.next()? {
                if let (RECORDS, Value::Bytes(record)) = field {
                    let record = Record::read(record)?;
                    let has_keys = record.key < self.keys
                        && record.hash_key.is_none_or(|index| index < self.hash_keys);
                    let Record { data, key, hash_key } = record;
                    return Some(UserRecord { data, has_keys, key, hash_key });
                }
            }
            None
        })
    }

    /// How many user records the client libraries take from it: those before the first that names a key which it lacks.
    #[must_use]
    pub fn count(self) -> u64 {
        self.records().take_while(|record| record.has_keys).fold(0, |count, _record| count + 1)
    }

    /// Its tables of keys.
    #[must_use]
    pub fn keys(self) -> Keys<'a> {
        let (mut partition, mut explicit) = (Vec::new(), Vec::new());
        let mut fields = Fields(self.message);
        while let Some(Some(field)) = fields.next() {
            match field {
                (KEY_TABLE, Value::Bytes(key)) => partition.push(key),
                (HASH_KEY_TABLE, Value::Bytes(key)) => explicit.push(key),
                _ => {}
            }
        }
        Keys { partition, explicit }
    }
}

impl<'a> Keys<'a> {
    /// The 128-bit key that chooses the shard: the explicit one, or MD5 of the partition key, big-endian (Kinesis Developer
    /// Guide, "Key concepts"). `None` if the aggregate lacks it or it is no number.
    #[must_use]
    pub fn hash_key(&self, record: &UserRecord<'a>) -> Option<u128> {
        let at = |table: &[&'a [u8]], index: u64| table.get(usize::try_from(index).ok()?).copied();
        if let Some(index) = record.hash_key {
            return std::str::from_utf8(at(&self.explicit, index)?).ok()?.parse().ok();
        }
        Some(u128::from_be_bytes(Md5::digest(at(&self.partition, record.key)?).into()))
    }
}

// AggregatedRecord
const KEY_TABLE: u64 = 1;
const HASH_KEY_TABLE: u64 = 2;
const RECORDS: u64 = 3;

struct Record<'a> {
    key: u64,
    hash_key: Option<u64>,
    data: &'a [u8],
}

impl<'a> Record<'a> {
    /// `None` if it is broken or lacks what is required.
    fn read(message: &'a [u8]) -> Option<Self> {
        let (mut key, mut hash_key, mut data) = (None, None, None);
        let mut fields = Fields(message);
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Integer(index)) => key = Some(index),
                (2, Value::Integer(index)) => hash_key = Some(index),
                (3, Value::Bytes(bytes)) => data = Some(bytes),
                (4, Value::Bytes(tag)) => check_tag(tag)?,
                _ => {}
            }
        }
        Some(Self { key: key?, hash_key, data: data? })
    }
}

/// A tag must have its key; its contents are not used.
fn check_tag(message: &[u8]) -> Option<()> {
    let mut has_key = false;
    let mut fields = Fields(message);
    while let Some((number, value)) = fields.next()? {
        has_key |= number == 1 && matches!(value, Value::Bytes(_));
    }
    has_key.then_some(())
}

/// The fields of a protobuf message (protobuf.dev, "Encoding").
struct Fields<'a>(&'a [u8]);

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
    /// Of a fixed width, which no field of ours has.
    Fixed,
}

impl<'a> Fields<'a> {
    /// The next field with its number; `Some(None)` at the end, `None` if the message is broken.
    fn next(&mut self) -> Option<Option<(u64, Value<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let (number, wire_type) = (tag >> 3, tag & 7);
        if number == 0 || tag > u64::from(u32::MAX) {
            return None;
        }
        let value = match wire_type {
            0 => Value::Integer(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            // Groups: long deprecated, in no aggregate.
            _ => return None,
        };
        Some(Some((number, value)))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            // Of the tenth byte one bit counts; protobuf drops the others.
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}
