//! Frames that are damaged, foreign, too new, too long, or forged.

use proptest::prelude::*;
use sketches::answered::OpenedAnswered;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::distinct::Distinct;
use sketches::encoding::{
    Context, Corruption, DecodeError, Encode, EncodeError, Kind, Limits, Reader, decode,
    decode_prefix, encode, encode_into,
};
use sketches::hash::{HashKey, KeyedState};
use sketches::hyperloglog::HyperLogLog;
use sketches::quantiles::Quantiles;
use sketches::table::DistinctTable;
use sketches::talkers::Talkers;

use crate::check::{self, KEY, seal};
use crate::samples;

type Services = Talkers<(u8, u16)>;

/// Why each kind refuses a frame; the first is the kind that it holds, if it is one of the samples.
fn reasons(frame: &[u8]) -> [Option<&'static str>; 8] {
    fn refusal<S: Encode>(frame: &[u8]) -> Option<&'static str> {
        decode::<S>(frame, KEY, Limits::default()).err().map(|error| error.reason())
    }
    let mut reasons = [
        refusal::<HyperLogLog>(frame),
        refusal::<CountMin>(frame),
        refusal::<Services>(frame),
        refusal::<Distinct>(frame),
        refusal::<DistinctTable>(frame),
        refusal::<OpenedAnswered>(frame),
        refusal::<ConservativeCountMin>(frame),
        refusal::<Quantiles>(frame),
    ];
    if let Some(kind @ 1..=8) = frame.get(4) {
        reasons.swap(0, usize::from(kind - 1));
    }
    reasons
}

pub(crate) fn refuse<S: Encode>(kind: u8, body: &[u8]) -> Option<DecodeError> {
    decode::<S>(&seal(kind, 1, body), KEY, Limits::default()).err()
}

#[test]
fn a_frame_is_taken_by_its_own_kind_only() {
    for frame in samples::frames() {
        let [own, others @ ..] = reasons(&frame);
        assert_eq!((own, others), (None, [Some("wrong_kind"); 7]));
    }
    let unknown = decode::<CountMin>(&seal(77, 1, &[]), KEY, Limits::default());
    let expected = Kind::CountMin;
    assert_eq!(unknown, Err(DecodeError::WrongKind { expected, found: 77 }));
}

#[test]
fn every_truncation_asks_for_more() {
    for frame in samples::frames() {
        for length in 0..frame.len() {
            assert_eq!(reasons(&frame[..length]), [Some("truncated"); 8], "{length} bytes");
        }
        let needed = frame.len();
        let cut = decode_prefix::<HyperLogLog>(&frame[..needed - 1], KEY, Limits::default());
        let present = needed - 1;
        assert_eq!(cut.err(), Some(DecodeError::Truncated { present, needed }));
    }
}

#[test]
fn every_flipped_bit_is_refused_as_damage() {
    for frame in samples::frames() {
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let expected: &[&str] = match bit / 8 {
                0..3 => &["not_a_frame"],
                3 => &["unsupported_frame"],
                // A length may be longer than what follows, or than the limit, or shorter.
                10..14 => &["truncated", "too_large", "checksum"],
                _ => &["checksum"],
            };
            for reason in reasons(&damaged) {
                assert!(reason.is_some_and(|reason| expected.contains(&reason)), "bit {bit}");
            }
        }
    }
}

#[test]
fn what_follows_a_frame_is_refused_unless_it_is_asked_for() {
    for mut frame in samples::frames() {
        frame.push(0);
        assert_eq!(reasons(&frame)[0], Some("trailing_bytes"));
    }
}

#[test]
fn another_secret_is_refused() {
    let key = HashKey::new(3, 3);
    let frame = encode(&samples::hyperloglog(6, 500), KEY).unwrap();
    let refused = decode::<HyperLogLog>(&frame, key, Limits::default());
    assert_eq!(refused, Err(DecodeError::WrongKey));
    let frame = encode(&samples::talkers(8, 5), KEY).unwrap();
    assert_eq!(
        decode::<Services>(&frame, key, Limits::default()).err(),
        Some(DecodeError::WrongKey)
    );
}

#[test]
fn another_version_is_told_with_those_that_are_read() {
    let frame = encode(&samples::hyperloglog(6, 500), KEY).unwrap();
    for found in [0, 2, 255] {
        let other = seal(1, found, &frame[14..frame.len() - 4]);
        let error = decode::<HyperLogLog>(&other, KEY, Limits::default()).unwrap_err();
        let kind = Kind::HyperLogLog;
        let expected = DecodeError::UnsupportedVersion { kind, found, oldest: 1, newest: 1 };
        assert_eq!(error, expected);
        let text = format!("HyperLogLog version {found}, where this release reads 1 to 1");
        assert_eq!(error.to_string(), text);
    }
}

