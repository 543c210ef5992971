//! The attacks that can be injected, by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One kind of injected trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// An internal host probes many ports of one target; an internet source does the same to a
    /// public-facing host.
    VerticalScan,
    /// An internal host probes one port of many addresses; so does an internet source if 40 hosts
    /// face the internet.
    HorizontalScan,
    /// An internal host pings many addresses.
    IcmpSweep,
    /// An internal host probes many ports of many hosts in random order.
    BlockScan,
    /// An internal host probes one port about every 40 s for an hour or more.
    SlowScan,
    /// An internal host uploads gigabytes to one internet address.
    Exfiltration,
    /// An internal host hammers one blocked service.
    RejectedSurge,
    /// One interface logs SKIPDATA for three minutes.
    DataGap,
}

/// A scenario name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown scenario `{name}`; scenarios are {}, all, none", Scenario::names())]
pub struct UnknownScenario {
    /// What was asked for.
    pub name: String,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 8] = [
        Self::VerticalScan,
        Self::HorizontalScan,
        Self::IcmpSweep,
        Self::BlockScan,
        Self::SlowScan,
        Self::Exfiltration,
        Self::RejectedSurge,
        Self::DataGap,
    ];

    /// The name used on the command line and in truth files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerticalScan => "vertical-scan",
            Self::HorizontalScan => "horizontal-scan",
            Self::IcmpSweep => "icmp-sweep",
            Self::BlockScan => "block-scan",
            Self::SlowScan => "slow-scan",
            Self::Exfiltration => "exfiltration",
            Self::RejectedSurge => "rejected-surge",
            Self::DataGap => "data-gap",
        }
    }

    /// The shortest plan, in seconds, in which the scenario fits.
    #[must_use]
    pub const fn duration_s_min(self) -> u32 {
        match self {
            // An hour of probing, and time before and after it.
            Self::SlowScan => 3_900,
            _ => 600,
        }
    }

    /// Every scenario that fits into a plan of that many seconds.
    #[must_use]
    pub fn fitting(duration_s: u32) -> Vec<Self> {
        Self::ALL.into_iter().filter(|scenario| scenario.duration_s_min() <= duration_s).collect()
    }

    /// Position in [`Scenario::ALL`]: chooses the host and the stream of draws.
    pub(crate) fn ordinal(self) -> u32 {
        self as u32
    }

    fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|scenario| scenario.as_str() == name);
        found.ok_or_else(|| UnknownScenario { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_ordinals_follow_the_list() {
        for (position, scenario) in (0_u32..).zip(Scenario::ALL) {
            assert_eq!(scenario.as_str().parse(), Ok(scenario));
            assert_eq!(scenario.ordinal(), position);
        }
        assert!("port-scan".parse::<Scenario>().unwrap_err().to_string().contains("vertical-scan"));
    }

    #[test]
    fn only_the_slow_scan_needs_more_than_ten_minutes() {
        assert_eq!(Scenario::fitting(3_900), Scenario::ALL);
        assert!(!Scenario::fitting(3_899).contains(&Scenario::SlowScan));
        assert_eq!(Scenario::fitting(600).len(), 7);
        assert!(Scenario::fitting(599).is_empty());
    }
}
