//! Numbers and addresses from text, byte by byte.

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
pub(super) fn parse_dotted(text: u128, length: u32) -> Option<u32> {
    if !(7..=15).contains(&length) {
        return None;
    }
    // Whatever stands before the address is taken for a dot, which ends the first octet.
    let inside = u128::MAX << (128 - 8 * length);
    let mut rest = text & inside | (DOTS & !inside);
    let (mut bits, mut used) = (0, 3);
    for octet in 0..4 {
        let digits = zero_bytes(rest ^ DOTS).leading_zeros() / 8;
        let value = parse_octet((rest >> 104) as u32, digits)?;
        bits |= value << (8 * octet);
        used += digits;
        rest = rest << (8 * digits) << 8;
    }
    (used == length).then_some(bits)
}

const ZEROS: u64 = 0x3030_3030_3030_3030;
const DOTS: u128 = 0x2e2e_2e2e_2e2e_2e2e_2e2e_2e2e_2e2e_2e2e;

/// Exact: a byte from which something carries into the next one is found by its own highest bit.
const fn are_digits(values: u64) -> bool {
    const UP_TO_NINE: u64 = 0x7676_7676_7676_7676;
    (values | values.wrapping_add(UP_TO_NINE)) & 0x8080_8080_8080_8080 == 0
}

/// The highest bit of each byte that is zero; exact for every byte, since no carry crosses a byte.
const fn zero_bytes(word: u128) -> u128 {
    const LOW_BITS: u128 = 0x7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_7f7f_7f7f;
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

/// An IPv6 address as RFC 4291, 2.2 writes it: eight groups of one to four hexadecimal digits, of which `::` may stand for
/// one or more that are zero, and the last two of which may be written as an IPv4 address.
fn parse_v6(text: &[u8]) -> Option<Address> {
    if text.len() > V6_BYTES_MAX {
        return None;
    }
    // Room behind the text lets groups be read without asking where it ends: zeros are no digits.
    let mut padded = [0; 64];
    padded[..text.len()].copy_from_slice(text);
    let (mut bits, mut groups, mut gap, mut place) = (0_u128, 0, None, 0);
    if text.starts_with(b"::") {
        (gap, place) = (Some(0), 2);
    }
    while place < text.len() {
        let (value, digits) = hex_group(&padded, place)?;
        let after = padded[(place + digits) & 63];
        if after == b'.' {
            let tail = parse_v4(text.get(place..)?)?.bits() & 0xffff_ffff;
            (bits, groups) = (bits << 32 | tail, groups + 2);
            break;
        }
        (bits, groups, place) = (bits << 16 | u128::from(value), groups + 1, place + digits);
        if place == text.len() {
            break;
        }
        // A colon needs a group behind it, unless it is the second of two.
        place += 1;
        if after != b':' || place == text.len() {
            return None;
        }
        if padded[place & 63] == b':' {
            place += 1;
            if gap.replace(groups).is_some() {
                return None;
            }
        }
    }
    match gap {
        None => (groups == 8).then_some(Address::v6(bits)),
        Some(before) if groups < 8 => {
            let tail_bits = 16 * (groups - before);
            let tail = bits & !(u128::MAX << tail_bits);
            // With no group before the gap, all of them are behind it and no shift is needed.
            let head = if before == 0 { 0 } else { bits >> tail_bits << (128 - 16 * before) };
            Some(Address::v6(head | tail))
        }
        Some(_) => None,
    }
}

/// The longest: six groups and an IPv4 address.
const V6_BYTES_MAX: usize = 45;

/// One to four hexadecimal digits, and how many there are.
#[inline(always)]
fn hex_group(text: &[u8; 64], place: usize) -> Option<(u16, usize)> {
    let digit = |number| HEX_DIGITS[usize::from(text[(place + number) & 63])];
    let [a, b, c, d] = [digit(0), digit(1), digit(2), digit(3)];
    if a | b | c | d < 16 {
        return Some((a << 12 | b << 8 | c << 4 | d, 4));
    }
    match (a < 16, b < 16, c < 16) {
        (false, ..) => None,
        (_, false, _) => Some((a, 1)),
        (_, _, false) => Some((a << 4 | b, 2)),
        _ => Some((a << 8 | b << 4 | c, 3)),
    }
}

/// The value of each byte as a hexadecimal digit; all bits for those that are none.
static HEX_DIGITS: [u16; 256] = {
    let (lower, upper) = (b"0123456789abcdef", b"0123456789ABCDEF");
    let mut values = [u16::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[lower[value as usize] as usize] = value;
        values[upper[value as usize] as usize] = value;
        value += 1;
    }
    values
};

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    #[test]
    fn the_largest_number_is_read_and_the_next_refused() {
        assert_eq!(parse_integer(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_integer(b"18446744073709551616"), None);
        for bad in [&b""[..], b"-", b"-1", b"+1", b"1.5", b" 1", b"184467440737095516150"] {
            assert_eq!(parse_integer(bad), None);
        }
    }

    #[test]
    fn every_way_to_write_an_ipv6_address_is_read_and_no_other() {
        for good in [
            "::",
            "::1",
            "1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "ABCD::abcd",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "64:ff9b::192.0.2.33",
        ] {
            let standard = good.parse::<Ipv6Addr>().unwrap();
            assert_eq!(parse_address(good.as_bytes()), Some(standard.into()), "{good}");
        }
        for bad in [
            ":",
            ":::",
            "1:",
            ":1",
            "1::2::3",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7::8",
            "12345::",
            "::g",
            "::1%eth0",
            "[::1]",
            "1.2.3.4::",
            "::1.2.3",
            "::1.2.3.04",
            "::256.1.1.1",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::1.2.3.4:5",
            " ::1",
            "",
        ] {
            assert_eq!(parse_address(bad.as_bytes()), None, "{bad}");
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
        fn ipv6_addresses_agree_with_the_standard_library(
            text in prop_oneof![
                any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_string()),
                any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_string().to_uppercase()),
                any::<(u32, u128)>().prop_map(|(bits, mask)| {
                    Ipv6Addr::from_bits(u128::from(bits) << 64 & mask | 0xffff << 32).to_string()
                }),
                any::<u32>().prop_map(|bits| format!("::ffff:{}", Ipv4Addr::from_bits(bits))),
                "([0-9a-fA-F]{0,5}:){0,9}[0-9a-fA-F]{0,5}",
                "([0-9a-fA-F]{1,4}:){0,8}:([0-9a-fA-F]{1,4}:){0,8}[0-9a-fA-F]{0,4}",
                "([0-9a-f]{1,4}:){0,7}:?([0-9a-f]{1,4}:){0,5}[0-9]{1,3}(\\.[0-9]{1,3}){3}",
                "[:0-9a-g.%/@`]{0,50}",
                "fe80::1%(eth0|1)?",
            ],
            change: (Index, u8),
            changes: bool,
        ) {
            let mut text = text.into_bytes();
            if changes && !text.is_empty() {
                let place = change.0.index(text.len());
                text[place] = change.1;
            }
            let standard = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
            prop_assert_eq!(parse_v6(&text), standard.map(Address::from));
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
