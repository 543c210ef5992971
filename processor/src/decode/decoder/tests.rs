use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::batch::BatchId;
use crate::decode::{Splitter, parse_line};

/// Notes which line it took, and under how many columns.
#[derive(Default)]
struct Notes {
    splitter: Splitter,
    taken: Vec<(Vec<u8>, usize)>,
}

impl Reader for Notes {
    fn line(
        &mut self,
        line: &[u8],
        layout: &Layout,
        oddities: &mut Oddities,
    ) -> Result<(), Refusal> {
        parse_line(line, layout, &mut self.splitter, oddities)?;
        self.taken.push((line.to_vec(), layout.columns().len()));
        Ok(())
    }

    fn rows(
        &mut self,
        _group: &RowGroup,
        _oddities: &mut Oddities,
        _refused: &mut impl FnMut(u64, Refusal),
    ) -> (u64, Result<(), Refusal>) {
        unreachable!("no test has rows")
    }

    fn row_texts(
        &mut self,
        _group: &RowGroup,
        _numbers: &[u64],
        _each: &mut impl FnMut(u64, &[u8]),
    ) {
    }
}

fn lines(text: &str, layout: Option<Arc<Layout>>) -> Batch {
    let id = BatchId::at("test".into(), 0);
    let lines = Lines { first_line: 1, bytes: text.as_bytes().to_vec(), layout };
    Batch { id, content: Content::Lines(lines) }
}

fn payloads(texts: &[&str]) -> Batch {
    let id = BatchId::at("test".into(), 0);
    let payloads = texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
    Batch { id, content: Content::Payloads { first_record: 1, payloads } }
}

fn formats(texts: &[&str]) -> Arc<Formats> {
    let format = Format::new("test", texts.iter().copied()).unwrap();
    Arc::new(Formats::of_source(format))
}

fn decode(decoder: &mut Decoder, batch: &Batch) -> (Vec<(Vec<u8>, usize)>, Decoded) {
    let mut notes = Notes::default();
    let decoded = decoder.decode(batch, &mut notes);
    (notes.taken, decoded)
}

fn examples(decoded: &Decoded) -> Vec<String> {
    decoded.refusals.iter().map(|(_, _, example)| example.unwrap().to_string()).collect()
}

const THREE: &str = "${srcaddr} ${dstaddr} ${end}";
const FOUR: &str = "${end} ${srcaddr} ${dstaddr} ${packets}";

#[test]
fn a_header_line_within_a_payload_holds_for_what_follows_and_for_nothing_else() {
    let mut decoder = Decoder::new(formats(&[THREE]), Limits::default());
    let batch = payloads(&[
        "10.0.0.1 10.0.0.2 5\nend srcaddr dstaddr\n5 10.0.0.1 10.0.0.2\n10.0.0.1 10.0.0.2 5\n",
        "10.0.0.1 10.0.0.2 6",
    ]);
    let (taken, decoded) = decode(&mut decoder, &batch);
    let taken: Vec<&[u8]> = taken.iter().map(|(line, _)| &line[..]).collect();
    assert_eq!(
        taken,
        [&b"10.0.0.1 10.0.0.2 5"[..], b"5 10.0.0.1 10.0.0.2", b"10.0.0.1 10.0.0.2 6"]
    );
    let expected = "test:record 1, line 4: bad_number in end: 10.0.0.1 10.0.0.2 5";
    assert_eq!(examples(&decoded), [expected]);
    let letter = &decoded.letters.kept()[0];
    assert_eq!(letter.layout.as_ref().unwrap().format_string(), "${end} ${srcaddr} ${dstaddr}");
}

