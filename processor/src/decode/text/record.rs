//! Second pass: the columns of one line to a record, if nothing about them is unusual.

use super::instructions::Kernel;
use super::plan::{ABSENT, Place, Plan};
use super::scan::Row;
use crate::decode::line::{Times, to_seconds};
use crate::decode::scalar::{parse_address, parse_integer};
use crate::flow::{Action, Address, Record, TcpFlags};

/// One line whose columns are as many as the layout's, none of them empty.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a, 'r> {
    /// More than the line, so that the bytes before a value can be loaded with it.
    pub(super) text: &'a [u8],
    /// The first bytes of the text, if values may stand so early that there is less before them than is loaded.
    pub(super) head: Option<&'r Head>,
    /// Offsets in the text.
    pub(super) row: &'r Row,
}

/// The first bytes of a text with zeros before them: for its first values, which have fewer bytes before them than are
/// loaded.
pub(super) struct Head([u8; 2 * HEAD_BYTES]);

/// As many bytes as are loaded at once.
const HEAD_BYTES: usize = 16;

impl Head {
    #[inline(always)]
    pub(super) fn new(text: &[u8]) -> Self {
        let mut bytes = [0; 2 * HEAD_BYTES];
        match text.first_chunk::<HEAD_BYTES>() {
            Some(first) => bytes[HEAD_BYTES..].copy_from_slice(first),
            None => bytes[HEAD_BYTES..HEAD_BYTES + text.len()].copy_from_slice(text),
        }
        Self(bytes)
    }
}

/// Where a value ends in the text, and its length. An absent column is a value of no length.
#[derive(Clone, Copy)]
struct Span {
    end: usize,
    length: u32,
}

