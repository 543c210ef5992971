//! What a JSON document is, by its keys: one of the envelopes of AWS, a dead letter of ours, or neither.

use super::cloudwatch::Envelope;
use super::extraction::Extraction;
use super::firehose;
use super::json::tree::Tree;
use super::peel::{Found, Layer, Walk, content};
use super::place::Place;
use super::refusal::Reason;

/// The values of all keys that tell shapes apart.
#[derive(Clone, Copy, Debug, Default)]
struct Keys<'t, 'd> {
    flowscout: Option<Tree<'t, 'd>>,
    message_type: Option<Tree<'t, 'd>>,
    envelope: Envelope<'t, 'd>,
    message: Option<Tree<'t, 'd>>,
    extracted_fields: Option<Tree<'t, 'd>>,
    records: Option<Tree<'t, 'd>>,
    /// Base64 beside which nothing matters.
    payload: Option<Tree<'t, 'd>>,
}

impl<'t, 'd> Keys<'t, 'd> {
    fn of(document: Tree<'t, 'd>) -> Self {
        let mut keys = Self::default();
        for (key, value) in document.members().into_iter().flatten() {
            let slot = match key {
                "flowscout" => &mut keys.flowscout,
                "messageType" => &mut keys.message_type,
                "owner" => &mut keys.envelope.owner,
                "logGroup" => &mut keys.envelope.log_group,
                "logEvents" => &mut keys.envelope.log_events,
                "message" => &mut keys.message,
                "extractedFields" => &mut keys.extracted_fields,
                // Of Firehose; of Lambda and the Kinesis API.
                "records" | "Records" => &mut keys.records,
                // A delivery that Firehose gave up.
                "rawData" => &mut keys.payload,
                "awslogs" => {
                    keys.payload = value.member("data");
                    continue;
                }
                _ => continue,
            };
            *slot = Some(value);
        }
        keys
    }
}

/// Peels `document`, whose tree is `tree`.
pub(super) fn read<F: Found>(
    walk: &mut Walk<'_, F>,
    extraction: &mut Extraction,
    inner: &mut [Layer],
    place: &Place<'_>,
    (document, tree): (&[u8], Tree<'_, '_>),
) {
    let keys = Keys::of(tree);
    let place = &Place { extracted: None, ..*place };
    if keys.flowscout.and_then(Tree::text) == Some("dead_letter") {
        dead_letter(walk, inner, place, (document, tree));
    } else if let Some(message_type) = keys.message_type.and_then(Tree::text) {
        keys.envelope.read(walk, extraction, inner, place, (document, message_type));
    } else if let Some(message) = keys.message.and_then(Tree::text) {
        let extracted = keys.extracted_fields.and_then(|fields| extraction.read(fields));
        content(walk, inner, &Place { extracted, ..*place }, message.as_bytes());
    } else if let Some(records) = keys.records {
        firehose::records(walk, inner, place, (document, records));
    } else if let Some(payload) = keys.payload.and_then(Tree::text) {
        firehose::base64(walk, inner, place, payload);
    } else {
        walk.refuse(place, Reason::UnknownJson, document);
    }
}

/// A line that was refused under a format is read under it again; anything else is peeled.
fn dead_letter<F: Found>(
    walk: &mut Walk<'_, F>,
    inner: &mut [Layer],
    place: &Place<'_>,
    (document, tree): (&[u8], Tree<'_, '_>),
) {
    let text = |name| tree.member(name).and_then(Tree::text);
    let Some(data) = text("data") else {
        walk.refuse(place, Reason::UnknownJson, document);
        return;
    };
    let log_group = text("log_group").filter(|name| !name.is_empty()).unwrap_or(place.log_group);
    let place = &Place { log_group, ..*place };
    firehose::decoded(walk, inner, place, data, |walk, inner, data| match text("format") {
        Some(format) => walk.found.dead_letter(place, Some(format), data),
        None => content(walk, inner, place, data),
    });
}
