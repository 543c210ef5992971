//! Signals as JSON lines, joined to findings.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::kind::Kind;
use super::time::parse_utc;

/// Everything that was said under one id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The id that its lines share.
    pub id: String,
    /// What it says happened.
    pub kind: Kind,
    /// Who did it; for a data gap the interface.
    pub src: Option<String>,
    /// The target, where the rule has one.
    pub dst: Option<String>,
    /// The port, where the rule has one.
    pub port: Option<u16>,
    /// Epoch second of the earliest evidence of any line.
    pub first_seen_s: u64,
    /// Epoch second of the latest evidence of any line.
    pub last_seen_s: u64,
    /// Epoch second of the latest evidence when it was first told.
    pub opened_s: u64,
}

/// Why signals cannot be scored.
#[derive(Debug, Error)]
pub enum SignalError {
    /// A line is not a signal.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The signals cannot be read.
    #[error("cannot read signals: {0}")]
    Read(#[from] io::Error),
}

/// The part of a signal that scoring uses.
#[derive(Debug, Deserialize)]
struct Signal {
    id: String,
    kind: Kind,
    status: Status,
    entity: Entity,
    first_seen: String,
    last_seen: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Open,
    Update,
    Closed,
}

#[derive(Debug, Deserialize)]
struct Entity {
    src: Option<String>,
    dst: Option<String>,
    port: Option<u16>,
}

pub(super) fn parse(reader: impl BufRead) -> Result<Vec<Finding>, SignalError> {
    let mut findings: Vec<(Finding, Status)> = Vec::new();
    let mut position_of: BTreeMap<String, usize> = BTreeMap::new();
    for (index, text) in reader.lines().enumerate() {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let refuse = |reason: String| SignalError::Line { line: index + 1, reason };
        let (finding, status) = parse_line(&text).map_err(refuse)?;
        if let Some(position) = position_of.get(&finding.id) {
            let (known, told) = &mut findings[*position];
            join(known, told, &finding, status).map_err(refuse)?;
        } else {
            position_of.insert(finding.id.clone(), findings.len());
            findings.push((finding, status));
        }
    }
    Ok(findings.into_iter().map(|(finding, _)| finding).collect())
}

fn parse_line(text: &str) -> Result<(Finding, Status), String> {
    let signal: Signal = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let time = |field: &str, value: &str| {
        parse_utc(value).ok_or_else(|| format!("{field} is not a UTC time of RFC 3339"))
    };
    let first_seen_s = time("first_seen", &signal.first_seen)?;
    let last_seen_s = time("last_seen", &signal.last_seen)?;
    let Entity { src, dst, port } = signal.entity;
    let Signal { id, kind, status, .. } = signal;
    let finding =
        Finding { id, kind, src, dst, port, first_seen_s, last_seen_s, opened_s: last_seen_s };
    Ok((finding, status))
}

fn join(
    known: &mut Finding,
    told: &mut Status,
    line: &Finding,
    status: Status,
) -> Result<(), String> {
    if known.kind != line.kind {
        return Err(format!("kind {} differs from {} of the same id", line.kind, known.kind));
    }
    known.first_seen_s = known.first_seen_s.min(line.first_seen_s);
    known.last_seen_s = known.last_seen_s.max(line.last_seen_s);
    // Lines may be out of order: the one that opened the finding tells when it was raised.
    if status == Status::Open && *told != Status::Open {
        known.opened_s = line.opened_s;
        *told = Status::Open;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, status: &str, first: &str, last: &str) -> String {
        format!(
            "{{\"id\":\"{id}\",\"kind\":\"vertical_scan\",\"status\":\"{status}\",\"severity\":\"high\",\
             \"entity\":{{\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\"}},\"window_s\":300,\"estimate\":16.0,\
             \"threshold\":15,\"first_seen\":\"{first}\",\"last_seen\":\"{last}\",\"evidence\":{{}}}}\n"
        )
    }

    #[test]
    fn lines_of_one_id_are_one_finding_from_first_to_last() {
        let text = [
            line("a", "update", "1970-01-01T00:00:10Z", "1970-01-01T00:00:50Z"),
            line("a", "open", "1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z"),
            line("b", "open", "1970-01-01T00:00:30Z", "1970-01-01T00:00:40Z"),
            line("a", "closed", "1970-01-01T00:00:05Z", "1970-01-01T00:01:00Z"),
        ];
        let findings = parse(text.concat().as_bytes()).unwrap();
        assert_eq!(findings.len(), 2);
        let first = &findings[0];
        assert_eq!((first.first_seen_s, first.last_seen_s, first.opened_s), (5, 60, 20));
        assert_eq!((first.dst.as_deref(), first.port), (Some("10.0.0.2"), None));
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number() {
        let good = line("a", "open", "1970-01-01T00:00:10Z", "1970-01-01T00:00:20Z");
        let refused =
            |bad: &str| parse(format!("{good}\n{bad}\n").as_bytes()).unwrap_err().to_string();
        assert!(refused("{").starts_with("line 3: EOF"));
        assert!(refused(&good.replace("vertical", "diagonal")).contains("unknown variant"));
        assert!(refused(&good.replace("10Z", "10")).contains("first_seen is not a UTC time"));
        assert!(refused(&good.replace("vertical", "horizontal")).contains("of the same id"));
    }
}
