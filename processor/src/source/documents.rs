//! Cuts a stream of JSON documents, with or without anything between them, into payloads of one document each.
//!
//! CloudWatch envelopes that Firehose decompressed stand in S3 back to back without a line feed; vended logs stand one to a
//! line. The cutter knows JSON only as far as it must to find where a document ends; whether it is one is for the decoder
//! to say. A document that does not end where it should costs no other: a line feed within a string, which JSON forbids,
//! ends it. What is no document is cut at line ends.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use memchr::{memchr_iter, memchr2, memchr3};

use super::cut::{BATCH_BYTES, BYTE_ORDER_MARK};
use super::is_to_be_read_again;
use crate::batch::{Batch, BatchId, Content};

/// A document may be this large, and so may what the cutter holds of one: three times what the largest record of a
/// subscription, 1 MiB, was seen to decompress to. A larger one is cut, and refused for what is missing.
pub const DOCUMENT_BYTES_MAX: usize = 32 << 20;

/// One stream of documents.
#[derive(Debug)]
pub struct Documents<R> {
    reader: R,
    source: Arc<str>,
    /// Bytes read but not handed out; begins where a document does.
    rest: Vec<u8>,
    scan: Scan,
    is_at_end: bool,
    failure: Option<io::Error>,
    offset_bytes: u64,
    record: u64,
}

/// How far the document at the beginning of the rest was looked at.
#[derive(Debug, Default, Clone, Copy)]
struct Scan {
    place: usize,
    depth: usize,
    is_in_string: bool,
    /// It is no document.
    is_text: bool,
}

impl<R: Read> Documents<R> {
    /// Cuts what `reader` gives.
    pub fn new(reader: R, source: Arc<str>) -> Self {
        Self {
            reader,
            source,
            rest: Vec::new(),
            scan: Scan::default(),
            is_at_end: false,
            failure: None,
            offset_bytes: 0,
            record: 1,
        }
    }

    /// The number of the first document that was not handed out yet.
    #[must_use]
    pub const fn record(&self) -> u64 {
        self.record
    }

    /// The next batch, or `None` at the end.
    ///
    /// # Errors
    /// When the reader failed. All whole documents read before have been handed out by then; nothing follows.
    pub fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        loop {
            let wanted = self.rest.len().max(BATCH_BYTES);
            self.fill(wanted).unwrap_or_else(|failure| self.fail(failure));
            let ends = self.ends();
            if let Some(batch) = self.take(&ends) {
                return Ok(Some(batch));
            }
            if self.is_at_end {
                return self.failure.take().map_or(Ok(None), Err);
            }
            if self.rest.len() >= DOCUMENT_BYTES_MAX {
                // It is torn, or too large: it goes out up to where the next document may begin, and is refused.
                let end = next_beginning(&self.rest).unwrap_or(self.rest.len());
                self.scan = Scan::default();
                return Ok(self.take(&[end]));
            }
            let wanted = self.rest.len() + BATCH_BYTES;
            self.fill(wanted).unwrap_or_else(|failure| self.fail(failure));
        }
    }

    fn fail(&mut self, failure: io::Error) {
        if is_to_be_read_again(&failure) {
            self.rest.clear();
            self.scan = Scan::default();
        }
        self.failure = Some(failure);
        self.is_at_end = true;
    }

    /// Reads until `wanted` bytes are held or the stream ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let missing = wanted.saturating_sub(self.rest.len());
        if self.is_at_end || missing == 0 {
            return Ok(());
        }
        let limit = u64::try_from(missing).unwrap_or(u64::MAX);
        let read = (&mut self.reader).take(limit).read_to_end(&mut self.rest)?;
        self.is_at_end = read < missing;
        if self.offset_bytes == 0 && self.scan.place == 0 && self.rest.starts_with(BYTE_ORDER_MARK)
        {
            self.rest.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Where the documents of the rest end, the last perhaps unfinished at the end of the stream.
    fn ends(&mut self) -> Vec<usize> {
        let mut ends = Vec::new();
        while let Some(end) = self.scan.end(&self.rest) {
            ends.push(end);
            self.scan = Scan { place: end, ..Scan::default() };
        }
        let is_whole = self.is_at_end && self.failure.is_none();
        let tail = &self.rest[ends.last().copied().unwrap_or(0)..];
        if is_whole && !tail.trim_ascii().is_empty() {
            ends.push(self.rest.len());
        }
        ends
    }

    /// Cuts a batch of the documents that end at `ends`; `None` when that is none.
    fn take(&mut self, ends: &[usize]) -> Option<Batch> {
        let end = *ends.last()?;
        let rest = self.rest.split_off(end);
        let bytes = Bytes::from(std::mem::replace(&mut self.rest, rest));
        self.scan.place = self.scan.place.saturating_sub(end);
        let starts = std::iter::once(&0).chain(ends);
        let payloads: Vec<Bytes> =
            starts.zip(ends).map(|(start, end)| bytes.slice(*start..*end)).collect();
        let id = BatchId::at(Arc::clone(&self.source), self.offset_bytes);
        let first_record = self.record;
        self.offset_bytes += u64::try_from(end).unwrap_or(u64::MAX);
        self.record += u64::try_from(payloads.len()).unwrap_or(u64::MAX);
        Some(Batch { id, content: Content::Payloads { first_record, payloads } })
    }
}

