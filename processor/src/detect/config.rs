//! Settings of the rules. Every threshold is configuration; the defaults and their reasons stand in docs/detections.md.

use serde::{Deserialize, Serialize};

use crate::flow::Networks;

/// `[rules]`: when a finding is opened.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Many ports of one host.
    pub vertical_scan: VerticalScan,
    /// One port of many hosts.
    pub horizontal_scan: HorizontalScan,
    /// Many ports of many hosts.
    pub block_scan: BlockScan,
    /// One source is rejected again and again.
    pub rejected_surge: RejectedSurge,
    /// Much data to one outside host.
    pub exfiltration: Exfiltration,
    /// AWS lost records of an interface.
    pub data_gap: DataGap,
    /// Findings that may be open at once.
    pub limits: Limits,
}

/// A window and the number of distinct failed services or hosts that opens a finding in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Width of the window in seconds; a multiple of `window.pane_s`.
    pub window_s: u32,
    /// Distinct failed attempts from which on the rule fires; at least 1.
    pub distinct: u32,
}

/// `[rules.vertical_scan]`: distinct failed ports per (source, target).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct VerticalScan {
    /// Default true.
    pub enabled: bool,
    /// Default 15 ports in 300 s, 30 in 3600 s, 50 in 86400 s. Security engineers lower them in quiet networks.
    pub thresholds: Vec<Threshold>,
    /// Failed share of all attempted ports from which on it is a scan. Default 0.2; 0 ignores answers.
    pub unanswered_share_min: f64,
}

/// `[rules.horizontal_scan]`: distinct hosts at which one source failed on one (protocol, port).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HorizontalScan {
    /// Default true.
    pub enabled: bool,
    /// Default 20 hosts in 300 s, 40 in 3600 s, 100 in 86400 s.
    pub thresholds: Vec<Threshold>,
    /// Failed share of all attempted hosts from which on it is a scan. Default 0.2: a busy proxy fails at many hosts,
    /// and succeeds at many more.
    pub unanswered_share_min: f64,
    /// The same for ICMP, counting hosts that were pinged whether they answered or not, since finding live hosts is what
    /// a sweep is for. Default 15 hosts in 300 s, 60 in 3600 s, 200 in 86400 s; the share applies here too, so that
    /// a monitor whose hosts answer is none.
    pub ping_thresholds: Vec<Threshold>,
}

/// `[rules.block_scan]`: distinct failed (host, port) pairs per source.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlockScan {
    /// Default true.
    pub enabled: bool,
    /// Default 50 pairs in 300 s, 100 in 3600 s, 250 in 86400 s.
    pub thresholds: Vec<Threshold>,
    /// Failed share of all attempted pairs. Default 0.5.
    pub unanswered_share_min: f64,
    /// Hosts and ports from which on it is a block scan. Default 6 (Zeek's simple-scan: more than 5). With fewer ports
    /// it is a horizontal scan without a port, with fewer hosts a vertical scan without a target.
    pub hosts_min: u32,
    /// See `hosts_min`. Default 6.
    pub ports_min: u32,
}

/// `[rules.rejected_surge]`: rejected records per source beyond one for each distinct service it failed at, so that a
/// scan, which is breadth, is not reported a second time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RejectedSurge {
    /// Default true.
    pub enabled: bool,
    /// Width of the window. Default 300; at most 600, since twelve minutes are remembered.
    pub window_s: u32,
    /// Repeated rejected records that open a finding. Default 500.
    pub records: u32,
    /// How many times the source's own rate just before. Default 3; 0 ignores the past.
    pub ratio_min: f64,
}

/// `[rules.exfiltration]`: bytes from one of our hosts, as the initiator, to one outside host.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exfiltration {
    /// Default true.
    pub enabled: bool,
    /// Width of the window. Default 3600; at least twelve panes.
    pub window_s: u32,
    /// Bytes that open a finding. Default 500000000. The estimate may be up to 2 % of it below the truth, never above.
    pub bytes: u64,
    /// Outside ranges to which uploads are expected, such as a backup provider's. Default none.
    pub allow_destinations: Networks,
    /// Whether to pass over uploads to AWS services (`pkt-dst-aws-service` other than `EC2`). Default true; set it to
    /// false to see copies into other accounts' buckets too (MITRE T1537), at the price of every backup.
    pub ignore_aws_services: bool,
}

/// `[rules.data_gap]`: `SKIPDATA` records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataGap {
    /// Default true.
    pub enabled: bool,
    /// The finding is closed when no record was lost for so long. Default 600.
    pub quiet_s: u32,
}

/// `[rules.limits]`: so that no scanner can fill the table of findings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open findings in all. Default 10000; 1 to 1000000. At most half are low or informational, so that sources from
    /// outside cannot crowd out what our own hosts do. Those beyond are counted as suppressed.
    pub open_max: usize,
    /// Open findings of one kind per source. Default 16: a scanner of a thousand hosts gives 16 vertical findings and
    /// one block finding, not a thousand.
    pub open_per_source_max: u32,
}

impl Config {
    /// The longest window of any rule, in seconds.
    #[must_use]
    pub fn horizon_s(&self) -> u32 {
        let scans = self.threshold_lists().into_iter().flat_map(|(_, list)| list);
        let scans = scans.map(|threshold| threshold.window_s);
        scans.chain([self.exfiltration.window_s, self.rejected_surge.window_s]).max().unwrap_or(0)
    }

    /// Every list of thresholds with its name in the file.
    #[must_use]
    pub fn threshold_lists(&self) -> [(&'static str, &[Threshold]); 4] {
        [
            ("rules.vertical_scan.thresholds", &self.vertical_scan.thresholds),
            ("rules.horizontal_scan.thresholds", &self.horizontal_scan.thresholds),
            ("rules.horizontal_scan.ping_thresholds", &self.horizontal_scan.ping_thresholds),
            ("rules.block_scan.thresholds", &self.block_scan.thresholds),
        ]
    }
}

fn thresholds(distinct: [u32; 3]) -> Vec<Threshold> {
    let windows = [300, 3600, 86_400].into_iter();
    windows.zip(distinct).map(|(window_s, distinct)| Threshold { window_s, distinct }).collect()
}

impl Default for VerticalScan {
    fn default() -> Self {
        Self { enabled: true, thresholds: thresholds([15, 30, 50]), unanswered_share_min: 0.2 }
    }
}

impl Default for HorizontalScan {
    fn default() -> Self {
        Self {
            enabled: true,
            thresholds: thresholds([20, 40, 100]),
            unanswered_share_min: 0.2,
            ping_thresholds: thresholds([15, 60, 200]),
        }
    }
}

impl Default for BlockScan {
    fn default() -> Self {
        Self {
            enabled: true,
            thresholds: thresholds([50, 100, 250]),
            unanswered_share_min: 0.5,
            hosts_min: 6,
            ports_min: 6,
        }
    }
}

impl Default for RejectedSurge {
    fn default() -> Self {
        Self { enabled: true, window_s: 300, records: 500, ratio_min: 3.0 }
    }
}

impl Default for Exfiltration {
    fn default() -> Self {
        Self {
            enabled: true,
            window_s: 3600,
            bytes: 500_000_000,
            allow_destinations: Networks::default(),
            ignore_aws_services: true,
        }
    }
}

impl Default for DataGap {
    fn default() -> Self {
        Self { enabled: true, quiet_s: 600 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_max: 10_000, open_per_source_max: 16 }
    }
}
