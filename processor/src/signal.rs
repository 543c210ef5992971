//! What we tell the world: one finding per rule and entity, opened, updated and closed.
//!
//! Serialised as one JSON object per line. Field names are a contract with whoever reads the signals; times are event
//! time, RFC 3339, UTC.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::flow::{Address, protocol};

/// Which rule fired.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Many ports of one host.
    VerticalScan,
    /// One port, or few, of many hosts.
    HorizontalScan,
    /// Many ports of many hosts.
    BlockScan,
    /// One source is rejected again and again.
    RejectedSurge,
    /// Much data to one outside host.
    Exfiltration,
    /// AWS lost records of an interface.
    DataGap,
}

impl Kind {
    /// Whether it is told from failed attempts.
    #[must_use]
    pub const fn is_scan(self) -> bool {
        matches!(self, Self::VerticalScan | Self::HorizontalScan | Self::BlockScan)
    }

    /// The name in signals and reports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::VerticalScan => "vertical_scan",
            Self::HorizontalScan => "horizontal_scan",
            Self::BlockScan => "block_scan",
            Self::RejectedSurge => "rejected_surge",
            Self::Exfiltration => "exfiltration",
            Self::DataGap => "data_gap",
        }
    }
}

/// Where a finding stands in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It crossed its threshold.
    Open,
    /// Its estimate reached the next power of ten.
    Update,
    /// It fell below its threshold again.
    Closed,
}

/// How much it matters: our own host as the actor weighs more than the internet as the actor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Informational,
    /// Internet noise that hits us.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Wake up.
    Critical,
}

/// Whom a finding is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entity {
    /// The acting host, or for a data gap the interface or the shard.
    pub src: Party,
    /// The host acted upon, where the rule has one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub dst: Option<Address>,
    /// The port acted upon, where the rule has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// IANA protocol number, where the rule has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u8>,
}

/// A host or an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Party {
    /// By address.
    Host(Address),
    /// By `interface-id`.
    Interface(Box<str>),
    /// By `stream/shard`, for a data gap.
    Shard(Box<str>),
}

/// What the finding rests on.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Evidence {
    /// Up to ten targets, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "all_as_text")]
    pub targets: Vec<Address>,
    /// Up to ten ports, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Distinct services or hosts attempted in the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempted: Option<u64>,
    /// Of these, how many answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<u64>,
    /// Bytes sent in the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Rejected records in the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_records: Option<u64>,
    /// How the direction was told: `high` from TCP flags or rejections, `medium` from ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction_confidence: Option<&'static str>,
    /// False when AWS reported lost records for any interface within the window.
    pub is_data_complete: bool,
}

/// One line of output.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Signal {
    /// The finding's id: the same in all its signals, and in a second run over the same input.
    pub id: String,
    /// The rule.
    pub kind: Kind,
    /// Open, update or closed.
    pub status: Status,
    /// How much it matters.
    pub severity: Severity,
    /// Whom it is about.
    pub entity: Entity,
    /// The window whose threshold was crossed, in seconds.
    pub window_s: u32,
    /// What was counted: distinct unanswered services or hosts, rejected records, bytes, or lost intervals.
    pub estimate: u64,
    /// One standard error of the estimate; 0 where the count is exact.
    pub estimate_error: u64,
    /// The threshold of the rule.
    pub threshold: u64,
    /// Event time of the earliest evidence.
    #[serde(rename = "first_seen", serialize_with = "rfc3339")]
    pub first_seen_s: u64,
    /// Event time of the latest evidence.
    #[serde(rename = "last_seen", serialize_with = "rfc3339")]
    pub last_seen_s: u64,
    /// What it rests on.
    pub evidence: Evidence,
}

impl Signal {
    /// Records of a shard were trimmed before they were read, as was noticed at `time_s`.
    #[must_use]
    pub fn shard_gap(shard: &str, time_s: u64) -> Self {
        let src = Party::Shard(shard.into());
        Self {
            id: format!("{}-{shard}-{time_s}", Kind::DataGap.label()),
            kind: Kind::DataGap,
            status: Status::Open,
            severity: Severity::Medium,
            entity: Entity { src, dst: None, port: None, protocol: None },
            window_s: 0,
            estimate: 1,
            estimate_error: 0,
            threshold: 1,
            first_seen_s: time_s,
            last_seen_s: time_s,
            evidence: Evidence::default(),
        }
    }
}

/// Unix seconds as RFC 3339 in UTC.
#[must_use]
pub fn format_time(time_s: u64) -> String {
    // humantime writes up to the year 9999; decoded times end in 2100.
    let time = UNIX_EPOCH + Duration::from_secs(time_s.min(253_402_300_799));
    humantime::format_rfc3339_seconds(time).to_string()
}

impl std::fmt::Display for Party {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(address) => address.fmt(formatter),
            Self::Interface(id) | Self::Shard(id) => formatter.write_str(id),
        }
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.src.fmt(formatter)?;
        match (self.dst, self.port) {
            (Some(dst), Some(port)) => write!(formatter, " -> {dst} port {port}"),
            (Some(dst), None) => write!(formatter, " -> {dst}"),
            (None, Some(_)) if matches!(self.protocol, Some(protocol::ICMP | protocol::ICMPV6)) => {
                formatter.write_str(" -> by ping")
            }
            (None, Some(port)) => write!(formatter, " -> port {port}"),
            (None, None) => Ok(()),
        }
    }
}

impl Serialize for Party {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_text<S: Serializer>(address: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_none(),
    }
}

fn all_as_text<S: Serializer>(addresses: &[Address], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(addresses.iter().map(ToString::to_string))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn rfc3339<S: Serializer>(time_s: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_time(*time_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_one_json_object_with_the_contract_fields() {
        let signal = Signal {
            id: "vertical_scan-1".to_owned(),
            kind: Kind::VerticalScan,
            status: Status::Open,
            severity: Severity::High,
            entity: Entity {
                src: Party::Host(Address::v4(0x0a00_0001)),
                dst: Some(Address::v4(0x0a00_0002)),
                port: None,
                protocol: None,
            },
            window_s: 300,
            estimate: 15,
            estimate_error: 0,
            threshold: 15,
            first_seen_s: 1_767_225_600,
            last_seen_s: 1_767_225_660,
            evidence: Evidence { is_data_complete: true, ports: vec![22], ..Evidence::default() },
        };
        assert_eq!(
            serde_json::to_string(&signal).unwrap(),
            r#"{"id":"vertical_scan-1","kind":"vertical_scan","status":"open","severity":"high","#
                .to_owned()
                + r#""entity":{"src":"10.0.0.1","dst":"10.0.0.2"},"window_s":300,"estimate":15,"#
                + r#""estimate_error":0,"threshold":15,"first_seen":"2026-01-01T00:00:00Z","#
                + r#""last_seen":"2026-01-01T00:01:00Z","evidence":{"ports":[22],"is_data_complete":true}}"#
        );
        assert_eq!(signal.entity.to_string(), "10.0.0.1 -> 10.0.0.2");
    }
}
