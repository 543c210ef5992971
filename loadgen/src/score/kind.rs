//! The kinds of finding: a closed set that truth and signals share.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a finding says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Many ports of one host.
    VerticalScan,
    /// One port of many hosts.
    HorizontalScan,
    /// Many ports of many hosts.
    BlockScan,
    /// Many sources, one target.
    DistributedScan,
    /// Many short connections to a service that asks for a password.
    RepeatedAttempts,
    /// Much refused traffic.
    RejectedSurge,
    /// Much data to one address outside.
    Exfiltration,
    /// Regular small contacts.
    Beacon,
    /// An interface without records.
    DataGap,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::VerticalScan,
        Self::HorizontalScan,
        Self::BlockScan,
        Self::DistributedScan,
        Self::RepeatedAttempts,
        Self::RejectedSurge,
        Self::Exfiltration,
        Self::Beacon,
        Self::DataGap,
    ];

    /// The name in truth files and signals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerticalScan => "vertical_scan",
            Self::HorizontalScan => "horizontal_scan",
            Self::BlockScan => "block_scan",
            Self::DistributedScan => "distributed_scan",
            Self::RepeatedAttempts => "repeated_attempts",
            Self::RejectedSurge => "rejected_surge",
            Self::Exfiltration => "exfiltration",
            Self::Beacon => "beacon",
            Self::DataGap => "data_gap",
        }
    }

    /// Whether it claims that somebody scans.
    #[must_use]
    pub const fn is_scan(self) -> bool {
        matches!(
            self,
            Self::VerticalScan | Self::HorizontalScan | Self::BlockScan | Self::DistributedScan
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_signals() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
