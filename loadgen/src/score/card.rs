//! The scorecard: counts, delays, what was missed and what was wrong; as a table, as JSON.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::Verdict;
use super::kind::Kind;
use super::labels::Row;
use super::signals::Finding;

/// How well findings agree with the truth.
#[derive(Debug, Clone, Default)]
pub struct Scorecard {
    groups: Vec<Group>,
    findings: Vec<FindingCount>,
    missed: Vec<Missed>,
    false_findings: Vec<Finding>,
}

/// The rows of one scenario and kind.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The scenario, or the class of the labels.
    pub scenario: String,
    /// The kind of finding that was asked for.
    pub kind: Kind,
    /// Rows of the truth.
    pub injected: u32,
    /// Rows that were found.
    pub found: u32,
    /// Seconds of event time from the start of the attack to the finding, in ascending order.
    pub delays_s: Vec<i64>,
}

/// The findings of one kind, by what they turned out to be.
#[derive(Debug, Clone, Serialize)]
pub struct FindingCount {
    /// What the findings claim.
    pub kind: Kind,
    /// They match a row of their kind.
    #[serde(rename = "true")]
    pub true_count: u32,
    /// Their source did something else, or is excused.
    pub related: u32,
    /// They match nothing, or what must not alarm.
    #[serde(rename = "false")]
    pub false_count: u32,
    /// Nobody can judge them.
    pub left_out: u32,
}

/// A row that no finding matches.
#[derive(Debug, Clone, Serialize)]
pub struct Missed {
    /// The scenario, or the class of the labels.
    pub scenario: String,
    /// The kind of finding that was asked for.
    pub kind: Kind,
    /// Who did it.
    pub src: Option<String>,
    /// To whom, where there is one target.
    pub dst: Option<String>,
    /// On which port, where there is one.
    pub port: Option<u16>,
    /// Epoch second of its first packet.
    pub start_s: u64,
    /// Epoch second of its last packet.
    pub end_s: u64,
}

/// More false findings than this tell nothing new.
const LISTED_MAX: usize = 20;

impl Scorecard {
    /// Rows of the truth by scenario and kind, in the order of time.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Findings by kind.
    #[must_use]
    pub fn findings(&self) -> &[FindingCount] {
        &self.findings
    }

    /// The rows that no finding matches.
    #[must_use]
    pub fn missed(&self) -> &[Missed] {
        &self.missed
    }

    /// The findings that are wrong.
    #[must_use]
    pub fn false_findings(&self) -> &[Finding] {
        &self.false_findings
    }

    /// True findings among those that are true or false; none if there are none.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        let right = self.sum(|count| count.true_count);
        ratio(right, right + self.sum(|count| count.false_count))
    }

    /// Found rows among all rows; none if nothing was to be found.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        ratio(self.found(), self.groups.iter().map(|group| group.injected).sum())
    }

    pub(super) fn count_row(&mut self, row: &Row, kind: Kind, delay_s: Option<i64>) {
        let group = self.group(&row.label, kind);
        group.injected += 1;
        if let Some(delay_s) = delay_s {
            group.found += 1;
            let position = group.delays_s.partition_point(|other| *other <= delay_s);
            group.delays_s.insert(position, delay_s);
        } else {
            self.missed.push(Missed {
                scenario: row.label.clone(),
                kind,
                src: row.src.clone(),
                dst: row.dst.clone(),
                port: row.port,
                start_s: row.start_s,
                end_s: row.end_s,
            });
        }
    }

    pub(super) fn count_finding(&mut self, finding: &Finding, verdict: Verdict) {
        let position = self.findings.partition_point(|count| count.kind < finding.kind);
        if self.findings.get(position).is_none_or(|count| count.kind != finding.kind) {
            self.findings.insert(position, FindingCount::none(finding.kind));
        }
        let count = &mut self.findings[position];
        match verdict {
            Verdict::True => count.true_count += 1,
            Verdict::Related => count.related += 1,
            Verdict::LeftOut => count.left_out += 1,
            Verdict::False => {
                count.false_count += 1;
                self.false_findings.push(finding.clone());
            }
        }
    }

    fn group(&mut self, scenario: &str, kind: Kind) -> &mut Group {
        let known =
            self.groups.iter().position(|group| group.kind == kind && group.scenario == scenario);
        let position = known.unwrap_or_else(|| {
            let scenario = scenario.to_owned();
            self.groups.push(Group { scenario, kind, injected: 0, found: 0, delays_s: Vec::new() });
            self.groups.len() - 1
        });
        &mut self.groups[position]
    }

    fn found(&self) -> u32 {
        self.groups.iter().map(|group| group.found).sum()
    }

    fn sum(&self, part: impl Fn(&FindingCount) -> u32) -> u32 {
        self.findings.iter().map(part).sum()
    }

    fn write_groups(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.groups.iter().map(|group| group.scenario.len()).max().unwrap_or(0).max(8);
        let header = ["kind", "injected", "found", "recall", "median delay", "max delay"];
        let [kind, injected, found, recall, median, max] = header;
        writeln!(
            formatter,
            "{:width$}  {kind:17}  {injected:>8}  {found:>5}  {recall:>6}  {median:>12}  {max:>9}",
            "scenario"
        )?;
        for group in &self.groups {
            writeln!(
                formatter,
                "{:width$}  {:17}  {:>8}  {:>5}  {:>6}  {:>12}  {:>9}",
                group.scenario,
                group.kind,
                group.injected,
                group.found,
                decimal(ratio(group.found, group.injected)),
                seconds(group.median_delay_s()),
                seconds(group.max_delay_s()),
            )?;
        }
        Ok(())
    }

    fn write_findings(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, precision] = ["findings", "precision"];
        writeln!(
            formatter,
            "\n{kind:17}  {:>5}  {:>7}  {:>5}  {:>8}  {precision:>9}",
            "true", "related", "false", "left out"
        )?;
        for count in &self.findings {
            writeln!(
                formatter,
                "{:17}  {:>5}  {:>7}  {:>5}  {:>8}  {:>9}",
                count.kind,
                count.true_count,
                count.related,
                count.false_count,
                count.left_out,
                decimal(count.precision()),
            )?;
        }
        Ok(())
    }

    fn write_details(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for missed in &self.missed {
            let Missed { scenario, kind, start_s, end_s, .. } = missed;
            let entity = entity(missed.src.as_deref(), missed.dst.as_deref(), missed.port);
            writeln!(formatter, "missed: {kind} {entity} {start_s}..{end_s} ({scenario})")?;
        }
        for finding in self.false_findings.iter().take(LISTED_MAX) {
            let Finding { id, kind, first_seen_s, last_seen_s, .. } = finding;
            let entity = entity(finding.src.as_deref(), finding.dst.as_deref(), finding.port);
            writeln!(formatter, "false: {kind} {entity} {first_seen_s}..{last_seen_s} (id {id})")?;
        }
        let more = self.false_findings.len().saturating_sub(LISTED_MAX);
        if more > 0 {
            writeln!(formatter, "false: and {more} more")?;
        }
        Ok(())
    }
}

