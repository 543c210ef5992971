//! Seeded keys with a density of 1 / rank, as talkers on a network have.

use sketches::hash::split_mix;

/// `updates` pairs of a key from 1 to `keys`, where key `r` is drawn with density 1 / `r`, and a weight from 40 to 1,499,
/// the bytes of a packet.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "floored, within 1..=keys"
)]
pub fn weighted_keys(keys: u32, updates: usize, seed: u64) -> Vec<(u64, u64)> {
    let mut state = seed;
    let mut draw = || {
        let unit = (split_mix(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
        (f64::from(keys).powf(unit).floor() as u64, 40 + split_mix(&mut state) % 1_460)
    };
    (0..updates).map(|_| draw()).collect()
}