/// A sketch of the next release, which still reads what this one writes.
#[derive(Debug, PartialEq)]
struct Next {
    written_as: u8,
}

impl Encode for Next {
    const KIND: Kind = Kind::HyperLogLog;
    const VERSION: u8 = 3;
    const VERSION_OLDEST: u8 = 2;

    fn encode_body(&self, _out: &mut Vec<u8>) {}

    fn decode_body(_body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        Ok(Self { written_as: context.version })
    }
}

#[test]
fn a_sketch_that_reads_several_versions_is_told_which_one_it_reads() {
    for version in [2, 3] {
        let read = decode::<Next>(&seal(1, version, &[]), KEY, Limits::default());
        assert_eq!(read, Ok(Next { written_as: version }));
    }
    for version in [1, 4] {
        let error = decode::<Next>(&seal(1, version, &[]), KEY, Limits::default()).unwrap_err();
        assert_eq!(error.reason(), "unsupported_version");
        let text = format!("HyperLogLog version {version}, where this release reads 2 to 3");
        assert_eq!(error.to_string(), text);
    }
    assert_eq!(encode(&Next { written_as: 1 }, KEY), Ok(seal(1, 3, &[])));
}

#[test]
fn limits_hold_for_bodies_and_for_memory() {
    let frame = encode(&samples::count_min(4, 500), KEY).unwrap();
    let body_bytes = frame.len() - 18;
    let exact = Limits { body_bytes_max: body_bytes, memory_bytes_max: 600 };
    assert_eq!(samples::count_min(4, 0).memory_bytes(), 512 + 40);
    assert!(decode::<CountMin>(&frame, KEY, exact).is_ok());
    let tight = Limits { body_bytes_max: body_bytes - 1, ..exact };
    let error = DecodeError::TooLarge { what: "body", bytes: body_bytes, allowed: body_bytes - 1 };
    assert_eq!(decode::<CountMin>(&frame, KEY, tight), Err(error));
    let tight = Limits { memory_bytes_max: 551, ..exact };
    let error = DecodeError::TooLarge { what: "sketch", bytes: 552, allowed: 551 };
    assert_eq!(decode::<CountMin>(&frame, KEY, tight), Err(error));

    // The kind's own maximum holds whatever the limits, and before the bytes are there.
    let mut long = seal(1, 1, &[]);
    long[10..14].copy_from_slice(&65_539_u32.to_le_bytes());
    let endless = Limits { body_bytes_max: usize::MAX, memory_bytes_max: usize::MAX };
    let error = DecodeError::TooLarge { what: "body", bytes: 65_539, allowed: 65_538 };
    assert_eq!(decode::<HyperLogLog>(&long, KEY, endless), Err(error));
    // 2^62 buckets, asked for by eleven bytes.
    let body = [6, 128, 128, 128, 128, 128, 128, 128, 128, 64, 0];
    let refused = decode::<Services>(&seal(3, 1, &body), KEY, endless);
    assert_eq!(refused.err().map(|error| error.reason()), Some("too_large"));
}

#[test]
fn what_no_reader_would_take_is_not_written() {
    // Keys, certain weights and errors of the longest form, in more than 2^18 places.
    let mut sketch = Talkers::new(1 << 19, KeyedState::new(KEY));
    (0..1_400_000_u128).for_each(|key| sketch.add(key, 1 << 58));
    let mut out = vec![7];
    let refused = encode_into(&sketch, KEY, &mut out).unwrap_err();
    let EncodeError::TooLarge { body_bytes, allowed } = refused else { panic!("{refused}") };
    assert!(body_bytes > allowed && allowed == Kind::Talkers.body_bytes_max());
    assert_eq!(out, [7]);
}

