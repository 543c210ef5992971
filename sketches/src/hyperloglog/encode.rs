//! `HyperLogLog` as bytes; the layout is in [`crate::encoding`].

use super::HyperLogLog;
use crate::encoding::{Context, DecodeError, Encode, Kind, Reader, put_varint, varint_bytes};

const SPARSE: u8 = 0;
const DENSE: u8 = 1;

/// A register takes the low six bits of its varint: no value exceeds 61.
const VALUE_BITS: u32 = 6;

impl Encode for HyperLogLog {
    const KIND: Kind = Kind::HyperLogLog;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        out.push(self.precision);
        if is_sparse(&self.registers) {
            out.push(SPARSE);
            tokens(&self.registers).for_each(|token| put_varint(token, out));
        } else {
            out.push(DENSE);
            out.extend(&self.registers);
        }
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        let precision = body.u8()?;
        if !(4..=16).contains(&precision) {
            return Err(DecodeError::structure("precision outside 4 to 16"));
        }
        let count = 1 << precision;
        context.allow_memory(size_of::<Self>() + count)?;
        let sparse = match body.u8()? {
            SPARSE => true,
            DENSE => false,
            _ => return Err(DecodeError::structure("neither sparse nor dense")),
        };
        let registers =
            if sparse { decode_sparse(body, count)? } else { body.bytes(count)?.to_vec() };
        if registers.iter().any(|&value| value > 65 - precision) {
            return Err(DecodeError::structure("a register exceeds the highest rank"));
        }
        if sparse != is_sparse(&registers) {
            return Err(DecodeError::structure("the other form is the shorter one"));
        }
        Ok(Self { precision, registers })
    }
}

fn decode_sparse(body: &mut Reader<'_>, count: usize) -> Result<Vec<u8>, DecodeError> {
    let mut registers = vec![0; count];
    let mut rest = registers.iter_mut();
    while body.remaining() > 0 {
        let token = body.varint_usize()?;
        let value = token & ((1 << VALUE_BITS) - 1);
        let value = u8::try_from(value).unwrap_or(0);
        if value == 0 {
            return Err(DecodeError::structure("a sparse register is 0"));
        }
        let register = rest.nth(token >> VALUE_BITS);
        *register.ok_or(DecodeError::structure("a register past the last"))? = value;
    }
    Ok(registers)
}

fn is_sparse(registers: &[u8]) -> bool {
    tokens(registers).map(varint_bytes).sum::<usize>() < registers.len()
}

/// For each register that is not 0, how many zeros stand before it, and its value.
fn tokens(registers: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut gap = 0;
    registers.iter().filter_map(move |&value| {
        if value == 0 {
            gap += 1;
            return None;
        }
        let token = gap << VALUE_BITS | u64::from(value);
        gap = 0;
        Some(token)
    })
}
