//! `Talkers` as bytes; the layout is in [`crate::encoding`].

use std::hash::{BuildHasher, Hash};

use super::Talkers;
use super::buckets::{Buckets, Slot, WAYS};
use super::tags::tag;
use crate::encoding::{Context, DecodeError, Encode, EncodeKey, Kind, Reader, put_varint};
use crate::hash::{HashKey, KeyedState};

impl<K: Copy + Default + Eq + Hash + Ord + EncodeKey> Encode for Talkers<K> {
    const KIND: Kind = Kind::Talkers;
    const VERSION: u8 = 1;

    fn contradicts(&self, key: HashKey) -> bool {
        self.state != KeyedState::new(key)
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.push(K::TAG);
        put_varint(self.buckets.count() as u64, out);
        put_varint(self.total, out);
        let mut empty = 0;
        for bucket in 0..self.buckets.count() {
            if self.buckets.floor(bucket) == 0 && self.buckets.slots(bucket).next().is_none() {
                empty += 1;
            } else {
                put_varint(empty, out);
                self.encode_bucket(bucket, out);
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
        let heap_bytes = buckets.saturating_mul(Buckets::<K>::BUCKET_BYTES);
        context.allow_memory(heap_bytes.saturating_add(size_of::<Self>()))?;
        let mut talkers = Self::new(buckets * WAYS, KeyedState::new(context.key));
        talkers.total = body.varint()?;
        let mut next = 0;
        while body.remaining() > 0 {
            let index = body.varint_usize()?.saturating_add(next);
            if index >= buckets {
                return Err(DecodeError::structure("a bucket past the last"));
            }
            talkers.decode_bucket(index, body)?;
            next = index + 1;
        }
        talkers.check_total()?;
        Ok(talkers)
    }
}

impl<K: Copy + Default + Eq + Hash + Ord + EncodeKey> Talkers<K> {
    /// The certain weights are those of different keys, so together they are part of the total, unless that is full.
    fn check_total(&self) -> Result<(), DecodeError> {
        let buckets = 0..self.buckets.count();
        let slots = buckets.clone().flat_map(|bucket| self.buckets.slots(bucket));
        let certain: u128 = slots.map(|held| u128::from(held.weight - held.error)).sum();
        let floored = buckets.into_iter().any(|bucket| self.buckets.floor(bucket) > 0);
        let exceeded = certain > u128::from(self.total) && self.total < u64::MAX;
        if exceeded || floored && self.total == 0 {
            return Err(DecodeError::structure("keys weigh more than the total"));
        }
        Ok(())
    }

    fn encode_bucket(&self, bucket: usize, out: &mut Vec<u8>) {
        // At most seven keys.
        out.push(u8::try_from(self.buckets.slots(bucket).count()).unwrap_or(u8::MAX));
        put_varint(self.buckets.floor(bucket), out);
        for Slot { key, weight, error, .. } in self.buckets.slots(bucket) {
            key.encode_key(out);
            put_varint(weight - error, out);
            put_varint(error, out);
        }
    }

    fn decode_bucket(&mut self, bucket: usize, body: &mut Reader<'_>) -> Result<(), DecodeError> {
        let keys = body.u8()?;
        let floor = body.varint()?;
        if keys == 0 && floor == 0 {
            return Err(DecodeError::structure("an empty bucket among the others"));
        }
        self.buckets.set_floor(bucket, floor);
        for _ in 0..keys {
            let key = K::decode_key(body)?;
            let hash = self.state.hash_one(key);
            if self.bucket_of(hash) != bucket {
                return Err(DecodeError::structure("a key in the bucket of others"));
            }
            let certain = body.varint()?;
            let error = body.varint()?;
            let weight = certain.checked_add(error);
            let slot = weight.map(|weight| Slot { tag: tag(hash), key, weight, error });
            let held = slot.and_then(|slot| self.buckets.restore(bucket, slot));
            held.ok_or(DecodeError::structure("a key that no bucket could hold"))?;
        }
        Ok(())
    }
}