impl<'a: 'r, 'r> Columns<'a, 'r> {
    /// The record, and whether its times were milliseconds; `None` if there is more to the line, and another way has to
    /// find out what.
    ///
    /// What takes longest comes first: a record is more instructions than a processor looks ahead, and whatever stands at
    /// its end has nothing to overlap with.
    #[inline(always)]
    pub(super) fn record<K: Kernel>(self, kernel: K, plan: Plan) -> Option<(Record<'a>, bool)> {
        let [source, destination] = self.addresses(kernel, plan)?;
        let [packets, bytes, start, end] = self.integers(kernel, plan.integers)?;
        let (ports, has_flags) = self.short_integers(kernel, plan.short_integers)?;
        let [source_port, destination_port, protocol, flags] = ports;
        let Times { has_milliseconds, interval_s } = to_seconds(start, end);
        let (start_s, end_s) = interval_s?;
        if !matches!(self.short_text(plan.log_status)?, OK | NOTHING | DASH) {
            return None;
        }
        let record = Record {
            interface_id: self.text(plan.interface_id)?,
            source,
            destination,
            source_port: u16::try_from(source_port).ok()?,
            destination_port: u16::try_from(destination_port).ok()?,
            protocol: u8::try_from(protocol).ok()?,
            packets,
            bytes,
            start_s,
            end_s,
            action: self.action(plan.action)?,
            tcp_flags: if has_flags { Some(TcpFlags(u8::try_from(flags).ok()?)) } else { None },
            destination_service: self.text(plan.destination_service)?,
        };
        Some((record, has_milliseconds))
    }

    /// The times of a line that reads `NODATA`; `None` if it is none, or another way has to find out what is wrong.
    #[cold]
    #[inline(never)]
    pub(super) fn silence(self, plan: Plan) -> Option<Times> {
        if self.short_text(plan.log_status)? != NODATA {
            return None;
        }
        let [_, _, start, end] = self.integers_or_dashes(plan.integers)?;
        let times = to_seconds(start, end);
        times.interval_s.is_some().then_some(times)
    }

    #[inline(always)]
    fn span(self, place: Place) -> Span {
        if place == ABSENT {
            return Span { end: 0, length: 0 };
        }
        // There are at most 128 columns: the mask changes no place, and lets the compiler see that it is one.
        let place = usize::from(place & 127);
        let (before, end) = (self.row[place], self.row[place + 1]);
        Span { end: end as usize, length: end.wrapping_sub(before).wrapping_sub(1) }
    }

    /// The bytes that end with the value, where they are: copied, they would be loaded too early and kept in memory.
    #[inline(always)]
    fn bytes<const N: usize>(self, span: Span) -> Option<&'r [u8; N]> {
        match self.text.get(..span.end)?.last_chunk() {
            Some(bytes) => Some(bytes),
            None => self.head?.0.get(span.end + HEAD_BYTES - N..)?.first_chunk(),
        }
    }

    /// The same of a column that may be absent, with its length.
    #[inline(always)]
    fn bytes_at<const N: usize>(self, place: Place) -> Option<(&'r [u8; N], u32)> {
        if place == ABSENT {
            return Some((&[0; N], 0));
        }
        let span = self.span(place);
        Some((self.bytes(span)?, span.length))
    }

    #[inline(always)]
    fn value(self, span: Span) -> Option<&'a [u8]> {
        self.text.get(span.end.checked_sub(span.length as usize)?..span.end)
    }

    /// The value of a text column, empty when it reads `-`.
    #[inline(always)]
    fn text(self, place: Place) -> Option<&'a [u8]> {
        let value = self.value(self.span(place))?;
        Some(if value == b"-" { b"" } else { value })
    }

    /// A value of at most seven bytes as [`word`] makes it; [`LONG`] for others.
    #[inline(always)]
    fn short_text(self, place: Place) -> Option<u64> {
        let (bytes, length) = self.bytes_at(place)?;
        if length == 0 {
            return Some(NOTHING);
        }
        let word = u64::from_le_bytes(*bytes);
        let kept = word >> (64_u32.wrapping_sub(length * 8) & 63);
        Some(if length < 8 { kept | u64::from(length) << 56 } else { LONG })
    }

    #[inline(always)]
    fn action(self, place: Place) -> Option<Option<Action>> {
        match self.short_text(place)? {
            ACCEPT => Some(Some(Action::Accept)),
            REJECT => Some(Some(Action::Reject)),
            NOTHING | DASH => Some(None),
            _ => None,
        }
    }

    #[inline(always)]
    fn integers<K: Kernel>(self, kernel: K, places: [Place; 4]) -> Option<[u64; 4]> {
        let (a, e) = self.bytes_at(places[0])?;
        let (b, f) = self.bytes_at(places[1])?;
        let (c, g) = self.bytes_at(places[2])?;
        let (d, h) = self.bytes_at(places[3])?;
        if e <= 16
            && f <= 16
            && g <= 16
            && h <= 16
            && let Some(values) = kernel.integers([a, b, c, d], [e, f, g, h])
        {
            return Some(values);
        }
        self.integers_or_dashes(places)
    }

    /// The values, and whether there is a fourth.
    #[inline(always)]
    fn short_integers<K: Kernel>(self, kernel: K, places: [Place; 4]) -> Option<([u32; 4], bool)> {
        let (a, e) = self.bytes_at(places[0])?;
        let (b, f) = self.bytes_at(places[1])?;
        let (c, g) = self.bytes_at(places[2])?;
        let (d, h) = self.bytes_at(places[3])?;
        if e <= 8
            && f <= 8
            && g <= 8
            && h <= 8
            && let Some(values) = kernel.short_integers([a, b, c, d], [e, f, g, h])
        {
            return Some((values, h > 0));
        }
        let [a, b, c, d] = self.integers_or_dashes(places)?;
        let values =
            [a.try_into().ok()?, b.try_into().ok()?, c.try_into().ok()?, d.try_into().ok()?];
        Some((values, !self.text(places[3])?.is_empty()))
    }

    /// One by one, because some may be absent. That it looks at the text again keeps the values of the common way in
    /// registers.
    #[cold]
    #[inline(never)]
    fn integers_or_dashes(self, places: [Place; 4]) -> Option<[u64; 4]> {
        let mut values = [0; 4];
        for (value, place) in values.iter_mut().zip(places) {
            let text = self.text(place)?;
            *value = if text.is_empty() { 0 } else { parse_integer(text)? };
        }
        Some(values)
    }

    #[inline(always)]
    fn addresses<K: Kernel>(self, kernel: K, plan: Plan) -> Option<[Address; 2]> {
        let source = self.endpoint(plan.packet_addresses[0], plan.addresses[0])?;
        let destination = self.endpoint(plan.packet_addresses[1], plan.addresses[1])?;
        let texts = [self.bytes(source)?, self.bytes(destination)?];
        if let Some([source, destination]) =
            kernel.dotted(texts, [source.length, destination.length])
        {
            return Some([Address::v4(source), Address::v4(destination)]);
        }
        Some([address(self.value(source)?)?, address(self.value(destination)?)?])
    }

    /// The packet's address if there is one, else the interface's.
    #[inline(always)]
    fn endpoint(self, packet: Place, interface: Place) -> Option<Span> {
        if packet != ABSENT {
            let span = self.span(packet);
            if span.length != 1 || self.value(span)? != b"-" {
                return Some(span);
            }
        }
        Some(self.span(interface))
    }
}

#[inline(never)]
fn address(text: &[u8]) -> Option<Address> {
    parse_address(text)
}

const NOTHING: u64 = 0;
const LONG: u64 = u64::MAX;
const OK: u64 = word(b"OK");
const NODATA: u64 = word(b"NODATA");
const DASH: u64 = word(b"-");
const ACCEPT: u64 = word(b"ACCEPT");
const REJECT: u64 = word(b"REJECT");

/// At most seven bytes, with their number in the eighth.
const fn word(text: &[u8]) -> u64 {
    let mut word = (text.len() as u64) << 56;
    let mut place = 0;
    while place < text.len() {
        word |= (text[place] as u64) << (8 * place);
        place += 1;
    }
    word
}
