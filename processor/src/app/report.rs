//! What a replay found, for people or as JSON, on standard error.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::terminal::{bytes, grouped};
use crate::cli::ReportFormat;
use crate::detect::{Detector, Totals};
use crate::flow::protocol;
use crate::pipeline::Outcome;
use crate::signal::{Signal, Status, format_time};

/// The end of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report<'r> {
    records: u64,
    records_per_s: u64,
    elapsed_s: f64,
    event_time: Option<EventTime>,
    bytes: u64,
    rejected_records: u64,
    /// An estimate, and one sigma of it.
    distinct_sources: u64,
    distinct_sources_error: u64,
    no_data_records: u64,
    skipped_data_records: u64,
    refused_lines: u64,
    refusals: Vec<RefusalRow>,
    /// Formats that do not fit what they read.
    health: Vec<String>,
    dead_letters: Option<u64>,
    dead_letters_left_out: Option<u64>,
    control_messages: u64,
    doubled_spaces: u64,
    millisecond_times: u64,
    late_rows: u64,
    behind_rows: u64,
    implausible_rows: u64,
    evicted_entities: u64,
    kept_out_rows: u64,
    suppressed_findings: u64,
    /// All findings; `findings` holds the first of them.
    findings_opened: u64,
    entities: usize,
    state_bytes: usize,
    top_talkers: Vec<TalkerRow>,
    top_services: Vec<ServiceRow>,
    findings: &'r [Signal],
    problems: &'r [String],
    notes: &'r [String],
}

/// What was told while the run went on.
pub(super) struct Told<'r> {
    /// Each finding with its latest signal.
    pub(super) findings: &'r [Signal],
    /// What could not be read.
    pub(super) problems: &'r [String],
    /// What should be known about the options.
    pub(super) notes: &'r [String],
    /// Dead letters kept, and left out; `None` when none are kept.
    pub(super) letters: Option<(u64, u64)>,
}

#[derive(Debug, Serialize)]
struct EventTime {
    first: String,
    last: String,
}

#[derive(Debug, Serialize)]
struct RefusalRow {
    reason: &'static str,
    lines: u64,
    example: Option<String>,
}

#[derive(Debug, Serialize)]
struct TalkerRow {
    address: String,
    bytes: u64,
    bytes_error: u64,
}

#[derive(Debug, Serialize)]
struct ServiceRow {
    protocol: u8,
    port: u16,
    records: u64,
    records_error: u64,
}

const TOP: usize = 10;
/// One row of so many records out of order is worth a note.
const BEHIND_DIVISOR: u64 = 50;
/// Findings listed for people; the JSON has all.
const FINDINGS_SHOWN: usize = 50;

impl<'r> Report<'r> {
    pub(super) fn new(
        detector: &Detector,
        outcome: &Outcome,
        elapsed: Duration,
        told: Told<'r>,
    ) -> Self {
        let (totals, window) = (detector.totals(), detector.window());
        let (sources, sources_error) = window.volumes.sources();
        Self {
            records: totals.records,
            records_per_s: per_second(totals.records, elapsed),
            elapsed_s: elapsed.as_secs_f64(),
            event_time: event_time(&totals),
            bytes: totals.bytes,
            rejected_records: totals.rejected,
            distinct_sources: sources,
            distinct_sources_error: sources_error,
            no_data_records: totals.silent,
            skipped_data_records: totals.blind,
            refused_lines: outcome.refusals.total(),
            refusals: refusals(outcome),
            health: outcome.health.problems().map(|problem| problem.to_string()).collect(),
            dead_letters: told.letters.map(|(kept, _)| kept),
            dead_letters_left_out: told.letters.map(|(_, left_out)| left_out),
            control_messages: outcome.refusals.oddities.control_messages,
            doubled_spaces: outcome.refusals.oddities.doubled_spaces,
            millisecond_times: outcome.refusals.oddities.millisecond_times,
            late_rows: window.late(),
            behind_rows: window.behind(),
            implausible_rows: detector.implausible(),
            evicted_entities: window.evictions(),
            kept_out_rows: window.kept_out(),
            suppressed_findings: detector.findings().suppressed(),
            findings_opened: detector.findings().opened(),
            entities: window.entities(),
            state_bytes: window.memory_bytes(),
            top_talkers: talkers(detector),
            top_services: services(detector),
            findings: told.findings,
            problems: told.problems,
            notes: told.notes,
        }
    }

