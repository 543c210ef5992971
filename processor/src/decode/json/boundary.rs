//! Where documents that stand back to back, or among lines, begin and end.

use memchr::{memchr_iter, memchr3};

/// Length of the document that `bytes` begin with, by its brackets and strings alone; or how many bytes show that there is
/// none.
pub(super) fn document_bytes(bytes: &[u8]) -> Result<usize, usize> {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(at);
                }
            }
            b'"' => at = string_end(bytes, at)?,
            _ => {}
        }
    }
    Err(bytes.len())
}

/// Where the string ends that begins, behind its opening quote, at `start`. A line cannot end within a string: a torn
/// document does not run on into the next line.
fn string_end(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start;
    loop {
        let rest = bytes.get(at..).ok_or(bytes.len())?;
        let place = at + memchr3(b'"', b'\\', b'\n', rest).ok_or(bytes.len())?;
        match bytes[place] {
            b'"' => return Ok(place + 1),
            b'\n' => return Err(place),
            _ => at = place + 2,
        }
    }
}

/// Where, behind the broken document at the beginning of `bytes`, another one may begin: at a line that begins with a
/// bracket, right behind a closing bracket, or with the first key of a CloudWatch Logs envelope.
pub(super) fn next_document(bytes: &[u8]) -> Option<usize> {
    let is_start = |&place: &usize| {
        place > 0
            && (matches!(bytes[place - 1], b'\n' | b'}')
                || bytes[place..].starts_with(b"{\"messageType\""))
    };
    memchr_iter(b'{', bytes).find(is_start)
}

/// The first bracket at or behind `from` before which there is nothing but blanks on its line: where that line begins, and
/// the bracket. `from` counts as the beginning of a line.
pub(in crate::decode) fn document_on_a_line(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(from..)?;
    memchr_iter(b'{', rest).find_map(|bracket| {
        let before = rest[..bracket].iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
        let begins_line = before.is_none_or(|place| matches!(rest[place], b'\n' | b'\r'));
        begins_line.then(|| (from + before.map_or(0, |place| place + 1), from + bracket))
    })
}

/// Brackets, commas and colons, in strings too: there are no more keys and values than these and one.
pub(super) fn structure_count(bytes: &[u8]) -> usize {
    // Brackets of both kinds differ by one bit from each other, and sums of so few bytes fit in a byte.
    let is_structural =
        |byte: &u8| matches!(byte, b',' | b':') | matches!(byte | 0x20, b'{' | b'}');
    let count = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(is_structural(byte))).sum::<u8>();
    bytes.chunks(255).map(|chunk| usize::from(count(chunk))).sum()
}

/// White space and commas, which may stand between documents.
pub(in crate::decode) fn separator_bytes(bytes: &[u8]) -> usize {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',');
    bytes.iter().take_while(|&byte| is_separator(byte)).count()
}

/// The number of line feeds.
pub(in crate::decode) fn line_feeds(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::samples::documents;
    use super::*;

    #[test]
    fn a_document_ends_at_its_last_bracket_whatever_its_strings_hold() {
        for document in [r#"{}"#, r#"{"a":"}"}"#, r#"{"a\"}":[{}]}"#, r#"{"\\":"\\\""}"#] {
            let text = format!("{document}}}{{\"");
            assert_eq!(document_bytes(text.as_bytes()), Ok(document.len()), "{document}");
            let torn = &document.as_bytes()[..document.len() - 1];
            assert_eq!(document_bytes(torn), Err(torn.len()), "{document}");
        }
    }

    #[test]
    fn a_torn_string_ends_with_its_line() {
        assert_eq!(document_bytes(b"{\"a\n\":1}"), Err(3));
        assert_eq!(document_bytes(b"{\"a\\\n\":\n1}"), Ok(10));
    }

    #[test]
    fn another_document_may_begin_at_a_line_a_bracket_or_an_envelope() {
        let cases = [("{\"a\n{", 4), ("{\"a}{", 4), ("{ {\"messageType\"", 2), ("{\n{}{", 2)];
        for (text, place) in cases {
            assert_eq!(next_document(text.as_bytes()), Some(place), "{text}");
        }
        assert_eq!(next_document(b"{\"messageType\" { \n {"), None);
    }

    #[test]
    fn structures_are_counted_whatever_stands_between_them() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(structure_count(&all), 6);
        assert_eq!(structure_count(&b"[:,]{}x".repeat(1000)), 6000);
    }

    #[test]
    fn a_document_begins_a_line_or_is_none() {
        let cases = [("  {", Some((0, 2))), ("a {\n\t{", Some((4, 5))), ("a{b{", None), ("", None)];
        for (text, places) in cases {
            assert_eq!(document_on_a_line(text.as_bytes(), 0), places, "{text}");
        }
        assert_eq!(document_on_a_line(b"a{", 1), Some((1, 1)));
    }

    proptest! {
        #[test]
        fn documents_end_where_they_were_written_to_end(
            value in prop::collection::btree_map("[a-z]{0,3}", documents(), 0..4),
            rest in "[ -~]{0,10}",
        ) {
            let document = Value::from_iter(value).to_string();
            let text = document.clone() + &rest;
            prop_assert_eq!(document_bytes(text.as_bytes()), Ok(document.len()));
        }
    }
}
