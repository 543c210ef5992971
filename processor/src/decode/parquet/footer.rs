//! What a Parquet file's footer says, checked before anything is read or allocated on its word.
//!
//! Only what flat columns need is kept. The schema is walked without recursion, and each claim is held against the bytes
//! that there are: whoever can write to the bucket can write the footer. Source: parquet-format, `parquet.thrift`.

use std::sync::Arc;

use super::thrift::{Fields, Input, Kind, Malformed};
use super::used;
use crate::batch::{Codec, ColumnType, PhysicalType};
use crate::flow::Layout;
use crate::flow::field::{self, id};

/// The columns and row groups of a Parquet file.
#[derive(Debug, Clone)]
pub struct Footer {
    /// Columns that are neither groups nor repeated, in the file's order.
    pub columns: Arc<[ColumnType]>,
    /// Row groups, in the file's order.
    pub groups: Vec<GroupPlace>,
}

/// One row group: where its columns stand.
#[derive(Debug, Clone)]
pub struct GroupPlace {
    /// How many rows it claims.
    pub rows: u64,
    /// One for each of [`Footer::columns`].
    pub chunks: Vec<ChunkPlace>,
}

/// One column of a row group.
#[derive(Debug, Clone, Copy)]
pub struct ChunkPlace {
    /// How its pages are compressed.
    pub codec: Codec,
    /// Its first byte in the file.
    pub start: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Why a file cannot be read as flow logs in Parquet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FooterError {
    /// The end of the file is not that of a Parquet file.
    #[error("not a whole Parquet file: it does not end in PAR1")]
    NoMagic,
    /// The footer is encrypted, or a column is.
    #[error("the Parquet file is encrypted")]
    Encrypted,
    /// The footer claims more than [`Footer::BYTES_MAX`].
    #[error("the Parquet footer claims {0} bytes, more than the {max} that are read", max = Footer::BYTES_MAX)]
    TooLarge(u64),
    /// The footer is not what it should be.
    #[error("the Parquet footer is corrupt: {0}")]
    Corrupt(&'static str),
    /// More columns than any documented format can have.
    #[error("the Parquet file has more than {} columns", Layout::COLUMNS_MAX)]
    TooMany,
    /// A field twice, or in both spellings.
    #[error("the Parquet file has column `{0}` twice")]
    Repeated(String),
    /// A column without which no observation can be made.
    #[error("the Parquet file has no column `{missing}`{}, which detection needs", hint(.near))]
    Missing {
        /// The column, as AWS names it.
        missing: &'static str,
        /// A column that was perhaps meant to be it.
        near: Option<String>,
    },
    /// A column of a type that its field cannot have.
    #[error("the Parquet file has column `{column}` as {physical:?}: neither integers nor text")]
    Type {
        /// The column, as the file names it.
        column: String,
        /// Its type.
        physical: PhysicalType,
    },
}

impl Footer {
    /// How a Parquet file begins and ends.
    pub const MAGIC: [u8; 4] = *b"PAR1";
    /// Bytes behind the footer: its length, and the magic.
    pub const TAIL_BYTES: usize = 8;
    /// A footer may be so long: AWS's are of some kilobytes, and one of 54 columns grows by 10 kB per row group.
    pub const BYTES_MAX: u64 = 16 << 20;

    /// How many bytes the footer has that ends before `tail`, the end of a file of `file_bytes` bytes.
    ///
    /// # Errors
    /// When this is the end of no Parquet file, or the length cannot be.
    pub fn length(tail: [u8; Self::TAIL_BYTES], file_bytes: u64) -> Result<u64, FooterError> {
        let [a, b, c, d, magic @ ..] = tail;
        match &magic {
            b"PARE" => return Err(FooterError::Encrypted),
            magic if *magic != Self::MAGIC => return Err(FooterError::NoMagic),
            _ => {}
        }
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        if length > Self::BYTES_MAX {
            return Err(FooterError::TooLarge(length));
        }
        if length + 12 > file_bytes {
            return Err(FooterError::Corrupt("it is longer than the file"));
        }
        Ok(length)
    }

    /// Reads a footer, without the length and magic behind it, of a file of `file_bytes` bytes.
    ///
    /// # Errors
    /// When it is corrupt, or the file is not one of flat columns.
    pub fn parse(bytes: &[u8], file_bytes: u64) -> Result<Self, FooterError> {
        let mut input = Input::new(bytes);
        let mut fields = Fields::default();
        let mut schema = None;
        let mut groups = Vec::new();
        while let Some((id, kind)) = input.field(&mut fields)? {
            match (id, kind) {
                (2, Kind::List) if schema.is_none() => schema = Some(Schema::read(&mut input)?),
                (4, Kind::List) => {
                    let schema = schema.as_ref().ok_or(FooterError::Corrupt("no schema"))?;
                    let count = structs(&mut input)?;
                    if count > GROUPS_MAX {
                        return Err(FooterError::Corrupt("it has more row groups than can be"));
                    }
                    for _ in 0..count {
                        groups.push(read_group(&mut input, schema)?);
                    }
                }
                (8, _) => return Err(FooterError::Encrypted),
                _ => input.skip(kind)?,
            }
        }
        let schema = schema.ok_or(FooterError::Corrupt("no schema"))?;
        let data_end = file_bytes.saturating_sub(bytes.len() as u64 + Self::TAIL_BYTES as u64);
        check_places(&groups, data_end)?;
        Ok(Self { columns: schema.columns.into(), groups })
    }

    /// Checks that detection can work with the columns: addresses and a time, and integers or text in each that is used.
    ///
    /// # Errors
    /// Names the column that is missing or cannot be read.
    pub fn require_detection_columns(&self) -> Result<(), FooterError> {
        let alternatives = [
            ("srcaddr", [id::SRCADDR, id::PKT_SRCADDR]),
            ("dstaddr", [id::DSTADDR, id::PKT_DSTADDR]),
            ("end", [id::END, id::START]),
        ];
        for (missing, fields) in alternatives {
            let stands = |column: &ColumnType| column.field.is_some_and(|id| fields.contains(&id));
            if !self.columns.iter().any(stands) {
                let unknown = self.columns.iter().filter(|column| column.field.is_none());
                let mut near = unknown.map(|column| &column.name);
                let near = near.find(|name| field::suggest(name) == Some(missing)).cloned();
                return Err(FooterError::Missing { missing, near });
            }
        }
        let unreadable = self.columns.iter().find(|column| {
            column.field.is_some_and(|field| used::is_used(field) && !used::can_hold(field, column))
        });
        unreadable.map_or(Ok(()), |column| {
            Err(FooterError::Type { column: column.name.clone(), physical: column.physical })
        })
    }
}

impl From<Malformed> for FooterError {
    fn from(_: Malformed) -> Self {
        Self::Corrupt("its encoding is broken")
    }
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!(" (is `{name}` misspelt?)")).unwrap_or_default()
}

/// The columns, and which of the file's leaves each is.
struct Schema {
    columns: Vec<ColumnType>,
    /// For each leaf of the tree, its place in `columns` if it is a flat column.
    leaves: Vec<Option<usize>>,
}

/// One node of the schema's tree.
#[derive(Default)]
struct Element<'a> {
    physical: Option<i64>,
    length: i64,
    repetition: i64,
    name: &'a [u8],
    children: i64,
    is_unsigned: bool,
}

