//! What the peeler allocates, and what it keeps.

use std::iter::repeat_n;

use allocation_counter::measure;
use flowscout::decode::{Found, Limits, Peeler, Place, Reason, Refusal};

use super::aggregates::aggregate;
use super::seen::{base64, envelope, gzip, request};

/// Counts without keeping.
#[derive(Default)]
struct Counts {
    texts: u64,
    refused: u64,
    last: Option<Reason>,
}

impl Found for Counts {
    fn text(&mut self, _: &Place<'_>, _: &[u8]) {
        self.texts += 1;
    }

    fn refuse(&mut self, _: &Place<'_>, refusal: Refusal, _: &[u8]) {
        self.refused += 1;
        self.last = Some(refusal.reason);
    }

    fn control_message(&mut self) {}
}

fn lines(count: usize) -> Vec<String> {
    (0..count)
        .map(|line| format!("2 1 eni-1 10.0.0.1 10.0.0.2 443 {line} 6 1 40 1 2 ACCEPT OK"))
        .collect()
}

#[test]
fn the_second_payload_of_a_shape_allocates_nothing() {
    let lines = lines(300);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let plain = envelope(&lines);
    let extracted = plain.replace(
        "\"message\"",
        "\"extractedFields\":{\"srcaddr\":\"10.0.0.1\",\"dstaddr\":\"10.0.0.2\"},\"message\"",
    );
    let member = gzip(plain.as_bytes());
    let vended: Vec<String> =
        lines.iter().map(|line| format!("{{\"message\":\"{line}\"}}\n")).collect();
    let api = serde_json::json!({"Records": [{"Data": base64(&member)}, {"Data": base64("2 a")}]});
    let payloads: [Vec<u8>; 10] = [
        plain.clone().into(),
        extracted.clone().into(),
        member.clone(),
        [&member[..], &member[..]].concat(),
        [&member[..], &[0; 9]].concat(),
        gzip(&gzip(extracted.as_bytes())),
        request(&vended).into(),
        request(&repeat_n(&member, 10).collect::<Vec<_>>()).into(),
        aggregate(&vended),
        api.to_string().into(),
    ];
    for (number, payload) in payloads.iter().enumerate() {
        for mut peeler in
            [Peeler::new(Limits::default()), Peeler::without_fast_paths(Limits::default())]
        {
            let mut counts = Counts::default();
            peeler.peel(payload, 1, &mut counts);
            let texts = counts.texts;
            let allocations = measure(|| peeler.peel(payload, 2, &mut counts));
            assert!(texts > 200, "{number}");
            assert_eq!((counts.texts, counts.refused), (2 * texts, 0), "{number}");
            assert_eq!(allocations.count_total, 0, "payload {number}: {allocations:?}");
        }
    }
}

#[test]
fn a_bomb_is_refused_at_its_limit() {
    let limits = Limits { decompressed_bytes_max: 1 << 20, ..Limits::default() };
    let bomb = gzip(&gzip(&vec![0; 256 << 20]));
    let mut peeler = Peeler::new(limits);
    for payload in [bomb.clone(), request(&repeat_n(bomb, 20).collect::<Vec<_>>()).into()] {
        let mut counts = Counts::default();
        let allocations = measure(|| peeler.peel(&payload, 1, &mut counts));
        assert_eq!((counts.texts, counts.last), (0, Some(Reason::TooLarge)));
        assert!(allocations.bytes_max < 4 << 20, "{allocations:?}");
        assert!(peeler.held_bytes() < 4 << 20, "{}", peeler.held_bytes());
    }
}

#[test]
fn memory_of_a_large_payload_is_given_back() {
    let lines = lines(60_000);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let large = envelope(&lines).replace("\"logGroup\"", " \"logGroup\"");
    let member = gzip(large.as_bytes());
    let mut peeler = Peeler::new(Limits::default());
    let mut counts = Counts::default();
    peeler.peel(&member, 1, &mut counts);
    assert_eq!(counts.texts, 60_000);
    assert!(peeler.held_bytes() > 3 * large.len(), "{}", peeler.held_bytes());
    assert!(peeler.held_bytes() < 7 * large.len(), "{}", peeler.held_bytes());
    for _ in 0..8 {
        peeler.peel(b"2 a", 1, &mut counts);
    }
    assert!(peeler.held_bytes() < 1 << 20, "{}", peeler.held_bytes());
}

#[test]
fn one_document_needs_at_most_what_is_stated() {
    let limits = Limits { decompressed_bytes_max: 8 << 20, ..Limits::default() };
    let densest = |bytes: usize| format!("{{\"a\":[{}1]}}", "1,".repeat(bytes / 2 - 5));
    let sparse =
        |bytes: usize| format!("{{\"a\":[{}1]}}", "1000000000000000000,".repeat(bytes / 20 - 1));
    let mib = 1 << 20;
    for (document, bound) in [
        (densest(1 << 20), 40 * mib),
        (densest(8 << 20), 9 * 8 * mib),
        (sparse(8 << 20), 9 * 8 * mib),
    ] {
        let mut peeler = Peeler::new(limits);
        let mut counts = Counts::default();
        let allocations = measure(|| peeler.peel(document.as_bytes(), 1, &mut counts));
        assert_eq!(counts.refused, 1);
        assert!(allocations.bytes_max < bound, "{allocations:?}");
    }
}

#[test]
fn payloads_that_fill_one_level_after_the_other_do_not_add_up() {
    const LIMIT: usize = 12 << 20;
    let limits = Limits { decompressed_bytes_max: LIMIT, ..Limits::default() };
    let mut peeler = Peeler::new(limits);
    let mut payload = b"2 a\n".repeat((LIMIT - (1 << 20)) / 4);
    for level in 1..=8 {
        payload = gzip(&payload);
        let mut counts = Counts::default();
        peeler.peel(&payload, 1, &mut counts);
        assert_eq!((counts.texts, counts.refused), (1, 0), "{level}");
        assert!(peeler.held_bytes() <= LIMIT, "{level}: {}", peeler.held_bytes());
    }
}
