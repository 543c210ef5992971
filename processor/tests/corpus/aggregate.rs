//! Any bytes as the message of a KPL aggregate with a right checksum, against a slow reading of protobuf.

use flowscout::decode::{Found, Limits, Peeler, Place, Reason, Refusal};
use md5::{Digest, Md5};

const NESTING_MAX: u8 = 3;

/// The aggregate must give what its user records give one by one, or be a text if it is none.
pub(crate) fn check(message: &[u8]) {
    let payload = [&[0xf3, 0x89, 0x9a, 0xc2], message, &Md5::digest(message)[..]].concat();
    let mut expected = Log::default();
    match user_records(message).filter(|_| !message.is_empty()) {
        None => expected.lines(&payload),
        Some(records) => {
            let mut has_keys = true;
            for (data, is_known) in records {
                has_keys &= is_known;
                if has_keys {
                    peel(NESTING_MAX - 1, &data, &mut expected);
                } else {
                    expected.refused.push((Reason::BadAggregate, data));
                }
            }
        }
    }
    let mut found = Log::default();
    peel(NESTING_MAX, &payload, &mut found);
    assert_eq!(found, expected);
}

fn peel(nesting_max: u8, payload: &[u8], log: &mut Log) {
    let limits = Limits { nesting_max, ..Limits::default() };
    Peeler::new(limits).peel(payload, 1, log);
}

/// Data of each user record, and whether its keys are in the tables.
fn user_records(message: &[u8]) -> Option<Vec<(Vec<u8>, bool)>> {
    let fields = fields(message)?;
    let table = |number| fields.iter().filter(|field| field.0 == number && field.1 == 2).count();
    let (keys, hash_keys) = (table(1) as u128, table(2) as u128);
    let mut records = Vec::new();
    for (_, _, _, bytes) in fields.iter().filter(|field| field.0 == 3 && field.1 == 2) {
        let inner = self::fields(bytes)?;
        let last = |number, wire_type| {
            inner.iter().rev().find(|field| field.0 == number && field.1 == wire_type)
        };
        for (_, _, _, tag) in inner.iter().filter(|field| field.0 == 4 && field.1 == 2) {
            self::fields(tag)?.iter().find(|field| field.0 == 1 && field.1 == 2)?;
        }
        let key = last(1, 0)?.2;
        let hash_key = last(2, 0).map_or(0, |field| field.2 + 1);
        records.push((last(3, 2)?.3.clone(), key < keys && hash_key <= hash_keys));
    }
    Some(records)
}

/// Number, wire type, integer and bytes.
type Field = (u128, u128, u128, Vec<u8>);

fn fields(message: &[u8]) -> Option<Vec<Field>> {
    let mut rest = message.iter().copied();
    let mut fields = Vec::new();
    while rest.len() > 0 {
        let tag = varint(&mut rest)?;
        let (number, wire_type) = (tag / 8, tag % 8);
        if number == 0 || tag >= 1 << 32 {
            return None;
        }
        let integer = if matches!(wire_type, 0 | 2) { varint(&mut rest)? } else { 0 };
        let length = match wire_type {
            0 => 0,
            1 => 8,
            2 => integer,
            5 => 4,
            _ => return None,
        };
        if length > rest.len() as u128 {
            return None;
        }
        let bytes = (0..length).filter_map(|_| rest.next()).collect();
        fields.push((number, wire_type, integer, bytes));
    }
    Some(fields)
}

/// At most ten bytes, of which 64 bits count.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u128> {
    let mut value = 0;
    for place in 0..10 {
        let byte = u128::from(bytes.next()?);
        value += (byte % 128) << (7 * place);
        if byte < 128 {
            return Some(value % (1 << 64));
        }
    }
    None
}

/// What was found, without positions, which tell of the aggregate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    texts: Vec<Vec<u8>>,
    refused: Vec<(Reason, Vec<u8>)>,
    control_messages: usize,
}

impl Log {
    /// Of bytes that are no aggregate: as if they had no magic, which cannot be told from the first line's bytes.
    fn lines(&mut self, payload: &[u8]) {
        let mut behind = Self::default();
        peel(NESTING_MAX, &[b"?", &payload[1..]].concat(), &mut behind);
        if let Some(first) = behind.texts.first_mut() {
            first[0] = payload[0];
        }
        *self = behind;
    }
}

impl Found for Log {
    fn text(&mut self, _: &Place<'_>, text: &[u8]) {
        self.texts.push(text.to_vec());
    }

    fn refuse(&mut self, _: &Place<'_>, refusal: Refusal, bytes: &[u8]) {
        self.refused.push((refusal.reason, bytes.to_vec()));
    }

    fn control_message(&mut self) {
        self.control_messages += 1;
    }
}
