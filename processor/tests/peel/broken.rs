//! Broken and unknown documents: refused alone, with the bytes that are to blame, and quickly.

use flowscout::decode::{Found, Limits, Peeler, Place, Reason, Refusal};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::seen::{Seen, base64, envelope, request};

#[test]
fn documents_of_no_known_shape_are_refused_one_by_one() {
    let unknown = [
        "{}",
        r#"{"a":{"message":"2 b"}}"#,
        r#"{"message":5}"#,
        r#"{"messageType":"OTHER","logEvents":[]}"#,
        r#"{"messageType":"DATA_MESSAGE"}"#,
        r#"{"messageType":"DATA_MESSAGE","logEvents":{}}"#,
        r#"{"Records":[{"s3":{}}]}"#,
        r#"{"records":"x"}"#,
        r#"{"awslogs":"x"}"#,
        r#"{"flowscout":"dead_letter"}"#,
    ];
    for document in unknown {
        for between in ["", "\n", ","] {
            let text = format!("{document}{between}{}{between}{document}", envelope(&["2 a"]));
            let seen = Seen::of(text.as_bytes());
            assert_eq!(seen.texts.len(), 1, "{text}");
            assert_eq!(seen.texts[0].text, "2 a");
            assert_eq!(seen.refusals(), [(Reason::UnknownJson, document); 2]);
        }
    }
}

#[test]
fn a_broken_document_does_not_lose_the_ones_behind_it() {
    let good = envelope(&["2 a"]);
    let closed = [
        r#"{"message":"2 b",}"#,
        r#"{"message":'2 b'}"#,
        r#"{"message" "2 b"}"#,
        r#"{"message":"2 \x b"}"#,
        "{\"message\":\"2\tb\"}",
        r#"{"message":01}"#,
        r#"{"message":tru}"#,
        r#"{"message":[}}"#,
    ];
    for broken in closed {
        for between in ["", "\n", " ,"] {
            let text = format!("{good}{between}{broken}{between}{good}\n");
            let seen = Seen::of(text.as_bytes());
            assert_eq!(seen.refusals(), [(Reason::BadJson, broken)], "{text}");
            assert_eq!(seen.texts.len(), 2, "{text}");
        }
    }
    for cut in 1..good.len() {
        for between in ["", "\n"] {
            let broken = &good[..cut];
            let text = format!("{good}\n{broken}{between}{good}");
            let seen = Seen::of(text.as_bytes());
            assert_eq!(seen.refusals(), [(Reason::BadJson, broken.trim_end())], "{text}");
            assert_eq!(seen.texts.len(), 2, "{text}");
        }
    }
}

/// What looks like the beginning of a document within a string is none, however much broke before it.
#[test]
fn broken_documents_do_not_spoil_the_ends_of_good_ones() {
    let broken = r#"{"message":"2 b"#;
    let good = "{\"message\": \"2 a }{\"}\n";
    for broken_documents in 1..10 {
        let text = format!("{broken}\n").repeat(broken_documents) + good;
        let seen = Seen::of(text.as_bytes());
        assert_eq!(seen.texts.len(), 1);
        assert_eq!(seen.texts[0].text, "2 a }{");
        assert_eq!(seen.refusals(), vec![(Reason::BadJson, broken); broken_documents]);
    }
}

#[test]
fn bytes_that_are_not_unicode_are_refused() {
    let text = b"{\"message\":\"2 \xff\"}\n{\"message\":\"2 a\"}";
    let seen = Seen::of(text);
    assert_eq!(seen.refused[0].bytes, text[..17]);
    assert_eq!((seen.refused[0].reason, seen.texts.len()), (Reason::BadJson, 1));
}

#[test]
fn one_bad_record_of_a_request_is_refused_alone() {
    for bad in ["2 a!", "QQ=", "Q", "Q===", "QUJD\\n", "QQ==QQ=="] {
        let body = request(&["2 a", "2 b"]).replace(&base64("2 a"), bad);
        let seen = Seen::of(body.as_bytes());
        assert_eq!(seen.placed(), [("record 1, part 2", "2 b")], "{bad}");
        assert_eq!(seen.refused[0].position, "record 1, part 1");
        assert_eq!(seen.refused[0].reason, Reason::BadBase64);
        assert_eq!(seen.refused[0].bytes, bad.replace("\\n", "\n").as_bytes());
    }
}

