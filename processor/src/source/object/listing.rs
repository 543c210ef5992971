//! Which objects a URL means: the one of this key, or the flow logs below this prefix.
//!
//! With a period the prefix is walked folder by folder, and no folder of another day or hour is listed. Without one, and below
//! a folder that lies within the period as a whole, everything is listed at once, which takes the fewest requests.

use std::collections::BTreeSet;
use std::sync::Arc;

use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::super::paths::is_log;
use super::failure::NO_CREDENTIALS;
use super::{BucketError, Buckets, Object, ObjectError, Period};
use crate::s3::{Prefix, Refusal};

/// An object that is to be read.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Which one.
    pub object: Object,
    /// Its size when it was listed.
    pub bytes: u64,
    pub(in crate::source) store: Arc<dyn ObjectStore>,
}

/// Why it cannot be told which objects are meant.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The bucket cannot be asked at all.
    #[error("{prefix}: {error}")]
    Bucket {
        /// What was to be listed.
        prefix: Prefix,
        /// Why.
        error: BucketError,
    },
    /// S3 does not tell.
    #[error("{prefix}: cannot list: {refusal}{}", remedy(.refusal, .prefix))]
    Refused {
        /// What was to be listed.
        prefix: Prefix,
        /// Why.
        refusal: Refusal,
    },
    /// There is one object of this name, and S3 does not tell of it.
    #[error("{object}: {error}")]
    Object {
        /// Which one.
        object: Object,
        /// Why.
        error: ObjectError,
    },
    /// A key that our client has not.
    #[error(
        "{prefix}: cannot list: it has a key with an empty part, . or .., or a control character; give longer prefixes beside it"
    )]
    Key {
        /// What was to be listed.
        prefix: Prefix,
    },
    /// Nothing that looks like a flow log.
    #[error(
        "{0}: no flow-log object below this prefix in this time (looked for *.log, *.gz, *.parquet and objects of Firehose)"
    )]
    Empty(Prefix),
    /// No object is called so, and patterns are not matched.
    #[error(
        "{0}: there is no object of this name, and patterns are not matched in S3: a prefix means all flow logs below it"
    )]
    Pattern(Prefix),
    /// More than can be kept in mind.
    #[error(
        "{prefix}: more than {OBJECTS_MAX} objects with those before: give longer prefixes, or less time with --from and --to"
    )]
    TooMany {
        /// Where it was too many.
        prefix: Prefix,
    },
}

/// Objects of one replay. Each is a key of some 150 bytes and a size: 60 MB.
pub const OBJECTS_MAX: usize = 250_000;

/// The objects that URLs mean, in the order of the URLs and of their keys, each once. A URL that is the key of an object means
/// that one, whatever it is called and of whichever time; any other means the flow logs below it, of `period`. `is_folder` says
/// of a URL that it ended in a slash.
///
/// # Errors
/// When one means nothing, S3 does not tell, or it is more than [`OBJECTS_MAX`].
pub async fn find(
    buckets: &Buckets,
    urls: &[(Prefix, bool)],
    period: &Period,
) -> Result<Vec<Listed>, ListError> {
    let mut listed = Vec::new();
    for (prefix, is_folder) in urls {
        let found = find_one(buckets, prefix, (*is_folder, period), OBJECTS_MAX - listed.len());
        listed.append(&mut found.await?);
    }
    let mut known = BTreeSet::new();
    listed.retain(|listed| known.insert(listed.object.clone()));
    Ok(listed)
}

