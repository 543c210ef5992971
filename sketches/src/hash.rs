//! Keyed hashing with SipHash-1-3 (Aumasson & Bernstein 2012, "SipHash: a fast short-input PRF").
//!
//! Whoever sends packets chooses our keys. Under an unkeyed hash they could aim at one register or
//! one bucket and hide in it, so every hash here takes a secret: one per deployment, shared by the
//! tasks whose sketches are merged, and never stored next to the data.
//!
//! Integers are hashed as their little-endian bytes, so hashes agree between platforms; SipHash
//! mixes in the length, so inputs of different widths do not collide by construction.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

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
    #[inline]
    pub fn hash_u64(&self, v: u64) -> u64 {
        self.hash_words([v])
    }

    /// The hash of one address-like integer.
    #[must_use]
    #[inline]
    pub fn hash_u128(&self, v: u128) -> u64 {
        let [low, high] = halves(v);
        self.hash_words([low, high])
    }

    /// The hash of a byte string.
    #[must_use]
    pub fn hash_bytes(&self, b: &[u8]) -> u64 {
        self.hasher().hash(b)
    }

    /// One hash of an address-like integer and a small tag, such as a port with its protocol.
    #[must_use]
    #[inline]
    pub fn hash_pair(&self, v: u128, tag: u64) -> u64 {
        let [low, high] = halves(v);
        self.hash_words([low, high, tag])
    }

    /// The hash of whole words, as of their little-endian bytes. With a length known to the compiler there is no tail to gather,
    /// which a hasher for any length pays for on each of these short inputs.
    #[must_use]
    #[inline]
    pub fn hash_words<const WORDS: usize>(&self, words: [u64; WORDS]) -> u64 {
        let start = [
            self.k0 ^ 0x736f_6d65_7073_6575,
            self.k1 ^ 0x646f_7261_6e64_6f6d,
            self.k0 ^ 0x6c79_6765_6e65_7261,
            self.k1 ^ 0x7465_6462_7974_6573,
        ];
        let length_bytes = (WORDS as u64 * 8) << 56;
        let [a, b, c, d] = absorb(words.into_iter().fold(start, absorb), length_bytes);
        let [a, b, c, d] = sip_round(sip_round(sip_round([a, b, c ^ 0xff, d])));
        a ^ b ^ c ^ d
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

/// For maps whose keys are keyed hashes already: hands on their 64 bits.
pub type AsIs = BuildHasherDefault<Kept>;

/// The hasher of [`AsIs`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept(u64);

impl Hasher for Kept {
    fn finish(&self) -> u64 {
        self.0
    }

    /// Only whole words are hashed.
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The next of a sequence of draws from a seed: `SplitMix64` (Steele, Lea & Flood 2014). For choices that can be made again in
/// the same way; whoever sees some of them can foretell the rest.
pub const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// The low and the high 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
const fn halves(v: u128) -> [u64; 2] {
    [v as u64, (v >> 64) as u64]
}

/// One word, under the single round of SipHash-1-3.
#[inline]
const fn absorb([a, b, c, d]: [u64; 4], word: u64) -> [u64; 4] {
    let [a, b, c, d] = sip_round([a, b, c, d ^ word]);
    [a ^ word, b, c, d]
}

/// One `SipRound` (section 2 of the paper).
#[inline]
const fn sip_round([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    let (a, c) = (a.wrapping_add(b), c.wrapping_add(d));
    let (b, d) = (b.rotate_left(13) ^ a, d.rotate_left(16) ^ c);
    let (a, c) = (a.rotate_left(32).wrapping_add(d), c.wrapping_add(b));
    [a, b.rotate_left(17) ^ c, c.rotate_left(32), d.rotate_left(21) ^ a]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    /// The first draws from 1234567, as published with the generator.
    #[test]
    fn draws_are_those_of_split_mix_64() {
        let mut state = 1_234_567;
        assert_eq!(split_mix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(&mut state), 3_203_168_211_198_807_973);
    }

    #[test]
    fn integers_hash_as_their_little_endian_bytes() {
        let (address, tag) = (0x2001_0db8_0000_0000_0000_0000_0000_0001_u128, 443_u64);
        let bytes: Vec<u8> = address.to_le_bytes().into_iter().chain(tag.to_le_bytes()).collect();
        assert_eq!(REFERENCE.hash_u128(address), REFERENCE.hash_bytes(&bytes[..16]));
        assert_eq!(REFERENCE.hash_u64(tag), REFERENCE.hash_bytes(&bytes[16..]));
        assert_eq!(REFERENCE.hash_pair(address, tag), REFERENCE.hash_bytes(&bytes));
    }

    proptest! {
        #[test]
        fn whole_words_hash_as_the_streaming_hasher_does(
            k0: u64, k1: u64, v: u128, word: u64,
        ) {
            let (key, state) = (HashKey::new(k0, k1), KeyedState::new(HashKey::new(k0, k1)));
            prop_assert_eq!(key.hash_u64(word), key.hash_bytes(&word.to_le_bytes()));
            prop_assert_eq!(key.hash_u128(v), key.hash_bytes(&v.to_le_bytes()));
            let pair = [&v.to_le_bytes()[..], &word.to_le_bytes()].concat();
            prop_assert_eq!(key.hash_pair(v, word), key.hash_bytes(&pair));
            prop_assert_eq!(key.hash_u64(word), state.hash_one(word.to_le()));
        }
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
