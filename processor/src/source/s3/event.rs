//! What a message of the queue says: which objects are new.
//!
//! Amazon S3 User Guide, "Event message structure" (directly, or as the `Message` of SNS, or raw by SNS) and "EventBridge event
//! message structure". A message holds one event or several, in at most one envelope of SNS.

mod key;

use std::sync::Arc;

use serde::Deserialize;

use crate::s3::{is_bucket, is_region};
use crate::source::printable;

/// The objects that a message names, in its order, and what else it told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Notice {
    /// Objects that were created and are not empty.
    pub(super) objects: Vec<Created>,
    /// Events of other kinds, and objects without content.
    pub(super) ignored: u64,
    /// Records that name no object that S3 can have, beside others that may do.
    pub(super) odd: Vec<Odd>,
}

/// A record that is not understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Odd {
    /// Its number in the message, from 0.
    pub(super) number: usize,
    /// As it stands there, but for spaces.
    pub(super) text: String,
}

/// An object that was put, copied or uploaded in parts. Its version is not kept: flow logs are written once, and reading a version
/// takes a permission more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Created {
    /// Its bucket.
    pub(super) bucket: String,
    /// Its key, as S3 knows it.
    pub(super) key: String,
    /// Where the bucket is, if that was said.
    pub(super) region: Option<String>,
}

/// Why a message says nothing that we understand. Its text stands in the dead letter, not here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum NotUnderstood {
    /// It is no JSON object, or one whose fields are not of their types.
    #[error("it is no JSON object as S3, SNS or EventBridge write one")]
    NoJson,
    /// It is an object of some other kind.
    #[error(
        "it is neither an event of S3 nor of EventBridge, nor one of these in a message of SNS"
    )]
    UnknownShape,
    /// An object is named as S3 names none.
    #[error("it names no bucket and key that S3 can have")]
    NoName,
    /// One message may not keep all others waiting.
    #[error("it has more than {RECORDS_MAX} records")]
    TooMany,
    /// SNS waits for somebody to confirm that the queue may be subscribed.
    #[error(
        "the subscription of the SNS topic must be confirmed first: its SubscribeURL is in the message"
    )]
    Confirmation,
}

/// S3 writes one record into a message.
const RECORDS_MAX: usize = 100;

impl Created {
    /// `s3://bucket/key`, as messages show it.
    pub(super) fn source(&self) -> Arc<str> {
        printable(&format!("s3://{}/{}", self.bucket, self.key))
    }
}

/// Reads the body of a message.
///
/// # Errors
/// [`NotUnderstood`] when it is none of what is above.
pub(super) fn parse(body: &str) -> Result<Notice, NotUnderstood> {
    let body: Body = serde_json::from_str(body).map_err(|_error| NotUnderstood::NoJson)?;
    let inner = match (body.kind.as_deref(), &body.message) {
        (Some("Notification"), Some(message)) => message,
        (Some("SubscriptionConfirmation"), _) => return Err(NotUnderstood::Confirmation),
        (Some("UnsubscribeConfirmation"), _) => {
            return Ok(Notice { ignored: 1, ..Notice::default() });
        }
        _ => return body.notice(),
    };
    let event: Body = serde_json::from_str(inner).map_err(|_error| NotUnderstood::NoJson)?;
    event.notice()
}

/// All shapes at once: each has fields that no other has.
#[derive(Deserialize)]
struct Body {
    /// Of SNS.
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
    /// Of S3.
    #[serde(rename = "Records")]
    records: Option<Vec<serde_json::Value>>,
    /// Of S3, when notifications are set up.
    #[serde(rename = "Event")]
    event: Option<String>,
    /// Of EventBridge.
    #[serde(rename = "detail-type")]
    detail_type: Option<String>,
    source: Option<String>,
    region: Option<String>,
    detail: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    event_name: String,
    #[serde(rename = "awsRegion")]
    region: Option<String>,
    s3: Option<Named>,
}

/// `s3` of a record, and `detail` of EventBridge.
#[derive(Deserialize)]
struct Named {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    size: Option<u64>,
}

impl Body {
    fn notice(self) -> Result<Notice, NotUnderstood> {
        let mut notice = Notice::default();
        if let Some(records) = self.records {
            if records.len() > RECORDS_MAX {
                return Err(NotUnderstood::TooMany);
            }
            for (number, record) in records.into_iter().enumerate() {
                let text = record.to_string();
                if notice.add_record(record).is_err() {
                    notice.odd.push(Odd { number, text });
                }
            }
            return Ok(notice);
        }
        if self.event.as_deref() == Some("s3:TestEvent") {
            return Ok(Notice { ignored: 1, ..notice });
        }
        let (Some(kind), Some(source), Some(detail)) = (self.detail_type, self.source, self.detail)
        else {
            return Err(NotUnderstood::UnknownShape);
        };
        if source != "aws.s3" || kind != "Object Created" {
            return Ok(Notice { ignored: 1, ..notice });
        }
        let named: Named =
            serde_json::from_value(detail).map_err(|_error| NotUnderstood::NoName)?;
        // EventBridge gives keys as they are.
        let key = named.object.key.clone();
        notice.add(named, key, self.region)?;
        Ok(notice)
    }
}

impl Notice {
    fn add_record(&mut self, record: serde_json::Value) -> Result<(), NotUnderstood> {
        let record: Record =
            serde_json::from_value(record).map_err(|_error| NotUnderstood::NoName)?;
        let event = record.event_name.strip_prefix("s3:").unwrap_or(&record.event_name);
        if !event.starts_with("ObjectCreated:") {
            self.ignored += 1;
            return Ok(());
        }
        let named = record.s3.ok_or(NotUnderstood::NoName)?;
        let key = key::decoded(&named.object.key).ok_or(NotUnderstood::NoName)?;
        self.add(named, key, record.region)
    }

    fn add(
        &mut self,
        named: Named,
        key: String,
        region: Option<String>,
    ) -> Result<(), NotUnderstood> {
        let Named { bucket: Bucket { name: bucket }, object } = named;
        if !is_bucket(&bucket) || !key::is_key(&key) {
            return Err(NotUnderstood::NoName);
        }
        // Consoles put empty objects for folders.
        if object.size == Some(0) {
            self.ignored += 1;
            return Ok(());
        }
        let region = region.filter(|region| is_region(region));
        self.objects.push(Created { bucket, key, region });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
