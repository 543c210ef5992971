//! Making, deleting and describing streams.

use serde_json::json;

use super::Answer;
use crate::kinesis::account::Account;
use crate::kinesis::arguments::Arguments;
use crate::kinesis::refusal::Refusal;

/// More than any account has without asking.
const SHARDS_MAX: u32 = 10_000;

pub(super) fn create(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let name = arguments.text("StreamName")?;
    let is_on_demand = arguments
        .object("StreamModeDetails")
        .is_some_and(|details| details.find("StreamMode") == Some("ON_DEMAND"));
    // As many as a stream on demand starts with.
    let shards = arguments.count("ShardCount").unwrap_or(if is_on_demand { 4 } else { 1 });
    if shards == 0 || shards > SHARDS_MAX {
        return Err(Refusal::validation(format_args!("Value '{shards}' at 'shardCount'")));
    }
    account.streams().create(name, shards, &account.options)?;
    Ok(Answer::nothing())
}

pub(super) fn delete(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let name = arguments.stream()?;
    let has_consumers = !streams.named(name)?.consumers.is_empty();
    if has_consumers && arguments.json()["EnforceConsumerDeletion"] != true {
        return Err(Refusal::in_use(format_args!("Stream {name} has registered consumers")));
    }
    let stream = streams.delete(name)?;
    for consumer in stream.consumers.values() {
        account.subscriptions.forget(&consumer.arn);
    }
    Ok(Answer::nothing())
}

pub(super) fn summarise(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let summary = account.streams().meant(arguments)?.summary();
    Ok(Answer::json(&json!({"StreamDescriptionSummary": summary})))
}

pub(super) fn describe(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    let after = arguments.find("ExclusiveStartShardId").unwrap_or_default();
    let limit = arguments.count("Limit").map_or(100, |limit| limit as usize);
    let mut shards =
        stream.shards().filter(|shard| shard.id.as_str() > after).map(|shard| shard.json());
    let page: Vec<_> = shards.by_ref().take(limit).collect();
    let has_more = shards.next().is_some();
    let mut description = stream.summary();
    description["Shards"] = page.into();
    description["HasMoreShards"] = has_more.into();
    Ok(Answer::json(&json!({"StreamDescription": description})))
}

pub(super) fn list(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let streams = account.streams();
    let after = arguments.find("ExclusiveStartStreamName").unwrap_or_default();
    let limit = arguments.count("Limit").map_or(100, |limit| limit as usize);
    let mut names = streams.names().into_iter().filter(|name| *name > after);
    let page: Vec<_> = names.by_ref().take(limit).collect();
    let has_more = names.next().is_some();
    Ok(Answer::json(&json!({"StreamNames": page, "HasMoreStreams": has_more})))
}
