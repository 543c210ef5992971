//! Why an object, or a message, is not read, and whose fault that is.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::event::{Created, NotUnderstood, Odd};
use super::life::Blame;
use crate::s3::Refusal;
use crate::source::SourceError;
use crate::source::object::{BucketError, ObjectError};

/// Why an object, or a message, is not read.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// `s3://bucket/key`, or the queue of a message that names none.
    pub(super) source: Arc<str>,
    /// Whose fault it is.
    pub(super) blame: Blame,
    /// A stable label for metrics.
    pub(super) reason: &'static str,
    /// In words.
    pub(super) problem: String,
    /// What is kept of it when it is given up.
    pub(super) letter: Bytes,
}

/// How other objects fare.
#[derive(Clone, Copy, Debug)]
pub(super) struct Others {
    /// The last one before it was read: what S3 then refuses has to do with this object, and otherwise it may refuse us everything.
    pub(super) were_read: bool,
    /// One was read to its end just now, while this one failed for long: S3 can be reached, though not the place where this one is said to
    /// be.
    pub(super) are_read_now: bool,
}

impl Fault {
    /// Of an object that could not be read, or not to its end.
    pub(super) fn of(created: &Created, error: &SourceError, others: Others) -> Self {
        let (blame, reason) = if error.is_of_content() {
            (Blame::Content, "corrupt")
        } else {
            error
                .of_object()
                .map_or((Blame::Service, "unavailable"), |error| of_object(error, others))
        };
        Self::of_created(created, (blame, reason), error.to_string())
    }

    /// Of a bucket that cannot be asked.
    pub(super) fn of_bucket(created: &Created, error: &BucketError) -> Self {
        let (blame, reason) = match error {
            BucketError::Name(_) => (Blame::Content, "bucket_name"),
            BucketError::Environment(_) => (Blame::Service, "environment"),
        };
        Self::of_created(created, (blame, reason), error.to_string())
    }

    /// Of an object whose reader broke down: it would do so again.
    pub(super) fn of_panic(created: &Created) -> Self {
        Self::of_created(created, (Blame::Content, "panic"), "the reader panicked".to_owned())
    }

    /// Of a message of this queue.
    pub(super) fn of_message(queue: &Arc<str>, body: &str, error: NotUnderstood) -> Self {
        let (source, problem) = (Arc::clone(queue), error.to_string());
        let letter = Bytes::copy_from_slice(body.as_bytes());
        Self { source, blame: Blame::Content, reason: "not_understood", problem, letter }
    }

    /// Of one record of a message of this queue.
    pub(super) fn of_record(queue: &str, Odd { number, text }: Odd) -> Self {
        let letter = text.into();
        let (source, problem) =
            (format!("{queue}#{number}").into(), NotUnderstood::NoName.to_string());
        Self { source, blame: Blame::Content, reason: "not_understood", problem, letter }
    }

    /// The letter of an object names it and nothing more: its message may name many.
    fn of_created(
        created: &Created,
        (blame, reason): (Blame, &'static str),
        problem: String,
    ) -> Self {
        let Created { bucket, key, region } = created;
        let letter = json!({ "bucket": bucket, "key": key, "region": region, "problem": problem });
        let letter = letter.to_string().into();
        Self { source: created.source(), blame, reason, problem, letter }
    }

    /// Whether it may concern all objects alike, whosever fault it is.
    pub(super) fn is_of_access(&self) -> bool {
        self.blame == Blame::Service || matches!(self.reason, "access_denied" | "refused")
    }

    /// Whether only a person can mend it.
    pub(super) fn needs_someone(&self) -> bool {
        matches!(self.reason, "access_denied" | "credentials" | "environment" | "not_understood")
    }
}

fn of_object(error: &ObjectError, others: Others) -> (Blame, &'static str) {
    let blame_if =
        |others_fare_better| if others_fare_better { Blame::Object } else { Blame::Service };
    let theirs = blame_if(others.were_read);
    match error {
        ObjectError::Refused { refusal, .. } => match refusal {
            Refusal::NotFound(_) => (Blame::Object, "not_found"),
            Refusal::Denied(_) => (theirs, "access_denied"),
            Refusal::Archived(_) => (Blame::Object, "archived"),
            Refusal::Answered(_) => (theirs, "refused"),
            Refusal::Unauthenticated(_) | Refusal::NoCredentials(_) => {
                (Blame::Service, "credentials")
            }
            Refusal::Busy(_) => (Blame::Service, "unavailable"),
            Refusal::Unreachable(_) => (blame_if(others.are_read_now), "unavailable"),
        },
        ObjectError::Changed => (Blame::Object, "changed"),
        ObjectError::Short { .. } => (Blame::Object, "short"),
        ObjectError::Key => (Blame::Content, "key"),
        ObjectError::Ended => (Blame::Service, "unavailable"),
        ObjectError::Panicked => (Blame::Content, "panic"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::object::Object;

    fn blame(refusal: Refusal, were_read: bool) -> (Blame, &'static str) {
        blame_beside(refusal, Others { were_read, are_read_now: false })
    }

    fn blame_beside(refusal: Refusal, others: Others) -> (Blame, &'static str) {
        let object = Object { bucket: "bucket".into(), key: "key".into() };
        let created = Created { bucket: "bucket".into(), key: "key".into(), region: None };
        let error = ObjectError::Refused { refusal, object };
        let error = SourceError::Object { name: created.source(), error };
        let fault = Fault::of(&created, &error, others);
        (fault.blame, fault.reason)
    }

    #[test]
    fn what_is_not_there_is_the_objects_fault_and_an_outage_is_not() {
        let missing = Refusal::NotFound("NoSuchKey".into());
        assert_eq!(blame(missing, false), (Blame::Object, "not_found"));
        let silent = Refusal::Unreachable("connection refused".into());
        assert_eq!(blame(silent, true), (Blame::Service, "unavailable"));
        let busy = Refusal::Busy("SlowDown".into());
        let others = Others { were_read: true, are_read_now: true };
        assert_eq!(
            blame_beside(busy, others),
            (Blame::Service, "unavailable"),
            "though others are read"
        );
    }

    #[test]
    fn a_place_that_cannot_be_reached_while_others_can_is_the_objects_fault() {
        let silent = Refusal::Unreachable("dns error".into());
        let others = Others { were_read: true, are_read_now: true };
        assert_eq!(blame_beside(silent, others), (Blame::Object, "unavailable"));
    }

    #[test]
    fn an_archived_object_is_at_fault_itself() {
        for others_are_read in [false, true] {
            let archived = Refusal::Archived("InvalidObjectState".into());
            assert_eq!(blame(archived, others_are_read), (Blame::Object, "archived"));
        }
    }

    #[test]
    fn a_denied_object_is_at_fault_only_where_others_may_be_read() {
        let denied = || Refusal::Denied("AccessDenied".into());
        assert_eq!(blame(denied(), false), (Blame::Service, "access_denied"));
        assert_eq!(blame(denied(), true), (Blame::Object, "access_denied"));
    }
}
