//! Refused bytes, kept so that they can be looked at and read again.
//!
//! A [`Letter`] says why it was refused, where it stood, and under which format, so that a line can be read
//! again after its format was corrected or a newer version installed. The envelopes around it are gone: what is read again has no
//! extracted fields, and a piece that was too large or too deep is measured by itself.

use std::sync::Arc;

use super::place::{Place, Position};
use super::refusal::Refusal;
use crate::flow::Layout;

/// One refused piece: a line, a JSON document, a string of base64, a gzip member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// Why.
    pub refusal: Refusal,
    /// File or stream.
    pub source: Arc<str>,
    /// Where in the source.
    pub position: Position,
    /// `logGroup` of the envelope around it; empty when there is none.
    pub log_group: Box<str>,
    /// What a header line above it said; `None` when it was read as configured.
    pub layout: Option<Arc<Layout>>,
    /// The bytes, cut at [`LETTER_BYTES_MAX`].
    pub data: Box<[u8]>,
    /// Whether more stood there.
    pub is_truncated: bool,
}

/// A letter keeps so much: the largest envelope that a record of a stream holds uncompressed.
pub const LETTER_BYTES_MAX: usize = 1 << 20;

/// The letters of one batch, bounded.
#[derive(Clone, Debug, Default)]
pub struct Letters {
    kept: Vec<Letter>,
    kept_bytes: usize,
    left_out: u64,
}

/// Bytes that the letters of one batch may hold: enough to keep a batch of refused lines whole, unless they are shorter than
/// any record is.
pub const BATCH_LETTERS_BYTES_MAX: usize = 4 << 20;
/// What a letter costs beside its data.
const LETTER_OVERHEAD_BYTES: usize = 160;

impl Letters {
    /// Keeps a refused piece, or counts it when the batch has too many.
    pub fn add(
        &mut self,
        refusal: Refusal,
        source: &Arc<str>,
        place: &Place<'_>,
        layout: Option<&Arc<Layout>>,
        data: &[u8],
    ) {
        let cut = &data[..data.len().min(LETTER_BYTES_MAX)];
        let bytes = cut.len() + place.log_group.len() + LETTER_OVERHEAD_BYTES;
        if self.kept_bytes + bytes > BATCH_LETTERS_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        self.kept_bytes += bytes;
        self.kept.push(Letter {
            refusal,
            source: Arc::clone(source),
            position: place.position,
            log_group: place.log_group.into(),
            layout: layout.cloned(),
            data: cut.into(),
            is_truncated: cut.len() < data.len(),
        });
    }

    /// Counts a refused piece without keeping it.
    pub const fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// The letters, in the order in which they were refused.
    #[must_use]
    pub fn kept(&self) -> &[Letter] {
        &self.kept
    }

    /// Refused pieces that were not kept.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::Reason;
    use super::*;

    #[test]
    fn letters_of_a_batch_are_bounded_and_what_is_left_out_is_counted() {
        let mut letters = Letters::default();
        let refusal = Refusal { reason: Reason::FieldCount, field: None };
        let place = Place { position: Position::line(3), log_group: "group", extracted: None };
        for _ in 0..10 {
            letters.add(refusal, &"file".into(), &place, None, &[b'x'; LETTER_BYTES_MAX + 1]);
        }
        let kept = letters.kept();
        assert!(kept.iter().all(|letter| letter.is_truncated && letter.position.line == 3));
        assert_eq!(kept.len() as u64 + letters.left_out(), 10);
        let bytes: usize = kept.iter().map(|letter| letter.data.len()).sum();
        assert!(bytes <= BATCH_LETTERS_BYTES_MAX && bytes > BATCH_LETTERS_BYTES_MAX / 2);
    }
}
