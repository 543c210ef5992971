//! The values of a page, nulls left out, in each encoding that is read piece by piece.

use super::Problem;
use super::cell::{Cell, Stored};
use super::hybrid::{Hybrid, Piece};
use crate::batch::PhysicalType;

/// How to come by the next value of a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    /// There is none.
    None,
    /// As numbers of values in the dictionary.
    Indices(Hybrid),
    /// One behind the other, the next at this byte.
    Plain { at: usize },
    /// Booleans, between these bits.
    Bits { at: usize, end: usize },
    /// Booleans, in runs.
    Runs(Hybrid),
    /// Read already, the next at this place.
    Decoded { at: usize },
}

/// What values are read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a, T> {
    pub(super) bytes: &'a [u8],
    pub(super) form: Form,
    pub(super) dictionary: &'a [T],
    pub(super) decoded: &'a [T],
}

/// How a value is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) physical: PhysicalType,
    pub(super) is_unsigned: bool,
}

impl Values {
    /// Reads the next `count` values to the end of `cells`.
    pub(super) fn append<T: Cell>(
        &mut self,
        page: &Page<'_, T>,
        count: usize,
        cells: &mut Vec<T>,
    ) -> Result<(), Problem> {
        if count == 0 {
            return Ok(());
        }
        match self {
            Self::None => Err(Problem::Corrupt),
            Self::Indices(indices) => {
                indices.read(page.bytes, count, |piece| look_up(piece, page.dictionary, cells))
            }
            Self::Plain { at } => page.form.read(page.bytes, at, count, cells),
            Self::Bits { at, end } => {
                let bits = *at..at.saturating_add(count);
                if bits.end > *end {
                    return Err(Problem::Corrupt);
                }
                *at = bits.end;
                let is_set = |bit: usize| page.bytes[bit / 8] >> (bit % 8) & 1 == 1;
                cells.extend(bits.map(|bit| T::read(Stored::Boolean(is_set(bit)))));
                Ok(())
            }
            Self::Runs(runs) => runs.read(page.bytes, count, |piece| {
                let cell = |value| T::read(Stored::Boolean(value == 1));
                match piece {
                    Piece::Repeated(value, times) => {
                        cells.extend(std::iter::repeat_n(cell(value), times));
                    }
                    Piece::Listed(list) => cells.extend(list.iter().map(|&value| cell(value))),
                }
                Ok(())
            }),
            Self::Decoded { at } => {
                let taken = page.decoded.get(*at..at.saturating_add(count));
                cells.extend_from_slice(taken.ok_or(Problem::Corrupt)?);
                *at += count;
                Ok(())
            }
        }
    }
}

impl Form {
    /// Reads `count` values that stand one behind the other from `at` on.
    pub(super) fn read<T: Cell>(
        self,
        page: &[u8],
        at: &mut usize,
        count: usize,
        cells: &mut Vec<T>,
    ) -> Result<(), Problem> {
        match self.physical {
            PhysicalType::Int32 => fixed::<T, 4>(page, at, count, cells, |bytes| {
                self.integer32(i32::from_le_bytes(bytes))
            }),
            PhysicalType::Int64 => fixed::<T, 8>(page, at, count, cells, |bytes| {
                self.integer64(i64::from_le_bytes(bytes))
            }),
            PhysicalType::Float => fixed::<T, 4>(page, at, count, cells, |bytes| {
                Stored::Float(f32::from_le_bytes(bytes).into())
            }),
            PhysicalType::Double => fixed::<T, 8>(page, at, count, cells, |bytes| {
                Stored::Float(f64::from_le_bytes(bytes))
            }),
            PhysicalType::Int96 => texts(page, at, count, cells, |_| Some((0, 12))),
            PhysicalType::Fixed(length) => texts(page, at, count, cells, |_| Some((0, length))),
            PhysicalType::ByteArray => texts(page, at, count, cells, |rest| {
                rest.first_chunk().map(|length| (4, u32::from_le_bytes(*length)))
            }),
            PhysicalType::Boolean => Err(Problem::Corrupt),
        }
    }

    #[inline]
    pub(super) fn integer32(self, value: i32) -> Stored<'static> {
        if self.is_unsigned {
            Stored::Unsigned(value.cast_unsigned().into())
        } else {
            Stored::Integer(value.into())
        }
    }

    #[inline]
    pub(super) fn integer64(self, value: i64) -> Stored<'static> {
        if self.is_unsigned {
            Stored::Unsigned(value.cast_unsigned())
        } else {
            Stored::Integer(value)
        }
    }
}

/// Values of the dictionary, by their numbers.
#[inline]
fn look_up<T: Cell>(piece: Piece<'_>, dictionary: &[T], cells: &mut Vec<T>) -> Result<(), Problem> {
    match piece {
        Piece::Repeated(index, times) => {
            let cell = *dictionary.get(index as usize).ok_or(Problem::Corrupt)?;
            cells.extend(std::iter::repeat_n(cell, times));
            Ok(())
        }
        Piece::Listed(list) => {
            let mut is_known = true;
            cells.extend(list.iter().map(|&index| {
                let cell = dictionary.get(index as usize);
                is_known &= cell.is_some();
                cell.copied().unwrap_or(T::ABSENT)
            }));
            if is_known { Ok(()) } else { Err(Problem::Corrupt) }
        }
    }
}

#[inline]
fn fixed<T: Cell, const N: usize>(
    page: &[u8],
    at: &mut usize,
    count: usize,
    cells: &mut Vec<T>,
    read: impl Fn([u8; N]) -> Stored<'static>,
) -> Result<(), Problem> {
    let end = count.checked_mul(N).and_then(|bytes| at.checked_add(bytes));
    let bytes = end.and_then(|end| page.get(*at..end)).ok_or(Problem::Corrupt)?;
    let (values, _) = bytes.as_chunks::<N>();
    cells.extend(values.iter().map(|bytes| T::read(read(*bytes))));
    *at += bytes.len();
    Ok(())
}

/// Texts whose `length` says how many bytes stand before each and how many it has.
#[inline]
fn texts<T: Cell>(
    page: &[u8],
    at: &mut usize,
    count: usize,
    cells: &mut Vec<T>,
    length: impl Fn(&[u8]) -> Option<(usize, u32)>,
) -> Result<(), Problem> {
    for _ in 0..count {
        let rest = page.get(*at..).ok_or(Problem::Corrupt)?;
        let (before, length) = length(rest).ok_or(Problem::Corrupt)?;
        let text = rest.get(before..before.saturating_add(length as usize));
        let text = text.ok_or(Problem::Corrupt)?;
        cells.push(T::read(Stored::Text(text, *at + before)));
        *at += before + text.len();
    }
    Ok(())
}
