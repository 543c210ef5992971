//! Buffers that payloads share one after the other.

/// Bytes that a buffer may keep whatever payloads come.
const KEPT_BYTES: usize = 4 << 20;
/// So many payloads must leave a large buffer mostly unused before it is given back: large ones come in rows.
const IDLE_PAYLOADS_MAX: u8 = 8;

/// Bytes that stay initialised, so that only growth costs zeroing.
#[derive(Debug, Default)]
pub(in crate::decode) struct Scratch {
    bytes: Vec<u8>,
    pub(in crate::decode) usage: Usage,
}

impl Scratch {
    /// The first `len` bytes, with whatever they held before.
    pub(in crate::decode) fn room(&mut self, len: usize) -> &mut [u8] {
        self.usage.note(len);
        if self.bytes.len() < len {
            // Doubled while small, exact once it is not: the limits are stated to the byte.
            let grown = len.max(self.bytes.len().saturating_mul(2).min(KEPT_BYTES));
            self.bytes.reserve_exact(grown - self.bytes.len());
            self.bytes.resize(grown, 0);
        }
        &mut self.bytes[..len]
    }

    /// The first `len` bytes, which [`Self::room`] has made before.
    pub(in crate::decode) fn filled(&self, len: usize) -> &[u8] {
        self.bytes.get(..len).unwrap_or_default()
    }

    /// Bytes that it keeps.
    pub(in crate::decode) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Ends a payload: gives memory back that the last ones did not need.
    pub(in crate::decode) fn settle(&mut self, is_pressed: bool) {
        let held = self.held_bytes();
        if self.usage.releases(held, is_pressed) {
            self.bytes = Vec::new();
        }
    }
}

/// How much of a buffer the last payloads used.
#[derive(Debug, Default)]
pub(in crate::decode) struct Usage {
    bytes: usize,
    idle: u8,
}

impl Usage {
    /// This payload needed so many bytes at once.
    pub(in crate::decode) fn note(&mut self, bytes: usize) {
        self.bytes = self.bytes.max(bytes);
    }

    /// Ends a payload: whether a buffer of `held` bytes is to be given back. When memory is pressed, one that was
    /// mostly unused goes at once.
    pub(in crate::decode) fn releases(&mut self, held: usize, is_pressed: bool) -> bool {
        let is_idle = held > KEPT_BYTES && self.bytes < held / 4;
        self.idle = if is_idle { self.idle + 1 } else { 0 };
        self.bytes = 0;
        let releases = is_idle && (is_pressed || self.idle >= IDLE_PAYLOADS_MAX);
        if releases {
            self.idle = 0;
        }
        releases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_goes_after_some_small_payloads_and_a_small_one_stays() {
        let mut scratch = Scratch::default();
        scratch.room(KEPT_BYTES + 1);
        scratch.settle(false);
        for _ in 1..IDLE_PAYLOADS_MAX {
            scratch.room(100);
            scratch.settle(false);
            assert!(scratch.held_bytes() > KEPT_BYTES);
        }
        scratch.settle(false);
        assert_eq!(scratch.held_bytes(), 0);
        scratch.room(KEPT_BYTES);
        for _ in 0..100 {
            scratch.settle(true);
        }
        assert_eq!(scratch.held_bytes(), KEPT_BYTES);
    }

    #[test]
    fn a_large_buffer_goes_at_once_when_memory_is_pressed_unless_it_was_used() {
        let mut scratch = Scratch::default();
        scratch.room(9 << 20);
        scratch.settle(true);
        assert_eq!(scratch.held_bytes(), 9 << 20);
        scratch.settle(true);
        assert_eq!(scratch.held_bytes(), 0);
    }
}
