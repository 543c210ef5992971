//! Judges findings against the truth.
//!
//! A row of the truth is found if a finding has its kind and its source, the same target and port
//! where both state one, and overlaps it in time, give or take the tolerance. A block scan also
//! finds the vertical and horizontal scans of its source; nothing but a block scan finds a block
//! scan.
//!
//! A finding is *true* if it matches a row of its own kind; *left out* if its source is in a row
//! that nobody can judge; *false* if its source must not alarm, or is in no row; *related* if its
//! source did something, but not that. Precision is true / (true + false).

mod card;
mod kind;
mod labels;
mod signals;
mod time;

use std::io::BufRead;

pub use card::{FindingCount, Group, Missed, Scorecard};
pub use kind::Kind;
pub use labels::{Truth, TruthError};
pub use signals::{Finding, SignalError};

use labels::{Class, Row};

/// How much later than the truth a finding may say that something happened, unless told otherwise:
/// records arrive with aggregation intervals of a minute, and findings close only when their window
/// has passed.
pub const TOLERANCE_S: u64 = 600;

/// Reads signals as JSON lines and joins the lines of one id to one finding, in the order of first
/// appearance.
///
/// # Errors
/// [`SignalError`] with the line number when a line is not a signal, or cannot be read.
pub fn parse_signals(reader: impl BufRead) -> Result<Vec<Finding>, SignalError> {
    signals::parse(reader)
}

/// Compares what was found with what is true.
#[must_use]
pub fn score(truth: &Truth, findings: &[Finding], tolerance_s: u64) -> Scorecard {
    let mut card = Scorecard::default();
    for row in truth.rows() {
        if let Class::Attack(kind) = row.class {
            let matching = findings.iter().filter(|finding| finds(finding, row, kind, tolerance_s));
            let delay_s = matching.map(|finding| delay_s(finding, row)).min();
            card.count_row(row, kind, delay_s);
        }
    }
    for finding in findings {
        card.count_finding(finding, verdict(truth, finding, tolerance_s));
    }
    card
}

/// What a finding turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    True,
    Related,
    False,
    LeftOut,
}

fn verdict(truth: &Truth, finding: &Finding, tolerance_s: u64) -> Verdict {
    let near: Vec<&Row> =
        truth.rows().iter().filter(|row| overlap(finding, row, tolerance_s)).collect();
    let own_kind = |row: &&&Row| row.class == Class::Attack(finding.kind);
    if near.iter().filter(own_kind).any(|row| agrees(finding, row)) {
        return Verdict::True;
    }
    let of_source = || near.iter().filter(|row| row.src.is_some() && row.src == finding.src);
    if of_source().any(|row| row.class == Class::LeftOut) {
        return Verdict::LeftOut;
    }
    if finding.kind.is_scan() && of_source().any(|row| row.class == Class::Negative) {
        return Verdict::False;
    }
    let blames = |row: &&Row| matches!(row.class, Class::Attack(_) | Class::Excused);
    let victim = |row: &Row| finding.src.is_none() && row.has_victim(finding.dst.as_deref());
    let known = near
        .iter()
        .any(|row| blames(row) && (row.src == finding.src && row.src.is_some() || victim(row)));
    if known { Verdict::Related } else { Verdict::False }
}

fn finds(finding: &Finding, row: &Row, kind: Kind, tolerance_s: u64) -> bool {
    let covers = finding.kind == Kind::BlockScan
        && matches!(kind, Kind::VerticalScan | Kind::HorizontalScan);
    let right_kind = finding.kind == kind || covers;
    right_kind && agrees(finding, row) && overlap(finding, row, tolerance_s)
}

/// Equal source, and no contradiction in what both state.
fn agrees(finding: &Finding, row: &Row) -> bool {
    let same_dst = match (&finding.dst, &row.dst) {
        (Some(found), Some(stated)) => found == stated,
        _ => true,
    };
    let same_port = match (finding.port, row.port) {
        (Some(found), Some(stated)) => found == stated,
        _ => true,
    };
    finding.src == row.src && same_dst && same_port
}

fn overlap(finding: &Finding, row: &Row, tolerance_s: u64) -> bool {
    finding.first_seen_s <= row.end_s.saturating_add(tolerance_s)
        && row.start_s <= finding.last_seen_s.saturating_add(tolerance_s)
}

