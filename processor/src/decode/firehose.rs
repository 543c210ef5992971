//! Bodies with base64 records: what Firehose posts, hands to a Lambda or gives up, and what Kinesis gives.
//!
//! Rules: Firehose Developer Guide, "HTTP endpoint delivery request and response specifications"; Lambda Developer
//! Guide, Kinesis and Firehose events; CloudWatch Logs' `awslogs` event.

use std::ops::Range;

use super::base64::{decode, decoded_bytes_max};
use super::json::exact::Cursor;
use super::json::tree::Tree;
use super::peel::scratch::Scratch;
use super::peel::{Found, Layer, Walk, content};
use super::place::Place;
use super::refusal::Reason;

/// Peels the records of an HTTP request if it is spelt as Firehose spells it, white space aside; gives its length.
pub(super) fn exactly<F: Found>(
    walk: &mut Walk<'_, F>,
    pieces: &mut Vec<Range<usize>>,
    inner: &mut [Layer],
    place: &Place<'_>,
    bytes: &[u8],
) -> Option<usize> {
    // Without a layer for what is decoded, the full parser says so of each record.
    let (arena, inner) = inner.split_first_mut()?;
    let end = body(bytes, &mut arena.bytes, pieces, usize::MAX)?.end;
    let mut place = Place { extracted: None, ..*place };
    for (number, piece) in (1..).zip(pieces.iter()) {
        place.position.part = number;
        content(walk, inner, &place, &arena.bytes.filled(piece.end)[piece.start..]);
    }
    Some(end)
}

/// The body of an HTTP request, whose records were decoded.
pub(super) struct Body {
    /// Where its document ends.
    pub(super) end: usize,
    /// Where its `requestId` stands, if it has one.
    pub(super) request_id: Option<Range<usize>>,
}

/// Decodes the records of a body that is spelt as Firehose spells it into `arena`, each where one of `pieces` says; gives up
/// if there are more than `records_max`.
pub(super) fn body(
    bytes: &[u8],
    arena: &mut Scratch,
    pieces: &mut Vec<Range<usize>>,
    records_max: usize,
) -> Option<Body> {
    pieces.clear();
    let cursor = Cursor::new(bytes);
    BodyReader { cursor, arena, pieces, records_max }.read(bytes.len())
}

/// Decodes all records into one arena while it passes over them.
struct BodyReader<'a, 'b> {
    cursor: Cursor<'a>,
    arena: &'b mut Scratch,
    pieces: &'b mut Vec<Range<usize>>,
    records_max: usize,
}

impl BodyReader<'_, '_> {
    fn read(mut self, bytes_max: usize) -> Option<Body> {
        let mut seen = [false; 3];
        let mut request_id = None;
        self.cursor.literal(b"{")?;
        self.cursor.space();
        loop {
            self.cursor.literal(b"\"")?;
            let key = self.cursor.unchecked_string()?;
            self.cursor.space();
            self.cursor.literal(b":")?;
            self.cursor.space();
            let row = match key {
                b"records" => {
                    self.records(bytes_max)?;
                    0
                }
                b"requestId" => {
                    self.cursor.literal(b"\"")?;
                    request_id = Some(self.cursor.plain_string()?);
                    1
                }
                b"timestamp" => {
                    self.cursor.number()?;
                    2
                }
                _ => return None,
            };
            if std::mem::replace(&mut seen[row], true) {
                return None;
            }
            self.cursor.space();
            match self.cursor.byte()? {
                b',' => self.cursor.space(),
                b'}' => break,
                _ => return None,
            }
        }
        seen[0].then_some(Body { end: self.cursor.passed(), request_id })
    }

    fn records(&mut self, bytes_max: usize) -> Option<()> {
        let Self { cursor, arena, pieces, records_max } = self;
        let room = arena.room(bytes_max.div_ceil(4) * 3);
        let mut filled = 0;
        cursor.literal(b"[")?;
        loop {
            cursor.space();
            cursor.literal(b"{")?;
            cursor.space();
            cursor.literal(b"\"data\"")?;
            cursor.space();
            cursor.literal(b":")?;
            cursor.space();
            cursor.literal(b"\"")?;
            // Base64 has no byte that a JSON string has to escape.
            let data = cursor.unchecked_string()?;
            let length = decode(data, &mut room[filled..])?;
            if pieces.len() == *records_max {
                return None;
            }
            pieces.push(filled..filled + length);
            filled += length;
            cursor.space();
            cursor.literal(b"}")?;
            cursor.space();
            match cursor.byte()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }
}

/// Peels the records of a body in any spelling: all, or none if one of them has no data. `document` is what is refused
/// then.
pub(super) fn records<F: Found>(
    walk: &mut Walk<'_, F>,
    inner: &mut [Layer],
    place: &Place<'_>,
    (document, records): (&[u8], Tree<'_, '_>),
) {
    let all = || records.elements().into_iter().flatten();
    let is_empty = all().next().is_none();
    if records.elements().is_none() || !is_empty && all().all(|record| data(record).is_none()) {
        walk.refuse(place, Reason::UnknownJson, document);
        return;
    }
    let mut place = *place;
    for (number, record) in (1..).zip(all()) {
        place.position.part = number;
        match data(record) {
            Some(data) => base64(walk, inner, &place, data),
            // Its place tells which one it was; the others are read.
            None => walk.refuse(&place, Reason::UnknownJson, b""),
        }
    }
}

/// `data` of Firehose, `kinesis.data` of a Lambda event, `Data` of the Kinesis API.
fn data<'d>(record: Tree<'_, 'd>) -> Option<&'d str> {
    let kinesis = || record.member("kinesis").and_then(|kinesis| kinesis.member("data"));
    record.member("data").or_else(kinesis).or_else(|| record.member("Data"))?.text()
}

/// Peels what `text` decodes to.
pub(super) fn base64<F: Found>(
    walk: &mut Walk<'_, F>,
    layers: &mut [Layer],
    place: &Place<'_>,
    text: &str,
) {
    decoded(walk, layers, place, text, |walk, inner, bytes| content(walk, inner, place, bytes));
}

/// Gives what `text` decodes to to `take`, or refuses it.
pub(super) fn decoded<F: Found>(
    walk: &mut Walk<'_, F>,
    layers: &mut [Layer],
    place: &Place<'_>,
    text: &str,
    take: impl FnOnce(&mut Walk<'_, F>, &mut [Layer], &[u8]),
) {
    let text = text.as_bytes();
    let Some((layer, inner)) = layers.split_first_mut() else {
        walk.refuse(place, Reason::NestedTooDeep, text);
        return;
    };
    match decode(text, layer.bytes.room(decoded_bytes_max(text))) {
        Some(length) => take(walk, inner, layer.bytes.filled(length)),
        None => walk.refuse(place, Reason::BadBase64, text),
    }
}