async fn find_one(
    buckets: &Buckets,
    prefix: &Prefix,
    (is_folder, period): (bool, &Period),
    room: usize,
) -> Result<Vec<Listed>, ListError> {
    let unusable = |error| ListError::Bucket { prefix: prefix.clone(), error };
    let bucket: Arc<str> = prefix.bucket.as_str().into();
    if !is_folder && !prefix.key.as_ref().is_empty() {
        let head = async || {
            let store = buckets.bucket(&bucket, None).map_err(unusable)?;
            Ok((store.head(&prefix.key).await, store))
        };
        let (mut got, mut store) = head().await?;
        if let Err(error) = &got
            && buckets.follow(&bucket, error).await
        {
            (got, store) = head().await?;
        }
        match got {
            Ok(meta) => {
                let object = Object { bucket, key: meta.location.as_ref().into() };
                return Ok(vec![Listed { object, bytes: meta.size, store }]);
            }
            Err(object_store::Error::NotFound { .. })
            | Err(object_store::Error::PermissionDenied { .. }) => {}
            Err(error) => {
                let object = Object { bucket, key: prefix.key.as_ref().into() };
                let error = ObjectError::of(&error, &object);
                return Err(ListError::Object { object, error });
            }
        }
    }
    let list = async || {
        let pages = buckets.pages(&bucket).map_err(unusable)?;
        Ok(below(&*pages, &prefix.key, period, room).await)
    };
    let mut got = list().await?;
    if let Err(Unlisted::Store(error)) = &got
        && buckets.follow(&bucket, error).await
    {
        got = list().await?;
    }
    let found = got.map_err(|unlisted| unlisted.of(prefix))?;
    if found.is_empty() {
        let is_pattern = prefix.key.as_ref().contains(['*', '[']);
        let of = if is_pattern { ListError::Pattern } else { ListError::Empty };
        return Err(of(prefix.clone()));
    }
    let store = buckets.bucket(&bucket, None).map_err(unusable)?;
    let listed = |(key, bytes): (Arc<str>, u64)| {
        let object = Object { bucket: Arc::clone(&bucket), key };
        Listed { object, bytes, store: Arc::clone(&store) }
    };
    Ok(found.into_iter().map(listed).collect())
}

#[derive(Debug)]
pub(super) enum Unlisted {
    Store(object_store::Error),
    TooMany,
}

impl Unlisted {
    fn of(self, prefix: &Prefix) -> ListError {
        let prefix = prefix.clone();
        match self {
            Self::TooMany => ListError::TooMany { prefix },
            Self::Store(object_store::Error::InvalidPath { .. }) => ListError::Key { prefix },
            Self::Store(error) => ListError::Refused { refusal: Refusal::of(&error), prefix },
        }
    }
}

/// Keys and sizes of the flow logs of `period` below a folder, in the order in which folders with the same content are read.
pub(super) async fn below(
    pages: &dyn PaginatedListStore,
    folder: &Path,
    period: &Period,
    room: usize,
) -> Result<Vec<(Arc<str>, u64)>, Unlisted> {
    let mut found: Vec<(Arc<str>, u64)> = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(folder) = folders.pop() {
        let prefix = match folder.as_ref() {
            "" => String::new(),
            name => format!("{name}/"),
        };
        let is_wanted = |meta: &ObjectMeta| is_wanted(meta, &prefix, period);
        let is_flat = period.has_all_of(folder.as_ref());
        let mut page_token = None;
        loop {
            let delimiter = (!is_flat).then_some("/".into());
            let options =
                PaginatedListOptions { delimiter, page_token, ..PaginatedListOptions::default() };
            let page = pages.list_paginated(Some(&prefix), options).await;
            let page = page.map_err(Unlisted::Store)?;
            for meta in page.result.objects.iter().filter(|meta| is_wanted(meta)) {
                if found.len() == room {
                    return Err(Unlisted::TooMany);
                }
                found.push((Arc::from(meta.location.as_ref()), meta.size));
            }
            let inner = page.result.common_prefixes.into_iter();
            folders.extend(inner.filter(|inner| {
                !is_hidden(inner.as_ref(), &prefix) && period.may_have(inner.as_ref())
            }));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
    }
    found.sort_by(|(left, _), (right, _)| left.split('/').cmp(right.split('/')));
    Ok(found)
}

fn is_wanted(meta: &ObjectMeta, prefix: &str, period: &Period) -> bool {
    let key = meta.location.as_ref();
    let name = key.rsplit('/').next().unwrap_or(key);
    let modified_s = u64::try_from(meta.last_modified.timestamp()).unwrap_or(0);
    // What stands for a folder itself has lost its slash.
    key.starts_with(prefix)
        && !is_hidden(key, prefix)
        && is_log(name)
        && period.has(key, modified_s)
}

/// As in a folder of files.
fn is_hidden(key: &str, prefix: &str) -> bool {
    let inner = key.strip_prefix(prefix).unwrap_or(key);
    inner.split('/').any(|part| part.starts_with('.'))
}

fn remedy(refusal: &Refusal, Prefix { bucket, key }: &Prefix) -> String {
    match refusal {
        Refusal::Denied(_) => {
            let objects = match key.as_ref() {
                "" => "*".to_owned(),
                key => format!("{key}/*"),
            };
            format!(
                "; the role or user needs s3:ListBucket on arn:aws:s3:::{bucket}, and s3:GetObject on \
                 arn:aws:s3:::{bucket}/{objects}"
            )
        }
        Refusal::NotFound(_) => format!("; is there a bucket {bucket}?"),
        Refusal::NoCredentials(_) => NO_CREDENTIALS.to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
