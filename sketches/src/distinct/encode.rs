//! `Distinct` as bytes; the layout is in [`crate::encoding`].

use super::ages::{self, Ages};
use super::entries::{self, EXACT_ELEMENTS_MAX, Fingerprint, Line};
use super::stamps::{Clock, NEVER};
use super::{Contents, Distinct, Precision, Tier};
use crate::encoding::{Context, DecodeError, Encode, Kind, Reader};

const ENTRIES: u8 = 0;
const BITS: u8 = 1;

impl Encode for Distinct {
    const KIND: Kind = Kind::Distinct;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        let ages = Ages::of(self.clock);
        ages::put_clock(self.clock, out);
        out.push(self.precision.percent());
        match self.contents() {
            Contents::Entries(entries) => {
                out.push(ENTRIES);
                ages.put_entries(entries, 0, out);
            }
            Contents::Bits(bits) => {
                out.push(BITS);
                ages.put_bits(bits, 0, out);
            }
        }
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        let clock = ages::read_clock(body)?;
        let percent = body.u8()?;
        let precision = [Precision::Percent4, Precision::Percent2]
            .into_iter()
            .find(|precision| precision.percent() == percent)
            .ok_or(DecodeError::structure("neither 4 nor 2 percent"))?;
        let tier = match body.u8()? {
            ENTRIES => read_exact(body, clock, context)?,
            BITS => read_sketch(body, clock, precision, context)?,
            _ => return Err(DecodeError::structure("neither exact nor a sketch")),
        };
        Ok(Self { clock, precision, tier })
    }
}

impl Precision {
    const fn percent(self) -> u8 {
        match self {
            Self::Percent4 => 4,
            Self::Percent2 => 2,
        }
    }
}

/// The smallest tier that holds them.
fn read_exact(body: &mut Reader<'_>, clock: Clock, context: &Context) -> Result<Tier, DecodeError> {
    let mut kept = [0; EXACT_ELEMENTS_MAX];
    let kept = Ages::of(clock).read_entries(body, &mut kept)?;
    let mut cell = [0; 8];
    if let Some(free) = cell.get_mut(1..=kept.len()) {
        context.allow_memory(size_of::<Distinct>())?;
        free.copy_from_slice(kept);
        return Ok(Tier::Inline(cell));
    }
    let lines = kept.len().div_ceil(size_of::<Line>() / size_of::<u32>()).next_power_of_two();
    context.allow_memory(size_of::<Distinct>() + lines * size_of::<Line>())?;
    let mut lines = vec![[0; 16]; lines];
    for &entry in kept {
        let (fingerprint, stamp) = (Fingerprint::of_entry(entry), entries::stamp_of(entry));
        entries::raise(&mut lines, fingerprint, stamp, 1);
    }
    Ok(Tier::Exact(lines))
}

fn read_sketch(
    body: &mut Reader<'_>,
    clock: Clock,
    precision: Precision,
    context: &Context,
) -> Result<Tier, DecodeError> {
    let shape = precision.shape();
    context.allow_memory(size_of::<Distinct>() + shape.bytes())?;
    let mut bits = vec![NEVER; shape.bytes()];
    Ages::of(clock).read_bits(body, shape, &mut bits)?;
    Ok(Tier::Sketch(bits))
}
