//! `OpenedAnswered` as bytes; the layout is in [`crate::encoding`].
//!
//! A stamp is written as its age, counted back from the newest pane. What is beyond the horizon but not yet swept is
//! written too: until it is swept, an element takes a place of the exact tier, and the copy must promote when the original does.

use super::element::{Element, Openings, Stamps};
use super::exact::{EXACT_MAX, ExactSet};
use super::sketch::{CELLS, Ranks, Sketch};
use super::stamps::{self, NEVER, Stamp};
use super::{OpenedAnswered, Tier};
use crate::encoding::{Context, DecodeError, Encode, Kind, Reader, put_varint};
use crate::pane::Pane;

const ELEMENTS: u8 = 0;
const CELLS_OF_A_SKETCH: u8 = 1;

/// Which fields follow: bits of a mask.
const OPENED: u8 = 1;
const BEFORE: u8 = 2;
const REFUSED: u8 = 4;
const ANSWERED: u8 = 8;
const MASK_BITS: u32 = 4;

impl Encode for OpenedAnswered {
    const KIND: Kind = Kind::OpenedAnswered;
    const VERSION: u8 = 1;

    fn encode_body(&self, out: &mut Vec<u8>) {
        put_varint(self.newest().unwrap_or(0).into(), out);
        let newest = self.newest_stamp();
        match &self.tier {
            Tier::Exact(set) => {
                out.push(ELEMENTS);
                put_elements(set, newest, out);
            }
            Tier::Sketch(sketch) => {
                out.push(CELLS_OF_A_SKETCH);
                put_cells(sketch, newest, out);
            }
        }
    }

    fn decode_body(body: &mut Reader<'_>, context: &Context) -> Result<Self, DecodeError> {
        let newest = Pane::try_from(body.varint()?);
        let newest = newest.map_err(|_| DecodeError::structure("a pane past the last"))?;
        let stamp = stamps::stamp(newest, newest);
        let mut ages = Ages { newest, newest_stamp: stamp, latest: NEVER };
        let tier = match body.u8()? {
            ELEMENTS => Tier::Exact(ages.read_elements(body, context)?),
            CELLS_OF_A_SKETCH => Tier::Sketch(ages.read_sketch(body, context)?),
            _ => return Err(DecodeError::structure("neither exact nor a sketch")),
        };
        let sketch = Self { newest, tier };
        // The update that moved the newest pane left a stamp there, and whatever drops that drops all.
        let is_stamped = ages.latest == stamp;
        if is_stamped || sketch.is_empty() && newest == 0 && sketch.is_exact() {
            Ok(sketch)
        } else {
            Err(DecodeError::structure("nothing in the newest pane"))
        }
    }
}

fn put_elements(set: &ExactSet, newest: Stamp, out: &mut Vec<u8>) {
    let mut elements: Vec<Element> = set.elements().collect();
    elements.sort_unstable_by_key(|element| element.fingerprint);
    // At most 128.
    out.push(u8::try_from(elements.len()).unwrap_or(u8::MAX));
    for Element { fingerprint, stamps } in elements {
        out.extend(fingerprint.to_le_bytes());
        out.push(mask(stamps));
        put_fields(stamps, newest, out);
    }
}

fn put_cells(sketch: &Sketch, newest: Stamp, out: &mut Vec<u8>) {
    let mut gap = 0_u64;
    for stamps in sketch.cells(newest) {
        if stamps.newest() == NEVER {
            gap += 1;
        } else {
            put_varint(gap << MASK_BITS | u64::from(mask(stamps)), out);
            put_fields(stamps, newest, out);
            gap = 0;
        }
    }
}

fn mask(Stamps { opened, refused, answered }: Stamps) -> u8 {
    [
        (opened.last != NEVER, OPENED),
        (opened.before != 0, BEFORE),
        (refused != NEVER, REFUSED),
        (answered != NEVER, ANSWERED),
    ]
    .into_iter()
    .filter_map(|(is_set, bit)| is_set.then_some(bit))
    .sum()
}

fn put_fields(Stamps { opened, refused, answered }: Stamps, newest: Stamp, out: &mut Vec<u8>) {
    let put_age = |stamp: Stamp, out: &mut Vec<u8>| {
        if stamp != NEVER {
            put_varint((newest - stamp).into(), out);
        }
    };
    put_age(opened.last, out);
    if opened.before != 0 {
        out.extend(opened.before.to_le_bytes());
    }
    put_age(refused, out);
    put_age(answered, out);
}

