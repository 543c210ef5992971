//! Address ranges in CIDR notation.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Address;

/// One range, as `10.0.0.0/8` or `fc00::/7`; a bare address is a range of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    first: u128,
    mask: u128,
    prefix_bits: u8,
}

/// Why a text is not a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Neither an address nor `address/prefix`.
    #[error("`{0}` is not an address range: write it as 10.0.0.0/8 or fc00::/7")]
    Syntax(String),
    /// More prefix bits than the address family has.
    #[error("`{0}` has a prefix longer than its address")]
    Prefix(String),
    /// Bits are set behind the prefix.
    #[error("`{text}` has bits set behind its prefix: the range is {meant}")]
    HostBits {
        /// What was written.
        text: String,
        /// The range it lies in.
        meant: String,
    },
}

impl Network {
    /// Whether `address` lies in the range.
    #[must_use]
    pub const fn contains(&self, address: Address) -> bool {
        address.bits() & self.mask == self.first
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let syntax = || NetworkError::Syntax(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                (address, Some(prefix.parse::<u8>().map_err(|_error| syntax())?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_error| syntax())?;
        let family_bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(family_bits);
        if prefix > family_bits {
            return Err(NetworkError::Prefix(text.to_owned()));
        }
        let prefix_bits = 128 - family_bits + prefix;
        let mask = u128::MAX.checked_shl(u32::from(128 - prefix_bits)).unwrap_or(0);
        let bits = Address::from(address).bits();
        let network = Self { first: bits & mask, mask, prefix_bits };
        if network.first != bits {
            let meant = network.to_string();
            return Err(NetworkError::HostBits { text: text.to_owned(), meant });
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = Address::v6(self.first);
        let prefix = if first.is_v4() { self.prefix_bits - 96 } else { self.prefix_bits };
        write!(formatter, "{first}/{prefix}")
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A short list of ranges; an address belongs when any contains it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// From a list of ranges.
    #[must_use]
    pub const fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether any range contains `address`.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn a_range_contains_its_first_and_last_address_and_no_neighbour() {
        let network: Network = "172.16.0.0/12".parse().unwrap();
        assert!(network.contains(address("172.16.0.0")));
        assert!(network.contains(address("172.31.255.255")));
        assert!(!network.contains(address("172.32.0.0")));
        assert!(!network.contains(address("172.15.255.255")));
        assert!(!network.contains(address("fc00::1")));
        let everything: Network = "::/0".parse().unwrap();
        assert!(everything.contains(address("fe80::1")));
    }

    #[test]
    fn host_bits_are_refused_with_the_range_that_was_meant() {
        let error = "10.1.2.3/8".parse::<Network>().unwrap_err();
        assert!(error.to_string().ends_with("the range is 10.0.0.0/8"), "{error}");
    }

    #[test]
    fn a_range_prints_as_it_was_written() {
        for text in ["10.0.0.0/8", "192.0.2.1/32", "fc00::/7", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("ten/8".parse::<Network>().is_err());
    }
}
