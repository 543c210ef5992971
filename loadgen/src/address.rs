//! IPv4 addresses as numbers: which are ours, which belong to the internet, and which AWS calls its
//! own.
//!
//! The internet ranges leave out everything that IANA's special-purpose registry reserves.

use std::net::Ipv4Addr;

use crate::draws::mix;

/// The VPC is 10.0.0.0/16.
pub(crate) const VPC: u32 = 0x0A00_0000;

/// Where backups go: inside 52.216.0.0/15, which AWS publishes as S3.
const S3_BASE: u32 = 0x34D8_0000;
const S3_SECOND_BASE: u32 = 0x0305_0000;

pub(crate) fn is_inside(address: u32) -> bool {
    address >> 16 == VPC >> 16
}

/// Whether the address can belong to a host on the internet.
pub(crate) fn is_public(address: u32) -> bool {
    let [first, second, third, _] = address.to_be_bytes();
    !matches!(
        (first, second, third),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// The range name that AWS prints in `pkt-src-aws-service` and `pkt-dst-aws-service`.
pub(crate) fn aws_service(address: u32) -> Option<&'static str> {
    let [first, second, ..] = address.to_be_bytes();
    match (first, second) {
        (52, 216 | 217) | (3, 5) => Some("S3"),
        (13, 224..=227) => Some("CLOUDFRONT"),
        (52, 94) => Some("AMAZON"),
        (54, 144..=159) => Some("EC2"),
        _ => None,
    }
}

/// The internet address number `index` of a numbered population.
pub(crate) fn outside(population: u64, index: u32) -> u32 {
    let mut state = mix(population ^ (u64::from(index) << 20));
    loop {
        let [a, b, c, d, ..] = state.to_be_bytes();
        let address = u32::from_be_bytes([a, b, c, d]);
        if is_public(address) && aws_service(address) != Some("S3") {
            return address;
        }
        state = mix(state);
    }
}

/// The S3 address number `index`; a third of them lie in the second range.
pub(crate) fn s3(index: u32) -> u32 {
    if index % 3 == 2 {
        S3_SECOND_BASE + ((index * 2_477 + 17) & 0xFFFF)
    } else {
        S3_BASE + ((index * 7_919 + 41) & 0x1_FFFF)
    }
}

pub(crate) fn text(address: u32) -> String {
    Ipv4Addr::from(address).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_internet_addresses_are_public_and_not_s3() {
        for index in 0..20_000 {
            let address = outside(7, index);
            assert!(is_public(address) && !is_inside(address), "{}", text(address));
            assert_ne!(aws_service(address), Some("S3"));
        }
    }

    #[test]
    fn reserved_ranges_are_not_public() {
        let reserved =
            ["10.1.2.3", "127.0.0.1", "192.168.1.1", "100.64.0.9", "203.0.113.5", "224.0.0.1"];
        for reserved in reserved {
            let address: Ipv4Addr = reserved.parse().unwrap();
            assert!(!is_public(u32::from(address)), "{reserved}");
        }
    }

    #[test]
    fn backups_have_at_least_sixteen_distinct_s3_addresses() {
        let addresses: std::collections::BTreeSet<u32> = (0..24).map(s3).collect();
        assert_eq!(addresses.len(), 24);
        assert!(addresses.iter().all(|address| aws_service(*address) == Some("S3")));
    }
}