/// Stamps of ages.
#[derive(Clone, Copy, Debug)]
struct Ages {
    newest: Pane,
    newest_stamp: Stamp,
    /// The latest stamp that was read.
    latest: Stamp,
}

impl Ages {
    fn read_elements(
        &mut self,
        body: &mut Reader<'_>,
        context: &Context,
    ) -> Result<ExactSet, DecodeError> {
        let count = usize::from(body.u8()?);
        if count > EXACT_MAX {
            return Err(DecodeError::structure("more than 128 elements"));
        }
        context.allow_memory(size_of::<OpenedAnswered>() + ExactSet::heap_bytes_of(count))?;
        let mut set = ExactSet::with_room_for(count);
        let mut before = None;
        for _ in 0..count {
            let fingerprint = body.u32()?;
            if before.is_some_and(|before| fingerprint <= before) {
                return Err(DecodeError::structure("elements that are not in order"));
            }
            before = Some(fingerprint);
            let mask = body.u8()?;
            let stamps = self.read_fields(mask, body)?;
            let pushed = set.push(Element { fingerprint, stamps });
            pushed.map_err(|_| DecodeError::structure("more than 128 elements"))?;
        }
        Ok(set)
    }

    /// Reads the cells twice, at first only to learn which ranks there are.
    fn read_sketch(
        &mut self,
        body: &mut Reader<'_>,
        context: &Context,
    ) -> Result<Box<Sketch>, DecodeError> {
        let mut ranks = Ranks::default();
        self.read_cells(&mut body.clone(), |place, stamps| ranks.include(place, stamps))?;
        context.allow_memory(size_of::<OpenedAnswered>() + ranks.heap_bytes())?;
        let mut sketch = Box::new(Sketch::with_ranks(ranks));
        let newest = self.newest_stamp;
        self.read_cells(body, |place, stamps| sketch.raise_cell(place, stamps, newest))?;
        Ok(sketch)
    }

    fn read_cells(
        &mut self,
        body: &mut Reader<'_>,
        mut with: impl FnMut(usize, Stamps),
    ) -> Result<(), DecodeError> {
        let mut next = 0_usize;
        while body.remaining() > 0 {
            let token = body.varint_usize()?;
            let place = next.saturating_add(token >> MASK_BITS);
            if place >= CELLS {
                return Err(DecodeError::structure("a cell past the last"));
            }
            let mask = u8::try_from(token & ((1 << MASK_BITS) - 1)).unwrap_or(0);
            let stamps = self.read_fields(mask, body)?;
            if !stamps.opened.is_known_from(self.newest_stamp) {
                return Err(DecodeError::structure("an opening that no cell remembers"));
            }
            with(place, stamps);
            next = place + 1;
        }
        Ok(())
    }

    fn read_fields(&mut self, mask: u8, body: &mut Reader<'_>) -> Result<Stamps, DecodeError> {
        if mask == 0 || mask >> MASK_BITS != 0 || mask & (OPENED | BEFORE) == BEFORE {
            return Err(DecodeError::structure("events that nothing has"));
        }
        let last = self.read_age(mask & OPENED, body)?;
        let before = if mask & BEFORE == 0 { 0 } else { self.read_before(last, body)? };
        let stamps = Stamps {
            opened: Openings { last, before },
            refused: self.read_age(mask & REFUSED, body)?,
            answered: self.read_age(mask & ANSWERED, body)?,
        };
        self.latest = self.latest.max(stamps.newest());
        Ok(stamps)
    }

    fn read_age(&self, is_set: u8, body: &mut Reader<'_>) -> Result<Stamp, DecodeError> {
        if is_set == 0 {
            return Ok(NEVER);
        }
        let age = Stamp::try_from(body.varint()?).ok();
        let stamp = age.and_then(|age| self.newest_stamp.checked_sub(age));
        stamp
            .filter(|&stamp| stamp != NEVER)
            .ok_or(DecodeError::structure("a pane beyond what is swept"))
    }

    /// Which of the 16 panes before the last opening had one too.
    fn read_before(&self, last: Stamp, body: &mut Reader<'_>) -> Result<u16, DecodeError> {
        let before = body.u16()?;
        // By how many panes the earliest of them is before the last.
        let distance = before.checked_ilog2().map(|bit| bit + 1);
        match distance {
            None => Err(DecodeError::structure("no openings before the last")),
            Some(distance) if distance > stamps::pane(last, self.newest) => {
                Err(DecodeError::structure("an opening before the first pane"))
            }
            Some(_) => Ok(before),
        }
    }
}
