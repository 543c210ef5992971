//! The sketch tier: a bitmap of ranks and registers with a stamp for each bit, in place of the bit.
//!
//! The sliding-window `HyperLogLog` of Chabchoub & Hebrail (2010) with a stamp per rank: a bit belongs to every window that
//! its stamp lies in, so all windows follow from the same bytes, and raising a stamp is a maximum. (One rank and one stamp
//! per register would be wrong: a later low rank would hide an earlier high one.) A fingerprint's low bits choose the
//! register, the leading zeros of the others the rank; both are known to the exact tier, so promotion loses nothing.

use super::entries::Fingerprint;
use super::stamps::{NEVER, Stamp};
use crate::likelihood::{self, Estimate};

/// Bits of a fingerprint.
const FINGERPRINT_BITS: u32 = 24;

/// The shape of a bitmap: `2^registers_log2` registers of each rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    registers_log2: u32,
}

/// Bytes for the ranks of a register, used or not.
const RANKS_MAX: usize = 16;
const BYTES_PER_REGISTER: u32 = 16;
const LINE_BYTES: usize = 64;
const REGISTERS_PER_LINE: u32 = 4;

impl Shape {
    /// 256 registers of 16 ranks: 4 KiB.
    pub(crate) const SMALL: Self = Self { registers_log2: 8 };
    /// 1,024 registers of 14 ranks: 16 KiB.
    pub(crate) const LARGE: Self = Self { registers_log2: 10 };

    /// Registers of each rank.
    pub(crate) const fn registers(self) -> u32 {
        1 << self.registers_log2
    }

    /// As many ranks as the rest of a fingerprint can tell apart, the last one being "or more".
    pub(crate) const fn ranks(self) -> u32 {
        FINGERPRINT_BITS - self.registers_log2
    }

    /// Bytes of a bitmap.
    pub(crate) const fn bytes(self) -> usize {
        self.registers() as usize * RANKS_MAX
    }

    /// Where the stamp of a fingerprint stands. Registers go round the lines, so that the line is known from the fingerprint's
    /// low bits, as in the exact tier; a line has four registers with the ranks of each side by side.
    fn place(self, fingerprint: Fingerprint) -> usize {
        let register = fingerprint.bits() & (self.registers() - 1);
        let others = fingerprint.bits() >> self.registers_log2;
        let zeros = (others << (32 - self.ranks())).leading_zeros().min(self.ranks() - 1);
        let lines = self.registers() / REGISTERS_PER_LINE;
        let (line, of_line) = (register & (lines - 1), register / lines);
        ((line * REGISTERS_PER_LINE + of_line) * BYTES_PER_REGISTER + zeros) as usize
    }

    /// Whether some fingerprint has its stamp at a place.
    pub(crate) const fn has_place(self, place: usize) -> bool {
        place < self.bytes() && place % RANKS_MAX < self.ranks() as usize
    }

    /// Raises the stamp of a fingerprint; whether that changed it.
    pub(crate) fn raise(
        self,
        stamps: &mut [Stamp],
        fingerprint: Fingerprint,
        stamp: Stamp,
    ) -> bool {
        let place = self.place(fingerprint);
        let kept = &mut stamps[place];
        let is_newer = *kept < stamp;
        *kept = (*kept).max(stamp);
        is_newer
    }

    /// Distinct elements with a stamp of `oldest` or later.
    pub(crate) fn estimate(self, stamps: &[Stamp], oldest: Stamp) -> Estimate {
        let set = count(stamps, oldest.max(1));
        likelihood::estimate(&set[..self.ranks() as usize], self.registers())
    }
}

/// Raises each stamp to the other's less `distance`.
pub(crate) fn merge(stamps: &mut [Stamp], theirs: &[Stamp], distance: Stamp) {
    for (kept, &stamp) in stamps.iter_mut().zip(theirs) {
        *kept = (*kept).max(stamp.saturating_sub(distance));
    }
}

/// Takes `distance` from every stamp.
pub(crate) fn carry(stamps: &mut [Stamp], distance: Stamp) {
    for stamp in stamps {
        *stamp = stamp.saturating_sub(distance);
    }
}