impl Scan {
    /// Where what is no document ends: behind its line, or where a document may begin within it.
    fn end_of_text(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let place = self.place + memchr2(b'\n', b'{', &bytes[self.place..])?;
            if bytes[place] == b'\n' {
                return Some(place + 1);
            }
            if place > 0 && is_beginning(bytes, place)? {
                return Some(place);
            }
            self.place = place + 1;
        }
    }

    /// Where the document at the place ends; `None` if that is not among `bytes`. White space belongs to what follows.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.depth == 0 {
            if !self.is_text {
                let is_space = |byte: &u8| byte.is_ascii_whitespace();
                self.place += bytes[self.place..].iter().take_while(|byte| is_space(byte)).count();
                self.is_text = *bytes.get(self.place)? != b'{';
            }
            if self.is_text {
                return self.end_of_text(bytes);
            }
        }
        loop {
            let rest = &bytes[self.place..];
            if self.is_in_string {
                let place = memchr3(b'"', b'\\', b'\n', rest)?;
                match rest[place] {
                    b'"' => self.is_in_string = false,
                    b'\n' => return Some(self.place + place + 1),
                    // The escaped byte may not have been read yet.
                    _ if rest.len() < place + 2 => return None,
                    _ => self.place += 1,
                }
                self.place += place + 1;
                continue;
            }
            let place = memchr3(b'"', b'{', b'}', rest)?;
            self.place += place + 1;
            match rest[place] {
                b'"' => self.is_in_string = true,
                b'{' => self.depth += 1,
                _ => self.depth = self.depth.saturating_sub(1),
            }
            if self.depth == 0 && !self.is_in_string {
                return Some(self.place);
            }
        }
    }
}

/// Whether the bracket at `place` may begin a document though what stands before it did not end: right behind another, or
/// with the first key of an envelope of CloudWatch Logs. `None` if too little is there to tell.
fn is_beginning(bytes: &[u8], place: usize) -> Option<bool> {
    const ENVELOPE: &[u8] = b"{\"messageType\"";
    let rest = &bytes[place..];
    if bytes[place - 1] == b'}' || rest.starts_with(ENVELOPE) {
        return Some(true);
    }
    let is_cut = rest.len() < ENVELOPE.len() && ENVELOPE.starts_with(rest);
    (!is_cut).then_some(false)
}

