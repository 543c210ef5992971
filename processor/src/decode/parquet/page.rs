//! The pages of a column: their headers, and what each page holds. Source: parquet-format, `parquet.thrift`, `PageHeader`.

use super::Problem;
use super::thrift::{Fields, Input, Kind, Malformed};

/// What stands before a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// What the page is.
    pub(super) kind: PageKind,
    /// Bytes of the header itself.
    pub(super) header_bytes: usize,
    /// Bytes of the page as it stands in the file.
    pub(super) compressed_bytes: usize,
    /// Bytes of the page when it is decompressed.
    pub(super) page_bytes: usize,
}

/// What a page is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PageKind {
    /// The values that the pages behind it name by number.
    Dictionary { values: usize },
    /// Values, nulls among them.
    Data { values: usize, encoding: Encoding, levels: Levels },
    /// Anything else, which readers go past.
    Other,
}

/// Where a page says which of its values are null.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Levels {
    /// Before the values, behind their length, compressed with them: data page v1.
    Within,
    /// Before the values, not compressed: data page v2.
    Before {
        /// Of lists, which flat columns do not have.
        repetition_bytes: usize,
        definition_bytes: usize,
        /// Whether the values behind them are compressed.
        is_compressed: bool,
    },
}

/// How values are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    Plain,
    /// As numbers of values in the dictionary.
    Dictionary,
    /// As runs; booleans only.
    Runs,
    /// Integers, by their differences.
    Delta,
    /// Texts, all their lengths first.
    Lengths,
    /// Texts, each by how it differs from the one before.
    Prefixes,
}

/// Numbers of a page's own header.
#[derive(Clone, Copy, Default)]
struct Numbers {
    values: i64,
    encoding: i64,
    repetition_bytes: i64,
    definition_bytes: i64,
    is_uncompressed: bool,
}

impl Header {
    /// Reads the header at the beginning of `bytes`, behind which the page must stand whole.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let mut input = Input::new(bytes);
        let mut fields = Fields::default();
        let (mut page_type, mut page, mut compressed) = (-1, -1, -1);
        let mut numbers = Numbers::default();
        while let Some((id, kind)) = input.field(&mut fields)? {
            match (id, kind) {
                (1, Kind::Integer) => page_type = input.integer()?,
                (2, Kind::Integer) => page = input.integer()?,
                (3, Kind::Integer) => compressed = input.integer()?,
                (5 | 7, Kind::Struct) => numbers = numbers_v1(&mut input)?,
                (8, Kind::Struct) => numbers = numbers_v2(&mut input)?,
                _ => input.skip(kind)?,
            }
        }
        let header_bytes = bytes.len() - input.remaining();
        let compressed_bytes = size(compressed)?;
        if compressed_bytes > input.remaining() {
            return Err(Problem::Corrupt);
        }
        let page_bytes = size(page)?;
        let kind = numbers.kind(page_type)?;
        Ok(Self { kind, header_bytes, compressed_bytes, page_bytes })
    }
}

impl Numbers {
    fn kind(&self, page_type: i64) -> Result<PageKind, Problem> {
        const DATA: i64 = 0;
        const DICTIONARY: i64 = 2;
        const DATA_V2: i64 = 3;
        let values = size(self.values)?;
        let levels = match page_type {
            DICTIONARY => return Ok(PageKind::Dictionary { values }),
            DATA => Levels::Within,
            DATA_V2 => Levels::Before {
                repetition_bytes: size(self.repetition_bytes)?,
                definition_bytes: size(self.definition_bytes)?,
                is_compressed: !self.is_uncompressed,
            },
            _ => return Ok(PageKind::Other),
        };
        let encoding = match self.encoding {
            0 => Encoding::Plain,
            2 | 8 => Encoding::Dictionary,
            3 => Encoding::Runs,
            5 => Encoding::Delta,
            6 => Encoding::Lengths,
            7 => Encoding::Prefixes,
            _ => return Err(Problem::Corrupt),
        };
        Ok(PageKind::Data { values, encoding, levels })
    }
}

/// `DataPageHeader` or `DictionaryPageHeader`.
fn numbers_v1(input: &mut Input<'_>) -> Result<Numbers, Malformed> {
    let (mut numbers, mut fields) = (Numbers::default(), Fields::default());
    while let Some((id, kind)) = input.field(&mut fields)? {
        match (id, kind) {
            (1, Kind::Integer) => numbers.values = input.integer()?,
            (2, Kind::Integer) => numbers.encoding = input.integer()?,
            _ => input.skip(kind)?,
        }
    }
    Ok(numbers)
}

/// `DataPageHeaderV2`.
fn numbers_v2(input: &mut Input<'_>) -> Result<Numbers, Malformed> {
    let (mut numbers, mut fields) = (Numbers::default(), Fields::default());
    while let Some((id, kind)) = input.field(&mut fields)? {
        match (id, kind) {
            (1, Kind::Integer) => numbers.values = input.integer()?,
            (4, Kind::Integer) => numbers.encoding = input.integer()?,
            (5, Kind::Integer) => numbers.definition_bytes = input.integer()?,
            (6, Kind::Integer) => numbers.repetition_bytes = input.integer()?,
            (7, Kind::Boolean(is_compressed)) => numbers.is_uncompressed = !is_compressed,
            _ => input.skip(kind)?,
        }
    }
    Ok(numbers)
}

fn size(number: i64) -> Result<usize, Problem> {
    i32::try_from(number)
        .ok()
        .and_then(|number| usize::try_from(number).ok())
        .ok_or(Problem::Corrupt)
}
