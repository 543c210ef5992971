//! Why an object was not put, in words for whoever must mend it.

use std::time::Duration;

use crate::s3::{Prefix, Refusal};

/// Letters were not put.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{prefix}: {letters} dead letters could not be put there: {cause}{}", .cause.remedy(.prefix))]
pub struct PutError {
    /// Where they were to go.
    pub prefix: Prefix,
    /// How many, with those that were left out because the bucket was too slow.
    pub letters: u64,
    /// Why, the first time.
    pub cause: Cause,
}

/// Why an object was not put.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Cause {
    /// S3 did not take it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It took too long with all retries.
    #[error("not done in {} s", .limit.as_secs())]
    Slow {
        /// What was too long.
        limit: Duration,
    },
    /// The thread is gone.
    #[error("the thread that puts them ended")]
    Ended,
}

impl Cause {
    /// What to do about it.
    fn remedy(&self, prefix: &Prefix) -> String {
        let Prefix { bucket, .. } = prefix;
        match self {
            Self::Refused(Refusal::Denied(_)) => {
                let slash = if prefix.key.as_ref().is_empty() { "" } else { "/" };
                let objects = format!("arn:aws:s3:::{bucket}/{}{slash}*", prefix.key);
                format!("; the role or user needs s3:PutObject on {objects}")
            }
            Self::Refused(Refusal::NotFound(_)) => {
                format!("; is there a bucket {bucket}, and in AWS_REGION?")
            }
            Self::Refused(Refusal::NoCredentials(_)) => {
                "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where \
                a role is given (ECS, EKS, EC2)"
                    .to_owned()
            }
            _ => String::new(),
        }
    }
}