/// Event time from the start of the attack to the record that raised the finding; negative if it
/// was raised earlier.
fn delay_s(finding: &Finding, row: &Row) -> i64 {
    let (opened_s, start_s) = (finding.opened_s, row.start_s);
    let apart = i64::try_from(opened_s.abs_diff(start_s)).unwrap_or(i64::MAX);
    if opened_s >= start_s { apart } else { -apart }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::TruthRow;

    const TOLERANCE: u64 = 60;

    fn row(kind: &str, src: &str, start_s: u64, end_s: u64) -> TruthRow {
        TruthRow {
            kind: kind.to_owned(),
            src: src.to_owned(),
            dst: None,
            port: None,
            start_s,
            end_s,
            scenario: format!("{kind}-scenario"),
        }
    }

    fn finding(kind: Kind, src: &str, first_seen_s: u64, last_seen_s: u64) -> Finding {
        Finding {
            id: format!("{kind}-{src}-{first_seen_s}"),
            kind,
            src: Some(src.to_owned()),
            dst: None,
            port: None,
            first_seen_s,
            last_seen_s,
            opened_s: last_seen_s,
        }
    }

    fn labels(rows: &[&str]) -> Truth {
        let header =
            "class\tsrc\tvictims\tstart\tend\tn_flows\tn_dst_hosts\tn_dst_ports\tbasis\tdetail";
        let rows = rows.iter().map(|row| format!("{row}\t1\t1\t1\tderived\tnone\n"));
        let text = format!("{header}\n{}", rows.collect::<String>());
        Truth::parse(text.as_bytes()).unwrap()
    }

    fn verdicts(truth: &Truth, findings: &[Finding]) -> Vec<Verdict> {
        findings.iter().map(|finding| verdict(truth, finding, TOLERANCE)).collect()
    }

    #[test]
    fn a_finding_of_the_right_kind_source_and_time_finds_its_row() {
        let truth = Truth::from_rows(&[row("vertical_scan", "10.0.0.1", 1_000, 1_100)]);
        let card =
            score(&truth, &[finding(Kind::VerticalScan, "10.0.0.1", 1_010, 1_040)], TOLERANCE);
        assert_eq!((card.precision(), card.recall()), (Some(1.0), Some(1.0)));
        assert_eq!(card.groups()[0].median_delay_s(), Some(40));
        assert!(
            card.to_string()
                .ends_with("precision 1.000 recall 1.000 true 1 related 0 false 0 missed 0\n")
        );
    }

    #[test]
    fn the_tolerance_widens_the_row_on_both_sides_and_no_further() {
        let truth = Truth::from_rows(&[row("vertical_scan", "10.0.0.1", 1_000, 1_100)]);
        let at = |first, last| {
            score(&truth, &[finding(Kind::VerticalScan, "10.0.0.1", first, last)], TOLERANCE)
        };
        for (first, last) in [(900, 940), (1_160, 1_200), (0, 9_999)] {
            assert_eq!(at(first, last).recall(), Some(1.0), "{first} {last}");
        }
        for (first, last) in [(900, 939), (1_161, 1_200)] {
            let card = at(first, last);
            assert_eq!((card.recall(), card.precision()), (Some(0.0), Some(0.0)), "{first} {last}");
        }
    }

    #[test]
    fn target_and_port_must_agree_only_where_both_state_them() {
        let stated = TruthRow {
            dst: Some("10.0.0.9".to_owned()),
            port: Some(443),
            ..row("exfiltration", "10.0.0.1", 1_000, 1_100)
        };
        let truth = Truth::from_rows(&[stated]);
        let bare = finding(Kind::Exfiltration, "10.0.0.1", 1_000, 1_000);
        let found =
            |finding: &Finding| score(&truth, std::slice::from_ref(finding), TOLERANCE).recall();
        assert_eq!(found(&bare), Some(1.0));
        let dst = |dst: &str, port| Finding { dst: Some(dst.to_owned()), port, ..bare.clone() };
        assert_eq!(found(&dst("10.0.0.9", Some(443))), Some(1.0));
        assert_eq!(found(&dst("10.0.0.8", Some(443))), Some(0.0));
        assert_eq!(found(&dst("10.0.0.9", Some(80))), Some(0.0));
    }

    #[test]
    fn a_block_scan_finds_the_scans_of_its_source_but_needs_a_block_finding_itself() {
        let parts = [row("vertical_scan", "a", 0, 9), row("horizontal_scan", "a", 0, 9)];
        let card =
            score(&Truth::from_rows(&parts), &[finding(Kind::BlockScan, "a", 0, 9)], TOLERANCE);
        assert_eq!(card.recall(), Some(1.0));
        let block = Truth::from_rows(&[row("block_scan", "a", 0, 9)]);
        let findings =
            [Kind::VerticalScan, Kind::HorizontalScan].map(|kind| finding(kind, "a", 0, 9));
        assert_eq!(score(&block, &findings, TOLERANCE).recall(), Some(0.0));
        assert_eq!(verdicts(&block, &findings), [Verdict::Related; 2]);
    }

    #[test]
    fn findings_are_true_related_or_false_by_their_source() {
        let truth = Truth::from_rows(&[row("vertical_scan", "a", 1_000, 1_100)]);
        let findings = [
            finding(Kind::VerticalScan, "a", 1_000, 1_001),
            finding(Kind::Beacon, "a", 1_000, 1_001),
            finding(Kind::Beacon, "a", 9_000, 9_001),
            finding(Kind::VerticalScan, "b", 1_000, 1_001),
        ];
        let expected = [Verdict::True, Verdict::Related, Verdict::False, Verdict::False];
        assert_eq!(verdicts(&truth, &findings), expected);
        let card = score(&truth, &findings, TOLERANCE);
        assert_eq!(card.precision(), Some(1.0 / 3.0));
        assert!(card.to_string().contains("true 1 related 1 false 2 missed 0"));
    }

    #[test]
    fn negatives_excused_and_left_out_rows_of_the_labels_decide_as_documented() {
        let truth = labels(&[
            "negative_backscatter\tneg\tx\t1000\t1100",
            "external_probe\tprobe\tx,y\t1000\t1100",
            "background_unknown\tunknown\tx\t1000\t1100",
            "host_sweep_labelled\twrong\tx\t1000\t1100",
            "novel_class\tnovel\tx\t1000\t1100",
        ]);
        let by =
            |src: &str| verdict(&truth, &finding(Kind::VerticalScan, src, 1_000, 1_010), TOLERANCE);
        assert_eq!(by("neg"), Verdict::False);
        assert_eq!(by("probe"), Verdict::Related);
        assert_eq!(by("wrong"), Verdict::Related);
        assert_eq!(by("novel"), Verdict::Related);
        assert_eq!(by("unknown"), Verdict::LeftOut);
        assert_eq!(truth.warnings().len(), 1);
        let card =
            score(&truth, &[finding(Kind::VerticalScan, "unknown", 1_000, 1_010)], TOLERANCE);
        assert_eq!((card.precision(), card.recall()), (None, None));
        assert!(card.to_string().contains("precision - recall - true 0"));
    }

    #[test]
    fn a_finding_without_source_is_related_if_its_target_is_a_known_victim() {
        let truth = labels(&["external_probe\tprobe\tx,y\t1000\t1100"]);
        let at = |dst: &str| Finding {
            src: None,
            dst: Some(dst.to_owned()),
            ..finding(Kind::DistributedScan, "", 1_000, 1_010)
        };
        assert_eq!(verdicts(&truth, &[at("y"), at("z")]), [Verdict::Related, Verdict::False]);
    }

    #[test]
    fn delays_are_measured_from_the_start_of_the_attack() {
        let rows = [100, 10_000, 20_000].map(|start| row("beacon", "a", start, start + 10));
        let findings = [(100, 105), (10_000, 10_050), (20_000, 19_990)].map(|(first, opened_s)| {
            Finding { opened_s, ..finding(Kind::Beacon, "a", first, first + 10) }
        });
        let card = score(&Truth::from_rows(&rows), &findings, TOLERANCE);
        let group = &card.groups()[0];
        assert_eq!((group.median_delay_s(), group.max_delay_s()), (Some(5), Some(50)));
    }
}
