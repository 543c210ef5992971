//! What each operation does: a request in, an answer or a refusal out.

mod consumers;
mod read;
mod shards;
mod streams;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use super::account::Account;
use super::arguments::Arguments;
use super::faults::{Fault, Operation};
use super::iterator::ShardIterator;
use super::refusal::Refusal;
use super::{fan_out, http};

pub(super) use write::append;

/// What was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content: Content,
    /// Of which shard, where the request did not say so.
    pub(super) shard: Option<String>,
    /// Records that were put or read, and their payload bytes.
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Content {
    Whole(Bytes),
    Events(mpsc::Receiver<http::Piece>),
}

impl Answer {
    pub(super) fn new(content: Content) -> Self {
        Self { content, shard: None, records: 0, bytes: 0 }
    }

    fn json(value: &Value) -> Self {
        Self::new(Content::Whole(value.to_string().into()))
    }

    fn nothing() -> Self {
        Self::new(Content::Whole(Bytes::new()))
    }
}

/// The shard that a request is about.
pub(super) fn shard_of(operation: Operation, body: &[u8]) -> Option<String> {
    let field = match operation {
        Operation::GetRecords => "ShardIterator",
        Operation::SplitShard => "ShardToSplit",
        Operation::GetShardIterator | Operation::SubscribeToShard => "ShardId",
        _ => return None,
    };
    let arguments = Arguments::new(body).ok()?;
    let text = arguments.find(field)?;
    if operation == Operation::GetRecords {
        return Some(ShardIterator::parse(text)?.shard);
    }
    Some(text.to_owned())
}

/// Does what the request asks for, as wrongly as `fault` demands.
pub(super) fn run(
    account: &Arc<Account>,
    operation: Operation,
    body: &[u8],
    fault: Option<&Fault>,
) -> Result<Answer, Refusal> {
    match operation {
        Operation::PutRecord => return write::put_record(account, body),
        Operation::PutRecords => return write::put_records(account, body, fault),
        _ => {}
    }
    let arguments = Arguments::new(body)?;
    let run = match operation {
        Operation::CreateStream => streams::create,
        Operation::DeleteStream => streams::delete,
        Operation::DescribeStream => streams::describe,
        Operation::DescribeStreamSummary => streams::summarise,
        Operation::ListStreams => streams::list,
        Operation::ListShards => shards::list,
        Operation::SplitShard => shards::split,
        Operation::MergeShards => shards::merge,
        Operation::UpdateShardCount => shards::update_count,
        Operation::GetShardIterator => read::iterator,
        Operation::GetRecords => read::records,
        Operation::RegisterStreamConsumer => consumers::register,
        Operation::DescribeStreamConsumer => consumers::describe,
        Operation::ListStreamConsumers => consumers::list,
        Operation::DeregisterStreamConsumer => consumers::deregister,
        Operation::SubscribeToShard => return fan_out::subscribe(account, &arguments, fault),
        Operation::PutRecord | Operation::PutRecords => unreachable!("done above"),
    };
    run(account, &arguments)
}
