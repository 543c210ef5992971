//! IPv6 addresses: two thirds of the time of a line that has them, if the standard library reads them.

use super::parse_v4;
use crate::flow::Address;

/// An IPv6 address as RFC 4291, 2.2 writes it: eight groups of one to four hexadecimal digits, of which `::` may stand for
/// one or more that are zero, and the last two of which may be written as an IPv4 address.
pub(super) fn parse_v6(text: &[u8]) -> Option<Address> {
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
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

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
            assert_eq!(parse_v6(good.as_bytes()), Some(standard.into()), "{good}");
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
            assert_eq!(parse_v6(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

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
    }
}
