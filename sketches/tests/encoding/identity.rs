//! Decoding gives back what was encoded, and equal sketches have equal bytes.

use std::fmt::Debug;

use proptest::prelude::*;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::encoding::{
    DecodeError, Encode, EncodeError, EncodeKey, Limits, Reader, decode, decode_prefix, encode,
    encode_into,
};
use sketches::hash::{HashKey, KeyedState};
use sketches::hyperloglog::HyperLogLog;
use sketches::talkers::Talkers;

use crate::check::{self, KEY};
use crate::samples;

/// `Debug` shows every field, of talkers too, which have no equality.
fn comes_back<S: Encode + Debug>(sketch: &S) -> S {
    let frame = encode(sketch, KEY).unwrap();
    let back: S = decode(&frame, KEY, Limits::default()).unwrap();
    assert_eq!(format!("{back:?}"), format!("{sketch:?}"));
    back
}

/// Few keys, so that they repeat; weights of every magnitude, up to saturation.
fn streams() -> impl Strategy<Value = Vec<(u16, u64)>> {
    let weight = (any::<u64>(), 0..64_u32).prop_map(|(bits, shift)| bits >> shift);
    prop::collection::vec((0..300_u16, weight), 0..400)
}

proptest! {
    #[test]
    fn hyperloglogs_come_back(precision in 4..=16_u8, elements in 0..9_u32, hashes in prop::collection::vec(any::<u64>(), 0..300)) {
        let mut sketch = samples::hyperloglog(precision, 5_u64.pow(elements) / 5);
        hashes.iter().for_each(|&hash| sketch.insert_hash(hash));
        prop_assert_eq!(&comes_back(&sketch), &sketch);
    }

    #[test]
    fn count_mins_come_back(width_log2 in 4..=10_u8, stream in streams()) {
        let mut sketch = CountMin::new(width_log2).unwrap();
        stream.iter().for_each(|&(key, weight)| sketch.add(KEY.hash_u64(key.into()), weight));
        prop_assert_eq!(&comes_back(&sketch), &sketch);
    }

    #[test]
    fn conservative_count_mins_come_back(width_log2 in 4..=10_u8, stream in streams()) {
        let mut sketch = ConservativeCountMin::new(width_log2).unwrap();
        stream.iter().for_each(|&(key, weight)| sketch.add(KEY.hash_u64(key.into()), weight));
        prop_assert_eq!(&comes_back(&sketch), &sketch);
    }

    #[test]
    fn talkers_come_back_and_go_on_alike(
        capacities in (1..200_usize, 1..200_usize),
        streams in prop::array::uniform3(streams()),
    ) {
        let [mut sketch, mut other] =
            [capacities.0, capacities.1].map(|capacity| Talkers::new(capacity, KeyedState::new(KEY)));
        streams[0].iter().for_each(|&(key, weight)| sketch.add(key, weight));
        comes_back(&sketch);
        streams[1].iter().for_each(|&(key, weight)| other.add(key, weight));
        sketch.merge(&other);
        let mut back = comes_back(&sketch);
        for &(key, weight) in &streams[2] {
            sketch.add(key, weight);
            back.add(key, weight);
        }
        prop_assert_eq!(encode(&back, KEY), encode(&sketch, KEY));
    }

    #[test]
    fn sketches_of_the_same_elements_in_another_order_have_the_same_bytes(stream in streams()) {
        let mut reversed = stream.clone();
        reversed.reverse();
        let [there, back] = [stream, reversed].map(|stream| {
            let (mut distinct, mut weights) = (HyperLogLog::new(8).unwrap(), CountMin::new(6).unwrap());
            for (key, weight) in stream {
                distinct.insert_hash(KEY.hash_u64(key.into()));
                weights.add(KEY.hash_u64(key.into()), weight);
            }
            (encode(&distinct, KEY), encode(&weights, KEY))
        });
        prop_assert_eq!(there, back);
    }
}

#[test]
fn frames_stand_one_after_another() {
    let mut journal = Vec::new();
    encode_into(&samples::hyperloglog(9, 70), KEY, &mut journal).unwrap();
    encode_into(&samples::talkers(100, 50), KEY, &mut journal).unwrap();
    encode_into(&samples::count_min(5, 9), KEY, &mut journal).unwrap();

    let limits = Limits::default();
    let (distinct, rest) = decode_prefix::<HyperLogLog>(&journal, KEY, limits).unwrap();
    let (talkers, rest) = decode_prefix::<Talkers<(u8, u16)>>(rest, KEY, limits).unwrap();
    let (weights, rest) = decode_prefix::<CountMin>(rest, KEY, limits).unwrap();
    assert_eq!(distinct, samples::hyperloglog(9, 70));
    assert_eq!(talkers.top(50), samples::talkers(100, 50).top(50));
    assert_eq!(weights, samples::count_min(5, 9));
    assert_eq!(rest, []);
}

#[test]
fn talkers_are_not_written_under_a_secret_that_is_not_theirs() {
    let mut out = vec![7];
    let written = encode_into(&samples::talkers(8, 3), HashKey::new(9, 9), &mut out);
    assert_eq!((written, out), (Err(EncodeError::WrongKey), vec![7]));
}

/// A key of another crate, in a form of its own: the byte is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Tenant(std::num::NonZeroU8);

impl Default for Tenant {
    fn default() -> Self {
        Self(std::num::NonZeroU8::MIN)
    }
}

impl EncodeKey for Tenant {
    const TAG: u8 = 200;

    fn encode_key(&self, out: &mut Vec<u8>) {
        out.push(self.0.get());
    }

    fn decode_key(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let tenant = std::num::NonZeroU8::new(body.u8()?);
        tenant.map(Self).ok_or(DecodeError::structure("a tenant is 0"))
    }
}

#[test]
fn keys_of_other_crates_come_back_and_types_of_keys_are_told_apart() {
    let mut sketch = Talkers::new(8, KeyedState::new(KEY));
    sketch.add(Tenant(std::num::NonZeroU8::MAX), 5);
    let frame = encode(&sketch, KEY).unwrap();
    assert_eq!(comes_back(&sketch).top(1), sketch.top(1));

    let body = &frame[14..frame.len() - 4];
    let zeroed: Vec<u8> = body.iter().map(|&byte| if byte == 255 { 0 } else { byte }).collect();
    let refused = decode::<Talkers<Tenant>>(&check::seal(3, 1, &zeroed), KEY, Limits::default());
    assert_eq!(refused.err(), Some(DecodeError::structure("a tenant is 0")));
    let refused = decode::<Talkers<u8>>(&frame, KEY, Limits::default());
    assert_eq!(refused.err(), Some(DecodeError::structure("keys of another type")));
}
