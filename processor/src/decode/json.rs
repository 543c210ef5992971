//! JSON documents, one at a time, wherever they begin: exact shapes by a cursor, all others by simd-json.

pub(super) mod boundary;
pub(super) mod exact;
#[cfg(test)]
mod samples;
pub(super) mod tree;

use std::ops::Range;

use super::cloudwatch::{self, Delivery};
use super::firehose;
use super::peel::{Found, Layer, Walk, content};
use super::place::Place;
use super::refusal::Reason;
use super::shape;
use exact::Cursor;

/// What is known of the documents of one content.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// Whether there are, or may be, several.
    are_several: bool,
    /// From the first document to the end.
    content_bytes: usize,
    /// Bytes that were searched for an end in vain.
    searched_bytes: usize,
}

impl Documents {
    /// Reads the document that `bytes` begin with, and gives its length. One that cannot be read is refused.
    pub(super) fn read<F: Found>(
        &mut self,
        walk: &mut Walk<'_, F>,
        layers: &mut [Layer],
        place: &Place<'_>,
        bytes: &[u8],
    ) -> usize {
        let Some((layer, inner)) = layers.split_first_mut() else {
            walk.refuse(place, Reason::NestedTooDeep, bytes);
            return bytes.len();
        };
        self.content_bytes = self.content_bytes.max(bytes.len());
        let is_exact = walk.is_exact && !self.is_exhausted();
        let exactly = if is_exact { exactly(walk, layer, inner, place, bytes) } else { None };
        exactly.unwrap_or_else(|| self.fully(walk, layer, inner, place, bytes))
    }

    /// Most often there is one document, and its end need not be searched for.
    fn fully<F: Found>(
        &mut self,
        walk: &mut Walk<'_, F>,
        layer: &mut Layer,
        inner: &mut [Layer],
        place: &Place<'_>,
        bytes: &[u8],
    ) -> usize {
        let whole = bytes.trim_ascii_end();
        let is_candidate = !self.are_several && whole.len() <= walk.document_bytes_max;
        self.are_several = true;
        let Layer { reader, extraction, .. } = layer;
        let is_whole = is_candidate
            && reader.read(whole, |tree| {
                tree.map(|tree| shape::read(walk, extraction, inner, place, (whole, tree))).is_ok()
            });
        if is_whole {
            return bytes.len();
        }
        let Some(end) = self.end(bytes) else {
            let next = boundary::next_document(bytes).unwrap_or(bytes.len());
            walk.refuse(place, Reason::BadJson, bytes[..next].trim_ascii_end());
            return next;
        };
        let document = &bytes[..end];
        if end > walk.document_bytes_max {
            walk.refuse(place, Reason::TooLarge, document);
            return end;
        }
        reader.read(document, |tree| match tree {
            Ok(tree) => shape::read(walk, extraction, inner, place, (document, tree)),
            Err(reason) => walk.refuse(place, reason, document),
        });
        end
    }

    /// Where the document ends. Documents that do not end may be searched through to the end of the content, but not any
    /// number of times: after that, up to where the next one may begin.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let limit = if self.is_exhausted() { boundary::next_document(bytes) } else { None };
        let searched = &bytes[..limit.unwrap_or(bytes.len())];
        let end = boundary::document_bytes(searched);
        self.searched_bytes += end.err().unwrap_or_default();
        end.ok()
    }

    /// Whether so much was broken that time would no longer be in proportion to length.
    const fn is_exhausted(&self) -> bool {
        const SEARCHES_MAX: usize = 16;
        self.searched_bytes / SEARCHES_MAX > self.content_bytes
    }
}

/// The documents that come by the million, in the only spelling in which they come. `None` if it is another.
fn exactly<F: Found>(
    walk: &mut Walk<'_, F>,
    layer: &mut Layer,
    inner: &mut [Layer],
    place: &Place<'_>,
    bytes: &[u8],
) -> Option<usize> {
    if let Some((message, end)) = vended(bytes) {
        content(walk, inner, &Place { extracted: None, ..*place }, &bytes[message]);
        return Some(end);
    }
    layer.pieces.clear();
    if let Some(delivery) = Delivery::read(bytes, &mut layer.pieces) {
        cloudwatch::exactly(walk, inner, place, (bytes, &delivery, &layer.pieces));
        return Some(delivery.end);
    }
    firehose::exactly(walk, &mut layer.pieces, inner, place, bytes)
}

/// `{"message":"…"}`, as vended logs reach Firehose.
fn vended(bytes: &[u8]) -> Option<(Range<usize>, usize)> {
    let mut cursor = Cursor::new(bytes);
    cursor.literal(b"{\"message\":\"")?;
    let message = cursor.plain_string()?;
    cursor.literal(b"}")?;
    Some((message, cursor.passed()))
}
