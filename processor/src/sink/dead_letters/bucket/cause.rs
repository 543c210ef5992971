//! Why an object was not put, in words for whoever must mend it.
//!
//! Nothing here repeats a URL or the body of an answer: the address of a task's credentials is as good as the credentials, and
//! an answer about an expired token has the token. Of S3's errors, code and message are told.

use std::error::Error;
use std::time::Duration;

use object_store::client::HttpError;

use super::super::address::Prefix;

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
    /// Whose credentials these are may not do it.
    #[error("access denied ({0})")]
    Denied(String),
    /// S3 does not take the credentials, whatever they may do.
    #[error("the credentials are not accepted ({0})")]
    Unauthenticated(String),
    /// There are none.
    #[error("no credentials: {0}")]
    NoCredentials(String),
    /// There is no such bucket.
    #[error("not found ({0})")]
    NoBucket(String),
    /// S3 answered something else.
    #[error("S3 answered {0}")]
    Answered(String),
    /// S3 was not reached, or did not answer.
    #[error("S3 cannot be reached: {0}")]
    Unreachable(String),
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
    pub(super) fn of_credentials(error: &object_store::Error) -> Self {
        Self::NoCredentials(answer(error).map_or_else(|| innermost(error), |(told, _code)| told))
    }

    pub(super) fn of_put(error: &object_store::Error) -> Self {
        let Some((told, code)) = answer(error) else {
            let is_transport = chain(error).any(|cause| cause.is::<HttpError>());
            let told = innermost(error);
            return if is_transport { Self::Unreachable(told) } else { Self::Answered(told) };
        };
        match (code.as_deref(), error) {
            (Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken"), _)
            | (Some("InvalidToken" | "RequestTimeTooSkewed"), _)
            | (_, object_store::Error::Unauthenticated { .. }) => Self::Unauthenticated(told),
            (_, object_store::Error::PermissionDenied { .. }) => Self::Denied(told),
            (_, object_store::Error::NotFound { .. }) => Self::NoBucket(told),
            _ => Self::Answered(told),
        }
    }

    /// What to do about it.
    fn remedy(&self, prefix: &Prefix) -> String {
        let Prefix { bucket, .. } = prefix;
        match self {
            Self::Denied(_) => {
                let slash = if prefix.key.as_ref().is_empty() { "" } else { "/" };
                let objects = format!("arn:aws:s3:::{bucket}/{}{slash}*", prefix.key);
                format!("; the role or user needs s3:PutObject on {objects}")
            }
            Self::NoBucket(_) => format!("; is there a bucket {bucket}, and in AWS_REGION?"),
            Self::NoCredentials(_) => {
                "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where \
                a role is given (ECS, EKS, EC2)"
                    .to_owned()
            }
            _ => String::new(),
        }
    }
}

/// The last of the causes, which says most, without what follows on it.
pub(super) fn innermost(error: &object_store::Error) -> String {
    let told = chain(error).last().map(ToString::to_string).unwrap_or_default();
    told.split(['<', '{', '\n']).next().unwrap_or_default().trim().chars().take(TOLD_MAX).collect()
}

const TOLD_MAX: usize = 300;

/// What S3 answered, in its words, and its code for it; `None` when it did not answer.
fn answer(error: &object_store::Error) -> Option<(String, Option<String>)> {
    const BEFORE_STATUS: &str = "Server returned non-2xx status code: ";
    let told = chain(error).map(ToString::to_string);
    let told =
        told.filter_map(|told| told.strip_prefix(BEFORE_STATUS).map(str::to_owned)).next()?;
    let status = told.split(':').next().unwrap_or_default().trim();
    let (code, message) = (element(&told, "Code"), element(&told, "Message"));
    let in_words = match (&code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.clone(),
        (None, _) => status.to_owned(),
    };
    Some((in_words.chars().take(TOLD_MAX).collect(), code))
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.to_owned())
}

fn chain<'e>(error: &'e object_store::Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let first: &'e (dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}
