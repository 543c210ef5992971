//! Putting records.

use std::borrow::Cow;

use base64_turbo::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::kinesis::account::Account;
use crate::kinesis::arguments::Arguments;
use crate::kinesis::faults::Fault;
use crate::kinesis::hash_range::hash_key;
use crate::kinesis::refusal::Refusal;
use crate::kinesis::shard::Incoming;
use crate::kinesis::stream::Stream;

/// A record as it comes.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    partition_key: Cow<'a, str>,
    explicit_hash_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
}

/// Payload and partition key together.
const RECORD_BYTES_MAX: usize = 1 << 20;
const RECORDS_MAX: usize = 500;
/// Of all records, with their partition keys.
const REQUEST_BYTES_MAX: usize = 10 << 20;
const PARTITION_KEY_CHARS_MAX: usize = 256;

pub(super) fn put_record(account: &Account, body: &[u8]) -> Result<Answer, Refusal> {
    let record: Record<'_> = parse(body)?;
    let (incoming, key) = record.incoming()?;
    let mut streams = account.streams();
    let stream = streams.meant(&Arguments::new(body)?)?;
    let (shard, number) = append(stream, &incoming, key, account)?;
    let answer = Answer::json(
        &json!({"SequenceNumber": number, "ShardId": shard, "EncryptionType": "NONE"}),
    );
    Ok(Answer { shard: Some(shard), records: 1, bytes: incoming.size, ..answer })
}

pub(super) fn put_records(
    account: &Account,
    body: &[u8],
    fault: Option<&Fault>,
) -> Result<Answer, Refusal> {
    let request: Records<'_> = parse(body)?;
    let count = request.records.len();
    if count == 0 || count > RECORDS_MAX {
        return Err(Refusal::validation(format_args!("{count} members at 'records': 1 to 500")));
    }
    let records: Vec<_> = request.records.iter().map(Record::incoming).collect::<Result<_, _>>()?;
    if records.iter().map(|(record, _key)| record.charged).sum::<usize>() > REQUEST_BYTES_MAX {
        return Err(Refusal::invalid("Records size exceeds 10 MB limit"));
    }
    let meant = json!({"StreamName": request.stream_name, "StreamARN": request.stream_arn});
    let mut streams = account.streams();
    let stream = streams.meant(&Arguments::new(meant.to_string().as_bytes())?)?;
    let (mut entries, mut stored, mut bytes) = (Vec::with_capacity(count), 0, 0);
    for (place, (incoming, key)) in records.iter().enumerate() {
        let outcome = match fault {
            Some(Fault::Entries(places, code)) if places.contains(&place) => {
                Err(Refusal::new(*code, "on purpose"))
            }
            _ => append(stream, incoming, *key, account),
        };
        stored += usize::from(outcome.is_ok());
        bytes += if outcome.is_ok() { incoming.size } else { 0 };
        entries.push(entry(outcome));
    }
    drop(streams);
    let failed = count - stored;
    let answer = Answer::json(
        &json!({"FailedRecordCount": failed, "Records": entries, "EncryptionType": "NONE"}),
    );
    Ok(Answer { records: stored, bytes, ..answer })
}

/// Stores a record without a request; its shard and its sequence number.
pub(in crate::kinesis) fn append(
    stream: &Stream,
    record: &Incoming,
    hash_key: u128,
    account: &Account,
) -> Result<(String, String), Refusal> {
    let shard = stream.shard_for(hash_key);
    let number = shard.append(record, &account.options)?;
    Ok((shard.id.clone(), number))
}

impl Record<'_> {
    /// The record and the key that decides on its shard.
    fn incoming(&self) -> Result<(Incoming, u128), Refusal> {
        let size = STANDARD.decode(self.data.as_bytes()).map(|data| data.len());
        let size = size.map_err(|error| Refusal::new("SerializationException", error))?;
        let chars = self.partition_key.chars().count();
        if chars == 0 || chars > PARTITION_KEY_CHARS_MAX {
            let message = format!("{chars} characters at 'partitionKey': 1 to 256");
            return Err(Refusal::validation(message));
        }
        let incoming = Incoming::new(&self.data, size, &self.partition_key);
        if incoming.charged > RECORD_BYTES_MAX {
            let message = format!("{} bytes at 'data': at most 1048576", incoming.charged);
            return Err(Refusal::validation(message));
        }
        let key = match &self.explicit_hash_key {
            Some(key) => key.parse().map_err(|_error| {
                Refusal::invalid(format_args!("Invalid ExplicitHashKey: {key}"))
            })?,
            None => hash_key(&self.partition_key),
        };
        Ok((incoming, key))
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error))
}

fn entry(outcome: Result<(String, String), Refusal>) -> Value {
    match outcome {
        Ok((shard, number)) => json!({"SequenceNumber": number, "ShardId": shard}),
        Err(refusal) => json!({"ErrorCode": refusal.code, "ErrorMessage": refusal.message}),
    }
}
