//! Who may subscribe.

use serde_json::json;

use super::Answer;
use crate::kinesis::account::Account;
use crate::kinesis::arguments::Arguments;
use crate::kinesis::refusal::Refusal;
use crate::kinesis::stream::{Consumer, Stream};

/// Of a provisioned stream.
const CONSUMERS_MAX: usize = 20;

pub(super) fn register(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    if stream.consumers.len() >= CONSUMERS_MAX {
        return Err(Refusal::new("LimitExceededException", "20 consumers are registered"));
    }
    let consumer = stream.register(arguments.text("ConsumerName")?)?;
    Ok(Answer::json(&json!({"Consumer": consumer})))
}

pub(super) fn describe(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    let mut description = find(stream, arguments)?.json();
    description["StreamARN"] = stream.arn().into();
    Ok(Answer::json(&json!({"ConsumerDescription": description})))
}

pub(super) fn list(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    // The token is the name of the last one.
    let after = arguments.find("NextToken").unwrap_or_default();
    let limit = arguments.count("MaxResults").map_or(100, |limit| limit as usize);
    let mut consumers = stream.consumers.values().filter(|consumer| consumer.name.as_str() > after);
    let page: Vec<_> = consumers.by_ref().take(limit).collect();
    let mut answer =
        json!({"Consumers": page.iter().map(|consumer| consumer.json()).collect::<Vec<_>>()});
    if let (Some(last), true) = (page.last(), consumers.next().is_some()) {
        answer["NextToken"] = last.name.as_str().into();
    }
    Ok(Answer::json(&answer))
}

pub(super) fn deregister(account: &Account, arguments: &Arguments) -> Result<Answer, Refusal> {
    let mut streams = account.streams();
    let stream = streams.meant(arguments)?;
    let consumer = find(stream, arguments)?.clone();
    stream.consumers.remove(&consumer.name);
    account.subscriptions.forget(&consumer.arn);
    Ok(Answer::nothing())
}

fn find<'a>(stream: &'a Stream, arguments: &Arguments) -> Result<&'a Consumer, Refusal> {
    let name = arguments.find("ConsumerName");
    let arn = arguments.find("ConsumerARN");
    let is_meant = |consumer: &&Consumer| {
        arn.is_none_or(|arn| consumer.arn == arn) && name.is_none_or(|name| consumer.name == name)
    };
    let consumer = stream.consumers.values().find(is_meant).filter(|_| arn.or(name).is_some());
    consumer.ok_or_else(|| {
        let name = name.or(arn).unwrap_or_default();
        Refusal::not_found(format_args!("Consumer {name} of stream {} not found", stream.name))
    })
}