/// The first place behind the beginning where another document may begin.
fn next_beginning(bytes: &[u8]) -> Option<usize> {
    let is_beginning = |place: &usize| {
        bytes[place - 1] == b'\n' || is_beginning(bytes, *place).unwrap_or_default()
    };
    memchr_iter(b'{', bytes).filter(|place| *place > 0).find(is_beginning)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cut::tests::Broken;
    use super::*;

    fn cut(text: &[u8]) -> Vec<Vec<u8>> {
        let mut documents = Documents::new(text, "test".into());
        let batches = std::iter::from_fn(|| documents.next_batch().unwrap());
        let payloads = batches.flat_map(|batch| match batch.content {
            Content::Payloads { payloads, .. } => payloads,
            other => panic!("{other:?}"),
        });
        payloads.map(|payload| payload.to_vec()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_came_before_a_break_is_cut_as_a_whole_reading_cuts_it(
            sizes in prop::collection::vec(0..30_000_usize, 0..120),
            place: prop::sample::Index,
        ) {
            let documents = sizes.iter().map(|size| format!("{{\"a\":\"{}\"}}", "x".repeat(*size)));
            let text = documents.collect::<String>().into_bytes();
            let part = &text[..place.index(text.len() + 1)];
            let mut broken = Documents::new(Broken(part), "test".into());
            let mut whole = Documents::new(&text[..], "test".into());
            while let Ok(Some(before)) = broken.next_batch() {
                let whole = whole.next_batch().unwrap().unwrap();
                prop_assert_eq!(format!("{before:?}"), format!("{whole:?}"));
            }
        }
    }

    #[test]
    fn documents_are_cut_wherever_the_next_begins() {
        let text = br#"{"a":"}{"}{"b":{"c":"\\\""}}
  {"d":1}
"#;
        let expected: Vec<&[u8]> =
            vec![br#"{"a":"}{"}"#, br#"{"b":{"c":"\\\""}}"#, b"\n  {\"d\":1}"];
        assert_eq!(cut(text), expected);
        assert!(cut(b"").is_empty());
    }

    #[test]
    fn what_is_no_document_or_does_not_end_costs_no_other() {
        let text = b"garbage\n{\"a\":\"no end\n{\"b\":1}\ntail";
        let expected: Vec<&[u8]> =
            vec![b"garbage\n", b"{\"a\":\"no end\n", b"{\"b\":1}", b"\ntail"];
        assert_eq!(cut(text), expected);
    }

    #[test]
    fn a_document_larger_than_a_batch_is_one_payload() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(3 * BATCH_BYTES));
        let text = format!("{{}}{large}{{}}");
        let lengths: Vec<usize> = cut(text.as_bytes()).iter().map(Vec::len).collect();
        assert_eq!(lengths, [2, large.len(), 2]);
    }

    #[test]
    fn behind_a_torn_document_or_a_stray_bracket_the_next_is_found() {
        let text = br#"{"message":"a"}}{"message":"b"}{"message":"c"}"#;
        let expected: Vec<&[u8]> =
            vec![br#"{"message":"a"}"#, b"}", br#"{"message":"b"}"#, br#"{"message":"c"}"#];
        assert_eq!(cut(text), expected);
        // Torn within a string, without a line feed anywhere: more than may be held.
        let envelope = format!("{{\"messageType\":\"{}\"}}", "x".repeat(1000));
        let torn = "{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"12";
        let count = DOCUMENT_BYTES_MAX / envelope.len() + 10_000;
        let pieces = cut(format!("{torn}{}", envelope.repeat(count)).as_bytes());
        assert_eq!(pieces[0], torn.as_bytes());
        assert_eq!(pieces.len(), count + 1);
        assert!(pieces[1..].iter().all(|piece| *piece == envelope.as_bytes()));
    }

    #[test]
    fn a_document_without_an_end_is_handed_out_at_the_bound() {
        let text = "{".repeat(DOCUMENT_BYTES_MAX + 3 * BATCH_BYTES);
        let lengths: Vec<usize> = cut(text.as_bytes()).iter().map(Vec::len).collect();
        assert_eq!(lengths.iter().sum::<usize>(), text.len());
        assert!(lengths.iter().all(|length| *length <= DOCUMENT_BYTES_MAX + BATCH_BYTES));
    }

    proptest! {
        #[test]
        fn cuts_depend_on_the_bytes_alone_and_lose_none(
            text in "([{}\"\\\\\n a]{0,9}|\\{\"m\":\"[ab}{]{0,9}\"\\}){0,60}",
        ) {
            let text = text.into_bytes();
            let pieces = cut(&text);
            prop_assert!(text.starts_with(&pieces.concat()));
            prop_assert!(text[pieces.concat().len()..].trim_ascii().is_empty());
            // The same through a scan that sees one more byte at a time.
            let (mut scan, mut ends) = (Scan::default(), vec![0]);
            for length in 0..=text.len() {
                while let Some(end) = scan.end(&text[..length]) {
                    ends.push(end);
                    scan = Scan { place: end, ..Scan::default() };
                }
            }
            let seen: Vec<&[u8]> = ends.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            let whole = seen.len().min(pieces.len());
            prop_assert!(pieces.len() - whole <= 1, "only the tail has no end");
            prop_assert_eq!(&pieces[..whole], &seen[..]);
        }
    }
}
