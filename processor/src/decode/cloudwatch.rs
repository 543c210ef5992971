//! What a subscription filter of CloudWatch Logs delivers: an envelope around the log events of one stream.
//!
//! Rules: CloudWatch Logs User Guide, "Subscriptions". Keys stand in any order and there may be others; health probes
//! lack what others have.

use std::ops::Range;

use super::extraction::Extraction;
use super::json::exact::Cursor;
use super::json::tree::Tree;
use super::peel::{Found, Layer, Walk, content};
use super::place::Place;
use super::refusal::Reason;

/// Who sends health probes.
const PROBE_OWNER: &str = "CloudwatchLogs";

/// An envelope in the one spelling that the service uses, without extracted fields.
#[derive(Debug)]
pub(super) struct Delivery {
    log_group: Range<usize>,
    /// Its length.
    pub(super) end: usize,
}

impl Delivery {
    /// `None` at the first byte that is spelt otherwise. The messages are added to `messages`.
    pub(super) fn read(bytes: &[u8], messages: &mut Vec<Range<usize>>) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        cursor.literal(b"{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"")?;
        let owner = cursor.plain_string()?;
        if bytes[owner] == *PROBE_OWNER.as_bytes() {
            return None;
        }
        cursor.literal(b",\"logGroup\":\"")?;
        let log_group = cursor.plain_string()?;
        cursor.literal(b",\"logStream\":\"")?;
        cursor.plain_string()?;
        cursor.literal(b",\"subscriptionFilters\":[\"")?;
        cursor.plain_string()?;
        while cursor.byte()? == b',' {
            cursor.literal(b"\"")?;
            cursor.plain_string()?;
        }
        // The loop has passed one byte, which must have been the bracket.
        if bytes[cursor.passed() - 1] != b']' {
            return None;
        }
        cursor.literal(b",\"logEvents\":[")?;
        loop {
            cursor.literal(b"{\"id\":\"")?;
            cursor.plain_string()?;
            cursor.literal(b",\"timestamp\":")?;
            cursor.number()?;
            cursor.literal(b",\"message\":\"")?;
            messages.push(cursor.plain_string()?);
            cursor.literal(b"}")?;
            match cursor.byte()? {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        cursor.literal(b"}")?;
        Some(Self { log_group, end: cursor.passed() })
    }
}

/// Peels the messages of an envelope that was read exactly.
pub(super) fn exactly<F: Found>(
    walk: &mut Walk<'_, F>,
    inner: &mut [Layer],
    place: &Place<'_>,
    (bytes, delivery, messages): (&[u8], &Delivery, &[Range<usize>]),
) {
    let log_group = std::str::from_utf8(&bytes[delivery.log_group.clone()]).unwrap_or_default();
    let mut place = Place { log_group, extracted: None, ..*place };
    for (number, message) in (1..).zip(messages) {
        place.position.event = number;
        content(walk, inner, &place, &bytes[message.clone()]);
    }
}

/// The parts of an envelope in any spelling.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Envelope<'t, 'd> {
    pub(super) owner: Option<Tree<'t, 'd>>,
    pub(super) log_group: Option<Tree<'t, 'd>>,
    pub(super) log_events: Option<Tree<'t, 'd>>,
}

impl Envelope<'_, '_> {
    /// Peels its messages. An event without one is refused by its place; without any, `document` is.
    pub(super) fn read<F: Found>(
        self,
        walk: &mut Walk<'_, F>,
        extraction: &mut Extraction,
        inner: &mut [Layer],
        place: &Place<'_>,
        (document, message_type): (&[u8], &str),
    ) {
        let is_probe = self.owner.and_then(Tree::text) == Some(PROBE_OWNER);
        if is_probe || message_type == "CONTROL_MESSAGE" {
            walk.found.control_message();
            return;
        }
        let events = || self.log_events.and_then(Tree::elements).map(|all| all.map(Event::of));
        let is_data = message_type == "DATA_MESSAGE"
            && events().is_some_and(|mut all| {
                let is_empty = self
                    .log_events
                    .and_then(Tree::elements)
                    .is_some_and(|mut all| all.next().is_none());
                is_empty || all.any(|event| event.message.is_some())
            });
        if !is_data {
            walk.refuse(place, Reason::UnknownJson, document);
            return;
        }
        let log_group = self.log_group.and_then(Tree::text).unwrap_or(place.log_group);
        let mut place = Place { log_group, extracted: None, ..*place };
        for (number, event) in (1..).zip(events().into_iter().flatten()) {
            place.position.event = number;
            let Some(message) = event.message else {
                walk.refuse(&place, Reason::UnknownJson, b"");
                continue;
            };
            let extracted = event.extracted_fields.and_then(|fields| extraction.read(fields));
            content(walk, inner, &Place { extracted, ..place }, message.as_bytes());
        }
    }
}

/// One log event.
#[derive(Clone, Copy, Debug, Default)]
struct Event<'t, 'd> {
    message: Option<&'d str>,
    extracted_fields: Option<Tree<'t, 'd>>,
}

impl<'t, 'd> Event<'t, 'd> {
    fn of(event: Tree<'t, 'd>) -> Self {
        let mut found = Self::default();
        for (key, value) in event.members().into_iter().flatten() {
            match key {
                "message" => found.message = value.text(),
                "extractedFields" => found.extracted_fields = Some(value),
                _ => {}
            }
        }
        found
    }
}
