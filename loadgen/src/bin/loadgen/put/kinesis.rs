//! `PutRecords` of Kinesis.

use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::BuildError;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use loadgen::records::Record;

use super::{Judged, Names, judge, results};

/// A stream, and who calls its service.
#[derive(Debug)]
pub(crate) struct Stream {
    client: Client,
    name: String,
}

impl Stream {
    pub(super) fn new(config: &SdkConfig, stream: &str) -> Self {
        Self { client: Client::new(config), name: stream.to_owned() }
    }

    pub(super) async fn send(&self, records: &[Record]) -> Judged {
        let entries = records.iter().map(entry).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|error| error.to_string())?;
        let request = self.client.put_records().set_records(Some(entries));
        let request = if self.name.starts_with("arn:") {
            request.stream_arn(&self.name)
        } else {
            request.stream_name(&self.name)
        };
        match request.send().await {
            Ok(output) => Ok(results(output.records().iter().map(|entry| entry.error_code()))),
            Err(error) => {
                judge(&error, &Names { stream: &self.name, action: "kinesis:PutRecords" })
            }
        }
    }
}

fn entry(record: &Record) -> Result<PutRecordsRequestEntry, BuildError> {
    PutRecordsRequestEntry::builder()
        .data(Blob::new(record.data.clone()))
        .partition_key(&record.key)
        .build()
}
