//! Keys that are keyed hashes already are not hashed again by maps.

use std::hash::{BuildHasher, Hasher};

/// Hands on the 64 bits that are already a hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsIs;

/// The hasher of [`AsIs`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept(u64);

impl BuildHasher for AsIs {
    type Hasher = Kept;

    fn build_hasher(&self) -> Kept {
        Kept::default()
    }
}

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
