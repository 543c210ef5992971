//! Why lines were refused, how often, and the first of each kind as an example.

use std::fmt;
use std::sync::Arc;

use super::place::Position;

/// Stable, low-cardinality labels for refused lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Reason {
    /// Longer than [`super::LINE_BYTES_MAX`].
    LineTooLong,
    /// Another number of values than the layout has columns.
    FieldCount,
    /// A number is not one, or too large for its field.
    BadNumber,
    /// An address is neither IPv4 nor IPv6.
    BadAddress,
    /// `action` is neither `ACCEPT`, `REJECT` nor `-`.
    BadAction,
    /// `log-status` is not one that AWS documents.
    BadStatus,
    /// `end` is missing, zero, or beyond the year 2100.
    BadTime,
    /// An `OK` record without a source or destination address.
    NoAddress,
    /// A gzip member is torn, corrupt, or followed by something else.
    BadGzip,
    /// It decompresses to more than [`super::Limits::decompressed_bytes_max`].
    TooLarge,
    /// It begins as JSON and is none.
    BadJson,
    /// A JSON document of a shape that no delivery of AWS has.
    UnknownJson,
    /// `data` is not base64.
    BadBase64,
    /// A KPL aggregate whose checksum holds names a partition key that it lacks.
    BadAggregate,
    /// More envelopes within each other than [`super::Limits::nesting_max`].
    NestedTooDeep,
    /// A Parquet row group that cannot be read.
    BadParquet,
    /// An object of S3, or a message about one, that could not be read after all tries.
    UnreadableObject,
}

impl Reason {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 17] = [
        Self::LineTooLong,
        Self::FieldCount,
        Self::BadNumber,
        Self::BadAddress,
        Self::BadAction,
        Self::BadStatus,
        Self::BadTime,
        Self::NoAddress,
        Self::BadGzip,
        Self::TooLarge,
        Self::BadJson,
        Self::UnknownJson,
        Self::BadBase64,
        Self::BadAggregate,
        Self::NestedTooDeep,
        Self::BadParquet,
        Self::UnreadableObject,
    ];

    /// The label in reports and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::LineTooLong => "line_too_long",
            Self::FieldCount => "field_count",
            Self::BadNumber => "bad_number",
            Self::BadAddress => "bad_address",
            Self::BadAction => "bad_action",
            Self::BadStatus => "bad_status",
            Self::BadTime => "bad_time",
            Self::NoAddress => "no_address",
            Self::BadGzip => "bad_gzip",
            Self::TooLarge => "too_large",
            Self::BadJson => "bad_json",
            Self::UnknownJson => "unknown_json",
            Self::BadBase64 => "bad_base64",
            Self::BadAggregate => "bad_aggregate",
            Self::NestedTooDeep => "nested_too_deep",
            Self::BadParquet => "bad_parquet",
            Self::UnreadableObject => "unreadable_object",
        }
    }
}

/// One refused line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{}", reason.label(), field.map(|name| format!(" in {name}")).unwrap_or_default())]
pub struct Refusal {
    /// The label it is counted under.
    pub reason: Reason,
    /// The field that could not be read, where one is to blame.
    pub field: Option<&'static str>,
}

/// The first line that was refused for a reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Example {
    /// Why.
    pub refusal: Refusal,
    /// File or stream.
    pub source: Arc<str>,
    /// Where in the source.
    pub position: Position,
    /// The beginning of the line, control bytes escaped.
    pub excerpt: String,
}

/// Things that were understood but are not as AWS documents them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Oddities {
    /// Lines with runs of spaces.
    pub doubled_spaces: u64,
    /// Records whose times were milliseconds.
    pub millisecond_times: u64,
    /// Health probes of CloudWatch Logs, which carry no record.
    pub control_messages: u64,
}

impl Oddities {
    /// Adds the counts of a later part of the input.
    pub const fn add(&mut self, later: Self) {
        self.doubled_spaces += later.doubled_spaces;
        self.millisecond_times += later.millisecond_times;
        self.control_messages += later.control_messages;
    }
}

/// Counters by reason, with the first example of each: bounded whatever the input.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    counts: [u64; Reason::ALL.len()],
    examples: [Option<Example>; Reason::ALL.len()],
    /// Accepted with a note.
    pub oddities: Oddities,
}

const EXCERPT_BYTES_MAX: usize = 100;

impl Refusals {
    /// Counts a refused line and keeps it as an example if it is the first of its reason.
    pub fn count(&mut self, refusal: Refusal, source: &Arc<str>, position: Position, text: &[u8]) {
        let row = refusal.reason as usize;
        self.counts[row] += 1;
        if self.examples[row].is_none() {
            let excerpt = &text[..text.len().min(EXCERPT_BYTES_MAX)];
            let source = Arc::clone(source);
            let excerpt = excerpt.escape_ascii().to_string();
            self.examples[row] = Some(Example { refusal, source, position, excerpt });
        }
    }

    /// Adds the counts of a later part of the input; earlier examples stay.
    pub fn merge(&mut self, later: &Self) {
        for (row, count) in later.counts.iter().enumerate() {
            self.counts[row] += count;
            if self.examples[row].is_none() {
                self.examples[row].clone_from(&later.examples[row]);
            }
        }
        self.oddities.add(later.oddities);
    }

    /// Lines refused for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Reasons that occurred, with their count and first example.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64, Option<&Example>)> {
        Reason::ALL
            .into_iter()
            .map(|reason| {
                let row = reason as usize;
                (reason, self.counts[row], self.examples[row].as_ref())
            })
            .filter(|(_, count, _)| *count > 0)
    }
}

impl fmt::Display for Example {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}: {}", self.source, self.position, self.refusal, self.excerpt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_example_of_a_reason_is_kept_and_all_are_counted() {
        let source: Arc<str> = "file.log".into();
        let refusal = Refusal { reason: Reason::BadNumber, field: Some("srcport") };
        let mut first = Refusals::default();
        first.count(refusal, &source, Position::line(7), b"2 x\x00");
        let mut second = Refusals::default();
        second.count(refusal, &source, Position::line(9), b"later");
        first.merge(&second);
        assert_eq!(first.total(), 2);
        let examples: Vec<String> = first.iter().map(|(_, _, e)| e.unwrap().to_string()).collect();
        assert_eq!(examples, ["file.log:7: bad_number in srcport: 2 x\\x00"]);
    }

    #[test]
    fn reasons_stand_at_the_place_of_their_counter() {
        for (row, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, row);
        }
    }
}
