//! What goes wrong on purpose: a fault waits for the next calls of an operation, of any shard or of one.

use std::time::Duration;

/// What clients of Kinesis call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of the API")]
pub enum Operation {
    CreateStream,
    DeleteStream,
    DescribeStream,
    DescribeStreamSummary,
    DeregisterStreamConsumer,
    DescribeStreamConsumer,
    GetRecords,
    GetShardIterator,
    ListShards,
    ListStreamConsumers,
    ListStreams,
    MergeShards,
    PutRecord,
    PutRecords,
    RegisterStreamConsumer,
    SplitShard,
    SubscribeToShard,
    UpdateShardCount,
}

/// One way to go wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The error of this name, such as `KMSThrottlingException`; nothing is done. 500 for the service's own, 400 otherwise.
    Error(&'static str, &'static str),
    /// This status without a body; nothing is done.
    Status(u16),
    /// Never an answer; nothing is done.
    Hang,
    /// The connection is closed without an answer; nothing is done.
    Cut,
    /// It is done, and the connection is closed without an answer.
    CutAnswer,
    /// It is done, and answered after this time.
    Late(Duration),
    /// `PutRecords`: the records at these places are refused with this code, and only they.
    Entries(Vec<usize>, &'static str),
    /// `SubscribeToShard`: accepted, and then not a byte, not even an empty event, for ever.
    Silent,
    /// `SubscribeToShard`: accepted, and then this error in the stream.
    InStream(&'static str, &'static str),
    /// `SubscribeToShard`: accepted, and closed after its first event without an end.
    CutStream,
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    operation: Operation,
    shard: Option<String>,
    fault: Fault,
    left: u32,
}

impl Operation {
    const ALL: [Self; 18] = [
        Self::CreateStream,
        Self::DeleteStream,
        Self::DescribeStream,
        Self::DescribeStreamSummary,
        Self::DeregisterStreamConsumer,
        Self::DescribeStreamConsumer,
        Self::GetRecords,
        Self::GetShardIterator,
        Self::ListShards,
        Self::ListStreamConsumers,
        Self::ListStreams,
        Self::MergeShards,
        Self::PutRecord,
        Self::PutRecords,
        Self::RegisterStreamConsumer,
        Self::SplitShard,
        Self::SubscribeToShard,
        Self::UpdateShardCount,
    ];

    /// The operation that the header `X-Amz-Target` names.
    pub(super) fn of_target(target: &str) -> Option<Self> {
        let name = target.strip_prefix("Kinesis_20131202.")?;
        Self::ALL.into_iter().find(|operation| format!("{operation:?}") == name)
    }
}

impl Faults {
    pub(super) fn add(
        &mut self,
        operation: Operation,
        shard: Option<String>,
        fault: Fault,
        times: u32,
    ) {
        self.0.push(Rule { operation, shard, fault, left: times });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that was added first and fits, which is one less afterwards.
    pub(super) fn take(&mut self, operation: Operation, shard: Option<&str>) -> Option<Fault> {
        let fits = |rule: &Rule| {
            rule.operation == operation && (rule.shard.is_none() || rule.shard.as_deref() == shard)
        };
        let place = self.0.iter().position(fits)?;
        let rule = &mut self.0[place];
        rule.left = rule.left.saturating_sub(1);
        if rule.left == 0 {
            return Some(self.0.remove(place).fault);
        }
        Some(rule.fault.clone())
    }
}
