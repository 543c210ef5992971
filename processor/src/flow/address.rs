//! One address type for both families, small enough to be a table key.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V4_MAPPED: u128 = 0xffff_0000_0000;

/// An IPv4 or IPv6 address in 16 bytes; IPv4 is held as its IPv4-mapped IPv6 form (RFC 4291, 2.5.5.2), so that
/// `::ffff:192.0.2.1` and `192.0.2.1` are one host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(u128);

impl Address {
    /// From the four bytes of an IPv4 address, first byte highest.
    #[must_use]
    pub const fn v4(bits: u32) -> Self {
        Self(V4_MAPPED | bits as u128)
    }

    /// From the 16 bytes of an IPv6 address, first byte highest.
    #[must_use]
    pub const fn v6(bits: u128) -> Self {
        Self(bits)
    }

    /// All 128 bits, IPv4 in its mapped form.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Whether this is an IPv4 address.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == V4_MAPPED >> 32
    }

    /// Whether packets to it reach many hosts or none in particular: multicast, limited broadcast, unspecified.
    /// Discovery protocols (mDNS, SSDP) send there without an answer, so such a target proves nothing.
    #[must_use]
    pub const fn is_group(self) -> bool {
        if self.is_v4() {
            let bits = self.0 & 0xffff_ffff;
            bits >> 28 == 0xe || bits == 0xffff_ffff || bits == 0
        } else {
            self.0 >> 120 == 0xff || self.0 == 0
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => v6.into(),
        }
    }
}

impl From<Ipv4Addr> for Address {
    fn from(address: Ipv4Addr) -> Self {
        Self::v4(address.to_bits())
    }
}

impl From<Ipv6Addr> for Address {
    fn from(address: Ipv6Addr) -> Self {
        Self::v6(address.to_bits())
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        Ipv6Addr::from_bits(address.0).to_canonical()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(formatter)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_same_host_as_its_ipv4_form() {
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let plain: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(Address::from(mapped), Address::from(plain));
        assert_eq!(Address::from(mapped).to_string(), "192.0.2.1");
    }

    #[test]
    fn multicast_broadcast_and_unspecified_are_groups_and_hosts_are_not() {
        for group in
            ["224.0.0.251", "239.255.255.250", "255.255.255.255", "0.0.0.0", "ff02::1", "::"]
        {
            assert!(Address::from(group.parse::<IpAddr>().unwrap()).is_group(), "{group}");
        }
        for host in ["10.0.0.1", "223.255.255.255", "240.0.0.1", "fe80::1", "::1"] {
            assert!(!Address::from(host.parse::<IpAddr>().unwrap()).is_group(), "{host}");
        }
    }
}
