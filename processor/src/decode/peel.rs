//! Bytes in, texts out: takes whatever AWS delivers, peels off every envelope by its bytes, in any nesting, and gives
//! each text with its place. It never looks at names or content types, and never reads a flow record.
//!
//! Rules: CloudWatch Logs, Firehose, Lambda and Kinesis guides, in the modules of each.

pub(super) mod scratch;

use std::ops::Range;

use super::aggregate::Aggregate;
use super::extraction::Extraction;
use super::gzip::Inflater;
use super::json::{Documents, boundary, tree};
use super::limits::Limits;
use super::place::{Place, Position};
use super::refusal::{Reason, Refusal};
use scratch::Scratch;

/// What is found within a payload, in its order.
pub trait Found {
    /// Lines of text: one message, or many lines. It never begins as one of the known envelopes, nor does any of its
    /// lines begin as JSON. `place.position.line` is 0, or the number of its first line where other things came before.
    fn text(&mut self, place: &Place<'_>, text: &[u8]);

    /// Bytes that cannot be peeled: the innermost piece that is to blame, such as one JSON document, one base64 string,
    /// or a gzip stream from its first bad member on.
    fn refuse(&mut self, place: &Place<'_>, refusal: Refusal, bytes: &[u8]);

    /// A health probe of CloudWatch Logs.
    fn control_message(&mut self);

    /// The text of a dead letter that was refused under a format, which is to be read under it again. A letter without
    /// a format comes through the other methods, peeled like any payload.
    fn dead_letter(&mut self, place: &Place<'_>, format: Option<&str>, data: &[u8]) {
        let _ = format;
        self.text(place, data);
    }
}

/// Peels payloads; keeps its buffers. One per worker.
///
/// What a payload decompresses to beyond [`Limits::decompressed_bytes_max`] is refused as [`Reason::TooLarge`], over all
/// its parts. So is a JSON document longer than that, or over 1 MiB with a bracket, comma or colon more often than at
/// every tenth byte, unless it is spelt exactly as AWS spells it, which needs no memory.
///
/// A payload needs, at worst, the bytes that it decompresses to, three quarters of its own length for what is decoded from
/// base64, 16 bytes for each record or event, and for its largest JSON document, if that is not spelt as AWS spells it,
/// nine times its length (three copies, and up to 56 bytes for every tenth byte) or 40 MiB. An envelope of CloudWatch Logs
/// with extracted fields needs six times its length.
///
/// Between payloads it holds at most [`Limits::decompressed_bytes_max`], or four times what the last payload needed if
/// that is more; buffers of up to 4 MiB, of which each level of nesting has two, are always kept.
#[derive(Debug)]
pub struct Peeler {
    limits: Limits,
    is_exact: bool,
    inflater: Inflater,
    layers: Vec<Layer>,
    /// What all payloads of a batch may yet decompress to.
    batch_budget: usize,
}

/// How much larger the payloads of a batch may become, on the whole: envelopes of flow logs become 10 to 20 times as large.
const RATIO_MAX: usize = 64;

/// The buffers of one envelope within another.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// What was inflated or decoded.
    pub(super) bytes: Scratch,
    /// Where messages and records stand.
    pub(super) pieces: Vec<Range<usize>>,
    pub(super) reader: tree::Reader,
    pub(super) extraction: Extraction,
}

/// What all layers of a payload share.
pub(super) struct Walk<'w, F> {
    pub(super) found: &'w mut F,
    inflater: &'w mut Inflater,
    /// Bytes that may still be decompressed.
    budget: usize,
    pub(super) document_bytes_max: usize,
    /// Whether documents are first tried as exactly what AWS writes.
    pub(super) is_exact: bool,
}

impl<F: Found> Walk<'_, F> {
    pub(super) fn refuse(&mut self, place: &Place<'_>, reason: Reason, bytes: &[u8]) {
        self.found.refuse(place, Refusal { reason, field: None }, bytes);
    }
}

impl Peeler {
    /// With buffers that are empty yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let mut layers = Vec::new();
        layers.resize_with(usize::from(limits.nesting_max), Layer::default);
        Self { limits, is_exact: true, inflater: Inflater::new(), layers, batch_budget: usize::MAX }
    }

    /// One that reads every JSON document with the full parser: several times slower, with the same results. It is what
    /// the fast one is tested against.
    #[must_use]
    pub fn without_fast_paths(limits: Limits) -> Self {
        Self { is_exact: false, ..Self::new(limits) }
    }

    /// Begins a batch of payloads of so many bytes, which together may decompress to four times
    /// [`Limits::decompressed_bytes_max`] and 64 times their length, a ratio that flow logs do not reach. Without that, ten
    /// thousand small bombs in one request would keep a worker for minutes.
    pub fn begin(&mut self, batch_bytes: usize) {
        let by_length = batch_bytes.saturating_mul(RATIO_MAX);
        self.batch_budget =
            self.limits.decompressed_bytes_max.saturating_mul(4).saturating_add(by_length);
    }

    /// Peels one payload, which is number `record` of its source, from 1.
    ///
    /// Where documents stand together, those behind the first have their number as `position.part`, unless they are
    /// within a part already.
    pub fn peel(&mut self, payload: &[u8], record: u64, found: &mut impl Found) {
        let budget = self.limits.decompressed_bytes_max.min(self.batch_budget);
        let mut walk = Walk {
            found,
            inflater: &mut self.inflater,
            budget,
            document_bytes_max: self.limits.decompressed_bytes_max,
            is_exact: self.is_exact,
        };
        let position = Position { record, ..Position::default() };
        let place = Place { position, ..Place::default() };
        content(&mut walk, &mut self.layers, &place, payload);
        self.batch_budget -= budget - walk.budget;
        self.settle();
    }

    /// About how many bytes its buffers hold.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.layers.iter().map(Layer::held_bytes).sum()
    }

    fn settle(&mut self) {
        let is_pressed = self.held_bytes() > self.limits.decompressed_bytes_max;
        for layer in &mut self.layers {
            layer.settle(is_pressed);
        }
    }
}

