//! Why S3 did not do what it was asked.

use std::error::Error;
use std::fmt;

use object_store::client::HttpError;

/// Why S3 did not do what it was asked, by what mends it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Whose credentials these are may not do it.
    #[error("access denied ({0})")]
    Denied(String),
    /// The object is in an archive (Glacier), from which it must be restored to be read.
    #[error("the object is archived ({0})")]
    Archived(String),
    /// S3 does not take the credentials, whatever they may do.
    #[error("the credentials are not accepted ({0})")]
    Unauthenticated(String),
    /// There are none.
    #[error("no credentials: {0}")]
    NoCredentials(String),
    /// There is no such bucket, or no such object.
    #[error("not found ({0})")]
    NotFound(String),
    /// S3 has no time for this request, or is broken: it says nothing about what was asked for.
    #[error("S3 answered {0}")]
    Busy(String),
    /// S3 answered something else.
    #[error("S3 answered {0}")]
    Answered(String),
    /// S3 was not reached, or did not answer.
    #[error("S3 cannot be reached: {0}")]
    Unreachable(String),
}

/// Credentials could not be had, in the words of whoever should have given them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct CredentialsError(pub String);

/// What S3 answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Such as `403 Forbidden`.
    pub status: String,
    /// Such as `AccessDenied`.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// Where a bucket is, in answers that say so.
    pub region: Option<String>,
}

impl Refusal {
    /// Why a request failed.
    #[must_use]
    pub fn of(error: &object_store::Error) -> Self {
        if let Some(told) = chain(error).find_map(|cause| cause.downcast_ref::<CredentialsError>())
        {
            return Self::NoCredentials(told.to_string());
        }
        let Some(answer) = Answer::of(error) else {
            let is_transport = chain(error).any(|cause| cause.is::<HttpError>());
            let told = innermost(error);
            return match error {
                object_store::Error::NotFound { .. } => Self::NotFound(told),
                _ if is_transport => Self::Unreachable(told),
                _ => Self::Answered(told),
            };
        };
        Self::of_answer(&answer)
    }

    fn of_answer(answer: &Answer) -> Self {
        let told = answer.to_string();
        match (answer.code.as_deref(), answer.status.get(..3)) {
            (Some(code), _) if is_busy(code) => Self::Busy(told),
            (_, Some(status)) if status == "429" || status.starts_with('5') => Self::Busy(told),
            (Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken"), _)
            | (Some("InvalidToken" | "RequestTimeTooSkewed"), _)
            | (_, Some("401")) => Self::Unauthenticated(told),
            (Some("InvalidObjectState"), _) => Self::Archived(told),
            (_, Some("403")) => Self::Denied(told),
            (_, Some("404")) => Self::NotFound(told),
            _ => Self::Answered(told),
        }
    }

    /// Why credentials could not be had.
    #[must_use]
    pub fn of_credentials(error: &object_store::Error) -> Self {
        let told = Answer::of(error).map_or_else(|| innermost(error), |answer| answer.to_string());
        Self::NoCredentials(told)
    }
}

impl Answer {
    /// `None` when S3 did not answer.
    #[must_use]
    pub fn of(error: &object_store::Error) -> Option<Self> {
        const BEFORE_STATUS: &str = "Server returned non-2xx status code: ";
        let told = chain(error).map(ToString::to_string);
        let told =
            told.filter_map(|told| told.strip_prefix(BEFORE_STATUS).map(str::to_owned)).next()?;
        let status = told.split(':').next().unwrap_or_default().trim().to_owned();
        let [code, message, region] =
            ["Code", "Message", "Region"].map(|name| element(&told, name));
        Some(Self { status, code, message, region })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match (&self.code, &self.message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            (None, _) => self.status.clone(),
        };
        formatter.write_str(&told.chars().take(TOLD_MAX).collect::<String>())
    }
}

/// The last of the causes, which says most, without what follows on it.
#[must_use]
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let told = chain(error).last().map(ToString::to_string).unwrap_or_default();
    told.split(['<', '{', '\n']).next().unwrap_or_default().trim().chars().take(TOLD_MAX).collect()
}

const TOLD_MAX: usize = 300;

/// Amazon S3 API Reference, "Error responses"; a key's throttling is that of KMS.
fn is_busy(code: &str) -> bool {
    let is_known = matches!(
        code,
        "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted"
    );
    is_known || code.contains("Throttl") || code.ends_with("LimitExceeded")
}

fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.to_owned())
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: &str, code: Option<&str>) -> Refusal {
        let code = code.map(ToOwned::to_owned);
        Refusal::of_answer(&Answer { status: status.to_owned(), code, message: None, region: None })
    }

    #[test]
    fn a_service_without_time_is_told_from_one_that_refuses() {
        let busy = [
            ("503 Service Unavailable", Some("SlowDown")),
            ("500 Internal Server Error", Some("InternalError")),
            ("502 Bad Gateway", None),
            ("429 Too Many Requests", None),
            ("400 Bad Request", Some("RequestTimeout")),
            ("400 Bad Request", Some("KMS.ThrottlingException")),
        ];
        for (status, code) in busy {
            assert!(matches!(refusal(status, code), Refusal::Busy(_)), "{status} {code:?}");
        }
        let denied = refusal("403 Forbidden", Some("AccessDenied"));
        assert_eq!(denied, Refusal::Denied("AccessDenied".into()));
        let frozen = refusal("403 Forbidden", Some("InvalidObjectState"));
        assert_eq!(frozen, Refusal::Archived("InvalidObjectState".into()));
        let odd = refusal("400 Bad Request", Some("KMS.DisabledException"));
        assert!(matches!(odd, Refusal::Answered(_)));
    }
}
