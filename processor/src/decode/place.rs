//! Where in its source a line stands, through all envelopes around it.

use std::fmt;

/// The way from the source to a line. Numbers count from 1; 0 says that there is no such step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Position {
    /// Which payload of the source: a record of a stream, a document of a file.
    pub record: u64,
    /// Which record within that one: of a KPL aggregate, of a Firehose request.
    pub part: u64,
    /// Which log event of a CloudWatch Logs envelope.
    pub event: u64,
    /// Which line of its text, or row of a Parquet row group.
    pub line: u64,
}

/// A text and what its envelopes say of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// Where it begins; `line` is 0 for a text that is a whole message.
    pub position: Position,
    /// `logGroup` of the envelope around it; empty when there is none.
    pub log_group: &'a str,
    /// The same record once more, by names, where CloudWatch Logs extracted them.
    pub extracted: Option<Extracted<'a>>,
}

/// `extractedFields` of a log event as a header line and a data line: documented fields only, in one order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extracted<'a> {
    /// Field names, separated by spaces.
    pub header: &'a [u8],
    /// Their values, separated by spaces.
    pub line: &'a [u8],
}

impl Position {
    /// A line of a plain text.
    #[must_use]
    pub const fn line(line: u64) -> Self {
        Self { record: 0, part: 0, event: 0, line }
    }
}

impl fmt::Display for Position {
    /// `7` for a line of a plain text; `record 3, event 17` within envelopes.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.record == 0 {
            return write!(formatter, "{}", self.line);
        }
        write!(formatter, "record {}", self.record)?;
        let steps = [("part", self.part), ("event", self.event), ("line", self.line)];
        for (name, number) in steps.into_iter().filter(|(_, number)| *number > 0) {
            write!(formatter, ", {name} {number}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_names_the_steps_that_there_are() {
        assert_eq!(Position::line(7).to_string(), "7");
        let position = Position { record: 3, event: 17, ..Position::default() };
        assert_eq!(position.to_string(), "record 3, event 17");
        let position = Position { record: 3, part: 2, event: 1, line: 9 };
        assert_eq!(position.to_string(), "record 3, part 2, event 1, line 9");
    }
}