/// One of AWS's files has a handful; so many hold their places in some 100 MB at most.
const GROUPS_MAX: usize = 65_536;
const OPTIONAL: i64 = 1;
const REPEATED: i64 = 2;

impl Schema {
    fn read(input: &mut Input<'_>) -> Result<Self, FooterError> {
        let count = structs(input)?;
        let mut schema = Self { columns: Vec::new(), leaves: Vec::new() };
        // Children still to come, of each group around the next element.
        let mut open: Vec<u32> = Vec::new();
        for number in 0..count {
            let element = Element::read(input)?;
            let children = u32::try_from(element.children)
                .map_err(|_error| FooterError::Corrupt("a group has less than no columns"))?;
            match open.last_mut() {
                Some(left) => *left -= 1,
                None if number == 0 => {}
                None => return Err(FooterError::Corrupt("its schema has two roots")),
            }
            if children == 0 && number > 0 && element.physical.is_some() {
                schema.add_leaf(&element, open.len() == 1)?;
            } else {
                open.push(children);
            }
            while open.last() == Some(&0) {
                open.pop();
            }
        }
        if !open.is_empty() {
            return Err(FooterError::Corrupt("its schema breaks off"));
        }
        if schema.columns.is_empty() {
            return Err(FooterError::Corrupt(
                "it has no column that is neither a group nor a list",
            ));
        }
        Ok(schema)
    }

