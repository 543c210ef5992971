//! The truth to judge by: our own truth file, or the labels of real captures.

use std::collections::BTreeSet;
use std::io::{self, BufRead};

use thiserror::Error;

use super::kind::Kind;
use crate::truth::{HEADER, TruthRow};

/// What happened, and what must not be reported.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    rows: Vec<Row>,
    warnings: Vec<String>,
}

/// Why a truth file cannot be used.
#[derive(Debug, Error)]
pub enum TruthError {
    /// The first line is of neither form.
    #[error("line 1: the header is neither that of a truth file nor that of labels")]
    Header,
    /// A row is malformed.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read the truth: {0}")]
    Read(#[from] io::Error),
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) class: Class,
    /// The scenario, or the class of the labels.
    pub(super) label: String,
    pub(super) src: Option<String>,
    pub(super) dst: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) victims: BTreeSet<String>,
    pub(super) start_s: u64,
    pub(super) end_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Must be found.
    Attack(Kind),
    /// Need not be found; finding something there is not wrong.
    Excused,
    /// Must not be reported as a scan.
    Negative,
    /// Nobody knows.
    LeftOut,
}

const LABELS_HEADER: &str =
    "class\tsrc\tvictims\tstart\tend\tn_flows\tn_dst_hosts\tn_dst_ports\tbasis\tdetail";

impl Truth {
    /// The truth about generated traffic.
    #[must_use]
    pub fn from_rows(rows: &[TruthRow]) -> Self {
        let mut truth = Self::default();
        for row in rows {
            let class = truth.class_of_kind(&row.kind);
            truth.rows.push(Row {
                class,
                label: row.scenario.clone(),
                src: stated(&row.src),
                dst: row.dst.clone(),
                port: row.port,
                victims: BTreeSet::new(),
                start_s: row.start_s,
                end_s: row.end_s,
            });
        }
        truth.merge();
        truth
    }

    /// Reads a truth file, or the labels of a capture; the header tells which.
    ///
    /// # Errors
    /// [`TruthError`] with the line number when the file is of neither form or a row is malformed.
    pub fn parse(reader: impl BufRead) -> Result<Self, TruthError> {
        let mut lines = reader.lines();
        let header = lines.next().transpose()?.unwrap_or_default();
        let numbered = (2..).zip(lines);
        match header.trim_end() {
            HEADER => {
                let rows: Result<Vec<TruthRow>, TruthError> =
                    non_empty(numbered).map(own_row).collect();
                Ok(Self::from_rows(&rows?))
            }
            LABELS_HEADER => {
                let mut truth = Self::default();
                for line in non_empty(numbered) {
                    let row = truth.label_row(line)?;
                    truth.rows.push(row);
                }
                truth.merge();
                Ok(truth)
            }
            _ => Err(TruthError::Header),
        }
    }

