//! Aggregates of the KPL, written here and read by the peeler.

use flowscout::decode::Reason;
use md5::{Digest, Md5};

use super::seen::Seen;

fn varint(value: u64) -> Vec<u8> {
    let [low, ..] = value.to_le_bytes();
    if value < 0x80 { vec![low] } else { [vec![low | 0x80], varint(value >> 7)].concat() }
}

/// A field of bytes.
pub(crate) fn bytes_field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A field of an integer.
pub(crate) fn integer_field(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

pub(crate) fn record(key: u64, data: &[u8]) -> Vec<u8> {
    bytes_field(3, &[integer_field(1, key), bytes_field(3, data)].concat())
}

pub(crate) fn sealed(message: &[u8]) -> Vec<u8> {
    [&[0xf3, 0x89, 0x9a, 0xc2], message, &Md5::digest(message)[..]].concat()
}

/// User records under one key.
pub(crate) fn aggregate<T: AsRef<[u8]>>(records: &[T]) -> Vec<u8> {
    let records = records.iter().flat_map(|data| record(0, data.as_ref()));
    sealed(&[bytes_field(1, b"key"), records.collect()].concat())
}

#[test]
fn an_aggregate_gives_its_user_records_with_their_numbers() {
    let seen = Seen::of(&aggregate(&["2 a\n", "{\"message\":\"2 b\"}", "2 c"]));
    let expected =
        [("record 1, part 1", "2 a\n"), ("record 1, part 2", "2 b"), ("record 1, part 3", "2 c")];
    assert_eq!(seen.placed(), expected);
}

#[test]
fn tables_may_stand_behind_records_and_unknown_fields_anywhere() {
    let tag = bytes_field(4, &bytes_field(1, b"tag"));
    let inner = [integer_field(9, 1 << 40), integer_field(1, 1), integer_field(2, 0), tag].concat();
    let inner = [inner, bytes_field(3, b"lost"), bytes_field(3, b"2 a"), vec![0x45, 1, 2, 3, 4]];
    let tables = [bytes_field(1, b"k0"), bytes_field(1, b"k1"), bytes_field(2, b"123")].concat();
    let message = [bytes_field(3, &inner.concat()), vec![0x51; 9], tables, integer_field(3, 5)];
    assert_eq!(Seen::of(&sealed(&message.concat())).lines(), ["2 a"]);
}

#[test]
fn a_key_that_is_not_in_the_tables_ends_the_aggregate() {
    let key = bytes_field(1, b"key");
    let message = [key.clone(), record(0, b"2 a"), record(1, b"2 b"), record(0, b"2 c")].concat();
    let seen = Seen::of(&sealed(&message));
    assert_eq!(seen.placed(), [("record 1, part 1", "2 a")]);
    assert_eq!(seen.refusals(), [(Reason::BadAggregate, "2 b"), (Reason::BadAggregate, "2 c")]);
    assert_eq!(seen.refused[1].position, "record 1, part 3");
    let hash_key = [integer_field(1, 0), integer_field(2, 0), bytes_field(3, b"2 a")].concat();
    let seen = Seen::of(&sealed(&[key, bytes_field(3, &hash_key)].concat()));
    assert_eq!(seen.refusals(), [(Reason::BadAggregate, "2 a")]);
}

#[test]
fn what_is_not_an_aggregate_is_plain_data() {
    let good = aggregate(&["2 a"]);
    let mut wrong_checksum = good.clone();
    *wrong_checksum.last_mut().unwrap() ^= 1;
    let broken: [&[u8]; 8] = [
        &record(0, b"2 a")[..4],
        &bytes_field(3, &bytes_field(3, b"2 a")),
        &bytes_field(3, &integer_field(1, 0)),
        &bytes_field(3, &[integer_field(1, 0), bytes_field(3, b""), bytes_field(4, b"")].concat()),
        &[0x08; 1],
        &[0x03],
        &[0x00, 0x00],
        &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ];
    let broken = broken.map(sealed);
    let short = [&good[..4], &good[..20]];
    for payload in broken.iter().chain([&wrong_checksum]).map(Vec::as_slice).chain(short) {
        let seen = Seen::of(payload);
        assert_eq!((seen.texts.len(), seen.refused.len()), (1, 0), "{payload:?}");
        assert_eq!(seen.texts[0].text, String::from_utf8_lossy(payload));
    }
    assert_eq!(Seen::of(&sealed(b"")).texts.len(), 1);
    assert_eq!(Seen::of(&sealed(&bytes_field(1, b"no records"))), Seen::default());
}
