//! Chance in waits, so that those who failed together do not come again together. Who waits draws; this computes.

/// The share `draw`, from 0 to 1, of a wait.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a wait of at most some seconds, and a share of it between 0 and 1"
)]
pub(in crate::source) fn share(length_ms: u64, draw: f64) -> u64 {
    (length_ms as f64 * draw.clamp(0.0, 1.0)) as u64
}