#[test]
fn bodies_that_no_hyperloglog_has_are_refused() {
    let dense = |value: u8| [[4, 1].as_slice(), &[value; 16]].concat();
    assert_eq!(refuse::<HyperLogLog>(1, &dense(61)), None);
    for (body, why) in [
        (vec![], "the body ends within a field"),
        (vec![3, 0], "precision outside 4 to 16"),
        (vec![17, 0], "precision outside 4 to 16"),
        (vec![4, 2], "neither sparse nor dense"),
        (vec![4, 0, 64], "a sparse register is 0"),
        (vec![4, 0, 62], "a register exceeds the highest rank"),
        (dense(62), "a register exceeds the highest rank"),
        (dense(0), "the other form is the shorter one"),
        ([[4, 0].as_slice(), &[1; 16]].concat(), "the other form is the shorter one"),
        ([[4, 0].as_slice(), &[1; 17]].concat(), "a register past the last"),
        (vec![4, 0, 0x81, 0x08], "a register past the last"),
        (vec![4, 1, 1], "the body ends within a field"),
    ] {
        assert_eq!(refuse::<HyperLogLog>(1, &body), Some(DecodeError::structure(why)), "{body:?}");
    }
    let longer = [dense(1), vec![0]].concat();
    let trailing = DecodeError::Corrupt(Corruption::TrailingBytes);
    assert_eq!(refuse::<HyperLogLog>(1, &longer), Some(trailing));
}

#[test]
fn bodies_that_no_talkers_have_are_refused() {
    // One bucket of `u8` keys; then: none empty before it, how many keys, floor, and (key, certain, error) of each.
    let bucket = |total: u8, rest: &[u8]| [[1, 1, total, 0].as_slice(), rest].concat();
    assert_eq!(refuse::<Talkers<u8>>(3, &bucket(9, &[2, 4, 7, 5, 4, 8, 1, 0])), None);
    for (body, why) in [
        (vec![2, 1, 0], "keys of another type"),
        (vec![1, 0, 0], "no buckets"),
        (vec![1, 1, 9, 1, 0, 0], "a bucket past the last"),
        (bucket(9, &[0, 0]), "an empty bucket among the others"),
        (bucket(9, &[1, 0, 7, 0, 0]), "a key that no bucket could hold"),
        (bucket(9, &[1, 4, 7, 0, 3]), "a key that no bucket could hold"),
        (bucket(9, &[1, 4, 7, 1, 5]), "a key that no bucket could hold"),
        (bucket(9, &[2, 0, 7, 1, 0, 7, 1, 0]), "a key that no bucket could hold"),
        (bucket(9, &[2, 0, 7, 9, 0, 8, 1, 0]), "keys weigh more than the total"),
        (bucket(0, &[0, 4]), "keys weigh more than the total"),
    ] {
        let refused = refuse::<Talkers<u8>>(3, &body);
        assert_eq!(refused, Some(DecodeError::structure(why)), "{body:?}");
    }
    let keys = |count: u8| {
        let keys: Vec<u8> = (0..count).flat_map(|key| [key, 1, 0]).collect();
        refuse::<Talkers<u8>>(3, &bucket(9, &[[count, 0].as_slice(), &keys].concat()))
    };
    let why = DecodeError::structure("a key that no bucket could hold");
    assert_eq!((keys(7), keys(8)), (None, Some(why)));
}

#[test]
fn a_key_in_the_bucket_of_others_is_refused() {
    let place = |bucket| refuse::<Talkers<u8>>(3, &[1, 16, 5, bucket, 1, 0, 42, 5, 0]);
    let why = DecodeError::structure("a key in the bucket of others");
    let refusals: Vec<_> = (0..16).map(place).collect();
    assert_eq!(refusals.iter().filter(|refusal| **refusal == Some(why)).count(), 15);
    assert_eq!(refusals.iter().filter(|refusal| refusal.is_none()).count(), 1);
}

/// Some bytes of the sample's body replaced, removed, doubled, or cut off.
fn mutated(mut body: Vec<u8>, edits: &[(u16, u8, u8)]) -> Vec<u8> {
    for &(place, edit, value) in edits {
        let place = usize::from(place) % body.len().max(1);
        match edit % 5 {
            0 if !body.is_empty() => body[place] = value,
            1 if !body.is_empty() => body[place] ^= 1 << (value % 8),
            2 if !body.is_empty() => drop(body.remove(place)),
            3 => body.insert(place, value),
            _ => body.truncate(place.max(2)),
        }
    }
    body
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn forged_bodies_with_true_checksums_are_refused_or_canonical(
        sample in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<u16>(), any::<u8>(), any::<u8>()), 1..4),
    ) {
        let frames = samples::frames();
        let frame = sample.get(&frames);
        let body = mutated(frame[14..frame.len() - 4].to_vec(), &edits);
        prop_assert!(check::check_frame(&seal(frame[4], 1, &body)) <= 1);
    }

    #[test]
    fn bodies_of_any_bytes_are_refused_or_canonical(kind in 0..10_u8, body in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(check::check_frame(&seal(kind, 1, &body)) <= 1);
    }

    #[test]
    fn frames_of_any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(reasons(&bytes).iter().all(Option::is_some));
    }
}
