//! Cuts a stream of text into batches at line ends, and notices header lines.
//!
//! The cuts depend on the bytes alone, not on how they arrive, so reading a file again makes the same batches. A header
//! line ends a batch: what follows it may stand in another layout.

use std::io::{self, Read};
use std::sync::Arc;

use memchr::{memchr, memrchr};

use super::is_to_be_read_again;
use crate::batch::{Batch, BatchId, Content, Lines};
use crate::decode::LINE_BYTES_MAX;
use crate::decode::sections::{before_header, header, line_length};
use crate::flow::Layout;

/// Batches are about this large: big enough that a batch's rows repay their table, small enough for a core's cache.
pub const BATCH_BYTES: usize = 512 * 1024;

/// One stream of lines.
#[derive(Debug)]
pub struct Cutter<R> {
    reader: R,
    source: Arc<str>,
    /// What the last header line said.
    layout: Option<Arc<Layout>>,
    /// Bytes read but not handed out; begins at a line start.
    rest: Vec<u8>,
    is_at_end: bool,
    /// The reader failed; reported once all whole lines before are handed out.
    failure: Option<io::Error>,
    offset_bytes: u64,
    line: u64,
}

/// What some editors put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<R: Read> Cutter<R> {
    /// Cuts what `reader` gives.
    pub const fn new(reader: R, source: Arc<str>) -> Self {
        Self {
            reader,
            source,
            layout: None,
            rest: Vec::new(),
            is_at_end: false,
            failure: None,
            offset_bytes: 0,
            line: 1,
        }
    }

    /// The number of the first line that was not handed out yet.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// The next batch, or `None` at the end.
    ///
    /// # Errors
    /// When the reader failed. All whole lines read before have been handed out by then, or of an object that may be read again all
    /// whole batches; nothing follows.
    pub fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        loop {
            if let Err(failure) = self.fill() {
                if is_to_be_read_again(&failure) {
                    self.rest.clear();
                }
                self.failure = Some(failure);
                self.is_at_end = true;
            }
            let is_whole = self.is_at_end && self.failure.is_none();
            let end = match memrchr(b'\n', &self.rest) {
                _ if is_whole => self.rest.len(),
                Some(place) => place + 1,
                None if self.is_at_end => 0,
                None => {
                    self.shorten_line()?;
                    continue;
                }
            };
            if end == 0 {
                return self.failure.take().map_or(Ok(None), Err);
            }
            if let Some(batch) = self.take(end) {
                return Ok(Some(batch));
            }
        }
    }

    /// Reads until a batch is full or the stream ends.
    fn fill(&mut self) -> io::Result<()> {
        if self.is_at_end {
            return Ok(());
        }
        let wanted = BATCH_BYTES.saturating_sub(self.rest.len());
        let limit = u64::try_from(wanted).unwrap_or(u64::MAX);
        self.rest.reserve_exact(wanted);
        let read = (&mut self.reader).take(limit).read_to_end(&mut self.rest)?;
        if read < wanted {
            self.is_at_end = true;
        }
        if self.offset_bytes == 0 && self.rest.starts_with(BYTE_ORDER_MARK) {
            self.rest.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Cuts the batch that ends at `end`, or earlier at a header line; `None` when there were only header lines.
    fn take(&mut self, end: usize) -> Option<Batch> {
        let mut start = 0;
        while let Some(layout) = header(&self.rest[start..end]) {
            self.layout = Some(Arc::new(layout));
            start += line_length(&self.rest[start..end]);
            self.line += 1;
        }
        let (length, lines) = before_header(&self.rest[start..end]);
        let rest = self.rest.split_off(start + length);
        let mut bytes = std::mem::replace(&mut self.rest, rest);
        let offset_bytes = self.offset_bytes + as_u64(start);
        self.offset_bytes += as_u64(bytes.len());
        if length == 0 {
            return None;
        }
        bytes.drain(..start);
        let first_line = self.line;
        self.line += lines;
        let id = BatchId::at(Arc::clone(&self.source), offset_bytes);
        let lines = Lines { first_line, bytes, layout: self.layout.clone() };
        Some(Batch { id, content: Content::Lines(lines) })
    }

    /// Shortens a line that fills the buffer to just over what a line may be, so that the decoder refuses it, and skips to
    /// its end.
    fn shorten_line(&mut self) -> io::Result<()> {
        let skipped = self.rest.len() - (LINE_BYTES_MAX + 1);
        self.rest.truncate(LINE_BYTES_MAX + 1);
        self.offset_bytes += as_u64(skipped);
        let mut chunk = vec![0; BATCH_BYTES];
        loop {
            let read = match self.reader.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            if read == 0 {
                self.is_at_end = true;
                return Ok(());
            }
            match memchr(b'\n', &chunk[..read]) {
                Some(place) => {
                    self.offset_bytes += as_u64(place);
                    self.rest.extend_from_slice(&chunk[place..read]);
                    return Ok(());
                }
                None => self.offset_bytes += as_u64(read),
            }
        }
    }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::Extent;
    use crate::source::object::ObjectError;

    fn cut(text: &[u8]) -> Vec<Batch> {
        let mut cutter = Cutter::new(text, "test".into());
        std::iter::from_fn(|| cutter.next_batch().unwrap()).collect()
    }

    fn lines(batch: &Batch) -> &Lines {
        let Content::Lines(lines) = &batch.content else { panic!("{batch:?}") };
        lines
    }

    fn joined(batches: &[Batch]) -> Vec<u8> {
        batches.iter().flat_map(|batch| lines(batch).bytes.clone()).collect()
    }

    #[test]
    fn a_header_in_mid_file_changes_the_layout_of_what_follows() {
        let batches = cut(b"srcaddr dstaddr end\n1 2 3\nend srcaddr\n4 5\n\n6 7");
        let seen: Vec<_> = batches
            .iter()
            .map(lines)
            .map(|lines| {
                let columns = lines.layout.as_ref().map(|layout| layout.columns().len());
                (lines.first_line, &lines.bytes[..], columns)
            })
            .collect();
        assert_eq!(seen, [(2, &b"1 2 3\n"[..], Some(3)), (4, b"4 5\n\n6 7", Some(2))]);
        assert_eq!(batches[1].id.extent, Extent::Offset(38));
    }

    #[test]
    fn a_line_larger_than_a_batch_is_shortened_and_the_next_line_survives() {
        let mut text = vec![b'x'; 3 * BATCH_BYTES];
        text.extend_from_slice(b"\nnext\n");
        let batches = cut(&text);
        let bytes = joined(&batches);
        assert_eq!(bytes.len(), LINE_BYTES_MAX + 1 + "\nnext\n".len());
        assert!(bytes.ends_with(b"\nnext\n"));
    }

    #[test]
    fn an_empty_stream_and_one_of_headers_alone_give_no_batch() {
        assert!(cut(b"").is_empty());
        assert!(cut(b"version srcaddr\n").is_empty());
        assert!(cut(b"\xef\xbb\xbfversion srcaddr").is_empty());
    }

    /// Gives at most `step` bytes a read.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(length);
            buffer[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    /// Gives what it has, and breaks off as a connection to S3 does.
    pub(in crate::source) struct Broken<'t>(pub(in crate::source) &'t [u8]);

    impl Read for Broken<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(ObjectError::Ended.into()),
                length => Ok(length),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_came_before_a_break_is_cut_as_a_whole_reading_cuts_it(
            rows in prop::collection::vec("[0-9. ]{0,3000}", 0..900),
            place: prop::sample::Index,
        ) {
            let text = rows.join("\n").into_bytes();
            let mut broken = Cutter::new(Broken(&text[..place.index(text.len() + 1)]), "test".into());
            let before: Vec<_> = std::iter::from_fn(|| broken.next_batch().ok().flatten()).collect();
            let whole = cut(&text);
            prop_assert!(before.len() <= whole.len());
            for (before, whole) in before.iter().zip(&whole) {
                prop_assert_eq!((&before.id, &lines(before).bytes), (&whole.id, &lines(whole).bytes));
            }
        }

        #[test]
        fn cuts_depend_on_the_bytes_alone_and_lose_none(
            rows in prop::collection::vec("[0-9. ]{0,3000}", 0..600),
            step in 1000usize..200_000,
        ) {
            let text = rows.join("\n").into_bytes();
            let mut slow = Cutter::new(Slow(&text, step), "test".into());
            let slow: Vec<_> = std::iter::from_fn(|| slow.next_batch().unwrap()).collect();
            let fast = cut(&text);
            prop_assert_eq!(fast.len(), slow.len());
            let mut offset = 0;
            for (fast, slow) in fast.iter().zip(&slow) {
                prop_assert_eq!(&lines(fast).bytes, &lines(slow).bytes);
                prop_assert_eq!(&fast.id.extent, &Extent::Offset(offset));
                offset += as_u64(lines(fast).bytes.len());
            }
            prop_assert_eq!(joined(&fast), text);
        }
    }
}
