//! Numbers and addresses from text, byte by byte.

use std::net::Ipv6Addr;

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

fn digit(byte: u8) -> Option<u64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(u64::from(value))
}

fn parse_v4(text: &[u8]) -> Option<Address> {
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

fn parse_v6(text: &[u8]) -> Option<Address> {
    if !text.contains(&b':') {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<Ipv6Addr>().ok().map(Address::from)
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
        #[test]
        fn integers_agree_with_the_standard_library(text in "[0-9]{0,22}|[ -~]{0,6}") {
            let standard = text.parse::<u64>().ok().filter(|_| !text.starts_with('+'));
            prop_assert_eq!(parse_integer(text.as_bytes()), standard);
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
