//! Where something is or goes, as it is written: a path, or `s3://bucket/prefix`.
//!
//! No error repeats what was written: somebody will try to write credentials into it.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use object_store::path::Path;

/// A file, or a place in S3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A file.
    File(PathBuf),
    /// Objects in a bucket of S3.
    Bucket(Prefix),
}

/// A bucket, and what the keys of all objects in it begin with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefix {
    /// The bucket's name.
    pub bucket: String,
    /// May be empty.
    pub key: Path,
}

/// What is wrong with an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// `gs://`, `https://`, `s3:/`, and so on.
    #[error("only s3://BUCKET/PREFIX and paths of files are known")]
    Scheme,
    /// Something stands before an `@`.
    #[error(
        "credentials do not belong into s3://BUCKET/PREFIX: they come from the environment, AWS_ACCESS_KEY_ID and the like"
    )]
    Credentials,
    /// No bucket has such a name.
    #[error(
        "a bucket's name has 3 to 63 of a-z, 0-9, - and ., and begins and ends with a letter or digit: s3://BUCKET/PREFIX"
    )]
    Bucket,
    /// The prefix has `//`, `.`, `..`, or a control character.
    #[error("the prefix in s3://BUCKET/PREFIX has an empty part, . or .., or a control character")]
    Prefix,
    /// Options after the prefix.
    #[error(
        "s3://BUCKET/PREFIX takes no ? and #: region and endpoint come from the environment, AWS_REGION and AWS_ENDPOINT_URL"
    )]
    Options,
    /// A key of S3 has at most 1024 bytes.
    #[error("the prefix in s3://BUCKET/PREFIX is longer than 900 bytes")]
    Length,
}

/// Leaves room for an object's name below S3's 1024 bytes.
const PREFIX_BYTES_MAX: usize = 900;

impl Address {
    /// Reads what stands in a configuration or on a command line.
    ///
    /// # Errors
    /// When it looks like a URL and is not one of a bucket.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix("s3://") {
            return Prefix::parse(rest).map(Self::Bucket);
        }
        let is_meant_as_url = text.contains("://") || text.to_ascii_lowercase().starts_with("s3:");
        if is_meant_as_url { Err(AddressError::Scheme) } else { Ok(Self::File(text.into())) }
    }
}

impl Prefix {
    fn parse(text: &str) -> Result<Self, AddressError> {
        let (bucket, key) = text.split_once('/').unwrap_or((text, ""));
        if bucket.contains('@') {
            return Err(AddressError::Credentials);
        }
        if text.contains(['?', '#']) {
            return Err(AddressError::Options);
        }
        if !is_bucket(bucket) {
            return Err(AddressError::Bucket);
        }
        if key.len() > PREFIX_BYTES_MAX {
            return Err(AddressError::Length);
        }
        // A leading slash, which Path::parse takes off, is an empty part: s3://bucket//prefix.
        let key = (!key.starts_with('/')).then(|| Path::parse(key).ok()).flatten();
        Ok(Self { bucket: bucket.to_owned(), key: key.ok_or(AddressError::Prefix)? })
    }

    /// Whether an object is below the prefix.
    #[must_use]
    pub fn holds(&self, bucket: &str, key: &str) -> bool {
        let prefix = self.key.as_ref();
        let rest = key.strip_prefix(prefix);
        self.bucket == bucket && rest.is_some_and(|rest| prefix.is_empty() || rest.starts_with('/'))
    }

    /// The key of an object below the prefix.
    #[must_use]
    pub fn key_of(&self, name: &str) -> Path {
        self.key.clone().join(name)
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.key.as_ref().is_empty() { "" } else { "/" };
        write!(formatter, "s3://{}/{}{slash}", self.bucket, self.key)
    }
}

/// Whether a bucket may have this name:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
#[must_use]
pub fn is_bucket(name: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
        && is_end(name.bytes().next())
        && is_end(name.bytes().next_back())
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
}

/// Such as `us-gov-west-1`. A region becomes part of a host's name, and may have come from a message.
#[must_use]
pub fn is_region(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(text: &str) -> Prefix {
        match Address::parse(text).unwrap() {
            Address::Bucket(prefix) => prefix,
            Address::File(path) => panic!("{} is a file", path.display()),
        }
    }

    #[test]
    fn a_path_is_a_file_and_s3_a_bucket_with_a_prefix_or_none() {
        for text in ["letters.jsonl", "/tmp/s3/letters", "a:b", "./s3:letters"] {
            assert_eq!(Address::parse(text), Ok(Address::File(text.into())));
        }
        let both = bucket("s3://letters/flowscout/refused/");
        assert_eq!((both.bucket.as_str(), both.key.as_ref()), ("letters", "flowscout/refused"));
        assert_eq!(both, bucket("s3://letters/flowscout/refused"));
        assert_eq!(both.to_string(), "s3://letters/flowscout/refused/");
        assert_eq!(both.key_of("1.jsonl").as_ref(), "flowscout/refused/1.jsonl");
        for text in ["s3://my.letters-1", "s3://my.letters-1/"] {
            assert_eq!(bucket(text).to_string(), "s3://my.letters-1/");
            assert_eq!(bucket(text).key_of("1.jsonl").as_ref(), "1.jsonl");
        }
        assert_eq!(bucket("s3://letters/a b/%2F ü").key.as_ref(), "a b/%2F ü");
    }

    #[test]
    fn a_prefix_holds_what_is_below_it_and_nothing_beside_it() {
        let letters = bucket("s3://letters/flowscout/refused");
        assert!(letters.holds("letters", "flowscout/refused/1.jsonl"));
        for (bucket, key) in
            [("letters", "flowscout/refused-2/1"), ("others", "flowscout/refused/1")]
        {
            assert!(!letters.holds(bucket, key), "{bucket} {key}");
        }
        assert!(bucket("s3://letters").holds("letters", "1.jsonl"));
    }

    #[test]
    fn mistakes_are_told_apart_and_not_repeated() {
        let long = format!("s3://letters/{}", "p".repeat(901));
        let mistakes = [
            (
                AddressError::Scheme,
                &["gs://letters/a", "https://a.b/c", "s3:/letters", "S3://b"][..],
            ),
            (AddressError::Credentials, &["s3://AKIAIOSFODNN7EXAMPLE:secret@letters/a"]),
            (
                AddressError::Bucket,
                &["s3://", "s3:///a", "s3://ab", "s3://Letters/a", "s3://a_b/c"],
            ),
            (AddressError::Bucket, &["s3://-ab", "s3://ab.", "s3://a..b", "s3://10.0.0.1/a"]),
            (
                AddressError::Prefix,
                &["s3://abc//a", "s3://abc/a//b", "s3://abc/a/../b", "s3://abc/\n"],
            ),
            (AddressError::Options, &["s3://abc/a?region=eu-west-1", "s3://abc#a", "s3://abc?a=b"]),
            (AddressError::Length, &[&long]),
        ];
        for (error, texts) in mistakes {
            for text in texts {
                assert_eq!(Address::parse(text), Err(error), "{text}");
                assert!(!error.to_string().contains("secret"));
            }
        }
    }
}
