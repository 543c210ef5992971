//! The four calls to SQS.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as Attribute};

use super::failure::Failure;

/// A queue of SQS, as this task reads it.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    client: Client,
    url: Arc<str>,
}

/// A message that was received and is hidden from all others until its timeout.
#[derive(Debug)]
pub(super) struct Message {
    /// Names it in messages of ours, and its repeats.
    pub(super) id: Arc<str>,
    /// By which it is deleted.
    pub(super) handle: String,
    /// What it says.
    pub(super) body: String,
    /// How often it was received, this time included; at least 1.
    pub(super) receives: u32,
    /// When it was sent, in milliseconds of Unix time.
    pub(super) sent_unix_ms: Option<u64>,
}

/// The longest that the service waits for a message (Amazon SQS API Reference, `ReceiveMessage`).
pub(super) const WAIT_S_MAX: i32 = 20;
/// A message is at most so long (Amazon SQS Developer Guide, "Amazon SQS message quotas").
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Extends a timeout, or ends it.
pub(super) const HIDE_ACTION: &str = "sqs:ChangeMessageVisibility";
/// The most that it gives at once.
pub(super) const MESSAGES_MAX: usize = 10;

impl Queue {
    pub(super) fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.into() }
    }

    /// As messages show it.
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.url
    }

    /// Up to `messages_max` messages, hidden for `visibility_s`; none when none comes within `wait_s`.
    pub(super) async fn receive(
        &self,
        messages_max: usize,
        wait_s: i32,
        visibility_s: u64,
    ) -> Result<Vec<Message>, Failure> {
        let messages_max = messages_max.clamp(1, MESSAGES_MAX);
        let call = self.client.receive_message().queue_url(&*self.url);
        let call = call.max_number_of_messages(i32::try_from(messages_max).unwrap_or(1));
        let call = call.wait_time_seconds(wait_s).visibility_timeout(seconds(visibility_s));
        let call = call.message_system_attribute_names(Attribute::ApproximateReceiveCount);
        let answer = call.message_system_attribute_names(Attribute::SentTimestamp).send().await;
        let answer = answer.map_err(|error| Failure::of("sqs:ReceiveMessage", &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(Message::of).collect())
    }

    /// It never comes again.
    pub(super) async fn delete(&self, message: &Message) -> Result<(), Failure> {
        let call = self.client.delete_message().queue_url(&*self.url);
        let answer = call.receipt_handle(&message.handle).send().await;
        answer.map(drop).map_err(|error| Failure::of("sqs:DeleteMessage", &error))
    }

    /// It stays hidden for `visibility_s` from now on; 0 shows it at once.
    pub(super) async fn hide(&self, message: &Message, visibility_s: u64) -> Result<(), Failure> {
        let call = self.client.change_message_visibility().queue_url(&*self.url);
        let call = call.receipt_handle(&message.handle).visibility_timeout(seconds(visibility_s));
        let answer = call.send().await;
        answer.map(drop).map_err(|error| Failure::of(HIDE_ACTION, &error))
    }
}

impl Message {
    /// `None` without a handle, which the service always gives: such a message can be neither kept nor deleted.
    fn of(received: Received) -> Option<Self> {
        let attributes = received.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|value| value.parse::<u64>().ok());
        let receives = number(Attribute::ApproximateReceiveCount).unwrap_or(1);
        Some(Self {
            id: received.message_id.unwrap_or_default().into(),
            handle: received.receipt_handle?,
            body: received.body.unwrap_or_default(),
            receives: u32::try_from(receives).unwrap_or(u32::MAX).max(1),
            sent_unix_ms: number(Attribute::SentTimestamp),
        })
    }
}

fn seconds(seconds: u64) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
