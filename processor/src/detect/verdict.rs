//! The rules themselves: what is remembered of an entity in, whether a threshold is crossed out. Pure functions.

use sketches::answered::Counts;
use sketches::pane::{Pane, PaneRange};

use super::config::{BlockScan, Config, Threshold};
use crate::flow::protocol;
use crate::signal::Kind;
use crate::window::{Entity, Scope, Window};

/// A rule judged for one entity.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Verdict {
    pub(super) kind: Kind,
    pub(super) threshold: Threshold,
    /// What is compared with the threshold.
    pub(super) estimate: f64,
    /// One sigma of it.
    pub(super) error: f64,
    pub(super) counts: Counts,
    /// Failed share of the attempts that opens a finding.
    share_min: f64,
    /// Pane of the earliest evidence in the window.
    pub(super) first: Pane,
}

/// How many standard errors an estimate must clear a threshold by; with 2, a source at 95 % of the threshold raises a
/// false alarm in 0.3 % of windows. Exact counts have no error.
const SIGMAS: f64 = 2.0;

/// The smallest number of elements with which an entity of this scope can fire any rule.
pub(super) fn elements_min(config: &Config, scope: &Scope) -> u32 {
    let least = |list: &[Threshold]| list.iter().map(|threshold| threshold.distinct).min();
    thresholds_of(config, scope).and_then(least).unwrap_or(u32::MAX)
}

/// Judges an entity in `pane`; unanswered attempts later than `settled` do not count yet.
pub(super) fn judge(
    config: &Config,
    window: &Window,
    scope: &Scope,
    (pane, settled): (Pane, Pane),
) -> Option<Verdict> {
    let entity = window.entity(scope)?;
    let thresholds = thresholds_of(config, scope)?;
    let reported_through = window.reported_through(scope);
    thresholds.iter().find_map(|threshold| {
        let mut range = window.range(threshold.window_s, pane);
        if let Some(reported_through) = reported_through {
            range.first = range.first.max(reported_through.saturating_add(1));
        }
        measure(config, (scope, entity), threshold, (range, settled)).filter(Verdict::opens)
    })
}

/// Whether a finding that was opened under `opened` holds in `pane`; gives the present measure if so.
pub(super) fn still_holds(
    config: &Config,
    window: &Window,
    scope: &Scope,
    opened: &Threshold,
    pane: Pane,
) -> Option<Verdict> {
    let entity = window.entity(scope)?;
    // Refusals count up to now, silence up to where it has settled: either keeps the finding open.
    let settled = window.settled(pane);
    let holds = |end: Pane| {
        let range = window.range(opened.window_s, end);
        let verdict = measure(config, (scope, entity), opened, (range, settled))?;
        let margin = SIGMAS * verdict.error;
        (verdict.estimate + margin >= f64::from(opened.distinct)).then_some(verdict)
    };
    holds(pane).or_else(|| holds(settled))
}

/// Counts within one window; `None` where the breadth is none.
fn measure(
    config: &Config,
    (scope, entity): (&Scope, &Entity),
    threshold: &Threshold,
    (range, settled): (PaneRange, Pane),
) -> Option<Verdict> {
    // A service that answered within what is remembered is there, and its silence now is no scan: idle connections send
    // keepalives that look like refused probes. A sketch would pay for the longer memory with noise.
    let answered_since = if entity.elements.is_exact() { 0 } else { range.first };
    let counts = entity.elements.count_since(range, settled, answered_since);
    let is_ping = matches!(scope, Scope::Service { protocol, .. } if is_icmp(*protocol));
    let (estimate, error) = if is_ping {
        (counts.seen, counts.seen_error)
    } else {
        (counts.unanswered, counts.standard_error)
    };
    let (kind, share_min) = match scope {
        Scope::Pair { .. } => (Kind::VerticalScan, config.vertical_scan.unanswered_share_min),
        Scope::Service { .. } => {
            (Kind::HorizontalScan, config.horizontal_scan.unanswered_share_min)
        }
        Scope::Source { .. } => {
            let breadth = entity.breadth.as_ref()?;
            let hosts = breadth.hosts.count(range, range.last).seen;
            let ports = breadth.ports.count(range, range.last).seen;
            let kind = breadth_kind(&config.block_scan, hosts, ports)?;
            (kind, config.block_scan.unanswered_share_min)
        }
    };
    let first = entity.elements.first_opened(range).unwrap_or(range.last);
    Some(Verdict { kind, threshold: *threshold, estimate, error, counts, share_min, first })
}

impl Verdict {
    /// Whether the estimate clears the threshold, and failures are a large enough share of the attempts. Those that may yet
    /// be answered belong to neither side of the share, except in a ping sweep, which counts them in its estimate.
    fn opens(&self) -> bool {
        // Where the share is at its least, the error of the unanswered exceeds that of what is compared with it.
        let margin = SIGMAS * self.counts.standard_error;
        let is_estimate_of_all = self.estimate > self.counts.unanswered;
        let decided = if is_estimate_of_all {
            self.counts.seen
        } else {
            self.counts.unanswered + self.counts.answered
        };
        self.estimate - SIGMAS * self.error >= f64::from(self.threshold.distinct)
            && self.counts.unanswered - margin >= self.share_min * decided
    }
}

/// Which kind of scan a source's breadth makes, after Zeek's simple-scan: few ports make it horizontal, few hosts
/// vertical. One port or one host is left to the rules that name them.
fn breadth_kind(config: &BlockScan, hosts: f64, ports: f64) -> Option<Kind> {
    const ONE: f64 = 1.5;
    if ports < ONE || hosts < ONE {
        None
    } else if ports < f64::from(config.ports_min) {
        Some(Kind::HorizontalScan)
    } else if hosts < f64::from(config.hosts_min) {
        Some(Kind::VerticalScan)
    } else {
        Some(Kind::BlockScan)
    }
}

fn thresholds_of<'c>(config: &'c Config, scope: &Scope) -> Option<&'c [Threshold]> {
    let (enabled, thresholds) = match scope {
        Scope::Pair { .. } => (config.vertical_scan.enabled, &config.vertical_scan.thresholds),
        Scope::Service { protocol, .. } if is_icmp(*protocol) => {
            (config.horizontal_scan.enabled, &config.horizontal_scan.ping_thresholds)
        }
        Scope::Service { .. } => {
            (config.horizontal_scan.enabled, &config.horizontal_scan.thresholds)
        }
        Scope::Source { .. } => (config.block_scan.enabled, &config.block_scan.thresholds),
    };
    enabled.then_some(thresholds.as_slice())
}

const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, protocol::ICMP | protocol::ICMPV6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breadth_decides_the_kind_as_zeek_does() {
        let config = BlockScan::default();
        let kind = |hosts, ports| breadth_kind(&config, hosts, ports);
        assert_eq!(kind(100.0, 1.0), None);
        assert_eq!(kind(1.0, 100.0), None);
        assert_eq!(kind(100.0, 5.0), Some(Kind::HorizontalScan));
        assert_eq!(kind(5.0, 100.0), Some(Kind::VerticalScan));
        assert_eq!(kind(6.0, 6.0), Some(Kind::BlockScan));
    }
}
