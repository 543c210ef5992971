//! `Talkers` as bytes; the layout is in [`crate::encoding`].

use std::hash::Hash;

use super::bucket::{Bucket, WAYS};
use super::{Talker, Talkers};
use crate::encoding::{Context, DecodeError, Encode, EncodeKey, Kind, Reader, put_varint};
use crate::hash::{HashKey, KeyedState};

impl<K: Copy + Eq + Hash + Ord + EncodeKey> Encode for Talkers<K> {
    const KIND: Kind = Kind::Talkers;
    const VERSION: u8 = 1;

    fn contradicts(&self, key: HashKey) -> bool {
        self.state != KeyedState::new(key)
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.push(K::TAG);
        put_varint(self.buckets.len() as u64, out);
        put_varint(self.total, out);
        let mut empty = 0;
        for bucket in &self.buckets {
            if bucket.floor() == 0 && bucket.slots().next().is_none() {
                empty += 1;
            } else {
                put_varint(empty, out);
                encode_bucket(bucket, out);
                empty = 0;
            }
        }
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        if body.u8()? != K::TAG {
            return Err(DecodeError::structure("keys of another type"));
        }
        let buckets = body.varint_usize()?;
        if buckets == 0 {
            return Err(DecodeError::structure("no buckets"));
        }
        let heap_bytes = buckets.saturating_mul(size_of::<Bucket<K>>());
        context.allow_memory(heap_bytes.saturating_add(size_of::<Self>()))?;
        let mut talkers = Self::new(buckets * WAYS, KeyedState::new(context.key));
        talkers.total = body.varint()?;
        let mut next = 0;
        while body.remaining() > 0 {
            let index = body.varint_usize()?.saturating_add(next);
            if index >= buckets {
                return Err(DecodeError::structure("a bucket past the last"));
            }
            let bucket = decode_bucket(body)?;
            if bucket.slots().any(|slot| talkers.bucket_of(&slot.key()) != index) {
                return Err(DecodeError::structure("a key in the bucket of others"));
            }
            talkers.buckets[index] = bucket;
            next = index + 1;
        }
        talkers.check_total()?;
        Ok(talkers)
    }
}

impl<K: Copy + Eq + Hash + Ord> Talkers<K> {
    /// The certain weights are those of different keys, so together they are part of the total, unless that is full.
    fn check_total(&self) -> Result<(), DecodeError> {
        let talkers = self.buckets.iter().flat_map(Bucket::slots).map(|slot| slot.talker());
        let certain: u128 = talkers.map(|held| u128::from(held.weight - held.error)).sum();
        let floored = self.buckets.iter().any(|bucket| bucket.floor() > 0);
        let exceeded = certain > u128::from(self.total) && self.total < u64::MAX;
        if exceeded || floored && self.total == 0 {
            return Err(DecodeError::structure("keys weigh more than the total"));
        }
        Ok(())
    }
}

fn encode_bucket<K: Copy + Ord + EncodeKey>(bucket: &Bucket<K>, out: &mut Vec<u8>) {
    // At most eight keys.
    out.push(u8::try_from(bucket.slots().count()).unwrap_or(u8::MAX));
    put_varint(bucket.floor(), out);
    for slot in bucket.slots() {
        let Talker { key, weight, error } = slot.talker();
        key.encode_key(out);
        put_varint(weight - error, out);
        put_varint(error, out);
    }
}

fn decode_bucket<K: Copy + Ord + EncodeKey>(
    body: &mut Reader<'_>,
) -> Result<Bucket<K>, DecodeError> {
    let keys = body.u8()?;
    let floor = body.varint()?;
    if keys == 0 && floor == 0 {
        return Err(DecodeError::structure("an empty bucket among the others"));
    }
    let mut bucket = Bucket::with_floor(floor);
    for _ in 0..keys {
        let key = K::decode_key(body)?;
        let certain = body.varint()?;
        let error = body.varint()?;
        let weight = certain.checked_add(error);
        let talker = weight.map(|weight| Talker { key, weight, error });
        let held = talker.and_then(|talker| bucket.restore(talker));
        held.ok_or(DecodeError::structure("a key that no bucket could hold"))?;
    }
    Ok(bucket)
}