impl Layer {
    fn held_bytes(&self) -> usize {
        let pieces = self.pieces.capacity() * size_of::<Range<usize>>();
        self.bytes.held_bytes() + pieces + self.reader.held_bytes()
    }

    fn settle(&mut self, is_pressed: bool) {
        self.bytes.settle(is_pressed);
        self.reader.settle(is_pressed);
        if is_pressed && self.pieces.len() < self.pieces.capacity() / 4 {
            self.pieces = Vec::new();
        }
        self.pieces.clear();
    }
}

/// Peels `bytes`, which stand at `place`, with one of `layers` for each envelope.
pub(super) fn content<F: Found>(
    walk: &mut Walk<'_, F>,
    layers: &mut [Layer],
    place: &Place<'_>,
    bytes: &[u8],
) {
    match bytes {
        [0x1f, 0x8b, ..] => inflated(walk, layers, place, bytes),
        [0xf3, 0x89, ..] => match Aggregate::open(bytes) {
            Some(aggregate) => user_records(walk, layers, place, (bytes, aggregate)),
            None => lines_and_documents(walk, layers, place, bytes),
        },
        _ => lines_and_documents(walk, layers, place, bytes),
    }
}

fn inflated<F: Found>(
    walk: &mut Walk<'_, F>,
    layers: &mut [Layer],
    place: &Place<'_>,
    bytes: &[u8],
) {
    let Some((layer, inner)) = layers.split_first_mut() else {
        walk.refuse(place, Reason::NestedTooDeep, bytes);
        return;
    };
    let inflated = walk.inflater.inflate(bytes, &mut layer.bytes, &mut walk.budget);
    content(walk, inner, place, layer.bytes.filled(inflated.bytes));
    if let Some((reason, from)) = inflated.refused {
        walk.refuse(place, reason, &bytes[from..]);
    }
}

fn user_records<F: Found>(
    walk: &mut Walk<'_, F>,
    layers: &mut [Layer],
    place: &Place<'_>,
    (bytes, aggregate): (&[u8], Aggregate<'_>),
) {
    let Some((_, inner)) = layers.split_first_mut() else {
        walk.refuse(place, Reason::NestedTooDeep, bytes);
        return;
    };
    let mut place = *place;
    let mut has_keys = true;
    for (number, record) in (1..).zip(aggregate.records()) {
        place.position.part = number;
        has_keys &= record.has_keys;
        if has_keys {
            content(walk, inner, &place, record.data);
        } else {
            walk.refuse(&place, Reason::BadAggregate, record.data);
        }
    }
}

/// Lines, and documents that begin where a line does or right behind one another.
fn lines_and_documents<F: Found>(
    walk: &mut Walk<'_, F>,
    layers: &mut [Layer],
    place: &Place<'_>,
    bytes: &[u8],
) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut documents = Documents::default();
    let mut place = *place;
    let is_part = place.position.part > 0;
    let (mut at, mut number) = (0, 0);
    let mut lines = LinesBefore::default();
    loop {
        let start = boundary::document_on_a_line(bytes, at);
        let text = &bytes[at..start.map_or(bytes.len(), |(line_start, _)| line_start)];
        if !text.trim_ascii().is_empty() {
            place.position.line = if number == 0 { 0 } else { 1 + lines.count(bytes, at) };
            walk.found.text(&place, text);
            place.position.line = 0;
        }
        let Some((_, start)) = start else { return };
        number += 1;
        if !is_part && number > 1 {
            place.position.part = number;
        }
        let end = start + documents.read(walk, layers, &place, &bytes[start..]);
        at = end + boundary::separator_bytes(&bytes[end..]);
    }
}

/// Counts lines only where a text stands behind a document, which is rare.
#[derive(Default)]
struct LinesBefore {
    counted_bytes: usize,
    line_feeds: u64,
}

impl LinesBefore {
    /// Line feeds before `at`, which never steps back.
    fn count(&mut self, bytes: &[u8], at: usize) -> u64 {
        self.line_feeds += boundary::line_feeds(&bytes[self.counted_bytes..at]);
        self.counted_bytes = at;
        self.line_feeds
    }
}