    fn add_leaf(&mut self, element: &Element<'_>, is_top_level: bool) -> Result<(), FooterError> {
        if !is_top_level || element.repetition == REPEATED {
            self.leaves.push(None);
            return Ok(());
        }
        if self.columns.len() == Layout::COLUMNS_MAX {
            return Err(FooterError::TooMany);
        }
        let name = std::str::from_utf8(element.name)
            .map_err(|_error| FooterError::Corrupt("a column's name is not text"))?;
        let field = field::find(element.name);
        if field.is_some() && self.columns.iter().any(|column| column.field == field) {
            return Err(FooterError::Repeated(name.to_owned()));
        }
        self.leaves.push(Some(self.columns.len()));
        self.columns.push(ColumnType {
            name: name.to_owned(),
            field,
            physical: element.physical_type()?,
            is_optional: element.repetition == OPTIONAL,
            is_unsigned: element.is_unsigned,
        });
        Ok(())
    }
}

impl<'a> Element<'a> {
    fn read(input: &mut Input<'a>) -> Result<Self, Malformed> {
        let mut element = Self::default();
        let mut fields = Fields::default();
        while let Some((id, kind)) = input.field(&mut fields)? {
            match (id, kind) {
                (1, Kind::Integer) => element.physical = Some(input.integer()?),
                (2, Kind::Integer) => element.length = input.integer()?,
                (3, Kind::Integer) => element.repetition = input.integer()?,
                (4, Kind::Binary) => element.name = input.binary()?,
                (5, Kind::Integer) => element.children = input.integer()?,
                // UINT_8 to UINT_64 of the older annotations.
                (6, Kind::Integer) => element.is_unsigned |= (11..=14).contains(&input.integer()?),
                (10, Kind::Struct) => element.is_unsigned |= is_unsigned(input)?,
                _ => input.skip(kind)?,
            }
        }
        Ok(element)
    }

    fn physical_type(&self) -> Result<PhysicalType, FooterError> {
        Ok(match self.physical {
            Some(0) => PhysicalType::Boolean,
            Some(1) => PhysicalType::Int32,
            Some(2) => PhysicalType::Int64,
            Some(3) => PhysicalType::Int96,
            Some(4) => PhysicalType::Float,
            Some(5) => PhysicalType::Double,
            Some(6) => PhysicalType::ByteArray,
            Some(7) if self.length > 0 => {
                let length = u32::try_from(self.length);
                PhysicalType::Fixed(length.map_err(|_error| FooterError::Corrupt("a length"))?)
            }
            _ => return Err(FooterError::Corrupt("a column is of an unknown type")),
        })
    }
}

/// Whether a logical type is that of integers without sign.
fn is_unsigned(input: &mut Input<'_>) -> Result<bool, Malformed> {
    const INTEGER: i16 = 10;
    const IS_SIGNED: i16 = 2;
    let (mut union, mut found) = (Fields::default(), false);
    while let Some((id, kind)) = input.field(&mut union)? {
        if (id, kind) != (INTEGER, Kind::Struct) {
            input.skip(kind)?;
            continue;
        }
        let mut fields = Fields::default();
        while let Some((id, kind)) = input.field(&mut fields)? {
            found |= (id, kind) == (IS_SIGNED, Kind::Boolean(false));
            input.skip(kind)?;
        }
    }
    Ok(found)
}

