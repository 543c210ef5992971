//! Settings of the window.

use serde::{Deserialize, Serialize};

use crate::flow::Networks;

/// `[window]`: how event time is cut and how much may be remembered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Width of a pane in seconds: the grain of every window. Default 30. Smaller panes report sooner and cost more
    /// sweeps; change it only together with the windows of the rules, which must be multiples of it. At least 1.
    pub pane_s: u32,
    /// How long an unanswered attempt waits for its answer before it counts as failed, in seconds of event time.
    /// Default 60. Raise it to the skew of your deliveries, 300 say, when requests and replies come in different files or
    /// batches; 0 counts at once; at most 86400.
    pub settle_s: u32,
    /// Memory for hosts, pairs and services together, in bytes. Default 100663296 (96 MiB). When seven eighths are full, the
    /// least suspicious of a few drawn entries is evicted for a new one, and a new source gets one only when it is seen a
    /// second time; the last eighth holds who was seen once. Both are reported. At least 1048576, at most 2^40.
    pub state_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { pane_s: 30, settle_s: 60, state_bytes_max: 96 * 1024 * 1024 }
    }
}

/// `[network]`: what is ours.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Ranges of our own hosts. Default: the private ranges of RFC 1918, RFC 6598 and RFC 4193, and link-local. Add your
    /// public and BYOIP ranges: exfiltration is judged from these to all others, and a scan by one of these is graver.
    pub internal: Networks,
    /// Sources whose scans are expected, such as vulnerability scanners. Default none.
    pub allow_sources: Networks,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        let ranges = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ];
        let internal = ranges.iter().filter_map(|range| range.parse().ok()).collect();
        Self { internal: Networks::new(internal), allow_sources: Networks::default() }
    }
}
