//! Any bytes, read by the fast paths, by the full parser alone, and as far as it is one document by `serde_json`.

use flowscout::decode::{Found, Limits, Peeler, Place, Position, Reason, Refusal};
use serde_json::Value;

/// The fast paths must find what the full parser finds, and the full parser must know what JSON is.
pub(crate) fn check(input: &[u8]) {
    let limits = Limits { decompressed_bytes_max: 1 << 20, ..Limits::default() };
    let [fast, full] = [Peeler::new(limits), Peeler::without_fast_paths(limits)].map(|peeler| {
        let mut peeler = peeler;
        let mut log = Log::default();
        peeler.peel(input, 1, &mut log);
        log
    });
    assert_eq!(fast, full);
    let trimmed = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input).trim_ascii();
    if trimmed.starts_with(b"{") && serde_json::from_slice::<Value>(trimmed).is_ok() {
        let depth = trimmed.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
        let is_refused = full
            .refused
            .iter()
            .any(|(_, reason, bytes)| *reason == Reason::BadJson && bytes == trimmed);
        assert!(!is_refused || depth > 60, "it is JSON");
    }
}

/// All that was found, in order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    texts: Vec<(Position, String, Vec<u8>)>,
    extracted: Vec<(Vec<u8>, Vec<u8>)>,
    refused: Vec<(Position, Reason, Vec<u8>)>,
    control_messages: usize,
}

impl Found for Log {
    fn text(&mut self, place: &Place<'_>, text: &[u8]) {
        self.texts.push((place.position, place.log_group.to_owned(), text.to_vec()));
        let lines = place.extracted.map(|lines| (lines.header.to_vec(), lines.line.to_vec()));
        self.extracted.extend(lines);
    }

    fn refuse(&mut self, place: &Place<'_>, refusal: Refusal, bytes: &[u8]) {
        self.refused.push((place.position, refusal.reason, bytes.to_vec()));
    }

    fn control_message(&mut self) {
        self.control_messages += 1;
    }
}
