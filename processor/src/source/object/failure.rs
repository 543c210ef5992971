//! Why an object cannot be read, in words for whoever must mend it.

use std::io;

use super::Object;
use crate::s3::Refusal;

/// Why an object cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObjectError {
    /// S3 does not give it.
    #[error("{refusal}{}", remedy(.refusal, .object))]
    Refused {
        /// Why.
        refusal: Refusal,
        /// Which object.
        object: Object,
    },
    /// Another version was put while this one was read.
    #[error("another version of the object was put while it was read")]
    Changed,
    /// S3 has such keys, our client has not.
    #[error("a key with an empty part, . or .., or a control character cannot be read")]
    Key,
    /// Fewer bytes came than were promised.
    #[error("S3 gave {given} bytes where {expected} were to come")]
    Short {
        /// How many came.
        given: u64,
        /// How many should have.
        expected: u64,
    },
    /// What fetches it is gone.
    #[error("it was not read to its end: the program is ending")]
    Ended,
    /// A bug in reading it.
    #[error("it was not read to its end: its reader panicked, which is a bug of flowscout")]
    Panicked,
}

impl ObjectError {
    pub(super) fn of(error: &object_store::Error, object: &Object) -> Self {
        match error {
            object_store::Error::Precondition { .. } => Self::Changed,
            error => Self::Refused { refusal: Refusal::of(error), object: object.clone() },
        }
    }

    /// Whether reading it again cannot help.
    #[must_use]
    pub const fn is_of_content(&self) -> bool {
        matches!(self, Self::Key)
    }
}

impl From<ObjectError> for io::Error {
    fn from(error: ObjectError) -> Self {
        Self::other(error)
    }
}

fn remedy(refusal: &Refusal, Object { bucket, key }: &Object) -> String {
    match refusal {
        Refusal::Denied(_) => format!(
            "; the role or user needs s3:GetObject on arn:aws:s3:::{bucket}/{key}; without s3:ListBucket on \
             arn:aws:s3:::{bucket} an object that is not there is denied as well"
        ),
        Refusal::Archived(_) => {
            format!(
                "; restore it first, with aws s3api restore-object of bucket {bucket}, key {key}"
            )
        }
        Refusal::NotFound(_) => format!("; is there a bucket {bucket}, and the object in it?"),
        Refusal::NoCredentials(_) => NO_CREDENTIALS.to_owned(),
        _ => String::new(),
    }
}

pub(super) const NO_CREDENTIALS: &str = "; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given";
