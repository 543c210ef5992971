//! One column of a row group, page by page, as cells of one type.
//!
//! A dictionary's values are read when its page is met; a row then costs a look-up. Buffers stay between row groups.

use std::ops::Range;

use super::Problem;
use super::cell::{Cell, Stored, Text};
use super::codec::Codecs;
use super::delta;
use super::hybrid::{Hybrid, Piece};
use super::page::{Encoding, Header, Levels, PageKind};
use super::values::{Form, Page, Values};
use crate::batch::{Chunk, Codec, ColumnType, PhysicalType, RowGroup};

/// A column, and the cells of it that were read last.
#[derive(Debug)]
pub(super) struct Column<T> {
    /// Its place in [`RowGroup::chunks`]; `None` for one that the file does not have.
    chunk: Option<usize>,
    form: Form,
    is_optional: bool,
    /// Where in the chunk the next page's header stands.
    at: usize,
    page: Vec<u8>,
    dictionary_page: Vec<u8>,
    dictionary: Vec<T>,
    /// Values of a page in an encoding that is read whole, and texts that had to be put together for it.
    decoded: Vec<T>,
    joined: Vec<u8>,
    levels: Option<Hybrid>,
    values: Values,
    /// Values of the page that were not read yet, nulls among them.
    left: usize,
    present: Vec<bool>,
    cells: Vec<T>,
    held_bytes: usize,
}

/// Bytes that all columns of a row group may hold at a time, when decompressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    left: usize,
    /// Bytes that may still be unpacked, whether they are held at the same time or not.
    unpacked_left: usize,
}

/// A row group unpacks to at most so many bytes, whatever it takes for that: many times what the usual tools write.
const UNPACKED_BYTES_MAX: usize = 4 << 30;

/// Rows that are read at a time.
pub(super) const BATCH_ROWS: usize = 1024;
/// A buffer that one large page has blown up is not kept.
const KEEP_BYTES: usize = 4 << 20;

impl Budget {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { left: bytes_max, unpacked_left: UNPACKED_BYTES_MAX }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(bytes).ok_or(Problem::TooLarge)?;
        Ok(())
    }

    fn unpack(&mut self, bytes: usize) -> Result<(), Problem> {
        self.unpacked_left = self.unpacked_left.checked_sub(bytes).ok_or(Problem::TooLarge)?;
        Ok(())
    }
}

/// What columns of any cell can do.
pub(super) trait Rows {
    /// Begins a row group; a column that it does not have is absent in each row.
    fn begin(&mut self, column: Option<(usize, &ColumnType)>);

    /// How many rows can be read at once: those of the page, which is loaded if it is a new one.
    fn available(
        &mut self,
        group: &RowGroup,
        codecs: &mut Codecs,
        budget: &mut Budget,
    ) -> Result<usize, Problem>;

    /// Reads the next `rows` cells, at most [`BATCH_ROWS`] and what is available.
    fn fill(&mut self, rows: usize) -> Result<(), Problem>;
}

impl<T: Cell> Default for Column<T> {
    fn default() -> Self {
        Self {
            chunk: None,
            form: Form { physical: PhysicalType::ByteArray, is_unsigned: false },
            is_optional: false,
            at: 0,
            page: Vec::new(),
            dictionary_page: Vec::new(),
            dictionary: Vec::new(),
            decoded: Vec::new(),
            joined: Vec::new(),
            levels: None,
            values: Values::None,
            left: 0,
            present: Vec::new(),
            cells: Vec::new(),
            held_bytes: 0,
        }
    }
}