/// The latest stamp.
pub(crate) fn newest(stamps: &[Stamp]) -> Stamp {
    stamps.iter().fold(NEVER, |newest, &stamp| newest.max(stamp))
}

/// Whether any stamp is of `oldest` or later; mostly the first line tells.
pub(crate) fn reaches(stamps: &[Stamp], oldest: Stamp) -> bool {
    stamps.chunks(LINE_BYTES).any(|line| newest(line) >= oldest.max(1))
}

/// By rank, the stamps of `oldest` or later.
fn count(stamps: &[Stamp], oldest: Stamp) -> [u32; RANKS_MAX] {
    let mut set = [0; RANKS_MAX];
    // Sums of bytes stay in bytes, and so in vector registers, for up to 255 lines.
    for lines in stamps.chunks(LINE_BYTES * 128) {
        let mut lanes = [0_u8; LINE_BYTES];
        for line in lines.as_chunks::<LINE_BYTES>().0 {
            for (lane, &stamp) in lanes.iter_mut().zip(line) {
                *lane += u8::from(stamp >= oldest);
            }
        }
        for register in lanes.as_chunks::<RANKS_MAX>().0 {
            for (set, &lane) in set.iter_mut().zip(register) {
                *set += u32::from(lane);
            }
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SHAPES: [Shape; 2] = [Shape::SMALL, Shape::LARGE];

    /// Register and rank by the definition, bit by bit.
    fn oracle_bit(shape: Shape, bits: u32) -> (u32, u32) {
        let register = bits % shape.registers();
        let mut rank = 1;
        let mut bit = 1 << (FINGERPRINT_BITS - 1);
        while rank < shape.ranks() && bits & bit == 0 {
            (rank, bit) = (rank + 1, bit >> 1);
        }
        (register, rank)
    }

    proptest! {
        #[test]
        fn the_bits_of_a_window_are_those_of_its_elements(
            elements in prop::collection::vec((1..1_u64 << 24, 1..=190_u8), 0..3_000), oldest in 1..=190_u8,
        ) {
            for shape in SHAPES {
                let mut stamps = vec![NEVER; shape.bytes()];
                let mut exact = BTreeSet::new();
                for &(bits, stamp) in &elements {
                    let fingerprint = Fingerprint::of_hash(bits << 40);
                    let before = stamps[shape.place(fingerprint)];
                    prop_assert_eq!(shape.raise(&mut stamps, fingerprint, stamp), before < stamp);
                    if stamp >= oldest {
                        exact.insert(oracle_bit(shape, fingerprint.bits()));
                    }
                }
                let mut expected = [0; RANKS_MAX];
                exact.iter().for_each(|&(_, rank)| expected[rank as usize - 1] += 1);
                prop_assert_eq!(count(&stamps, oldest), expected);
            }
        }

        #[test]
        fn every_fingerprint_has_a_place_in_the_line_of_its_low_bits(bits in 1..1_u64 << 24) {
            for shape in SHAPES {
                let place = shape.place(Fingerprint::of_hash(bits << 40));
                prop_assert!(shape.has_place(place));
                let lines = u64::from(shape.registers() / REGISTERS_PER_LINE);
                prop_assert_eq!((place / LINE_BYTES) as u64, bits % lines);
            }
        }

        #[test]
        fn merging_is_a_maximum_of_carried_stamps(seed: u64, distance in 0..=200_u8) {
            let draw = |place: u64| (seed.wrapping_mul(place * 2 + 1) >> 56) as Stamp;
            let ours: Vec<Stamp> = (0..4_096).map(draw).collect();
            let theirs: Vec<Stamp> = (5_000..9_096).map(draw).collect();
            let mut merged = ours.clone();
            merge(&mut merged, &theirs, distance);
            for ((merged, ours), theirs) in merged.into_iter().zip(ours).zip(theirs) {
                prop_assert_eq!(merged, ours.max(theirs.saturating_sub(distance)));
            }
        }
    }
}