#[test]
fn a_document_beyond_the_limit_is_refused_and_the_next_is_not() {
    let limits = Limits { decompressed_bytes_max: 200, ..Limits::default() };
    let long = json!({"message": "2 a", "more": "x".repeat(200)}).to_string();
    let seen = Seen::under(limits, format!("{long}\n{{ \"message\":\"2 b\"}}").as_bytes());
    assert_eq!(seen.refusals(), [(Reason::TooLarge, long.as_str())]);
    assert_eq!(seen.texts[0].text, "2 b");
}

/// Each would take hours if any of its bytes were looked at for each document.
#[test]
fn hostile_documents_take_time_in_proportion_to_their_length() {
    const BYTES: usize = 4 << 20;
    for (unit, tail) in [
        ("{", ""),
        ("{\n", ""),
        ("\n{", ""),
        ("{}{", ""),
        ("{\"", ""),
        ("{\"}{", ""),
        ("{\"messageType\"", ""),
        ("\n{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"", ""),
        ("{\"message\":\"", ""),
        ("{\"records\":[", ""),
        ("{\"records\":[{\"data\":\"\"},", ""),
        ("{\"a\":\n", "1"),
        ("{}", ""),
        ("{} x\n", ""),
        ("   {   x\n", ""),
        ("{\"message\":\"2 a\"}x\n", ""),
        ("{]", ""),
        ("\u{feff}{", ""),
        ("\x1f\u{8b}", ""),
    ] {
        let text = unit.repeat(BYTES / unit.len()) + tail;
        let mut seen = Lengths::default();
        Peeler::new(Limits::default()).peel(text.as_bytes(), 1, &mut seen);
        assert!(seen.bytes <= text.len() as u64, "{unit}");
        assert!(seen.bytes > 0, "{unit}");
    }
}

#[derive(Default)]
struct Lengths {
    bytes: u64,
}

impl Found for Lengths {
    fn text(&mut self, _: &Place<'_>, text: &[u8]) {
        self.bytes += text.len() as u64;
    }

    fn refuse(&mut self, _: &Place<'_>, _: Refusal, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
    }

    fn control_message(&mut self) {}
}

/// As `serde_json` reads one document of CloudWatch Logs.
fn messages_of(document: &[u8]) -> Option<Vec<String>> {
    let value: Value = serde_json::from_slice(document).ok()?;
    let events = value["logEvents"].as_array()?;
    events.iter().map(|event| Some(event["message"].as_str()?.to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// `Seen::of` compares the fast paths with the full parser; the oracle compares both with `serde_json`.
    #[test]
    fn mutated_envelopes_are_read_alike_by_the_fast_path_the_full_parser_and_serde_json(
        messages in prop::collection::vec("[ -~é\"\\\\]{0,40}", 0..4),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0u8..3, prop::sample::select(&b" \"\\{}[],:x0-.\n\t\0\x7f\xc3"[..])), 0..3,
        ),
    ) {
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let mut text = envelope(&messages).into_bytes();
        for (place, kind, byte) in edits {
            let place = place.index(text.len());
            match kind {
                0 => text[place] = byte,
                1 => text.insert(place, byte),
                _ => { text.remove(place); }
            }
        }
        let seen = Seen::of(&text);
        let is_envelope = text.windows(28).any(|window| window == b"\"messageType\":\"DATA_MESSAGE\"");
        if let (true, Some(messages)) = (is_envelope, messages_of(&text)) {
            let plain = |text: &str| !text.trim().is_empty() && !text.contains('{');
            let found: Vec<&str> = seen.texts.iter().map(|text| text.text.as_str()).collect();
            let expected: Vec<&str> = messages.iter().map(String::as_str).filter(|text| plain(text)).collect();
            let found: Vec<&str> = found.into_iter().filter(|text| expected.contains(text)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn mutated_requests_are_read_alike_by_the_fast_path_and_the_full_parser(
        records in prop::collection::vec("[ -~]{0,40}", 0..4),
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), 0u8..3, prop::sample::select(&b" \"\\{}[],:x0-.=\n\0\xc3"[..])), 0..3,
        ),
    ) {
        let mut text = request(&records).into_bytes();
        for (place, kind, byte) in edits {
            let place = place.index(text.len());
            match kind {
                0 => text[place] = byte,
                1 => text.insert(place, byte),
                _ => { text.remove(place); }
            }
        }
        Seen::of(&text);
    }
}