    /// Classes and kinds that are not known; their rows are excused.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    fn label_row(&mut self, line: io::Result<(usize, String)>) -> Result<Row, TruthError> {
        let (number, text) = line?;
        let refuse = |reason| TruthError::Line { line: number, reason };
        let columns: Vec<&str> = text.split('\t').collect();
        let [class, src, victims, start, end, ..] = columns.as_slice() else {
            return Err(refuse("fewer than five columns"));
        };
        let (start_s, end_s) = times(start, end).map_err(refuse)?;
        Ok(Row {
            class: self.class_of_label(class),
            label: class.trim_end_matches("_stated").to_owned(),
            src: stated(src),
            dst: None,
            port: None,
            victims: victims.split(',').map(str::to_owned).collect(),
            start_s,
            end_s,
        })
    }

    fn class_of_kind(&mut self, kind: &str) -> Class {
        kind.parse().map_or_else(|()| self.excuse(format!("unknown kind `{kind}`")), Class::Attack)
    }

    fn class_of_label(&mut self, class: &str) -> Class {
        match class {
            "port_scan" | "port_scan_stated" | "port_scan_slow" => {
                Class::Attack(Kind::VerticalScan)
            }
            "host_sweep" | "host_sweep_stated" | "host_sweep_slow" => {
                Class::Attack(Kind::HorizontalScan)
            }
            "brute_force" | "repeat_auth_port" => Class::Attack(Kind::RepeatedAttempts),
            "conn_flood" => Class::Attack(Kind::RejectedSurge),
            "exfil_c2_labelled" | "exfiltration" => Class::Attack(Kind::Exfiltration),
            "c2" => Class::Attack(Kind::Beacon),
            "background_unknown" | "label_suspect_reply" => Class::LeftOut,
            // The last of these is labelled wrongly upstream.
            "nmap_activity" | "external_probe" | "ddos" | "host_sweep_labelled" => Class::Excused,
            _ if class.starts_with("beacon") => Class::Attack(Kind::Beacon),
            _ if class.starts_with("negative_") => Class::Negative,
            _ if class.starts_with("other_") => Class::Excused,
            _ => self.excuse(format!("unknown class `{class}`")),
        }
    }

    fn excuse(&mut self, reason: String) -> Class {
        let warning = format!("{reason}: its rows are excused");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        Class::Excused
    }

    /// Joins attack rows of one kind and source whose intervals overlap.
    fn merge(&mut self) {
        self.rows.sort_by(|a, b| (a.class, &a.src, a.start_s).cmp(&(b.class, &b.src, b.start_s)));
        let mut merged: Vec<Row> = Vec::with_capacity(self.rows.len());
        for row in self.rows.drain(..) {
            match merged.last_mut() {
                Some(last) if last.takes_in(&row) => last.absorb(row),
                _ => merged.push(row),
            }
        }
        merged.sort_by_key(|row| row.start_s);
        self.rows = merged;
    }
}

impl Row {
    pub(super) fn has_victim(&self, address: Option<&str>) -> bool {
        let stated = address.is_some() && self.dst.as_deref() == address;
        stated || address.is_some_and(|address| self.victims.contains(address))
    }

    fn takes_in(&self, later: &Self) -> bool {
        matches!(self.class, Class::Attack(_))
            && (self.class, &self.src) == (later.class, &later.src)
            && later.start_s <= self.end_s
    }

    fn absorb(&mut self, later: Self) {
        self.end_s = self.end_s.max(later.end_s);
        self.victims.extend(later.victims);
        // A row for two targets states none.
        self.dst = self.dst.take().filter(|dst| later.dst.as_ref() == Some(dst));
        self.port = self.port.filter(|port| later.port == Some(*port));
    }
}

type Numbered = io::Result<(usize, String)>;

fn non_empty(
    lines: impl Iterator<Item = (usize, io::Result<String>)>,
) -> impl Iterator<Item = Numbered> {
    let numbered = lines.map(|(number, line)| line.map(|line| (number, line)));
    numbered.filter(|line| line.as_ref().map_or(true, |(_, text)| !text.trim().is_empty()))
}

fn own_row(line: Numbered) -> Result<TruthRow, TruthError> {
    let (number, text) = line?;
    let refuse = |reason| TruthError::Line { line: number, reason };
    let columns: Vec<&str> = text.split('\t').collect();
    let [kind, src, dst, port, start, end, scenario] = columns.as_slice() else {
        return Err(refuse("not seven columns"));
    };
    let (start_s, end_s) = times(start, end).map_err(refuse)?;
    let port = stated(port)
        .map(|port| port.parse().map_err(|_| refuse("port is not a number")))
        .transpose()?;
    Ok(TruthRow {
        kind: (*kind).to_owned(),
        src: (*src).to_owned(),
        dst: stated(dst),
        port,
        start_s,
        end_s,
        scenario: (*scenario).to_owned(),
    })
}

fn times(start: &str, end: &str) -> Result<(u64, u64), &'static str> {
    let start_s = start.parse().map_err(|_| "start is not an epoch second")?;
    let end_s = end.parse().map_err(|_| "end is not an epoch second")?;
    if start_s > end_s { Err("end lies before start") } else { Ok((start_s, end_s)) }
}