#[test]
fn a_line_is_refused_for_what_is_wrong_with_it_under_the_format_of_its_length() {
    let mut decoder = Decoder::new(formats(&[THREE, FOUR]), Limits::default());
    let text = "10.0.0.1 x 5\n5 10.0.0.1 10.0.0.2 many\n1 2\n";
    let (taken, decoded) = decode(&mut decoder, &lines(text, None));
    assert!(taken.is_empty());
    let mut reasons = examples(&decoded);
    reasons.sort();
    let expected = [
        "test:1: bad_address in dstaddr: 10.0.0.1 x 5",
        "test:2: bad_number in packets: 5 10.0.0.1 10.0.0.2 many",
        "test:3: field_count: 1 2",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn lines_under_a_header_try_no_other_format() {
    let layout = Arc::new(Layout::from_format(FOUR).unwrap());
    let mut decoder = Decoder::new(formats(&[THREE]), Limits::default());
    let (taken, decoded) = decode(&mut decoder, &lines("10.0.0.1 10.0.0.2 5\n", Some(layout)));
    assert!(taken.is_empty());
    assert_eq!(examples(&decoded), ["test:1: field_count: 10.0.0.1 10.0.0.2 5"]);
}

proptest! {
    #[test]
    fn what_stood_before_a_line_does_not_change_how_it_is_read(
        kinds in prop::collection::vec(0..5usize, 1..40),
        is_ambiguous: bool,
    ) {
        let texts = [
            "10.0.0.1 10.0.0.2 5",
            "5 10.0.0.1 10.0.0.2 7",
            "10.0.0.3 10.0.0.4  9",
            "10.0.0.3",
            "6 10.0.0.3 10.0.0.4",
        ];
        let mut names = vec![THREE, FOUR];
        if is_ambiguous {
            names.push("${end} ${srcaddr} ${dstaddr}");
            names.push("${packets} ${srcaddr} ${dstaddr} ${end}");
        }
        let formats = formats(&names);
        let chosen: Vec<&str> = kinds.iter().map(|kind| texts[*kind]).collect();
        let mut whole = Decoder::new(Arc::clone(&formats), Limits::default());
        let (together, decoded) = decode(&mut whole, &payloads(&chosen));
        let mut apart = Vec::new();
        let mut refused = 0;
        for text in &chosen {
            let mut fresh = Decoder::new(Arc::clone(&formats), Limits::default());
            let (taken, decoded) = decode(&mut fresh, &payloads(&[text]));
            apart.extend(taken);
            refused += decoded.refusals.total();
        }
        prop_assert_eq!(together, apart);
        prop_assert_eq!(decoded.refusals.total(), refused);
    }
}

#[test]
fn a_record_that_was_extracted_from_a_message_is_counted_once() {
    let event = |message: &str| {
        let fields = r#"{"srcaddr":"10.0.0.1","dstaddr":"10.0.0.2","end":"5"}"#;
        format!(r#"{{"id":"1","message":"{message}","extractedFields":{fields}}}"#)
    };
    let mut decoder = Decoder::new(formats(&[FOUR]), Limits::default());
    let mut taken = |message: &str| decode(&mut decoder, &payloads(&[&event(message)])).0.len();
    assert_eq!(taken("hello"), 1);
    assert_eq!(taken("5 10.0.0.1 10.0.0.2 7"), 1);
    assert_eq!(taken("5 10.0.0.1 10.0.0.2 7\\nhello"), 1);
    assert_eq!(taken("hello\\nhello"), 0, "which of the two it is nobody knows");
    let data = base64_turbo::STANDARD.encode("hello\nhello");
    assert_eq!(taken(&format!(r#"{{\"records\":[{{\"data\":\"{data}\"}}]}}"#)), 0);
}

#[test]
fn an_event_that_is_none_costs_no_other() {
    let text = r#"{"messageType":"DATA_MESSAGE","logGroup":"g","logEvents":[
        {"message":"10.0.0.1 10.0.0.2 5"},{"message":null},7,{"message":"10.0.0.1 10.0.0.2 6"}]}"#;
    let mut decoder = Decoder::new(formats(&[THREE]), Limits::default());
    let (taken, decoded) = decode(&mut decoder, &payloads(&[text]));
    assert_eq!((taken.len(), decoded.refusals.total()), (2, 2));
    assert_eq!(examples(&decoded), ["test:record 1, event 2: unknown_json: "]);
}

#[test]
fn lines_behind_a_document_are_numbered_from_where_they_stand() {
    let mut decoder = Decoder::new(formats(&[THREE]), Limits::default());
    let text = "{\"message\":\"10.0.0.1 10.0.0.2 5\"}\nbad\n10.0.0.1 10.0.0.2 6\nworse one\n";
    let (taken, decoded) = decode(&mut decoder, &payloads(&[text]));
    assert_eq!(taken.len(), 2);
    let letters = decoded.letters.kept().iter().map(|letter| letter.position.to_string());
    assert_eq!(letters.collect::<Vec<_>>(), ["record 1, line 2", "record 1, line 4"]);
}

#[test]
fn a_long_text_is_numbered_through_all_of_its_stretches() {
    let mut decoder = Decoder::new(formats(&[THREE]), Limits::default());
    let good = "10.0.0.1 10.0.0.2 5\n".repeat(3 * STRETCH_BYTES / 20);
    let lines = good.lines().count() as u64;
    let text = format!("first\n{good}last\n");
    let (taken, decoded) = decode(&mut decoder, &payloads(&[&text]));
    assert_eq!(taken.len() as u64, lines);
    let positions: Vec<u64> =
        decoded.letters.kept().iter().map(|letter| letter.position.line).collect();
    assert_eq!(positions, [1, lines + 2]);
}

#[test]
fn the_format_that_another_batch_had_changes_nothing() {
    let formats = formats(&[THREE, FOUR]);
    let mixed = "10.0.0.1 10.0.0.2 5\n5 10.0.0.1 10.0.0.2 7\n10.0.0.1 10.0.0.2 6\n";
    let mut used = Decoder::new(Arc::clone(&formats), Limits::default());
    decode(&mut used, &lines("5 10.0.0.1 10.0.0.2 7\n", None));
    let mut fresh = Decoder::new(formats, Limits::default());
    assert_eq!(decode(&mut used, &lines(mixed, None)).0, decode(&mut fresh, &lines(mixed, None)).0);
}
