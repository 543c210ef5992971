//! The section `sources.s3` of the configuration.

use serde::{Deserialize, Serialize};

use super::life::HIDDEN_S_MAX;
use super::queue::MESSAGE_BYTES_MAX;
use super::receiver::HANDS_PER_SLOT;
use crate::s3::is_bucket;
use crate::source::cut::BATCH_BYTES;
use crate::source::object::MEMORY_BYTES_MAX;

/// Which queue to read, and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The queue of SQS that tells of new objects. Default empty: S3 is not read.
    pub queue_url: String,
    /// Buckets of which objects are read; what the queue tells of others is deleted and counted. Default empty: any.
    pub buckets: Vec<String>,
    /// Objects that are read at once. Default 4; from 1 to 64. Raise it where objects are many and small, at the price of memory.
    pub objects_in_flight_max: usize,
    /// How long a message is hidden from other readers at a time, extended while its objects are read: so long after a crash it is
    /// read again. Default 300 s; from 30 to 43,200 s.
    pub visibility_s: u64,
    /// How often an object that cannot be read is tried before it goes to the dead letters, by its own faults alone. Default 5; from 1 to 1000.
    pub tries_max: u32,
    /// The address of S3, in place of the region's. Default empty. For test servers and VPC endpoints.
    pub endpoint_url: String,
    /// The address of SQS, in place of the region's. Default empty.
    pub queue_endpoint_url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            queue_url: String::new(),
            buckets: Vec::new(),
            objects_in_flight_max: 4,
            visibility_s: 300,
            tries_max: 5,
            endpoint_url: String::new(),
            queue_endpoint_url: String::new(),
        }
    }
}

impl Config {
    /// The first value that makes no sense, by its key below `sources.s3`.
    ///
    /// # Errors
    /// The key, and what is wrong.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let within = |key, value: u64, least: u64, most: u64| {
            let problem = format!("must lie between {least} and {most}");
            if (least..=most).contains(&value) { Ok(()) } else { Err((key, problem)) }
        };
        within("objects_in_flight_max", self.objects_in_flight_max as u64, 1, 64)?;
        within("visibility_s", self.visibility_s, 30, HIDDEN_S_MAX)?;
        within("tries_max", u64::from(self.tries_max), 1, 1000)?;
        let urls = [
            ("queue_url", &self.queue_url),
            ("endpoint_url", &self.endpoint_url),
            ("queue_endpoint_url", &self.queue_endpoint_url),
        ];
        if let Some((key, _)) = urls.iter().find(|(_, url)| url.contains('@')) {
            // Not repeated: it may be a password.
            let problem =
                "has an @: credentials come from the environment, AWS_ACCESS_KEY_ID and the like";
            return Err((key, problem.to_owned()));
        }
        if !self.queue_url.is_empty() && !is_queue(&self.queue_url) {
            let problem = format!(
                "{:?} is no address of a queue such as https://sqs.us-east-1.amazonaws.com/111122223333/name",
                self.queue_url
            );
            return Err(("queue_url", problem));
        }
        if let Some(name) = self.buckets.iter().find(|name| !is_bucket(name)) {
            return Err(("buckets", format!("{name:?} is no name of a bucket")));
        }
        for (key, url) in &urls[1..] {
            if !url.is_empty() && host(url).is_none() {
                return Err((key, format!("{url:?} is no address such as https://host:port")));
            }
        }
        Ok(())
    }

    /// Where the queue is, as far as its address says so: `sqs.REGION.amazonaws.com`, or the older `REGION.queue.amazonaws.com`.
    #[must_use]
    pub fn queue_region(&self) -> Option<&str> {
        let host = host(&self.queue_url)?;
        let host = host.split_once(':').map_or(host, |(host, _port)| host);
        let name = host
            .strip_suffix(".amazonaws.com.cn")
            .or_else(|| host.strip_suffix(".amazonaws.com"))?;
        let region = name.strip_prefix("sqs.").or_else(|| name.strip_suffix(".queue"))?;
        (!region.contains('.')).then_some(region)
    }

    /// Bytes that reading may hold at the most, before batches are handed to the workers.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        if self.queue_url.is_empty() {
            return 0;
        }
        let object = usize::try_from(MEMORY_BYTES_MAX).unwrap_or(usize::MAX);
        let messages = HANDS_PER_SLOT * MESSAGE_BYTES_MAX;
        self.objects_in_flight_max.saturating_mul(object.saturating_add(BATCH_BYTES + messages))
    }
}

/// With its port.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    (!host.is_empty()).then_some(host)
}

/// `https://host/account/name`.
fn is_queue(url: &str) -> bool {
    let Some(host) = host(url) else { return false };
    let path = url.split_once(host).map_or("", |(_, path)| path);
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=80).contains(&name.len()) && name.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::documents::DOCUMENT_BYTES_MAX;

    const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/111122223333/flow-logs";

    fn problem(change: impl FnOnce(&mut Config)) -> &'static str {
        let mut config = Config::default();
        change(&mut config);
        config.check().unwrap_err().0
    }

    #[test]
    fn mistakes_are_named_by_key() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(problem(|config| config.objects_in_flight_max = 0), "objects_in_flight_max");
        assert_eq!(problem(|config| config.visibility_s = 29), "visibility_s");
        assert_eq!(problem(|config| config.tries_max = 0), "tries_max");
        assert_eq!(problem(|config| config.buckets = vec!["s3://logs".into()]), "buckets");
        assert_eq!(
            problem(|config| config.endpoint_url = "s3.amazonaws.com".into()),
            "endpoint_url"
        );
        for queue in ["flow-logs", "arn:aws:sqs:us-east-1:1:name", "https://", "https://host/1/"] {
            assert_eq!(problem(|config| config.queue_url = queue.into()), "queue_url", "{queue}");
        }
        let secret = Config {
            queue_url: QUEUE.replace("https://", "https://user:secret@"),
            ..Config::default()
        };
        let (key, told) = secret.check().unwrap_err();
        assert_eq!((key, told.contains("secret")), ("queue_url", false));
        for queue in [QUEUE, "http://127.0.0.1:4566/000000000000/a_b.fifo"] {
            let config = Config { queue_url: queue.into(), ..Config::default() };
            assert_eq!(config.check(), Ok(()));
        }
    }

    #[test]
    fn the_address_of_a_queue_says_its_region() {
        let region = |url: &str| {
            let config = Config { queue_url: url.to_owned(), ..Config::default() };
            config.queue_region().map(ToOwned::to_owned)
        };
        assert_eq!(region(QUEUE).as_deref(), Some("eu-central-1"));
        let old = "https://ap-south-1.queue.amazonaws.com/1/a";
        assert_eq!(region(old).as_deref(), Some("ap-south-1"));
        let china = "https://sqs.cn-north-1.amazonaws.com.cn/1/a";
        assert_eq!(region(china).as_deref(), Some("cn-north-1"));
        assert_eq!(region("http://127.0.0.1:4566/1/a"), None);
        assert_eq!(region("https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/1/a"), None);
        assert_eq!(region("https://queue.amazonaws.com/1/a"), None);
    }

    #[test]
    fn what_is_not_read_needs_no_memory() {
        assert_eq!(Config::default().memory_bytes_max(), 0);
        let config = Config { queue_url: QUEUE.into(), ..Config::default() };
        assert_eq!(Config::default().objects_in_flight_max, 4);
        // A row group and its footer are the largest.
        assert!(config.memory_bytes_max() >= 4 * ((64 + 16) << 20));
        assert!(config.memory_bytes_max() >= 4 * (DOCUMENT_BYTES_MAX + (16 << 20)));
    }
}
