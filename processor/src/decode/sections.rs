//! Text cut where a header line changes how the lines behind it are to be read.
//!
//! Flow-log files in S3 begin with a header; files that were concatenated have one in the middle.

use std::sync::Arc;

use memchr::memchr;

use crate::flow::Layout;

/// Lines that stand in one layout.
#[derive(Debug)]
pub struct Section<'t> {
    /// What the header above them said; `None` before the first header.
    pub layout: Option<Arc<Layout>>,
    /// How many lines of the text stand before it.
    pub lines_before: u64,
    /// The lines, without the header.
    pub text: &'t [u8],
}

/// Cuts `text` at its header lines, each of which belongs to no section. Sections are not empty.
pub fn sections(text: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let mut rest = text;
    let mut layout = None;
    let mut line = 0;
    std::iter::from_fn(move || {
        while let Some(header) = header(rest) {
            layout = Some(Arc::new(header));
            rest = &rest[line_length(rest)..];
            line += 1;
        }
        if rest.is_empty() {
            return None;
        }
        let (length, lines) = before_header(rest);
        let (section, behind) = rest.split_at(length);
        let lines_before = line;
        rest = behind;
        line += lines;
        Some(Section { layout: layout.clone(), lines_before, text: section })
    })
}

/// The layout that the first line of `text` announces, if it is a header.
#[must_use]
pub fn header(text: &[u8]) -> Option<Layout> {
    if !text.first()?.is_ascii_lowercase() {
        return None;
    }
    Layout::from_header(text[..line_length(text)].trim_ascii_end())
}

/// Bytes and lines of `text` up to its next header line.
#[must_use]
pub fn before_header(text: &[u8]) -> (usize, u64) {
    let (mut length, mut lines) = (0, 0);
    while length < text.len() && header(&text[length..]).is_none() {
        length += line_length(&text[length..]);
        lines += 1;
    }
    (length, lines)
}

/// Bytes of the first line with its line feed.
#[must_use]
pub fn line_length(text: &[u8]) -> usize {
    memchr(b'\n', text).map_or(text.len(), |place| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_each_header_and_lines_are_counted_through() {
        let text = b"1 2 3\nsrcaddr dstaddr end\n4 5 6\n7 8 9\nend srcaddr\nstart end\n1 2";
        let seen: Vec<_> = sections(text)
            .map(|section| {
                let columns = section.layout.map_or(0, |layout| layout.columns().len());
                (columns, section.lines_before, section.text)
            })
            .collect();
        let expected = [(0, 0, &b"1 2 3\n"[..]), (3, 2, b"4 5 6\n7 8 9\n"), (2, 6, b"1 2")];
        assert_eq!(seen, expected);
        assert_eq!(sections(b"").count() + sections(b"srcaddr end\n").count(), 0);
    }
}
