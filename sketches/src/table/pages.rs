//! Cache lines in pages of 64, each page with the era of its stamps.
//!
//! A page takes the loss of a new era when it is next looked at, so that no step has to visit them all, and none can be
//! forgotten. All memory is claimed at the beginning, lies on cache-line boundaries, and never grows.

use crate::distinct::entries::Line;
use crate::distinct::stamps::{Era, Stamp};

/// Lines of a page, of 4 KiB.
pub(super) const LINES: usize = 64;
/// Bytes of a page.
pub(super) const PAGE_BYTES: usize = LINES * size_of::<Line>();
const LINE_WORDS: usize = 16;

/// Pages by number; lines by number over all pages.
#[derive(Debug)]
pub(super) struct Pages {
    /// The lines begin after `skipped` words, on the boundary of a cache line.
    words: Vec<u32>,
    skipped: usize,
    eras: Vec<Era>,
}

impl Pages {
    /// Pages full of zeros.
    pub(super) fn new(pages: usize) -> Self {
        // The allocator aligns to 16 bytes; a line across two cache lines would cost two misses.
        let words = vec![0; (pages * LINES + 1) * LINE_WORDS];
        let skipped = words.as_ptr().align_offset(size_of::<Line>()).min(LINE_WORDS);
        Self { words, skipped, eras: vec![Era::default(); pages] }
    }

    /// Pages held.
    pub(super) const fn len(&self) -> usize {
        self.eras.len()
    }

    /// Bytes allocated.
    pub(super) const fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u32>() + self.eras.capacity() * size_of::<Era>()
    }

    /// All lines as they are, stamps of earlier eras included.
    pub(super) fn lines(&self) -> &[Line] {
        self.words[self.skipped..].as_chunks().0
    }

    /// All lines as they are, stamps of earlier eras included.
    pub(super) fn lines_mut(&mut self) -> &mut [Line] {
        self.words[self.skipped..].as_chunks_mut().0
    }

    /// What the stamps of the page of a line are behind those of `era`.
    pub(super) fn distance(&self, line: usize, era: Era) -> Stamp {
        self.eras[line / LINES].distance(era)
    }

    /// Notes that the stamps of the page of a line are of `era`, and gives the page's lines if they have to be `carry`-ed.
    pub(super) fn enter(&mut self, line: usize, era: Era) -> Option<(Stamp, &mut [Line])> {
        let page = line / LINES;
        let kept = &mut self.eras[page];
        if *kept == era {
            return None;
        }
        let distance = kept.distance(era);
        *kept = era;
        Some((distance, &mut self.lines_mut()[page * LINES..(page + 1) * LINES]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lie_on_cache_lines() {
        for pages in [1, 3, 100] {
            let pages = Pages::new(pages);
            assert_eq!(pages.lines().as_ptr().align_offset(64), 0);
            assert!(pages.lines().len() >= pages.len() * LINES);
        }
    }
}
