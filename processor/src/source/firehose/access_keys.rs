//! The access keys of the endpoint: several, so that one can be replaced while the other is in use.
//!
//! They are kept as digests, and each is compared whole whatever the outcome, so that neither a log nor the time of an answer tells
//! anything of them.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Which keys open the endpoint.
#[derive(Clone)]
pub struct AccessKeys {
    /// `None` when none is needed.
    digests: Option<Vec<[u8; 32]>>,
}

/// Why keys cannot be used. Says nothing of the keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccessKeysError {
    /// There is none.
    #[error("it has no access key")]
    None,
    /// Firehose takes no longer ones.
    #[error("an access key has more than {KEY_BYTES_MAX} bytes")]
    TooLong,
    /// It begins as JSON, and is not what Secrets Manager keeps for Firehose.
    #[error("it begins as JSON and is not {{\"api_key\":\"…\"}}")]
    BadJson,
}

/// Firehose API reference, `HttpEndpointConfiguration`.
const KEY_BYTES_MAX: usize = 4_096;

/// A secret of Secrets Manager, as Firehose wants it.
#[derive(Deserialize)]
struct Secret {
    api_key: String,
}

impl AccessKeys {
    /// Anyone may deliver.
    #[must_use]
    pub const fn not_needed() -> Self {
        Self { digests: None }
    }

    /// One key on each line, or a secret of Secrets Manager.
    ///
    /// # Errors
    /// When there is none, or one that Firehose could not send.
    pub fn parse(text: &str) -> Result<Self, AccessKeysError> {
        if text.trim_start().starts_with('{') {
            let secret = serde_json::from_str(text);
            let Secret { api_key } = secret.map_err(|_error| AccessKeysError::BadJson)?;
            return Self::of([api_key.as_str()].into_iter());
        }
        Self::of(text.lines().map(str::trim))
    }

    fn of<'k>(keys: impl Iterator<Item = &'k str>) -> Result<Self, AccessKeysError> {
        let keys: Vec<&str> = keys.filter(|key| !key.is_empty()).collect();
        if keys.is_empty() {
            return Err(AccessKeysError::None);
        }
        if keys.iter().any(|key| key.len() > KEY_BYTES_MAX) {
            return Err(AccessKeysError::TooLong);
        }
        Ok(Self { digests: Some(keys.iter().map(|key| Sha256::digest(key).into()).collect()) })
    }

    /// Whether a request with this key, or without one, may pass.
    #[must_use]
    pub fn allow(&self, presented: Option<&[u8]>) -> bool {
        let Some(digests) = &self.digests else { return true };
        let presented: [u8; 32] = Sha256::digest(presented.unwrap_or_default()).into();
        // No early end: the time depends on the number of keys alone.
        let is_one =
            digests.iter().fold(Choice::from(0), |found, digest| found | digest.ct_eq(&presented));
        is_one.into()
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.digests.as_ref().map(Vec::len);
        formatter.debug_struct("AccessKeys").field("count", &count).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_of_the_keys_opens_and_nothing_else() {
        let keys = AccessKeys::parse("new key\r\n\n  old-key\n").unwrap();
        assert!(keys.allow(Some(b"new key")) && keys.allow(Some(b"old-key")));
        for wrong in [&b""[..], b"old-ke", b"old-key ", b"new", b"new key\nold-key"] {
            assert!(!keys.allow(Some(wrong)), "{wrong:?}");
        }
        assert!(!keys.allow(None));
        assert!(AccessKeys::not_needed().allow(None));
    }

    #[test]
    fn a_secret_of_secrets_manager_is_read_as_one_key() {
        let keys = AccessKeys::parse(" {\"api_key\": \"a\\u0062c\"}\n").unwrap();
        assert!(keys.allow(Some(b"abc")));
        assert_eq!(AccessKeys::parse("{\"key\":\"abc\"}").unwrap_err(), AccessKeysError::BadJson);
    }

    #[test]
    fn what_opens_nothing_is_refused_and_no_message_has_a_key() {
        for empty in ["", "\n \n", "{\"api_key\":\"\"}"] {
            assert_eq!(AccessKeys::parse(empty).unwrap_err(), AccessKeysError::None);
        }
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        assert_eq!(AccessKeys::parse(&long).unwrap_err(), AccessKeysError::TooLong);
        assert!(AccessKeys::parse(&long[1..]).is_ok());
        assert_eq!(
            format!("{:?}", AccessKeys::parse("secret").unwrap()),
            "AccessKeys { count: Some(1) }"
        );
    }
}
