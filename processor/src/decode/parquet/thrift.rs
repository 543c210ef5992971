//! Thrift's compact protocol, as far as Parquet's footers and page headers use it.
//!
//! Reads from a slice, allocates nothing, and does no more work than there are bytes: a list of a billion elements must
//! have a billion bytes behind it. Source: Apache Thrift, "Thrift compact protocol encoding".

/// Bytes that are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// What a field or element holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A boolean that is true or false by its kind alone; within lists it has a byte of its own.
    Boolean(bool),
    /// One byte.
    Byte,
    /// A variable-length integer of 16, 32 or 64 bits.
    Integer,
    Double,
    Binary,
    /// A list or a set.
    List,
    Map,
    Struct,
}

/// A place in a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

/// The fields of one struct, in order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    last: i16,
}

/// Structs and lists within each other; Parquet's own have five.
const NESTING_MAX: u8 = 16;

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are not read yet.
    pub(super) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next field of a struct, or `None` at its end.
    pub(super) fn field(&mut self, fields: &mut Fields) -> Result<Option<(i16, Kind)>, Malformed> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let id = match head >> 4 {
            0 => i16::try_from(self.integer()?).map_err(|_error| Malformed)?,
            step => fields.last.checked_add(i16::from(step)).ok_or(Malformed)?,
        };
        fields.last = id;
        Ok(Some((id, kind_of(head & 15)?)))
    }

    /// The kind of a list's elements and their number, each of which has at least one byte.
    pub(super) fn list(&mut self) -> Result<(Kind, usize), Malformed> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_error| Malformed)?,
            count => usize::from(count),
        };
        if count > self.rest.len() {
            return Err(Malformed);
        }
        // Some writers say kind 0 of the elements that an empty list does not have.
        let kind = if count == 0 { Kind::Byte } else { kind_of(head & 15)? };
        Ok((kind, count))
    }

    /// A signed integer, stored zigzag.
    pub(super) fn integer(&mut self) -> Result<i64, Malformed> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// Bytes with their length before them.
    pub(super) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_error| Malformed)?;
        self.take(length)
    }

    /// Goes past a field that is not needed.
    pub(super) fn skip(&mut self, kind: Kind) -> Result<(), Malformed> {
        self.skip_nested(kind, NESTING_MAX)
    }

    fn skip_nested(&mut self, kind: Kind, nesting: u8) -> Result<(), Malformed> {
        let nesting = nesting.checked_sub(1).ok_or(Malformed)?;
        match kind {
            Kind::Boolean(_) => Ok(()),
            Kind::Byte => self.byte().map(|_byte| ()),
            Kind::Integer => self.varint().map(|_value| ()),
            Kind::Double => self.take(8).map(|_bytes| ()),
            Kind::Binary => self.binary().map(|_bytes| ()),
            Kind::Struct => {
                let mut fields = Fields::default();
                while let Some((_, kind)) = self.field(&mut fields)? {
                    self.skip_nested(kind, nesting)?;
                }
                Ok(())
            }
            Kind::List => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, nesting))
            }
            Kind::Map => {
                let count = usize::try_from(self.varint()?).map_err(|_error| Malformed)?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (kind_of(kinds >> 4)?, kind_of(kinds & 15)?);
                if count > self.rest.len() {
                    return Err(Malformed);
                }
                (0..count).try_for_each(|_| {
                    self.skip_element(key, nesting)?;
                    self.skip_element(value, nesting)
                })
            }
        }
    }

    fn skip_element(&mut self, kind: Kind, nesting: u8) -> Result<(), Malformed> {
        let kind = if matches!(kind, Kind::Boolean(_)) { Kind::Byte } else { kind };
        self.skip_nested(kind, nesting)
    }

    /// An unsigned integer of seven bits per byte, lowest first.
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

const fn kind_of(code: u8) -> Result<Kind, Malformed> {
    Ok(match code {
        1 => Kind::Boolean(true),
        2 => Kind::Boolean(false),
        3 => Kind::Byte,
        4..=6 => Kind::Integer,
        7 => Kind::Double,
        8 => Kind::Binary,
        9 | 10 => Kind::List,
        11 => Kind::Map,
        12 => Kind::Struct,
        _ => return Err(Malformed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_zigzag_and_a_length_past_ten_bytes_is_refused() {
        assert_eq!(Input::new(&[0x03]).integer(), Ok(-2));
        assert_eq!(Input::new(&[0xac, 0x02]).integer(), Ok(150));
        assert_eq!(Input::new(&[0xff; 10]).integer(), Err(Malformed));
        assert_eq!(Input::new(&[0x80]).integer(), Err(Malformed));
    }

    #[test]
    fn fields_of_every_kind_are_gone_past() {
        // 1: true, 2: byte, 3: i32, 4: double, 5: binary, 6: list of i32, 7: struct, 8: map; end; then a byte.
        let bytes = [
            &[0x11, 0x13, 9, 0x15, 0x04, 0x17][..],
            &[0; 8],
            &[0x18, 2, b'a', b'b', 0x19, 0x25, 2, 4, 0x1c, 0x11, 0, 0x1b, 1, 0x58, 6, 1, b'x', 0],
            &[7],
        ]
        .concat();
        let mut input = Input::new(&bytes);
        assert_eq!(input.skip(Kind::Struct), Ok(()));
        assert_eq!(input.rest, [7]);
    }

    #[test]
    fn what_is_nested_too_deep_or_longer_than_its_bytes_is_refused() {
        assert_eq!(Input::new(&[0x1c; 100]).skip(Kind::Struct), Err(Malformed));
        assert_eq!(Input::new(&[0xf1, 0xff, 0xff, 0xff, 0x0f]).list(), Err(Malformed));
        assert_eq!(Input::new(&[0xff, 0xff, 0x7f, 0x11, 1]).skip(Kind::Map), Err(Malformed));
    }
}
