//! Which of the objects that a queue tells of are read.

use super::event::Created;
use crate::s3::Prefix;

/// What to leave alone.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Buckets that are read; any, where there are none.
    pub(super) buckets: Vec<String>,
    /// Where our own dead letters go: in a bucket that is watched they would come back as flow logs.
    pub(super) letters: Option<Prefix>,
}

/// Why an object is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unwanted {
    /// Its bucket is none of those that are read.
    Bucket,
    /// It is of dead letters.
    Letters,
}

impl Wanted {
    /// Whether to read it.
    pub(super) fn check(&self, Created { bucket, key, .. }: &Created) -> Result<(), Unwanted> {
        if !self.buckets.is_empty() && !self.buckets.contains(bucket) {
            return Err(Unwanted::Bucket);
        }
        match &self.letters {
            Some(letters) if letters.holds(bucket, key) => Err(Unwanted::Letters),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::Address;

    fn created(bucket: &str, key: &str) -> Created {
        Created { bucket: bucket.into(), key: key.into(), region: None }
    }

    #[test]
    fn other_buckets_and_our_own_letters_are_left_alone() {
        let Ok(Address::Bucket(letters)) = Address::parse("s3://logs/letters") else { panic!() };
        let wanted = Wanted { buckets: vec!["logs".into()], letters: Some(letters) };
        assert_eq!(wanted.check(&created("logs", "AWSLogs/1")), Ok(()));
        assert_eq!(wanted.check(&created("logs", "letters/1")), Err(Unwanted::Letters));
        assert_eq!(wanted.check(&created("other", "AWSLogs/1")), Err(Unwanted::Bucket));
        let any = Wanted { buckets: vec![], letters: None };
        assert_eq!(any.check(&created("other", "letters/1")), Ok(()));
    }
}