impl<T: Cell> Rows for Column<T> {
    fn begin(&mut self, column: Option<(usize, &ColumnType)>) {
        self.chunk = column.map(|(chunk, _)| chunk);
        if let Some((_, column)) = column {
            self.form = Form { physical: column.physical, is_unsigned: column.is_unsigned };
            self.is_optional = column.is_optional;
        }
        for buffer in [&mut self.page, &mut self.dictionary_page, &mut self.joined] {
            empty(buffer);
        }
        empty(&mut self.dictionary);
        empty(&mut self.decoded);
        (self.at, self.left, self.held_bytes) = (0, 0, 0);
        (self.levels, self.values) = (None, Values::None);
        self.cells.clear();
        if self.chunk.is_none() {
            self.cells.resize(BATCH_ROWS, T::ABSENT);
        }
    }

    fn available(
        &mut self,
        group: &RowGroup,
        codecs: &mut Codecs,
        budget: &mut Budget,
    ) -> Result<usize, Problem> {
        let Some(chunk) = self.chunk else { return Ok(BATCH_ROWS) };
        let chunk = group.chunks.get(chunk).ok_or(Problem::Corrupt)?;
        while self.left == 0 {
            self.next_page(chunk, codecs, budget)?;
        }
        Ok(self.left)
    }

    fn fill(&mut self, rows: usize) -> Result<(), Problem> {
        if self.chunk.is_none() {
            return Ok(());
        }
        self.cells.clear();
        self.left = self.left.checked_sub(rows).ok_or(Problem::Corrupt)?;
        let has_nulls = match &mut self.levels {
            Some(levels) => !levels.take_run_of(&self.page, 1, rows)?,
            None => false,
        };
        if has_nulls { self.fill_with_nulls(rows) } else { self.append(rows) }
    }
}

impl<T: Cell> Column<T> {
    /// The cells that were read last.
    #[inline]
    pub(super) fn cells(&self) -> &[T] {
        &self.cells
    }

    /// The bytes of one of the cells that were read last.
    #[inline]
    pub(super) fn text(&self, text: Text) -> &[u8] {
        let base = match self.values {
            Values::Indices(_) => &self.dictionary_page,
            Values::Decoded { .. } if !self.joined.is_empty() => &self.joined,
            _ => &self.page,
        };
        let start = text.start as usize;
        base.get(start..start + text.length as usize).unwrap_or_default()
    }

    fn next_page(
        &mut self,
        chunk: &Chunk,
        codecs: &mut Codecs,
        budget: &mut Budget,
    ) -> Result<(), Problem> {
        let rest = chunk.bytes.get(self.at..).unwrap_or_default();
        let header = Header::read(rest)?;
        let end = header.header_bytes + header.compressed_bytes;
        let compressed = rest.get(header.header_bytes..end).ok_or(Problem::Corrupt)?;
        self.at += end;
        match header.kind {
            PageKind::Dictionary { values } if self.dictionary_page.is_empty() => {
                budget.take(header.page_bytes)?;
                self.dictionary_page.resize(header.page_bytes, 0);
                codecs.decompress(chunk.codec, compressed, &mut self.dictionary_page)?;
                self.read_dictionary(values, budget)
            }
            PageKind::Dictionary { .. } => Err(Problem::Corrupt),
            // A page without values need not be unpacked.
            PageKind::Data { values: 0, .. } => Ok(()),
            PageKind::Data { values, encoding, levels } => {
                budget.left += std::mem::take(&mut self.held_bytes);
                budget.take(header.page_bytes)?;
                budget.unpack(header.page_bytes)?;
                self.held_bytes = header.page_bytes;
                for buffer in [&mut self.page, &mut self.joined] {
                    release(buffer, header.page_bytes);
                }
                release(&mut self.decoded, header.page_bytes);
                self.page.resize(header.page_bytes, 0);
                let body = match levels {
                    Levels::Within => {
                        codecs.decompress(chunk.codec, compressed, &mut self.page)?;
                        self.levels_within()?
                    }
                    Levels::Before { .. } => {
                        self.levels_before(levels, compressed, chunk.codec, codecs)?
                    }
                };
                self.left = values;
                self.begin_values(encoding, body, budget)
            }
            PageKind::Other => Ok(()),
        }
    }

