//! Lines and rows as records: what the pipeline takes them for.

use super::decoder::{Reader, Refused};
use super::limits::Limits;
use super::parquet::RowReader;
use super::refusal::{Oddities, Refusal};
use super::text::TextParser;
use crate::batch::RowGroup;
use crate::flow::{Layout, Line};

/// Parses lines and rows; keeps its scratch between batches. One per worker.
#[derive(Debug)]
pub struct RecordParser {
    text: TextParser,
    rows: RowReader,
}

impl RecordParser {
    /// Row groups are read within `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { text: TextParser::new(), rows: RowReader::new(limits) }
    }
}

/// Gives every line or row that is one to `each`.
#[derive(Debug)]
pub struct Records<'p, F> {
    parser: &'p mut RecordParser,
    each: F,
}

impl<'p, F: FnMut(Line<'_>)> Records<'p, F> {
    /// Parses with `parser`.
    pub const fn new(parser: &'p mut RecordParser, each: F) -> Self {
        Self { parser, each }
    }
}

impl<F: FnMut(Line<'_>)> Reader for Records<'_, F> {
    fn line(
        &mut self,
        line: &[u8],
        layout: &Layout,
        oddities: &mut Oddities,
    ) -> Result<(), Refusal> {
        (self.each)(self.parser.text.parse_line(line, layout, oddities)?);
        Ok(())
    }

    fn block<'t>(
        &mut self,
        text: &'t [u8],
        layout: &Layout,
        oddities: &mut Oddities,
        refused: &mut impl FnMut(&mut Self, Refused<'t>),
    ) -> u64 {
        let (mut seen, mut left) = (0, Vec::new());
        self.parser.text.parse(text, layout, oddities, &mut |number, line, read| {
            seen += 1;
            match read {
                Ok(line) => (self.each)(line),
                Err(refusal) => left.push(Refused { number, line, refusal }),
            }
        });
        left.into_iter().for_each(|line| refused(self, line));
        seen
    }

    fn rows(
        &mut self,
        group: &RowGroup,
        oddities: &mut Oddities,
        refused: &mut impl FnMut(u64, Refusal),
    ) -> (u64, Result<(), Refusal>) {
        let mut seen = 0;
        let end = self.parser.rows.rows(group, oddities, &mut |number, row| {
            seen += 1;
            match row {
                Ok(line) => (self.each)(line),
                Err(refusal) => refused(number, refusal),
            }
        });
        (seen, end)
    }

    fn row_texts(&mut self, group: &RowGroup, numbers: &[u64], each: &mut impl FnMut(u64, &[u8])) {
        if !numbers.is_empty() {
            // Why it ends early was said when its rows were read.
            let _end = self.parser.rows.texts(group, numbers, each);
        }
    }
}
