//! Every column of a row group, for those who want them all.

use std::ops::Range;

use super::cell::Raw;
use super::codec::Codecs;
use super::column::{Budget, Column, Rows};
use crate::batch::RowGroup;
use crate::decode::LINE_BYTES_MAX;
use crate::decode::fields::{Value, read};
use crate::decode::refusal::{Reason, Refusal};
use crate::decode::scalar::parse_integer;
use crate::flow::field::{FIELDS, id};

/// A column for each that was read of the row group, and its rows as text.
#[derive(Debug, Default)]
pub(super) struct AllColumns {
    columns: Vec<Column<Raw>>,
    /// How many of `columns` the row group has.
    count: usize,
    /// Which of them is `log-status`.
    status: Option<usize>,
    text: Vec<u8>,
    /// Where in `text` the values of each row stand, row after row.
    places: Vec<Range<usize>>,
}

/// Rows that are read at a time: as text they take up to 16 MiB, at twice the longest line.
const BATCH_ROWS: usize = 128;

impl AllColumns {
    /// Begins a row group.
    pub(super) fn begin(&mut self, group: &RowGroup) {
        self.count = group.chunks.len();
        if self.columns.len() < self.count {
            self.columns.resize_with(self.count, Column::default);
        }
        self.status = None;
        // Columns that this file does not have keep nothing of the last one.
        for column in &mut self.columns[self.count..] {
            column.begin(None);
        }
        for (place, chunk) in group.chunks.iter().enumerate() {
            let column = group.columns.get(chunk.column);
            self.columns[place].begin(column.map(|column| (place, column)));
            if column.and_then(|column| column.field) == Some(id::LOG_STATUS) {
                self.status = Some(place);
            }
        }
    }

    /// Reads the next rows, at most `rows_max`; returns how many.
    pub(super) fn fill(
        &mut self,
        group: &RowGroup,
        codecs: &mut Codecs,
        budget: &mut Budget,
        rows_max: usize,
    ) -> Result<usize, Refusal> {
        let fields = group.chunks.iter().map(|chunk| {
            let column = group.columns.get(chunk.column);
            column.and_then(|column| column.field)
        });
        let mut rows = rows_max.min(BATCH_ROWS);
        for (column, field) in self.columns.iter_mut().zip(fields.clone()) {
            let available = column.available(group, codecs, budget);
            rows = rows.min(available.map_err(|problem| problem.in_field(field))?);
        }
        for (column, field) in self.columns.iter_mut().zip(fields) {
            column.fill(rows).map_err(|problem| problem.in_field(field))?;
        }
        Ok(rows)
    }

    /// Gives the values of the `rows` that were read last, of which the first has the number `first`.
    pub(super) fn values(
        &mut self,
        group: &RowGroup,
        first: u64,
        rows: usize,
        each: &mut impl FnMut(u64, Result<&[(&str, Value<'_>)], Refusal>),
    ) {
        self.text.clear();
        self.places.clear();
        (0..rows).for_each(|row| self.render(row));
        let mut values = Vec::with_capacity(self.count);
        for row in 0..rows {
            values.clear();
            let result = self.read_row(group, row, &mut values);
            each(first + row as u64, result.map(|()| values.as_slice()));
        }
    }

    /// One of the rows that were read last, its values separated by spaces.
    pub(super) fn text(&mut self, row: usize) -> &[u8] {
        self.text.clear();
        self.places.clear();
        self.render(row);
        self.text.strip_suffix(b" ").unwrap_or(&self.text)
    }

    fn read_row<'a>(
        &'a self,
        group: &'a RowGroup,
        row: usize,
        values: &mut Vec<(&'a str, Value<'a>)>,
    ) -> Result<(), Refusal> {
        let places = &self.places[row * self.count..][..self.count];
        let length = places.last().map_or(0, |last| last.end - places[0].start);
        if length > LINE_BYTES_MAX {
            return Err(Refusal { reason: Reason::LineTooLong, field: None });
        }
        let status = self.status.map(|column| &self.text[places[column].clone()]);
        let has_flow = !matches!(status, Some(b"NODATA" | b"SKIPDATA"));
        for ((column, chunk), place) in self.columns.iter().zip(&group.chunks).zip(places) {
            let Some(column_type) = group.columns.get(chunk.column) else { continue };
            let text = &self.text[place.clone()];
            let is_integer = matches!(column.cells()[row], Raw::Integer(0..) | Raw::Unsigned(_));
            let integer = || parse_integer(text).map(Value::Integer);
            let value = match read(column_type.field, text) {
                Ok(Value::Text(_)) if is_integer => integer().unwrap_or(Value::Text(text)),
                // Such a row describes no packets, so nothing is made of what it says of them.
                Err(refusal) if !has_flow && !is_needed(refusal) => {
                    integer().unwrap_or(Value::Absent)
                }
                value => value?,
            };
            let name = column_type.field.map_or(&*column_type.name, |field| FIELDS[field].name);
            values.push((name, value));
        }
        Ok(())
    }

    /// Writes a row to the end of the text, each value with a space behind it. One that is longer than a line may be ends
    /// where it has become so.
    fn render(&mut self, row: usize) {
        let Self { columns, count, text, places, .. } = self;
        let row_start = text.len();
        for column in &columns[..*count] {
            let start = text.len();
            if start - row_start <= LINE_BYTES_MAX {
                match column.cells()[row] {
                    Raw::Absent => text.push(b'-'),
                    Raw::Integer(value) => text.extend_from_slice(value.to_string().as_bytes()),
                    Raw::Unsigned(value) => text.extend_from_slice(value.to_string().as_bytes()),
                    Raw::Float(value) => text.extend_from_slice(value.to_string().as_bytes()),
                    Raw::Boolean(value) => text.extend_from_slice(value.to_string().as_bytes()),
                    Raw::Text(place) => {
                        let value = column.text(place);
                        text.extend_from_slice(&value[..value.len().min(LINE_BYTES_MAX + 1)]);
                    }
                }
            }
            places.push(start..text.len());
            text.push(b' ');
        }
    }
}

/// Whether a row cannot do without the field, even if it describes no packets.
fn is_needed(refusal: Refusal) -> bool {
    matches!(refusal.field, Some("start" | "end" | "log-status"))
}
