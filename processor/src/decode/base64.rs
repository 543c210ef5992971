//! Base64 as AWS writes it in JSON (RFC 4648, section 4): the standard alphabet, padded, or not padded at all as some
//! tools write it; nothing else, no line breaks, no bits left over.

use base64_turbo::{STANDARD, STANDARD_NO_PAD};

/// The most bytes that `text` can decode to, and the room that [`decode`] needs.
pub(super) const fn decoded_bytes_max(text: &[u8]) -> usize {
    text.len().div_ceil(4) * 3
}

/// Decodes `text` into the beginning of `room`; `None` if it is not base64. Gives the number of bytes.
pub(super) fn decode(text: &[u8], room: &mut [u8]) -> Option<usize> {
    let engine = if text.len().is_multiple_of(4) { STANDARD } else { STANDARD_NO_PAD };
    engine.decode_slice(text, room).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    fn decoded(text: &[u8]) -> Option<Vec<u8>> {
        let mut room = vec![0; decoded_bytes_max(text)];
        let length = decode(text, &mut room)?;
        room.truncate(length);
        Some(room)
    }

    /// Six bits at a time, as the RFC says it.
    fn oracle(text: &[u8]) -> Option<Vec<u8>> {
        let unpadded = match text.len() % 4 {
            0 => text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text),
            _ => text,
        };
        let mut bits = Vec::new();
        for byte in unpadded {
            let value = ALPHABET.iter().position(|letter| letter == byte)?;
            bits.extend((0..6).rev().map(|bit| u8::from(value >> bit & 1 == 1)));
        }
        let rest = bits.len() % 8;
        if rest == 6 || bits[bits.len() - rest..].contains(&1) {
            return None;
        }
        let bytes = bits.chunks_exact(8);
        Some(bytes.map(|byte| byte.iter().fold(0, |value, bit| value << 1 | bit)).collect())
    }

    #[test]
    fn the_test_vectors_of_the_rfc_decode_with_and_without_padding() {
        let vectors = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let encoded = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (plain, text) in vectors.into_iter().zip(encoded) {
            assert_eq!(decoded(text.as_bytes()).unwrap(), plain.as_bytes());
            assert_eq!(decoded(text.trim_end_matches('=').as_bytes()).unwrap(), plain.as_bytes());
        }
    }

    #[test]
    fn garbage_is_refused_whatever_its_length() {
        for length in [4, 8, 28, 36, 64, 68, 100, 256] {
            for bad in [b'-', b'_', b' ', b'\n', b'"', b'\\', b'=', 0, 0x80, 0xff] {
                for place in [0, length / 2, length - 3] {
                    let mut text = vec![b'A'; length];
                    text[place] = bad;
                    assert_eq!(decoded(&text), None, "{bad} at {place} of {length}");
                }
            }
        }
        assert_eq!(decoded(b"Zh=="), None, "bits left over");
        assert_eq!(decoded(b"Zg="), None, "half a padding");
    }

    proptest! {
        #[test]
        fn agrees_with_six_bits_at_a_time(text in "[A-Za-z0-9+/]{0,200}={0,3}") {
            prop_assert_eq!(decoded(text.as_bytes()), oracle(text.as_bytes()));
        }

        #[test]
        fn what_was_encoded_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            prop_assert_eq!(decoded(STANDARD.encode(&bytes).as_bytes()), Some(bytes));
        }
    }
}