impl Group {
    /// The middle delay; the lower one of two.
    #[must_use]
    pub fn median_delay_s(&self) -> Option<i64> {
        self.delays_s.get(self.delays_s.len().saturating_sub(1) / 2).copied()
    }

    /// The longest delay.
    #[must_use]
    pub fn max_delay_s(&self) -> Option<i64> {
        self.delays_s.last().copied()
    }
}

impl FindingCount {
    /// True findings among those that are true or false.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_count, self.true_count + self.false_count)
    }

    fn none(kind: Kind) -> Self {
        Self { kind, true_count: 0, related: 0, false_count: 0, left_out: 0 }
    }
}

impl fmt::Display for Scorecard {
    /// Tables, then what was missed and what is wrong, then one line that sums up.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_groups(formatter)?;
        if !self.findings.is_empty() {
            self.write_findings(formatter)?;
        }
        writeln!(formatter)?;
        self.write_details(formatter)?;
        writeln!(
            formatter,
            "precision {} recall {} true {} related {} false {} missed {}",
            decimal(self.precision()),
            decimal(self.recall()),
            self.sum(|count| count.true_count),
            self.sum(|count| count.related),
            self.sum(|count| count.false_count),
            self.missed.len(),
        )
    }
}

impl Serialize for Scorecard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut card = serializer.serialize_struct("Scorecard", 10)?;
        card.serialize_field("precision", &self.precision())?;
        card.serialize_field("recall", &self.recall())?;
        card.serialize_field("true", &self.sum(|count| count.true_count))?;
        card.serialize_field("related", &self.sum(|count| count.related))?;
        card.serialize_field("false", &self.sum(|count| count.false_count))?;
        card.serialize_field("left_out", &self.sum(|count| count.left_out))?;
        card.serialize_field("scenarios", &self.groups)?;
        card.serialize_field("findings", &self.findings)?;
        card.serialize_field("missed", &self.missed)?;
        card.serialize_field("false_findings", &self.false_findings)?;
        card.end()
    }
}

fn ratio(part: u32, whole: u32) -> Option<f64> {
    (whole > 0).then(|| f64::from(part) / f64::from(whole))
}

fn decimal(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

fn seconds(value: Option<i64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value} s"))
}

fn entity(src: Option<&str>, dst: Option<&str>, port: Option<u16>) -> String {
    let port = port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    format!("{} -> {} port {port}", src.unwrap_or("-"), dst.unwrap_or("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: usize) -> Finding {
        Finding {
            id: id.to_string(),
            kind: Kind::Beacon,
            src: Some("10.0.0.1".to_owned()),
            dst: None,
            port: Some(443),
            first_seen_s: 1,
            last_seen_s: 2,
            opened_s: 2,
        }
    }

    #[test]
    fn false_findings_are_listed_up_to_twenty() {
        let mut card = Scorecard::default();
        for id in 0..25 {
            card.count_finding(&finding(id), Verdict::False);
        }
        let text = card.to_string();
        assert!(text.contains("false: beacon 10.0.0.1 -> - port 443 1..2 (id 19)"));
        assert!(text.contains("false: and 5 more") && !text.contains("(id 20)"));
        assert!(text.ends_with("precision 0.000 recall - true 0 related 0 false 25 missed 0\n"));
    }

    #[test]
    fn the_json_form_has_the_same_numbers() {
        let mut card = Scorecard::default();
        card.count_finding(&finding(1), Verdict::True);
        card.count_finding(&finding(2), Verdict::LeftOut);
        let json = serde_json::to_value(&card).unwrap();
        assert_eq!(json["precision"], 1.0);
        assert!(json["recall"].is_null());
        assert_eq!((&json["true"], &json["left_out"]), (&1.into(), &1.into()));
        assert_eq!(json["findings"][0]["kind"], "beacon");
    }
}
