//! Numbers and addresses from text: byte by byte, and many bytes at once for what fits into a word.

mod ipv6;

use self::ipv6::parse_v6;
use crate::flow::Address;

/// A decimal number without sign; `None` when it is empty, has another byte than a digit, or exceeds 64 bits.
#[must_use]
pub fn parse_integer(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    if text.len() < 20 {
        // 19 digits always fit in 64 bits, so the common case needs no overflow check.
        return text.iter().try_fold(0u64, |value, byte| Some(value * 10 + digit(*byte)?));
    }
    text.iter().try_fold(0u64, |value, byte| value.checked_mul(10)?.checked_add(digit(*byte)?))
}

/// An IPv4 or IPv6 address in text form; `None` when it is neither. IPv4 octets with leading zeros are refused: some
/// systems read them as octal.
#[must_use]
pub fn parse_address(text: &[u8]) -> Option<Address> {
    parse_v4(text).or_else(|| parse_v6(text))
}

/// The number that the last `length <= 8` bytes of a word write, its first byte lowest; `None` if any of them is not a
/// digit.
#[inline(always)]
pub(super) const fn parse_digits(word: u64, length: u32) -> Option<u64> {
    // A shift by 64 leaves nothing, but has to be written so.
    let kept = if length == 0 { 0 } else { u64::MAX << (64 - 8 * length) };
    let digits = (word ^ ZEROS) & kept;
    if !are_digits(digits) {
        return None;
    }
    // Neighbours are brought together: digits to pairs, pairs to fours, fours to the whole.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let low = (pairs & 0xff_0000_00ff).wrapping_mul(100 | 1_000_000 << 32);
    let high = (pairs >> 16 & 0xff_0000_00ff).wrapping_mul(1 | 10_000 << 32);
    Some(low.wrapping_add(high) >> 32)
}

/// The IPv4 address that the last `length` of 16 bytes write, its first byte highest; `None` if they write none.
#[inline(always)]
pub(super) fn parse_dotted(text: &[u8; 16], length: u32) -> Option<u32> {
    if !(7..=15).contains(&length) {
        return None;
    }
    // Two octets and two dots are at most eight bytes: a word has them, and a word that ends there has the other two.
    let (low, used) = parse_two_octets(u64::from_le_bytes(*text.last_chunk()?))?;
    let rest = length.checked_sub(used).filter(|rest| *rest < 8)?;
    let before = u64::from_le_bytes(*text[..16 - used as usize].last_chunk()?);
    // Whatever stands before the address is taken for a dot, which ends the first octet.
    let inside = u64::MAX.checked_shl(64 - 8 * rest)?;
    let (high, used) = parse_two_octets(before & inside | (DOTS & !inside))?;
    (used == rest + 1).then_some(high << 16 | low)
}

/// The two octets at the end of a word, and how many bytes they take with a dot before each.
#[inline(always)]
fn parse_two_octets(word: u64) -> Option<(u32, u32)> {
    let dots = zero_bytes(word ^ DOTS);
    let last = dots.leading_zeros() / 8;
    let low = parse_octet((word >> 40) as u32, last)?;
    let shift = 8 * last + 8;
    let first = (dots << shift).leading_zeros() / 8;
    let high = parse_octet((word << shift >> 40) as u32, first)?;
    Some((high << 8 | low, first + last + 2))
}

const ZEROS: u64 = 0x3030_3030_3030_3030;
const DOTS: u64 = 0x2e2e_2e2e_2e2e_2e2e;

/// Exact: a byte from which something carries into the next one is found by its own highest bit.
const fn are_digits(values: u64) -> bool {
    const UP_TO_NINE: u64 = 0x7676_7676_7676_7676;
    (values | values.wrapping_add(UP_TO_NINE)) & 0x8080_8080_8080_8080 == 0
}

/// The highest bit of each byte that is zero; exact for every byte, since no carry crosses a byte.
const fn zero_bytes(word: u64) -> u64 {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    !(((word & LOW_BITS) + LOW_BITS) | word | LOW_BITS)
}

/// The last `digits` of three bytes, without leading zeros and at most 255.
#[inline(always)]
const fn parse_octet(text: u32, digits: u32) -> Option<u32> {
    if digits == 0 || digits > 3 {
        return None;
    }
    let kept = 0xff_ffff << (24 - 8 * digits) & 0xff_ffff;
    let values = (text ^ 0x30_3030) & kept;
    let value = (values & 0xff) * 100 + (values >> 8 & 0xff) * 10 + (values >> 16);
    let smallest = [0, 0, 10, 100][digits as usize];
    if are_digits(values as u64) && value >= smallest && value <= 255 { Some(value) } else { None }
}

fn digit(byte: u8) -> Option<u64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(u64::from(value))
}

pub(super) fn parse_v4(text: &[u8]) -> Option<Address> {
    if text.len() > 15 {
        return None;
    }
    let (mut bits, mut octet, mut digits, mut dots) = (0u32, 0u32, 0u8, 0u8);
    for &byte in text {
        if byte == b'.' {
            if digits == 0 {
                return None;
            }
            bits = bits << 8 | octet;
            (octet, digits, dots) = (0, 0, dots + 1);
        } else {
            let value = byte.wrapping_sub(b'0');
            if value > 9 || digits == 3 || (digits > 0 && octet == 0) {
                return None;
            }
            octet = octet * 10 + u32::from(value);
            digits += 1;
            if octet > 255 {
                return None;
            }
        }
    }
    (dots == 3 && digits > 0).then(|| Address::v4(bits << 8 | octet))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_number_is_read_and_the_next_refused() {
        assert_eq!(parse_integer(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_integer(b"18446744073709551616"), None);
        for bad in [&b""[..], b"-", b"-1", b"+1", b"1.5", b" 1", b"184467440737095516150"] {
            assert_eq!(parse_integer(bad), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn integers_agree_with_the_standard_library(text in "[0-9]{0,22}|[ -~]{0,6}") {
            let standard = text.parse::<u64>().ok().filter(|_| !text.starts_with('+'));
            prop_assert_eq!(parse_integer(text.as_bytes()), standard);
        }

        #[test]
        fn digits_of_a_word_are_a_number(text in "[0-9]{0,8}|[/-:]{0,8}|[ -~]{0,8}", before: u64) {
            let mut bytes = before.to_le_bytes().to_vec();
            bytes.extend(text.bytes());
            let word = u64::from_le_bytes(*bytes.last_chunk().unwrap());
            let expected = if text.is_empty() { Some(0) } else { parse_integer(text.as_bytes()) };
            prop_assert_eq!(parse_digits(word, u32::try_from(text.len()).unwrap()), expected);
        }

        #[test]
        fn addresses_agree_with_the_standard_library(
            text in "[0-9.]{0,16}|[0-9a-f:.]{0,24}|([0-9]{1,3}\\.){3}[0-9]{1,3}"
        ) {
            let standard = text.parse::<IpAddr>().ok().map(Address::from);
            prop_assert_eq!(parse_address(text.as_bytes()), standard);
        }

        #[test]
        fn every_ipv4_address_is_read_back(bits: u32) {
            let text = Ipv4Addr::from_bits(bits).to_string();
            prop_assert_eq!(parse_address(text.as_bytes()), Some(Address::v4(bits)));
        }
    }
}
