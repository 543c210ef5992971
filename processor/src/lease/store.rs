//! What a lease table can do.

use super::{Lease, LeaseKey, Write};

/// A table of leases. Each call is tried once: whoever calls knows how long it may still try.
pub trait Store: Send + Sync + 'static {
    /// Sees to it that the table is there and ready; makes it if that is allowed.
    ///
    /// # Errors
    /// It is not there and may not be made, or it is the table of something else.
    fn prepare(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// All leases, perhaps a moment old. Items that are no leases are left out; leases that cannot be read are too, which
    /// is logged.
    ///
    /// # Errors
    /// The table could not be read to its end, or holds more than 100 000.
    fn scan(&self) -> impl Future<Output = Result<Vec<Lease>, StoreError>> + Send;

    /// One lease as it is now.
    ///
    /// # Errors
    /// The table could not be read, or this lease could not.
    fn get(&self, key: &LeaseKey)
    -> impl Future<Output = Result<Option<Lease>, StoreError>> + Send;

    /// Does one conditional write.
    ///
    /// # Errors
    /// The table did not say whether it did.
    fn write(&self, write: &Write) -> impl Future<Output = Result<Written, StoreError>> + Send;
}

/// What became of a write.
#[derive(Clone, PartialEq, Debug)]
pub enum Written {
    /// It was done.
    Done {
        /// The lease after it.
        now: Option<Lease>,
    },
    /// Its condition was not met.
    Refused {
        /// The lease as it is.
        current: Option<Lease>,
    },
}

/// Why a table did not answer as it should; split by what the caller does next.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many requests; the request was not done. Try again later.
    #[error("lease table: too many requests")]
    Throttled,
    /// No answer, or a failure of the server: the request may have been done. Try again.
    #[error("lease table: {0}")]
    Unavailable(String),
    /// A permission is missing; the request was not done. Somebody has to give it.
    #[error(
        "lease table: not allowed: {message}; add the permission {action} on the table {table}"
    )]
    Denied {
        /// Of IAM, like `dynamodb:UpdateItem`.
        action: &'static str,
        /// The table.
        table: String,
        /// What the service said.
        message: String,
    },
    /// It cannot be used as it is; the request was not done.
    #[error("lease table: {0}")]
    Unusable(String),
}

/// A table of more leases is not read: 100 000 shards would be a hundred times the default quota of an account.
pub(super) const LEASES_MAX: usize = 100_000;

impl StoreError {
    /// Whether the request may have been done although it failed.
    #[must_use]
    pub const fn may_be_done(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether trying again may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Throttled)
    }

    /// A stable name of the kind.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable(_) => "unavailable",
            Self::Denied { .. } => "denied",
            Self::Unusable(_) => "unusable",
        }
    }
}

impl<S: Store> Store for std::sync::Arc<S> {
    async fn prepare(&self) -> Result<(), StoreError> {
        (**self).prepare().await
    }

    async fn scan(&self) -> Result<Vec<Lease>, StoreError> {
        (**self).scan().await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        (**self).get(key).await
    }

    async fn write(&self, write: &Write) -> Result<Written, StoreError> {
        (**self).write(write).await
    }
}