fn stated(text: &str) -> Option<String> {
    (text != "-" && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(rows: &str) -> Truth {
        Truth::parse(format!("{LABELS_HEADER}\n{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn a_truth_file_reads_back_as_the_rows_that_were_written() {
        let row = TruthRow {
            kind: "horizontal_scan".to_owned(),
            src: "10.0.0.1".to_owned(),
            dst: None,
            port: Some(0),
            start_s: 5,
            end_s: 9,
            scenario: "icmp-sweep".to_owned(),
        };
        let mut file = Vec::new();
        crate::truth::write_rows(&[row], &mut file).unwrap();
        let truth = Truth::parse(file.as_slice()).unwrap();
        let [read] = truth.rows() else { panic!("one row") };
        assert_eq!(read.class, Class::Attack(Kind::HorizontalScan));
        assert_eq!(
            (read.dst.as_deref(), read.port, read.start_s, read.end_s),
            (None, Some(0), 5, 9)
        );
        assert_eq!(read.label, "icmp-sweep");
    }

    #[test]
    fn classes_map_to_kinds() {
        let truth = labels(
            "port_scan_slow\ta\tv\t1\t2\t1\t1\t1\tderived\tx\n\
             host_sweep_stated\tb\tv\t1\t2\t1\t1\t1\tderived\tx\n\
             repeat_auth_port\tc\tv\t1\t2\t1\t1\t1\tderived\tx\n\
             conn_flood\td\tv\t1\t2\t1\t1\t1\tderived\tx\n\
             beacon_http\te\tv\t1\t2\t1\t1\t1\tderived\tx\n",
        );
        let mut classes: Vec<Class> = truth.rows().iter().map(|row| row.class).collect();
        classes.sort_unstable();
        let kinds = [
            Kind::VerticalScan,
            Kind::HorizontalScan,
            Kind::RepeatedAttempts,
            Kind::RejectedSurge,
            Kind::Beacon,
        ];
        assert_eq!(classes, kinds.map(Class::Attack));
        assert!(truth.warnings().is_empty());
    }

    #[test]
    fn overlapping_rows_of_one_kind_and_source_count_once() {
        let truth = labels(
            "host_sweep\ta\tv\t10\t20\t1\t1\t1\tderived\tx\n\
             host_sweep_stated\ta\tw\t10\t20\t1\t1\t1\tderived\tx\n\
             host_sweep\ta\tv\t15\t40\t1\t1\t1\tderived\tx\n\
             host_sweep\ta\tv\t41\t50\t1\t1\t1\tderived\tx\n\
             host_sweep\tb\tv\t15\t40\t1\t1\t1\tderived\tx\n\
             port_scan\ta\tv\t15\t40\t1\t1\t1\tderived\tx\n",
        );
        let of_a: Vec<(u64, u64)> = truth
            .rows()
            .iter()
            .filter(|row| {
                row.src.as_deref() == Some("a") && row.class == Class::Attack(Kind::HorizontalScan)
            })
            .map(|row| (row.start_s, row.end_s))
            .collect();
        assert_eq!(of_a, [(10, 40), (41, 50)]);
        assert_eq!(truth.rows().len(), 4);
    }

    #[test]
    fn malformed_files_are_refused_with_the_line() {
        let refused = |text: &str| Truth::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(refused("a\tb\n").starts_with("line 1: the header"));
        assert_eq!(
            refused(&format!("{HEADER}\nbeacon\ta\t-\t-\t1\n")),
            "line 2: not seven columns"
        );
        assert_eq!(
            refused(&format!("{HEADER}\n\nbeacon\ta\t-\tx\t1\t2\ts\n")),
            "line 3: port is not a number"
        );
        assert_eq!(
            refused(&format!("{LABELS_HEADER}\nc2\ta\tv\t5\t4\n")),
            "line 2: end lies before start"
        );
    }

    #[test]
    fn an_unknown_kind_is_excused_with_one_warning() {
        let rows = format!("{HEADER}\nmystery\ta\t-\t-\t1\t2\ts\nmystery\tb\t-\t-\t1\t2\ts\n");
        let truth = Truth::parse(rows.as_bytes()).unwrap();
        assert_eq!(truth.warnings(), ["unknown kind `mystery`: its rows are excused"]);
        assert!(truth.rows().iter().all(|row| row.class == Class::Excused));
    }
}
