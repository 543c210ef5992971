//! `flowscout run` on a queue, and flow logs as AWS puts them into buckets.

use flowscout_tests::notifications::Notifications;
use flowscout_tests::records::line;
use flowscout_tests::{Program, Scratch, Service, gzip, wait_for};

/// The default format, as a text file in S3 names it.
const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";

/// What the configuration says beside the queue.
pub(super) struct Setting {
    /// Lines below `[sources.s3]`.
    pub(super) s3: String,
    /// Sections behind it.
    pub(super) rest: String,
}

impl Setting {
    pub(super) fn new(s3: &str) -> Self {
        Self { s3: s3.to_owned(), rest: String::new() }
    }

    /// Keeps dead letters at this path.
    pub(super) fn with_letters(s3: &str, scratch: &Scratch) -> Self {
        let rest = format!("[dead_letters]\npath = {:?}\n", scratch.path("letters"));
        Self { rest, ..Self::new(s3) }
    }

    /// The program, not started, with its files in `scratch`.
    pub(super) fn program(&self, bucket: &Notifications, scratch: &Scratch) -> Program {
        let (queue, Self { s3, rest }) = (bucket.queue_url(), self);
        let text = format!("[sources.s3]\nqueue_url = {queue:?}\n{s3}\n{rest}");
        bucket.serve(Service::program(scratch, &text))
    }

    pub(super) fn start(&self, bucket: &Notifications) -> Service {
        self.start_in(bucket, Scratch::new())
    }

    pub(super) fn start_in(&self, bucket: &Notifications, scratch: Scratch) -> Service {
        let program = self.program(bucket, &scratch);
        Service::start(scratch, program)
    }
}

/// A key without Hive's names, as flow logs have it.
pub(super) fn plain_key(number: usize) -> String {
    format!(
        "AWSLogs/123456789012/vpcflowlogs/us-east-1/2026/01/01/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20260101T{:02}{:02}Z_{number:08x}.log.gz",
        number / 12 % 24,
        number % 12 * 5
    )
}

/// A key with them, for Parquet.
pub(super) fn hive_key(number: usize) -> String {
    format!(
        "flow logs/AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=01/day=01/hour=00/123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20260101T0000Z_{number:08x}.log.parquet"
    )
}

/// A text object of these lines.
pub(super) fn text_object(lines: &str) -> Vec<u8> {
    gzip(format!("{HEADER}{lines}").as_bytes())
}

/// Puts the records of `range`, so many in each object; how many objects that are.
pub(super) fn put(
    bucket: &Notifications,
    records: std::ops::Range<u64>,
    records_per_object: u64,
) -> u64 {
    let mut objects = 0;
    let mut start = records.start;
    while start < records.end {
        let end = records.end.min(start + records_per_object);
        let lines: String = (start..end).map(line).collect();
        bucket.put(&format!("logs/{start:08}.log.gz"), &text_object(&lines));
        objects += 1;
        start = end;
    }
    objects
}

/// Waits until the queue holds no message, seen or hidden.
pub(super) fn wait_until_empty(bucket: &Notifications, service: &Service) {
    wait_for(
        "an empty queue",
        || bucket.depth() == (0, 0),
        || format!("{:?}:\n{}", bucket.depth(), service.running.stderr()),
    );
}

pub(super) fn failures(service: &Service, reason: &str) -> u64 {
    let series = service.metrics("flowscout_s3_failures_total");
    let reason = format!("reason=\"{reason}\"");
    series.iter().filter(|(labels, _)| labels.contains(&reason)).map(|(_, count)| count).sum()
}