    /// The levels of a data page v1; gives where the values stand.
    fn levels_within(&mut self) -> Result<Range<usize>, Problem> {
        self.levels = None;
        if !self.is_optional {
            return Ok(0..self.page.len());
        }
        let length = self.page.first_chunk::<4>().ok_or(Problem::Corrupt)?;
        let end = (u32::from_le_bytes(*length) as usize).saturating_add(4);
        if end > self.page.len() {
            return Err(Problem::Corrupt);
        }
        self.levels = Some(Hybrid::new(4..end, 1)?);
        Ok(end..self.page.len())
    }

    /// The levels of a data page v2, and its values decompressed; gives where they stand.
    fn levels_before(
        &mut self,
        levels: Levels,
        compressed: &[u8],
        codec: Codec,
        codecs: &mut Codecs,
    ) -> Result<Range<usize>, Problem> {
        let Levels::Before { repetition_bytes, definition_bytes, is_compressed } = levels else {
            return Err(Problem::Corrupt);
        };
        let body = repetition_bytes.saturating_add(definition_bytes);
        let (levels, values) = compressed.split_at_checked(body).ok_or(Problem::Corrupt)?;
        let (levels_room, values_room) =
            self.page.split_at_mut_checked(body).ok_or(Problem::Corrupt)?;
        levels_room.copy_from_slice(levels);
        let codec = if is_compressed { codec } else { Codec::Plain };
        codecs.decompress(codec, values, values_room)?;
        let is_optional = self.is_optional;
        self.levels = is_optional.then(|| Hybrid::new(repetition_bytes..body, 1)).transpose()?;
        Ok(body..self.page.len())
    }

    fn read_dictionary(&mut self, values: usize, budget: &mut Budget) -> Result<(), Problem> {
        budget.take(values.saturating_mul(size_of::<T>()))?;
        self.form.read(&self.dictionary_page, &mut 0, values, &mut self.dictionary)
    }

    fn begin_values(
        &mut self,
        encoding: Encoding,
        body: Range<usize>,
        budget: &mut Budget,
    ) -> Result<(), Problem> {
        self.decoded.clear();
        self.joined.clear();
        let is_boolean = self.form.physical == PhysicalType::Boolean;
        self.values = match encoding {
            Encoding::Plain if is_boolean => {
                Values::Bits { at: body.start.saturating_mul(8), end: body.end.saturating_mul(8) }
            }
            Encoding::Plain => Values::Plain { at: body.start },
            // A page of nulls only may have no values at all.
            Encoding::Dictionary => match self.page.get(body.start) {
                Some(&width) => Values::Indices(Hybrid::new(body.start + 1..body.end, width)?),
                None => Values::None,
            },
            Encoding::Runs if is_boolean => Values::Runs(self.boolean_runs(body)?),
            Encoding::Runs => return Err(Problem::Corrupt),
            Encoding::Delta | Encoding::Lengths | Encoding::Prefixes => {
                self.decode_whole(encoding, body, budget)?;
                Values::Decoded { at: 0 }
            }
        };
        Ok(())
    }

    fn boolean_runs(&self, body: Range<usize>) -> Result<Hybrid, Problem> {
        let length = self.page.get(body.clone()).and_then(|bytes| bytes.first_chunk::<4>());
        let length = u32::from_le_bytes(*length.ok_or(Problem::Corrupt)?) as usize;
        let start = body.start + 4;
        Hybrid::new(start..start.saturating_add(length).min(body.end), 1)
    }