    pub(super) fn print(&self, format: ReportFormat) -> io::Result<()> {
        let text = match format {
            ReportFormat::None => return Ok(()),
            ReportFormat::Json => serde_json::to_string_pretty(self)? + "\n",
            ReportFormat::Text => self.text(),
        };
        io::stderr().write_all(text.as_bytes())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text).map_or_else(|_error| String::new(), |()| text)
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let (records, rate) = (grouped(self.records), grouped(self.records_per_s));
        writeln!(out, "records    {records} in {:.2} s ({rate} per second)", self.elapsed_s)?;
        if let Some(EventTime { first, last }) = &self.event_time {
            writeln!(out, "event time {first} to {last}, {} as logged", bytes(self.bytes))?;
        }
        let rejected = grouped(self.rejected_records);
        let (silent, blind) = (self.no_data_records, self.skipped_data_records);
        writeln!(out, "rejected   {rejected}; NODATA {silent}, SKIPDATA {blind}")?;
        let (sources, error) =
            (grouped(self.distinct_sources), grouped(self.distinct_sources_error));
        writeln!(out, "sources    about {sources} (within {error} in two of three cases)")?;
        writeln!(out, "refused    {} lines", grouped(self.refused_lines))?;
        for row in &self.refusals {
            let example = row.example.as_deref().unwrap_or_default();
            writeln!(out, "  {:<14} {:>10}  first: {example}", row.reason, grouped(row.lines))?;
        }
        self.write_notes(out)?;
        if !self.top_talkers.is_empty() {
            writeln!(out, "top talkers by bytes")?;
        }
        for row in &self.top_talkers {
            let error = if row.bytes_error > 0 {
                format!(" (at most {} too high)", bytes(row.bytes_error))
            } else {
                String::new()
            };
            writeln!(out, "  {:<40} {:>10}{error}", row.address, bytes(row.bytes))?;
        }
        if !self.top_services.is_empty() {
            writeln!(out, "top destination ports by records")?;
        }
        for row in &self.top_services {
            let service = format!("{} {}", protocol_name(row.protocol), row.port);
            writeln!(out, "  {service:<40} {:>10}", grouped(row.records))?;
        }
        self.write_findings(out)
    }

    fn write_notes(&self, out: &mut String) -> std::fmt::Result {
        let notes = [
            ("health probes of CloudWatch Logs", self.control_messages),
            ("lines with doubled spaces", self.doubled_spaces),
            ("records with times in milliseconds", self.millisecond_times),
            ("rows later than every window, dropped", self.late_rows),
            ("rows far ahead of all others in time, kept from the rules", self.implausible_rows),
            (
                "entities evicted to keep the memory bound: scans may be missed; is window.state_bytes_max too small?",
                self.evicted_entities,
            ),
            (
                "rows of sources seen once, kept out while memory was full: a flood?",
                self.kept_out_rows,
            ),
            ("times rules.limits kept a finding from being opened", self.suppressed_findings),
        ];
        if self.records + self.no_data_records + self.skipped_data_records + self.refused_lines == 0
        {
            writeln!(out, "note       the input holds no record")?;
        }
        if self.behind_rows > self.records / BEHIND_DIVISOR {
            let rows = grouped(self.behind_rows);
            writeln!(
                out,
                "note       {rows} rows came more than window.settle_s behind others: if requests and"
            )?;
            writeln!(
                out,
                "           replies stand in different files, raise it to what lies between, 300 say"
            )?;
        }
        for problem in &self.health {
            writeln!(out, "health     {problem}")?;
        }
        if let (Some(kept), Some(left_out)) = (self.dead_letters, self.dead_letters_left_out) {
            let (kept, left_out) = (grouped(kept), grouped(left_out));
            writeln!(out, "letters    {kept} kept, {left_out} left out")?;
        }
        if self.health.is_empty() && self.refused_lines > self.records {
            writeln!(out, "note       most lines were refused: is --format that of these files?")?;
        }
        for (what, count) in notes.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(out, "note       {} {what}", grouped(count))?;
        }
        Ok(())
    }

    fn write_findings(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "findings   {}", grouped(self.findings_opened))?;
        for signal in self.findings.iter().take(FINDINGS_SHOWN) {
            writeln!(out, "  {}", line(signal))?;
        }
        let shown = self.findings.len().min(FINDINGS_SHOWN) as u64;
        let more = self.findings_opened.saturating_sub(shown);
        if more > 0 && shown > 0 {
            writeln!(out, "  and {} more: --signals writes all", grouped(more))
        } else {
            Ok(())
        }
    }
}

/// A finding in one line for people.
pub(super) fn line(signal: &Signal) -> String {
    let status = match signal.status {
        Status::Open => "open",
        Status::Update => "update",
        Status::Closed => "closed",
    };
    let what = match signal.kind {
        crate::signal::Kind::Exfiltration => bytes(signal.estimate),
        _ => grouped(signal.estimate),
    };
    let minutes = signal.window_s / 60;
    format!(
        "{} {status:<6} {:<15} {} : {what} in {minutes} min, {:?}",
        format_time(signal.last_seen_s),
        signal.kind.label(),
        signal.entity,
        signal.severity,
    )
}

fn per_second(records: u64, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(u128::from(records) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

fn event_time(totals: &Totals) -> Option<EventTime> {
    let time = EventTime { first: format_time(totals.first_s), last: format_time(totals.last_s) };
    (totals.records > 0).then_some(time)
}

fn refusals(outcome: &Outcome) -> Vec<RefusalRow> {
    let row = |(reason, lines, example): (
        crate::decode::Reason,
        u64,
        Option<&crate::decode::Example>,
    )| {
        RefusalRow { reason: reason.label(), lines, example: example.map(ToString::to_string) }
    };
    outcome.refusals.iter().map(row).collect()
}

fn talkers(detector: &Detector) -> Vec<TalkerRow> {
    let top = detector.window().volumes.top_talkers(TOP).into_iter();
    top.map(|talker| TalkerRow {
        address: talker.key.to_string(),
        bytes: talker.weight,
        bytes_error: talker.error,
    })
    .collect()
}

fn services(detector: &Detector) -> Vec<ServiceRow> {
    let top = detector.window().volumes.top_services(TOP).into_iter();
    top.map(|service| ServiceRow {
        protocol: service.key.0,
        port: service.key.1,
        records: service.weight,
        records_error: service.error,
    })
    .collect()
}

fn protocol_name(number: u8) -> String {
    match number {
        protocol::ICMP => "icmp".to_owned(),
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMPV6 => "icmpv6".to_owned(),
        other => format!("protocol {other}"),
    }
}
