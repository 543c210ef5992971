//! What a straightforward program does: split at spaces, parse with the standard library, group in a hash map.
//!
//! It reads the same lines into the same fields, but checks less (it skips what it cannot parse, without a reason) and
//! detects nothing: it knows neither directions nor answers, and its windows do not slide.

use std::net::IpAddr;
use std::str::FromStr;

use indexmap::{IndexMap, IndexSet};

/// The fields of one record.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// `interface-id`.
    pub interface_id: &'a str,
    /// `srcaddr`.
    pub source: IpAddr,
    /// `dstaddr`.
    pub destination: IpAddr,
    /// `srcport`.
    pub source_port: u16,
    /// `dstport`.
    pub destination_port: u16,
    /// `protocol`.
    pub protocol: u8,
    /// `packets`.
    pub packets: u64,
    /// `bytes`.
    pub bytes: u64,
    /// `start`.
    pub start_s: u64,
    /// `end`.
    pub end_s: u64,
    /// `action` is `ACCEPT`.
    pub is_accepted: bool,
}

/// Reads a line of the default format; `None` for `NODATA`, `SKIPDATA` and what cannot be parsed.
#[must_use]
pub fn parse(line: &str) -> Option<Row<'_>> {
    let mut fields = line.split(' ').skip(2);
    Some(Row {
        interface_id: fields.next()?,
        source: value(fields.next())?,
        destination: value(fields.next())?,
        source_port: value(fields.next())?,
        destination_port: value(fields.next())?,
        protocol: value(fields.next())?,
        packets: value(fields.next())?,
        bytes: value(fields.next())?,
        start_s: value(fields.next())?,
        end_s: value(fields.next())?,
        is_accepted: fields.next()? == "ACCEPT",
    })
}

/// Reads a line of [`ALL_OF_VERSION_5`](crate::traffic::ALL_OF_VERSION_5); `None` as above.
#[must_use]
pub fn parse_all_of_version_5(line: &str) -> Option<Row<'_>> {
    let mut fields = line.split(' ');
    let is_accepted = fields.nth(1)? == "ACCEPT";
    let bytes = value(fields.nth(1))?;
    let destination_port = value(fields.nth(1))?;
    let end_s = value(fields.next())?;
    let interface_id = fields.nth(2)?;
    let packets = value(fields.nth(1))?;
    let destination = value(fields.nth(1))?;
    let source = value(fields.nth(1))?;
    let protocol = value(fields.next())?;
    let source_port = value(fields.nth(2))?;
    let start_s = value(fields.next())?;
    Some(Row {
        interface_id,
        source,
        destination,
        source_port,
        destination_port,
        protocol,
        packets,
        bytes,
        start_s,
        end_s,
        is_accepted,
    })
}

fn value<T: FromStr>(field: Option<&str>) -> Option<T> {
    field?.parse().ok()
}

/// Distinct destination ports and bytes of one source in one window.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Destination ports.
    pub ports: IndexSet<u16>,
    /// Bytes sent.
    pub bytes: u64,
}

/// Groups by source in tumbling windows of five minutes.
#[derive(Debug, Default)]
pub struct GroupBy {
    window: u64,
    groups: IndexMap<IpAddr, Group>,
    /// Records of all windows.
    pub records: u64,
    /// Bytes of all windows that are over.
    pub bytes: u64,
    /// The most ports of one source in one window.
    pub ports_max: usize,
}

const WINDOW_S: u64 = 300;

impl GroupBy {
    /// Counts a record.
    pub fn add(&mut self, row: &Row<'_>) {
        let window = row.end_s / WINDOW_S;
        if window > self.window {
            self.close();
            self.window = window;
        }
        self.records += 1;
        let group = self.groups.entry(row.source).or_default();
        group.ports.insert(row.destination_port);
        group.bytes += row.bytes;
    }

    /// Ends the window.
    pub fn close(&mut self) {
        for (_, group) in self.groups.drain(..) {
            self.bytes += group.bytes;
            self.ports_max = self.ports_max.max(group.ports.len());
        }
    }
}
