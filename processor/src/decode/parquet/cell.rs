//! What a value of a column is to the pipeline, read once per value of a dictionary.
//!
//! The rules are those of [`parse_line`](crate::decode::parse_line) on the same value as text: null, an empty text and
//! `-` are absent.

use crate::decode::scalar::{parse_address, parse_integer};
use crate::flow::Action;

/// A value as Parquet stores it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored<'a> {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
    /// Bytes, and where in their page they begin.
    Text(&'a [u8], usize),
}

/// One value of one row.
pub(super) trait Cell: Copy {
    /// A null.
    const ABSENT: Self;

    fn read(stored: Stored<'_>) -> Self;
}

/// Of a field that is a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Absent,
    Bad,
    Value(u64),
}

/// Of a field that is an address; as bytes, since a `u128` would pad each to 32.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    Absent,
    Bad,
    Value([u8; 16]),
}

/// Of a field that is passed on as text: where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) start: u32,
    /// 0 when absent.
    pub(super) length: u32,
}

/// Of `action`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    Absent,
    Bad,
    Value(Action),
}

/// Of `log-status`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// `OK`, or absent.
    Ok,
    NoData,
    SkipData,
    Bad,
}

/// Of any column, as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw {
    Absent,
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
    Text(Text),
}

impl Cell for Number {
    const ABSENT: Self = Self::Absent;

    #[inline]
    fn read(stored: Stored<'_>) -> Self {
        match stored {
            Stored::Integer(value) => u64::try_from(value).map_or(Self::Bad, Self::Value),
            Stored::Unsigned(value) => Self::Value(value),
            Stored::Text(b"" | b"-", _) => Self::Absent,
            Stored::Text(text, _) => parse_integer(text).map_or(Self::Bad, Self::Value),
            Stored::Float(_) | Stored::Boolean(_) => Self::Bad,
        }
    }
}

impl Cell for Endpoint {
    const ABSENT: Self = Self::Absent;

    #[inline]
    fn read(stored: Stored<'_>) -> Self {
        match stored {
            Stored::Text(b"" | b"-", _) => Self::Absent,
            Stored::Text(text, _) => parse_address(text)
                .map_or(Self::Bad, |address| Self::Value(address.bits().to_ne_bytes())),
            _ => Self::Bad,
        }
    }
}

impl Cell for Text {
    const ABSENT: Self = Self { start: 0, length: 0 };

    #[inline]
    fn read(stored: Stored<'_>) -> Self {
        match stored {
            Stored::Text(text, start) if text != b"-" => {
                // Pages are of less than 4 GiB by their headers.
                let place = u32::try_from(start).ok().zip(u32::try_from(text.len()).ok());
                place.map_or(Self::ABSENT, |(start, length)| Self { start, length })
            }
            _ => Self::ABSENT,
        }
    }
}

impl Cell for Decision {
    const ABSENT: Self = Self::Absent;

    #[inline]
    fn read(stored: Stored<'_>) -> Self {
        match stored {
            Stored::Text(b"ACCEPT", _) => Self::Value(Action::Accept),
            Stored::Text(b"REJECT", _) => Self::Value(Action::Reject),
            Stored::Text(b"" | b"-", _) => Self::Absent,
            _ => Self::Bad,
        }
    }
}

impl Cell for Status {
    const ABSENT: Self = Self::Ok;

    #[inline]
    fn read(stored: Stored<'_>) -> Self {
        match stored {
            Stored::Text(b"OK" | b"" | b"-", _) => Self::Ok,
            Stored::Text(b"NODATA", _) => Self::NoData,
            Stored::Text(b"SKIPDATA", _) => Self::SkipData,
            _ => Self::Bad,
        }
    }
}

impl Cell for Raw {
    const ABSENT: Self = Self::Absent;

    #[inline]
    fn read(stored: Stored<'_>) -> Self {
        match stored {
            Stored::Integer(value) => Self::Integer(value),
            Stored::Unsigned(value) => Self::Unsigned(value),
            Stored::Float(value) => Self::Float(value),
            Stored::Boolean(value) => Self::Boolean(value),
            Stored::Text(b"" | b"-", _) => Self::Absent,
            Stored::Text(..) => Self::Text(Text::read(stored)),
        }
    }
}