    /// Reads the page's values in an encoding that is not read piece by piece.
    fn decode_whole(
        &mut self,
        encoding: Encoding,
        body: Range<usize>,
        budget: &mut Budget,
    ) -> Result<(), Problem> {
        // Two lengths and a place of each text are held as well, while texts are put together.
        let decoded_bytes = self.left.saturating_mul(size_of::<T>() + 4 * size_of::<u64>());
        budget.take(decoded_bytes)?;
        self.held_bytes += decoded_bytes;
        let start = body.start;
        let bytes = self.page.get(body).ok_or(Problem::Corrupt)?;
        let (decoded, form, left) = (&mut self.decoded, self.form, self.left);
        match (encoding, form.physical) {
            (Encoding::Delta, PhysicalType::Int32) => delta::integers(bytes, left, |value| {
                decoded.push(T::read(form.integer32(wrapped(value))));
            })
            .map(|_end| ()),
            (Encoding::Delta, PhysicalType::Int64) => delta::integers(bytes, left, |value| {
                decoded.push(T::read(form.integer64(value)));
            })
            .map(|_end| ()),
            (Encoding::Lengths, PhysicalType::ByteArray) => delta::texts(bytes, left, |text| {
                let at = start + text.start;
                decoded.push(T::read(Stored::Text(&bytes[text], at)));
                Ok(())
            }),
            (Encoding::Prefixes, PhysicalType::ByteArray | PhysicalType::Fixed(_)) => {
                self.join(bytes.len(), start, budget)
            }
            _ => Err(Problem::Corrupt),
        }
    }

    fn join(&mut self, length: usize, start: usize, budget: &mut Budget) -> Result<(), Problem> {
        let bytes = self.page.get(start..start + length).ok_or(Problem::Corrupt)?;
        let mut places = Vec::new();
        let joined = &mut self.joined;
        delta::prefixed_texts(bytes, self.left, joined, budget.left, |text| places.push(text))?;
        budget.take(joined.len())?;
        self.held_bytes += joined.len();
        for text in places {
            let at = text.start;
            self.decoded.push(T::read(Stored::Text(&self.joined[text], at)));
        }
        Ok(())
    }

    /// Reads `count` values that are not null to the end of the cells.
    fn append(&mut self, count: usize) -> Result<(), Problem> {
        let page = Page {
            bytes: &self.page,
            form: self.form,
            dictionary: &self.dictionary,
            decoded: &self.decoded,
        };
        self.values.append(&page, count, &mut self.cells)
    }

    /// Reads `rows` cells of which some are null.
    fn fill_with_nulls(&mut self, rows: usize) -> Result<(), Problem> {
        let mut present = std::mem::take(&mut self.present);
        present.clear();
        if let Some(levels) = &mut self.levels {
            levels.read(&self.page, rows, |piece| {
                match piece {
                    Piece::Repeated(level, times) => {
                        present.extend(std::iter::repeat_n(level == 1, times));
                    }
                    Piece::Listed(levels) => present.extend(levels.iter().map(|level| *level == 1)),
                }
                Ok(())
            })?;
        }
        let mut values = present.iter().filter(|is_present| **is_present).count();
        let filled = self.append(values);
        self.cells.resize(rows, T::ABSENT);
        // From the last row on, each value moves to its row; those before it are not overwritten yet.
        for row in (0..rows).rev() {
            if values == row + 1 {
                break;
            }
            self.cells[row] = if present[row] {
                values -= 1;
                self.cells[values]
            } else {
                T::ABSENT
            };
        }
        self.present = present;
        filled
    }
}

/// Gives back most of a buffer that was blown up by an earlier page and is not needed for one of `bytes`: other columns take
/// what the budget has from then on.
fn release<V>(buffer: &mut Vec<V>, bytes: usize) {
    let wanted = bytes.max(KEEP_BYTES) / size_of::<V>().max(1);
    if buffer.capacity() > 2 * wanted {
        *buffer = Vec::new();
    }
}

fn empty<V>(buffer: &mut Vec<V>) {
    buffer.clear();
    buffer.shrink_to(KEEP_BYTES / size_of::<V>().max(1));
}

/// An integer of 32 bits whose differences were added in 64.
#[expect(clippy::cast_possible_truncation, reason = "differences wrap in the width of their type")]
const fn wrapped(value: i64) -> i32 {
    value as i32
}
