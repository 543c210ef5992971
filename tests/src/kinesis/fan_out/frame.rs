//! Frames of `application/vnd.amazon.eventstream`.

use aws_sdk_kinesis::primitives::event_stream::{Header, HeaderValue, Message};
use aws_smithy_eventstream::frame::write_message_to;
use bytes::Bytes;

use crate::kinesis::refusal::Refusal;

/// What opens every stream of events.
pub(super) fn initial_response() -> Bytes {
    frame(
        Bytes::from_static(b"{}"),
        &[(":message-type", "event"), (":event-type", "initial-response")],
    )
}

pub(super) fn event(json: &[u8]) -> Bytes {
    let headers = [(":message-type", "event"), (":event-type", "SubscribeToShardEvent")];
    frame(Bytes::copy_from_slice(json), &headers)
}

pub(super) fn exception(refusal: &Refusal) -> Bytes {
    let headers = [(":message-type", "exception"), (":exception-type", &*refusal.code)];
    frame(refusal.event_json(), &headers)
}

fn frame(payload: Bytes, headers: &[(&'static str, &str)]) -> Bytes {
    let mut message = Message::new(payload);
    let content_type = (":content-type", "application/json");
    for (name, value) in headers.iter().chain([&content_type]) {
        let value = HeaderValue::String((*value).to_owned().into());
        message = message.add_header(Header::new(*name, value));
    }
    let mut bytes = Vec::with_capacity(message.payload().len() + 200);
    write_message_to(&message, &mut bytes).unwrap();
    bytes.into()
}
