//! Keyed hashing with SipHash-1-3 (Aumasson & Bernstein 2012, "SipHash: a fast short-input PRF").
//!
//! Whoever sends packets chooses our keys. Under an unkeyed hash they could aim at one register or
//! one bucket and hide in it, so every hash here takes a secret: one per deployment, shared by the
//! tasks whose sketches are merged, and never stored next to the data.
//!
//! Integers are hashed as their little-endian bytes, so hashes agree between platforms; SipHash
//! mixes in the length, so inputs of different widths do not collide by construction.

use std::fmt;
use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;

/// The secret of a deployment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey {
    k0: u64,
    k1: u64,
}

impl HashKey {
    /// A key from its two halves.
    #[must_use]
    pub const fn new(k0: u64, k1: u64) -> Self {
        Self { k0, k1 }
    }

    /// The hash of one integer.
    #[must_use]
    pub fn hash_u64(&self, v: u64) -> u64 {
        self.hasher().hash(&v.to_le_bytes())
    }

    /// The hash of one address-like integer.
    #[must_use]
    pub fn hash_u128(&self, v: u128) -> u64 {
        self.hasher().hash(&v.to_le_bytes())
    }

    /// The hash of a byte string.
    #[must_use]
    pub fn hash_bytes(&self, b: &[u8]) -> u64 {
        self.hasher().hash(b)
    }

    /// One hash of an address-like integer and a small tag, such as a port with its protocol.
    #[must_use]
    pub fn hash_pair(&self, v: u128, tag: u64) -> u64 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&v.to_le_bytes());
        bytes[16..].copy_from_slice(&tag.to_le_bytes());
        self.hasher().hash(&bytes)
    }

    /// Tells whether two tasks share a secret: equal for equal keys, and differing for others but for one pair in 2^32.
    ///
    /// It may stand next to the data. It is the hash of a fixed text, cut to half: whoever reads it can test a guess of the
    /// secret, which is useless against 128 random bits, and learns nothing about any other hash.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "half of the hash is kept back on purpose")]
    pub fn check(&self) -> u32 {
        self.hash_bytes(b"sketches: which secret?") as u32
    }

    fn hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.k0, self.k1)
    }
}

/// Hides the secret: keys end up in logs through `Debug` of whatever holds them.
impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}

/// The same keyed hash for maps and sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyedState(HashKey);

impl KeyedState {
    /// The hasher factory under `key`.
    #[must_use]
    pub const fn new(key: HashKey) -> Self {
        Self(key)
    }
}

impl BuildHasher for KeyedState {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        self.0.hasher()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the reference vectors: bytes 00 to 0f.
    const REFERENCE: HashKey = HashKey::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);

    #[test]
    fn agrees_with_the_reference_vectors() {
        // From the SipHash-1-3 vectors of the Rust standard library: inputs "", 00, 00 01.
        let expected = [0xabac_0158_050f_c4dc_u64, 0xc9f4_9bf3_7d57_ca93, 0x82cb_9b02_4dc7_d44d];
        for (length, hash) in expected.into_iter().enumerate() {
            assert_eq!(REFERENCE.hash_bytes(&[0, 1][..length]), hash, "length {length}");
        }
    }

    #[test]
    fn integers_hash_as_their_little_endian_bytes() {
        let (address, tag) = (0x2001_0db8_0000_0000_0000_0000_0000_0001_u128, 443_u64);
        let bytes: Vec<u8> = address.to_le_bytes().into_iter().chain(tag.to_le_bytes()).collect();
        assert_eq!(REFERENCE.hash_u128(address), REFERENCE.hash_bytes(&bytes[..16]));
        assert_eq!(REFERENCE.hash_u64(tag), REFERENCE.hash_bytes(&bytes[16..]));
        assert_eq!(REFERENCE.hash_pair(address, tag), REFERENCE.hash_bytes(&bytes));
    }

    #[test]
    fn another_key_gives_another_hash() {
        assert_ne!(HashKey::new(1, 2).hash_u64(7), HashKey::new(2, 1).hash_u64(7));
        let state = KeyedState::new(HashKey::new(1, 2));
        assert_ne!(state.hash_one(7_u64), KeyedState::new(HashKey::new(2, 1)).hash_one(7_u64));
    }

    #[test]
    fn checks_differ_between_keys_and_stay_the_same_across_versions() {
        assert_eq!(HashKey::new(1, 2).check(), HashKey::new(1, 2).check());
        let checks: std::collections::BTreeSet<u32> =
            (0..1_000).map(|half| HashKey::new(half, 3).check()).collect();
        assert_eq!(checks.len(), 1_000);
        assert_eq!(REFERENCE.check(), 0x618a_b126);
    }

    #[test]
    fn debug_hides_the_secret() {
        let printed = format!("{:?}", KeyedState::new(HashKey::new(4242, 4343)));
        assert_eq!(printed, "KeyedState(HashKey(..))");
    }
}
