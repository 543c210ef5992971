//! The lines of a batch, one after the other.

use memchr::memchr;

/// The lines of `text` that are not empty, without their line ends (`\n` or `\r\n`), each with its number; the first line
/// is number `first_line`.
pub fn lines(text: &[u8], first_line: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = text;
    let mut number = first_line;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            number += 1;
            if !line.is_empty() {
                return Some((number - 1, line));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_ends_of_both_kinds_are_cut_off_and_empty_lines_counted() {
        let seen: Vec<_> = lines(b"one\r\n\n\r\ntwo\nthree", 7).collect();
        assert_eq!(seen, [(7, &b"one"[..]), (10, b"two"), (11, b"three")]);
    }

    proptest! {
        #[test]
        fn agrees_with_splitting_at_line_feeds(text in "[ab\r\n]{0,40}") {
            let expected: Vec<(u64, &str)> = (1..)
                .zip(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)))
                .filter(|(_, line)| !line.is_empty())
                .collect();
            let seen: Vec<(u64, &str)> = lines(text.as_bytes(), 1)
                .map(|(number, line)| (number, std::str::from_utf8(line).unwrap()))
                .collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
