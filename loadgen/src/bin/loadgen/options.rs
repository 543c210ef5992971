//! Options that belong to some targets only: the command line has all of them, and those of another
//! target are refused.

use clap::{Args, ValueEnum};
use loadgen::payload::Payload;
use loadgen::records::{Joined, PartitionKey, Shape};

use crate::{http, misuse, s3};

/// A target other than standard output and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Kinesis,
    Firehose,
    Http,
    S3,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) flow: FlowOptions,
    #[command(flatten)]
    pub(crate) records: RecordOptions,
    #[command(flatten)]
    pub(crate) kinesis: KinesisOptions,
    #[command(flatten)]
    pub(crate) http: http::HttpOptions,
    #[command(flatten)]
    pub(crate) s3: s3::S3Options,
}

/// How fast, and where to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of all targets but standard output and files")]
pub(crate) struct FlowOptions {
    /// Event seconds that pass per second; 0 is as fast as the target takes it [default: 0]
    #[arg(long, value_name = "N")]
    pace: Option<u32>,
    /// Requests in flight at once; order holds only within one [default: 8 of streams, else 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    in_flight: Option<u32>,
    /// Where the service is, in place of AWS, except of http(s) targets; AWS_ENDPOINT_URL_KINESIS,
    /// _FIREHOSE and _S3 do the same
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
}

/// What a record holds.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of kinesis:STREAM, firehose:STREAM and http(s)://…")]
pub(crate) struct RecordOptions {
    /// What a record holds: `plain` lines; `message`, a document for each line as in vended logs;
    /// `cloudwatch`, the gzip envelope of a subscription, one interface in each; and what Firehose
    /// makes of that, `envelope` when it decompresses, `extracted` when it extracts the messages too
    /// [default: plain of kinesis:STREAM, else message]
    #[arg(long, value_enum, hide_possible_values = true)]
    payload: Option<PayloadName>,
    /// At most so many lines in a record or an envelope, which also ends with its minute of event
    /// time [default: 1; 300 of cloudwatch, envelope and extracted]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    lines_per_record: Option<u32>,
    /// At most so many envelopes in a record, one right behind the other; not of kinesis:STREAM
    /// [default: 1; 4 of envelope]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    envelopes_per_record: Option<u32>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of kinesis:STREAM")]
pub(crate) struct KinesisOptions {
    /// Join records as the Kinesis Producer Library does, up to 51,200 bytes of one partition key
    #[arg(long)]
    aggregate: bool,
    /// `interface`, by its log stream as a subscription does, or `random`, which uses all shards
    /// evenly [default: interface]
    #[arg(long, value_enum, hide_possible_values = true)]
    partition_key: Option<KeyName>,
    /// Bytes of one request, keys included [default: 5242880]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1_048_576..=10_485_760))]
    pub(crate) request_bytes: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PayloadName {
    Plain,
    Message,
    Cloudwatch,
    Envelope,
    Extracted,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyName {
    Interface,
    Random,
}

/// An option as the command line spells it, whether it was given, and the targets that have it.
pub(crate) type Given = (&'static str, bool, &'static [Kind]);

const STREAMS: &[Kind] = &[Kind::Kinesis, Kind::Firehose, Kind::Http];
const OF_AWS: &[Kind] = &[Kind::Kinesis, Kind::Firehose, Kind::S3];
const ALL: &[Kind] = &[Kind::Kinesis, Kind::Firehose, Kind::Http, Kind::S3];
/// A reader that stops after the first envelope of a record loses three quarters.
const ENVELOPES_PER_RECORD: u32 = 4;
const LINES_PER_ENVELOPE: u32 = 300;

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Kinesis => "`kinesis:STREAM`",
            Self::Firehose => "`firehose:STREAM`",
            Self::Http => "`https://HOST/PATH`",
            Self::S3 => "`s3://BUCKET/PREFIX`",
        }
    }
}

impl Options {
    /// Refuses what does not belong to the target; `None` stands for standard output and files.
    ///
    /// # Errors
    /// A misuse that names the option and its targets.
    pub(crate) fn check(&self, target: Option<Kind>) -> anyhow::Result<()> {
        let given = self.given();
        let foreign = given.iter().find(|(_, given, targets)| {
            *given && !target.is_some_and(|target| targets.contains(&target))
        });
        let Some((name, _, targets)) = foreign else { return Ok(()) };
        let names: Vec<&str> = targets.iter().map(|target| target.name()).collect();
        match names.as_slice() {
            [name_of_target] => Err(misuse(format!("{name} is for the target {name_of_target}"))),
            [first @ .., last] => {
                Err(misuse(format!("{name} is for the targets {} and {last}", first.join(", "))))
            }
            [] => Ok(()),
        }
    }

    pub(crate) fn pace(&self) -> u32 {
        self.flow.pace.unwrap_or(0)
    }

    pub(crate) fn in_flight(&self, default: u32) -> u32 {
        self.flow.in_flight.unwrap_or(default)
    }

    /// How lines become records of this target.
    pub(crate) fn shape(&self, target: Kind, seed: u64) -> Shape {
        let payload = match (self.records.payload, target) {
            (Some(PayloadName::Plain), _) | (None, Kind::Kinesis) => Payload::Plain,
            (Some(PayloadName::Message) | None, _) => Payload::Message,
            (Some(PayloadName::Cloudwatch), _) => Payload::Cloudwatch,
            (Some(PayloadName::Envelope), _) => Payload::Envelope,
            (Some(PayloadName::Extracted), _) => Payload::Extracted,
        };
        let lines = if payload.has_one_interface() { LINES_PER_ENVELOPE } else { 1 };
        let key = match (target, self.kinesis.partition_key) {
            (Kind::Kinesis, None | Some(KeyName::Interface)) => PartitionKey::Interface,
            (Kind::Kinesis, Some(KeyName::Random)) => PartitionKey::Random,
            _ => PartitionKey::Absent,
        };
        let lines_per_payload = self.records.lines_per_record.unwrap_or(lines);
        Shape { payload, lines_per_payload, joined: self.joined(payload), key, seed }
    }

    fn joined(&self, payload: Payload) -> Joined {
        let default = if payload == Payload::Envelope { ENVELOPES_PER_RECORD } else { 1 };
        let has_envelopes = matches!(payload, Payload::Cloudwatch | Payload::Envelope);
        match self.records.envelopes_per_record.unwrap_or(default) {
            _ if self.kinesis.aggregate => Joined::Aggregate,
            payloads_max if has_envelopes && payloads_max > 1 => {
                Joined::BackToBack { payloads_max }
            }
            _ => Joined::No,
        }
    }

    fn given(&self) -> Vec<Given> {
        let Self { flow, records, kinesis, .. } = self;
        let mut given: Vec<Given> = vec![
            ("--payload", records.payload.is_some(), STREAMS),
            ("--lines-per-record", records.lines_per_record.is_some(), STREAMS),
            (
                "--envelopes-per-record",
                records.envelopes_per_record.is_some(),
                &[Kind::Firehose, Kind::Http],
            ),
            ("--aggregate", kinesis.aggregate, &[Kind::Kinesis]),
            ("--partition-key", kinesis.partition_key.is_some(), &[Kind::Kinesis]),
            ("--request-bytes", kinesis.request_bytes.is_some(), &[Kind::Kinesis]),
            ("--in-flight", flow.in_flight.is_some(), ALL),
            ("--pace", flow.pace.is_some(), ALL),
            ("--endpoint-url", flow.endpoint_url.is_some(), OF_AWS),
        ];
        given.extend(self.http.given());
        given.extend(self.s3.given());
        given
    }
}
