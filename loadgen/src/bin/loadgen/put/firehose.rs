//! `PutRecordBatch` of Firehose.

use aws_config::SdkConfig;
use aws_sdk_firehose::Client;
use aws_sdk_firehose::error::BuildError;
use aws_sdk_firehose::primitives::Blob;
use loadgen::delivery::{is_stream_arn, stream_name};
use loadgen::records::Record;

use super::{Judged, Names, judge, results};

/// A delivery stream, and who calls its service.
#[derive(Debug)]
pub(crate) struct Stream {
    client: Client,
    name: String,
}

impl Stream {
    pub(super) fn new(config: &SdkConfig, stream: &str) -> Self {
        let name = if is_stream_arn(stream) { stream_name(stream) } else { stream };
        Self { client: Client::new(config), name: name.to_owned() }
    }

    pub(super) async fn send(&self, records: &[Record]) -> Judged {
        let entries = records.iter().map(entry).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|error| error.to_string())?;
        let request = self.client.put_record_batch().delivery_stream_name(&self.name);
        match request.set_records(Some(entries)).send().await {
            Ok(output) => {
                Ok(results(output.request_responses().iter().map(|entry| entry.error_code())))
            }
            Err(error) => {
                judge(&error, &Names { stream: &self.name, action: "firehose:PutRecordBatch" })
            }
        }
    }
}

fn entry(record: &Record) -> Result<aws_sdk_firehose::types::Record, BuildError> {
    aws_sdk_firehose::types::Record::builder().data(Blob::new(record.data.clone())).build()
}
