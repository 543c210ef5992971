//! `CountMin` as bytes; the layout is in [`crate::encoding`].

use super::CountMin;
use super::rows::Rows;
use crate::encoding::{Context, DecodeError, Encode, Kind, Reader, put_varint};

impl Encode for CountMin {
    const KIND: Kind = Kind::CountMin;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        // A width is at most 2^16.
        out.push(u8::try_from(self.rows.width().ilog2()).unwrap_or(u8::MAX));
        put_varint(self.total, out);
        let mut zeros = 0;
        for &counter in self.rows.counters() {
            if counter == 0 {
                zeros += 1;
                continue;
            }
            if zeros > 0 {
                out.push(0);
                put_varint(zeros - 1, out);
                zeros = 0;
            }
            put_varint(counter, out);
        }
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        const WIDTH: DecodeError = DecodeError::structure("width outside 2^4 to 2^16");
        let width_log2 = body.u8()?;
        let heap_bytes = Rows::heap_bytes_of(width_log2).ok_or(WIDTH)?;
        context.allow_memory(size_of::<Self>() + heap_bytes)?;
        let total = body.varint()?;
        let mut sketch = Self::new(width_log2).map_err(|_| WIDTH)?;
        sketch.total = total;
        decode_counters(body, sketch.rows.counters_mut())?;
        // Every weight is added to each row, so a row that sums to anything else would under-estimate some key.
        let width = sketch.rows.width();
        if sketch.rows.counters().chunks(width).any(|row| saturating_sum(row) != total) {
            return Err(DecodeError::structure("a row does not sum to the total"));
        }
        Ok(sketch)
    }
}

fn decode_counters(body: &mut Reader<'_>, counters: &mut [u64]) -> Result<(), DecodeError> {
    const PAST_THE_LAST: DecodeError = DecodeError::structure("a counter past the last");
    let mut counters = counters.iter_mut();
    while body.remaining() > 0 {
        let mut value = body.varint()?;
        if value == 0 {
            let zeros_less_one = body.varint_usize()?;
            counters.nth(zeros_less_one).ok_or(PAST_THE_LAST)?;
            value = body.varint()?;
        }
        if value == 0 {
            return Err(DecodeError::structure("two runs of zeros that are one"));
        }
        *counters.next().ok_or(PAST_THE_LAST)? = value;
    }
    Ok(())
}

/// As the total has been summed: once it is full, it stays so.
fn saturating_sum(row: &[u64]) -> u64 {
    row.iter().copied().fold(0, u64::saturating_add)
}
