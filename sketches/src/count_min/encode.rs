//! `CountMin` and `ConservativeCountMin` as bytes; the layout is in [`crate::encoding`].

use super::rows::Rows;
use super::{ConservativeCountMin, CountMin};
use crate::encoding::{Context, DecodeError, Encode, Kind, Reader, put_varint};

impl Encode for CountMin {
    const KIND: Kind = Kind::CountMin;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        put_rows(&self.rows, out);
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        let rows = read_rows(body, context, size_of::<Self>())?;
        // Every weight is added to each row, so a row that sums to anything else would under-estimate some key.
        if rows.each().any(|row| saturating_sum(row) != rows.total()) {
            return Err(DecodeError::structure("a row does not sum to the total"));
        }
        Ok(Self { rows })
    }
}

impl Encode for ConservativeCountMin {
    const KIND: Kind = Kind::ConservativeCountMin;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        put_rows(&self.rows, out);
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        let rows = read_rows(body, context, size_of::<Self>())?;
        // A weight raises no counter by more, and the least of the key's counters by no less.
        if rows.each().any(|row| saturating_sum(row) > rows.total()) {
            return Err(DecodeError::structure("a row sums to more than the total"));
        }
        if saturating_sum(rows.counters()) < rows.total() {
            return Err(DecodeError::structure("all rows sum to less than the total"));
        }
        // The key that raised a row's highest counter raised one in each row to as much.
        let highest = || rows.each().map(|row| row.iter().max());
        if highest().min() != highest().max() {
            return Err(DecodeError::structure("rows whose highest counters differ"));
        }
        Ok(Self { rows })
    }
}

fn put_rows(rows: &Rows, out: &mut Vec<u8>) {
    // A width is at most 2^16.
    out.push(u8::try_from(rows.width().ilog2()).unwrap_or(u8::MAX));
    put_varint(rows.total(), out);
    let mut zeros = 0;
    for &counter in rows.counters() {
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

/// What [`put_rows`] appended, for a sketch that takes so many bytes besides its counters.
fn read_rows(
    body: &mut Reader<'_>,
    context: &Context,
    own_bytes: usize,
) -> Result<Rows, DecodeError> {
    const WIDTH: DecodeError = DecodeError::structure("width outside 2^4 to 2^16");
    let width_log2 = body.u8()?;
    let heap_bytes = Rows::heap_bytes_of(width_log2).ok_or(WIDTH)?;
    context.allow_memory(own_bytes + heap_bytes)?;
    let total = body.varint()?;
    let mut rows = Rows::new(width_log2).map_err(|_| WIDTH)?;
    read_counters(body, rows.counters_mut())?;
    rows.set_total(total);
    Ok(rows)
}

fn read_counters(body: &mut Reader<'_>, counters: &mut [u64]) -> Result<(), DecodeError> {
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
fn saturating_sum(counters: &[u64]) -> u64 {
    counters.iter().copied().fold(0, u64::saturating_add)
}
