//! Flow logs in Parquet: rows straight from columns, without a detour by text.
//!
//! AWS writes one column per field, named as the field with `_` for `-` (Amazon VPC User Guide, "Flow log files"). Each
//! column is decoded by itself, page by page; a value of a dictionary is parsed once per row group, however many rows name
//! it. What the columns then say of a row is what [`parse_line`](super::parse_line) would say of the same values as text.
//!
//! Only flat columns are read: groups and lists are gone past, in the schema and in the row groups. Supported are data
//! pages of both versions; plain, dictionary, run-length and delta encodings; Snappy, gzip (one member per page) and
//! Zstandard.
//!
//! # Hostile files
//! Nothing here trusts a number that it has not held against the bytes that there are. All columns of a row group share one
//! budget, [`Limits::decompressed_bytes_max`], for their current pages, their dictionaries and what is decoded of them; it is
//! taken before anything is allocated. So a reader holds at most that, the cells of 1,024 rows (for those who want every
//! column, 128 rows as text too), and between row groups up to 4 MiB in each buffer of each column. A row group may claim
//! 65,536 rows, and 64 more for each byte of it, before it is refused as too large: a run of a billion rows needs but twenty
//! bytes. Decoding neither panics nor recurses.
//!
//! Source: Apache Parquet, parquet-format.

mod all;
mod cell;
mod codec;
mod column;
mod delta;
mod footer;
mod hybrid;
mod page;
mod thrift;
mod used;
mod values;

pub use footer::{ChunkPlace, Footer, FooterError, GroupPlace};
pub use used::is_used;

use self::all::AllColumns;
use self::codec::Codecs;
use self::column::Budget;
use self::used::UsedColumns;
use super::fields::Value;
use super::limits::Limits;
use super::refusal::{Oddities, Reason, Refusal};
use crate::batch::RowGroup;
use crate::flow::Line;
use crate::flow::field::{FIELDS, FieldId};

/// Reads row groups; keeps its buffers between them, so that nothing is allocated per row.
#[derive(Debug)]
pub struct RowReader {
    limits: Limits,
    codecs: Codecs,
    used: UsedColumns,
    all: AllColumns,
}

impl RowReader {
    /// Under `limits`, of which [`Limits::decompressed_bytes_max`] is what one row group may hold at a time.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            codecs: Codecs::default(),
            used: UsedColumns::default(),
            all: AllColumns::default(),
        }
    }

    /// Gives each row to `each` as the pipeline reads it, with its number, counted from 0. A row that cannot be read is
    /// refused alone.
    ///
    /// # Errors
    /// [`Reason::BadParquet`] or [`Reason::TooLarge`], with the field whose column is to blame, when the row group cannot
    /// be read further; the rows before it were given.
    pub fn rows(
        &mut self,
        group: &RowGroup,
        oddities: &mut Oddities,
        each: &mut impl FnMut(u64, Result<Line<'_>, Refusal>),
    ) -> Result<(), Refusal> {
        let mut budget = Budget::new(self.limits.decompressed_bytes_max);
        self.used.begin(group)?;
        for_batches(group, |first, rows_max| {
            let rows = self.used.fill(group, &mut self.codecs, &mut budget, rows_max)?;
            let view = self.used.view(rows);
            for place in 0..rows {
                each(first + place as u64, view.line(place, oddities));
            }
            Ok(rows)
        })
    }

    /// Gives each row to `each` with every column that was read, as [`fields`](super::fields) reads a line: names as
    /// documented where they are known, else as in the file. Integers of a column that is documented as text stay integers.
    ///
    /// # Errors
    /// As [`RowReader::rows`].
    pub fn all(
        &mut self,
        group: &RowGroup,
        each: &mut impl FnMut(u64, Result<&[(&str, Value<'_>)], Refusal>),
    ) -> Result<(), Refusal> {
        let mut budget = Budget::new(self.limits.decompressed_bytes_max);
        self.all.begin(group);
        for_batches(group, |first, rows_max| {
            let rows = self.all.fill(group, &mut self.codecs, &mut budget, rows_max)?;
            self.all.values(group, first, rows, each);
            Ok(rows)
        })
    }

    /// Gives the rows of the given numbers, which must rise, as text to `each`: every column that was read, `-` for a
    /// null, separated by spaces. For examples and dead letters; it decodes the row group once more, up to the last of them.
    ///
    /// # Errors
    /// As [`RowReader::rows`].
    pub fn texts(
        &mut self,
        group: &RowGroup,
        numbers: &[u64],
        each: &mut impl FnMut(u64, &[u8]),
    ) -> Result<(), Refusal> {
        let mut budget = Budget::new(self.limits.decompressed_bytes_max);
        let mut wanted = numbers.iter().copied().peekable();
        self.all.begin(group);
        for_batches(group, |first, rows_max| {
            if wanted.peek().is_none() {
                return Ok(0);
            }
            let rows = self.all.fill(group, &mut self.codecs, &mut budget, rows_max)?;
            let end = first + rows as u64;
            while let Some(number) = wanted.next_if(|number| *number < end) {
                if let Some(place) = number.checked_sub(first).and_then(|n| usize::try_from(n).ok())
                {
                    each(number, self.all.text(place));
                }
            }
            Ok(rows)
        })
    }
}

/// Why a row group cannot be read further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Problem {
    Corrupt,
    TooLarge,
}

impl Problem {
    fn in_field(self, field: Option<FieldId>) -> Refusal {
        let reason = match self {
            Self::Corrupt => Reason::BadParquet,
            Self::TooLarge => Reason::TooLarge,
        };
        Refusal { reason, field: field.map(|field| FIELDS[field].name) }
    }
}

impl From<thrift::Malformed> for Problem {
    fn from(_: thrift::Malformed) -> Self {
        Self::Corrupt
    }
}

/// Any row group may claim so many rows; one of AWS has some hundred thousand.
const ROWS_FREE: u64 = 65_536;
/// And so many more per byte. Rows of which all columns are constant take less than a bit each, but a flow log's times and
/// ports are not constant: real ones take some bytes per row.
const ROWS_PER_BYTE: u64 = 64;

/// Calls `batch` with the number of the first row of each batch, and of rows that are left, until all are read or it reads
/// none.
fn for_batches(
    group: &RowGroup,
    mut batch: impl FnMut(u64, usize) -> Result<usize, Refusal>,
) -> Result<(), Refusal> {
    let rows_max = (group.bytes() as u64).saturating_mul(ROWS_PER_BYTE).saturating_add(ROWS_FREE);
    let rows = group.rows.min(rows_max);
    let mut first = 0;
    while first < rows {
        match batch(first, usize::try_from(rows - first).unwrap_or(usize::MAX))? {
            0 => return Ok(()),
            read => first += read as u64,
        }
    }
    if rows < group.rows { Err(Problem::TooLarge.in_field(None)) } else { Ok(()) }
}
