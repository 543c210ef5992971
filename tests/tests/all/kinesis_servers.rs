//! The servers of Kinesis that the tests use, held to one suite through the ordinary SDK: kinesis-mock for polling and resharding,
//! ministack for polling and fan-out, ours for all. Where one of the others does otherwise than AWS, the test names it and asserts
//! that it still does.

mod fan_out;
mod faults;
mod load;
mod polling;
mod resharding;

use std::fmt::Debug;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{Record, Shard, ShardIteratorType};
use flowscout_tests::kinesis::{KinesisServer, Options};
use flowscout_tests::{KinesisMock, Ministack, aws};

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    KinesisMock,
    Ministack,
    Ours,
}

/// A server and a stream on it.
#[derive(Debug)]
struct Server {
    kind: Kind,
    client: Client,
    stream: String,
    /// Lives as long as the client.
    ours: Option<KinesisServer>,
}

const FIRST_SHARD: &str = "shardId-000000000000";

/// Those of these kinds that run here, each with a new stream of this name.
async fn servers(kinds: &[Kind], stream: &str, shards: i32) -> Vec<Server> {
    let mut servers = Vec::new();
    for &kind in kinds {
        let (url, ours) = match kind {
            Kind::KinesisMock => (KinesisMock::shared().map(KinesisMock::url), None),
            Kind::Ministack => (Ministack::shared().map(Ministack::url), None),
            Kind::Ours => {
                let ours = KinesisServer::start(Options::default());
                (Some(ours.url()), Some(ours))
            }
        };
        let Some(url) = url else { continue };
        servers.push(Server::new(kind, &url, ours, stream, shards).await);
    }
    servers
}

/// Ours, with a new stream of one shard.
async fn ours(options: Options) -> Server {
    let ours = KinesisServer::start(options);
    Server::new(Kind::Ours, &ours.url(), Some(ours), "stream", 1).await
}

/// The name of the error that the service answered with; `none`, or the status, where it did not.
fn code<T, E: ProvideErrorMetadata + Debug>(outcome: Result<T, SdkError<E>>) -> String {
    let Err(error) = outcome else { return "none".to_owned() };
    let code = error.code().map(str::to_owned);
    let status = || error.raw_response().map(|response| response.status().as_u16().to_string());
    code.or_else(status).unwrap_or_else(|| panic!("no answer: {error:?}"))
}

fn data(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(record.data.as_ref()).unwrap()).collect()
}

fn numbers(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.sequence_number.as_str()).collect()
}

fn ids(shards: &[Shard]) -> Vec<&str> {
    shards.iter().map(|shard| shard.shard_id.as_str()).collect()
}

impl Server {
    async fn new(
        kind: Kind,
        url: &str,
        ours: Option<KinesisServer>,
        stream: &str,
        shards: i32,
    ) -> Self {
        let client = aws::kinesis_client(url);
        let server = Self { kind, client, stream: stream.to_owned(), ours };
        let create = server.client.create_stream().stream_name(stream).shard_count(shards);
        create.send().await.unwrap();
        server.until_active().await;
        server
    }

    fn ours(&self) -> &KinesisServer {
        self.ours.as_ref().unwrap()
    }

    async fn until_active(&self) {
        loop {
            let summary =
                self.client.describe_stream_summary().stream_name(&self.stream).send().await;
            let summary = summary.unwrap().stream_description_summary.unwrap();
            if summary.stream_status.as_str() == "ACTIVE" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Puts a record under this key; its shard and its sequence number.
    async fn put(&self, key: &str, data: &str) -> (String, String) {
        let put = self.client.put_record().stream_name(&self.stream).partition_key(key);
        let put = put.data(Blob::new(data)).send().await.unwrap();
        (put.shard_id, put.sequence_number)
    }

    /// Puts a record into the shard with this hash key.
    async fn put_at(&self, hash_key: &str, data: &str) -> (String, String) {
        let put = self.client.put_record().stream_name(&self.stream).partition_key("key");
        let put = put.explicit_hash_key(hash_key).data(Blob::new(data)).send().await.unwrap();
        (put.shard_id, put.sequence_number)
    }

    async fn iterator(&self, shard: &str, kind: ShardIteratorType) -> String {
        let iterator = self.client.get_shard_iterator().stream_name(&self.stream).shard_id(shard);
        let iterator = iterator.shard_iterator_type(kind).send().await.unwrap();
        iterator.shard_iterator.unwrap()
    }

    async fn iterator_at(&self, kind: ShardIteratorType, sequence_number: &str) -> String {
        let iterator = self.client.get_shard_iterator().stream_name(&self.stream);
        let iterator = iterator.shard_id(FIRST_SHARD).shard_iterator_type(kind);
        let iterator = iterator.starting_sequence_number(sequence_number).send().await.unwrap();
        iterator.shard_iterator.unwrap()
    }

    async fn read(&self, iterator: &str) -> GetRecordsOutput {
        self.client.get_records().shard_iterator(iterator).send().await.unwrap()
    }

    /// Everything in a shard that is closed, and the answer that told its end.
    async fn read_to_end(&self, shard: &str) -> (Vec<Record>, GetRecordsOutput) {
        let mut iterator = self.iterator(shard, ShardIteratorType::TrimHorizon).await;
        let mut records = Vec::new();
        loop {
            let mut read = self.read(&iterator).await;
            records.append(&mut read.records);
            match &read.next_shard_iterator {
                Some(next) => iterator.clone_from(next),
                None => return (records, read),
            }
        }
    }

    async fn shards(&self) -> Vec<Shard> {
        let list = self.client.list_shards().stream_name(&self.stream).send().await.unwrap();
        assert_eq!(list.next_token, None);
        list.shards.unwrap()
    }
}
