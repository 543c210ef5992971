//! Polling: an iterator, and reading on from it.

use std::io::Write;

use serde_json::{Value, json};

use super::{Answer, Content};
use crate::kinesis::account::Account;
use crate::kinesis::arguments::Arguments;
use crate::kinesis::iterator::ShardIterator;
use crate::kinesis::refusal::Refusal;

pub(super) fn iterator(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let stream = arguments.stream()?;
    let shard = account.shard(stream, arguments.text("ShardId")?)?;
    shard.admit_iterator()?;
    let start = arguments.start("ShardIteratorType", "StartingSequenceNumber")?;
    let place = shard.place(&start, &account.options)?;
    let iterator = ShardIterator::new(account, stream, &shard.id, place);
    Ok(Answer::json(&json!({"ShardIterator": iterator.text()})))
}

pub(super) fn records(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let options = &*account.options;
    let iterator = ShardIterator::parse(arguments.text("ShardIterator")?)
        .ok_or_else(|| Refusal::invalid("Invalid ShardIterator."))?;
    let limit =
        arguments.count("Limit").map_or(options.records_per_read_max, |limit| limit as usize);
    if limit == 0 || limit > options.records_per_read_max {
        return Err(Refusal::validation(format_args!("Value '{limit}' at 'limit'")));
    }
    iterator.require_valid(account)?;
    let shard = account.shard(&iterator.stream, &iterator.shard)?;
    shard.admit_read()?;
    let batch = shard.read(iterator.place, limit, options.bytes_per_read_max, options);
    shard.pay_read(&batch);
    let mut json = br#"{"Records":"#.to_vec();
    shard.write_records(&batch, &mut json);
    write!(json, r#","MillisBehindLatest":{}"#, batch.behind_ms).unwrap();
    if let Some(end) = &batch.end {
        write!(json, r#","ChildShards":{}}}"#, Value::from(end.children.clone())).unwrap();
    } else {
        let next = ShardIterator::new(account, &iterator.stream, &shard.id, batch.next);
        write!(json, r#","NextShardIterator":"{}"}}"#, next.text()).unwrap();
    }
    let content = Content::Whole(json.into());
    Ok(Answer { content, shard: None, records: batch.len(), bytes: batch.bytes })
}
