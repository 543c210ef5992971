//! Listing and changing the shards of a stream.

use base64_turbo::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Answer;
use crate::kinesis::account::Account;
use crate::kinesis::arguments::Arguments;
use crate::kinesis::clock;
use crate::kinesis::refusal::Refusal;
use crate::kinesis::shard::Shard;
use crate::kinesis::stream::Stream;

pub(super) fn list(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let (arguments, after) = match arguments.find("NextToken") {
        Some(token) => resume(account, arguments, token)?,
        None => {
            let after = arguments.find("ExclusiveStartShardId").map(str::to_owned);
            (Arguments::new(arguments.json().to_string().as_bytes())?, after)
        }
    };
    let after = after.unwrap_or_default();
    let mut streams = account.streams();
    let stream = streams.meant(&arguments)?;
    let filter = arguments.object("ShardFilter");
    let passes = filter.as_ref().map(|filter| filter_of(filter, stream)).transpose()?;
    let passes = passes.unwrap_or_else(|| Box::new(|_shard| true));
    let asked = arguments.count("MaxResults").map_or(usize::MAX, |limit| limit as usize);
    let limit = asked.min(account.options.shards_per_page_max);
    let mut shards = stream.shards().filter(|shard| shard.id > after && passes(shard));
    let page: Vec<_> = shards.by_ref().take(limit).collect();
    let mut answer = json!({"Shards": page.iter().map(|shard| shard.json()).collect::<Vec<_>>()});
    if let (Some(last), true) = (page.last(), shards.next().is_some()) {
        let token =
            json!({"arguments": arguments.json(), "after": last.id, "made_ms": clock::epoch_ms()});
        answer["NextToken"] = URL_SAFE_NO_PAD.encode(token.to_string()).into();
    }
    Ok(Answer::json(&answer))
}

pub(super) fn split(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    stream.require_active()?;
    let at = arguments.text("NewStartingHashKey")?;
    let at = at.parse().map_err(|_error| Refusal::invalid("NewStartingHashKey is no hash key"))?;
    stream.split(arguments.text("ShardToSplit")?, at)?;
    Ok(Answer::nothing())
}

pub(super) fn merge(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    stream.require_active()?;
    stream.merge(arguments.text("ShardToMerge")?, arguments.text("AdjacentShardToMerge")?)?;
    Ok(Answer::nothing())
}

pub(super) fn update_count(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    stream.require_active()?;
    let current = u32::try_from(stream.open_shards().count()).unwrap();
    let target = arguments.count("TargetShardCount").unwrap_or(0);
    if target > current * 2 || target < current.div_ceil(2) || target == 0 {
        return Err(Refusal::invalid(format_args!(
            "UpdateShardCount cannot scale {current} open shards to {target}: between half and double of them"
        )));
    }
    stream.scale(target)?;
    Ok(Answer::json(&json!({
        "StreamName": stream.name,
        "StreamARN": stream.arn(),
        "CurrentShardCount": current,
        "TargetShardCount": target,
    })))
}

/// What a token of a page before goes on with: what was asked then, and the last shard that was told.
fn resume(
    account: &Account,
    arguments: &Arguments,
    token: &str,
) -> Result<(Arguments, Option<String>), Refusal> {
    if ["StreamName", "ExclusiveStartShardId"].iter().any(|field| arguments.find(field).is_some()) {
        return Err(Refusal::invalid("NextToken and StreamName cannot be provided together."));
    }
    let token = URL_SAFE_NO_PAD.decode(token).ok();
    let token: Option<Value> = token.and_then(|token| serde_json::from_slice(&token).ok());
    let token = token.ok_or_else(|| Refusal::invalid("NextToken is not valid."))?;
    let age_ms = clock::epoch_ms().saturating_sub(token["made_ms"].as_u64().unwrap_or(0));
    if u128::from(age_ms) > account.options.token_life.as_millis() {
        return Err(Refusal::new("ExpiredNextTokenException", "NextToken has expired."));
    }
    let asked = Arguments::new(token["arguments"].to_string().as_bytes())?;
    Ok((asked, token["after"].as_str().map(str::to_owned)))
}

type Passes = Box<dyn Fn(&Shard) -> bool>;

/// Source: the documentation of `ShardFilter`.
fn filter_of(filter: &Arguments, stream: &Stream) -> Result<Passes, Refusal> {
    let timestamp = || {
        let missing = || Refusal::invalid("Timestamp must be specified with this filter");
        filter.epoch_ms("Timestamp").ok_or_else(missing)
    };
    let is_open_at = |ms: u64| -> Passes {
        Box::new(move |shard| {
            shard.created_ms <= ms && shard.end().is_none_or(|end| end.at_ms > ms)
        })
    };
    Ok(match filter.text("Type")? {
        "AFTER_SHARD_ID" => {
            let after = filter.text("ShardId")?.to_owned();
            Box::new(move |shard| shard.id > after)
        }
        "FROM_TRIM_HORIZON" => Box::new(|_shard| true),
        "AT_LATEST" => Box::new(|shard| shard.end().is_none()),
        "AT_TRIM_HORIZON" => {
            // The oldest shards that are remembered are those of the horizon: their parents are not.
            let ids: Vec<_> = stream.shards().map(|shard| shard.id.clone()).collect();
            Box::new(move |shard| !shard.parents.iter().any(|parent| ids.contains(parent)))
        }
        "AT_TIMESTAMP" => is_open_at(timestamp()?.max(stream.created_ms)),
        "FROM_TIMESTAMP" => {
            let from = timestamp()?;
            Box::new(move |shard| shard.end().is_none_or(|end| end.at_ms >= from))
        }
        other => return Err(Refusal::validation(format_args!("Value '{other}' at 'type'"))),
    })
}