fn structs(input: &mut Input<'_>) -> Result<usize, FooterError> {
    let (kind, count) = input.list()?;
    if count > 0 && kind != Kind::Struct {
        return Err(FooterError::Corrupt("a list is not one of structs"));
    }
    Ok(count)
}

fn read_group(input: &mut Input<'_>, schema: &Schema) -> Result<GroupPlace, FooterError> {
    let mut fields = Fields::default();
    let mut group = GroupPlace { rows: 0, chunks: Vec::with_capacity(schema.columns.len()) };
    while let Some((id, kind)) = input.field(&mut fields)? {
        match (id, kind) {
            (1, Kind::List) => {
                let count = structs(input)?;
                if count != schema.leaves.len() || !group.chunks.is_empty() {
                    return Err(FooterError::Corrupt("a row group has other columns"));
                }
                for leaf in &schema.leaves {
                    let chunk = read_chunk(input)?;
                    if leaf.is_some() {
                        group.chunks.push(chunk);
                    }
                }
            }
            (3, Kind::Integer) => {
                group.rows = u64::try_from(input.integer()?)
                    .map_err(|_error| FooterError::Corrupt("a row group has less than no rows"))?;
            }
            _ => input.skip(kind)?,
        }
    }
    if group.chunks.len() == schema.columns.len() {
        Ok(group)
    } else {
        Err(FooterError::Corrupt("a row group lacks columns"))
    }
}

fn read_chunk(input: &mut Input<'_>) -> Result<ChunkPlace, FooterError> {
    let mut fields = Fields::default();
    let mut place = None;
    while let Some((id, kind)) = input.field(&mut fields)? {
        match (id, kind) {
            (1, Kind::Binary) => {
                if !input.binary()?.is_empty() {
                    return Err(FooterError::Corrupt("a column stands in another file"));
                }
            }
            (3, Kind::Struct) => place = Some(read_chunk_metadata(input)?),
            (8, _) => return Err(FooterError::Encrypted),
            _ => input.skip(kind)?,
        }
    }
    place.ok_or(FooterError::Corrupt("a column has no metadata"))
}

fn read_chunk_metadata(input: &mut Input<'_>) -> Result<ChunkPlace, FooterError> {
    let mut fields = Fields::default();
    let (mut codec, mut bytes, mut data, mut dictionary) = (0, 0, 0, 0);
    while let Some((id, kind)) = input.field(&mut fields)? {
        match (id, kind) {
            (4, Kind::Integer) => codec = input.integer()?,
            (7, Kind::Integer) => bytes = input.integer()?,
            (9, Kind::Integer) => data = input.integer()?,
            (11, Kind::Integer) => dictionary = input.integer()?,
            _ => input.skip(kind)?,
        }
    }
    // Some writers say 0 for no dictionary, where the file's own magic stands.
    let start = if dictionary > 0 { dictionary.min(data) } else { data };
    let negative = |_error| FooterError::Corrupt("a column begins before the file");
    Ok(ChunkPlace {
        codec: match codec {
            0 => Codec::Plain,
            1 => Codec::Snappy,
            2 => Codec::Gzip,
            6 => Codec::Zstd,
            other => Codec::Unknown(i32::try_from(other).unwrap_or(i32::MAX)),
        },
        start: u64::try_from(start).map_err(negative)?,
        bytes: u64::try_from(bytes).map_err(negative)?,
    })
}

/// Each column stands before the footer, and all together are no longer than the file: no bytes are read twice.
fn check_places(groups: &[GroupPlace], data_end: u64) -> Result<(), FooterError> {
    let mut total = 0u64;
    for chunk in groups.iter().flat_map(|group| &group.chunks) {
        let end = chunk.start.checked_add(chunk.bytes);
        if end.is_none_or(|end| end > data_end) {
            return Err(FooterError::Corrupt("a column ends behind the file's data"));
        }
        total = total.saturating_add(chunk.bytes);
    }
    if total > data_end { Err(FooterError::Corrupt("its columns overlap")) } else { Ok(()) }
}
