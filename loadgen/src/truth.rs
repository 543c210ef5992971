//! What was injected: one row per attack, and the file that holds the rows.

use std::io::{self, Write};

/// The first line of a truth file.
pub const HEADER: &str = "kind\tsrc\tdst\tport\tstart\tend\tscenario";

/// One injected attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthRow {
    /// The kind of finding that it should cause.
    pub kind: String,
    /// Who does it: an address; for a data gap the interface.
    pub src: String,
    /// The one target, where there is one.
    pub dst: Option<String>,
    /// The one port, where there is one; 0 for ICMP.
    pub port: Option<u16>,
    /// Epoch second of its first packet.
    pub start_s: u64,
    /// Epoch second of its last packet.
    pub end_s: u64,
    /// The scenario that injected it.
    pub scenario: String,
}

/// Writes the rows as tab-separated values under [`HEADER`]; `-` where a column does not apply.
///
/// # Errors
/// What the writer reports.
pub fn write_rows(rows: &[TruthRow], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for row in rows {
        let dst = row.dst.as_deref().unwrap_or("-");
        let port = row.port.map_or_else(|| "-".to_owned(), |port| port.to_string());
        let TruthRow { kind, src, start_s, end_s, scenario, .. } = row;
        writeln!(out, "{kind}\t{src}\t{dst}\t{port}\t{start_s}\t{end_s}\t{scenario}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_columns_are_dashes() {
        let row = TruthRow {
            kind: "block_scan".to_owned(),
            src: "10.0.0.1".to_owned(),
            dst: None,
            port: None,
            start_s: 1,
            end_s: 2,
            scenario: "block-scan".to_owned(),
        };
        let mut out = Vec::new();
        write_rows(&[row], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, format!("{HEADER}\nblock_scan\t10.0.0.1\t-\t-\t1\t2\tblock-scan\n"));
    }
}
