//! A small Kinesis of our own, in the process of the test: for what no other server here does, which is throttling, fan-out
//! across resharding, load, and going wrong on purpose.
//!
//! It keeps to what AWS documents. `tests/all/kinesis_servers` holds it to the same suite as kinesis-mock and ministack, so that
//! it is never tested only against itself. Signatures and permissions are not looked at; there is no encryption, no tags, no
//! enhanced monitoring.

mod account;
mod arguments;
mod calls;
mod clock;
mod fan_out;
mod faults;
mod hash_range;
mod http;
mod iterator;
mod operations;
mod options;
mod refusal;
mod sequence;
mod shard;
mod stream;
mod throttle;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use base64_turbo::STANDARD;
use tokio::sync::oneshot;

pub use calls::Call;
pub use fan_out::Ending;
pub use faults::{Fault, Operation};
pub use options::{EndContinuation, FanOut, Options, ReadLimits, WriteLimits};

use account::Account;
use hash_range::hash_key;
use shard::Incoming;

use crate::{Program, aws};

/// A server that ends with the value.
#[derive(Debug)]
pub struct KinesisServer {
    account: Arc<Account>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Whose streams these are.
const ACCOUNT: &str = "000000000000";
/// Threads that answer: the machines that run tests have few.
const THREADS: usize = 2;

impl KinesisServer {
    /// Starts one on a free port.
    #[must_use]
    pub fn start(options: Options) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let account = Arc::new(Account::new(options));
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&account);
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(THREADS).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = http::serve(listener, serving) => {}
                    _ = stopped => {}
                }
            });
            // Whoever waits for an answer that never comes is not waited for.
            runtime.shutdown_background();
        });
        Self { account, address, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://` with address and port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `program` with this server as its Kinesis.
    #[must_use]
    pub fn serve(&self, program: Program) -> Program {
        aws::with_credentials(program).env("AWS_ENDPOINT_URL_KINESIS", &self.url())
    }

    /// Makes a stream.
    pub fn create_stream(&self, name: &str, shards: u32) {
        self.account.streams().create(name, shards, &self.account.options).unwrap();
    }

    /// Puts a record without a request; the shard and the sequence number that it got.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn put(&self, stream: &str, partition_key: &str, data: &[u8]) -> (String, String) {
        let record = Incoming::new(&STANDARD.encode(data), data.len(), partition_key);
        let mut streams = self.account.streams();
        let stream = streams.named(stream).unwrap();
        operations::append(stream, &record, hash_key(partition_key), &self.account).unwrap()
    }

    /// Cuts a shard in two, the second of which starts at hash key `at`.
    pub fn split(&self, stream: &str, shard: &str, at: u128) {
        self.account.streams().named(stream).unwrap().split(shard, at).unwrap();
    }

    /// Makes two adjacent shards one.
    pub fn merge(&self, stream: &str, shard: &str, adjacent: &str) {
        self.account.streams().named(stream).unwrap().merge(shard, adjacent).unwrap();
    }

    /// Splits and merges until the stream has this many open shards of the same size; any number, unlike `UpdateShardCount`.
    pub fn scale(&self, stream: &str, shards: u32) {
        self.account.streams().named(stream).unwrap().scale(shards).unwrap();
    }

    /// The open shards, oldest first.
    #[must_use]
    pub fn open_shards(&self, stream: &str) -> Vec<String> {
        let mut streams = self.account.streams();
        streams.named(stream).unwrap().open_shards().map(|shard| shard.id.clone()).collect()
    }

    /// Lets go of a shard's records before this sequence number, as the end of their retention does.
    pub fn trim(&self, stream: &str, shard: &str, before: &str) {
        self.account.shard(stream, shard).unwrap().trim(before);
    }

    /// Forgets a closed shard, as the end of its retention does.
    pub fn expire_shard(&self, stream: &str, shard: &str) {
        self.account.streams().named(stream).unwrap().expire_shard(shard);
    }

    /// All iterators that were given out have expired.
    pub fn expire_iterators(&self) {
        self.account.expire_iterators();
    }

    /// The next `times` calls of an operation go wrong; `u32::MAX` is for ever, in effect. Faults of the same operation come in the
    /// order in which they were added.
    pub fn fail(&self, operation: Operation, fault: Fault, times: u32) {
        self.account.faults().add(operation, None, fault, times);
    }

    /// As [`KinesisServer::fail`], for one shard.
    pub fn fail_shard(&self, operation: Operation, shard: &str, fault: Fault, times: u32) {
        self.account.faults().add(operation, Some(shard.to_owned()), fault, times);
    }

    /// From now on nothing goes wrong on purpose.
    pub fn heal(&self) {
        self.account.faults().clear();
    }

    /// Ends the subscriptions that are open, of one shard or of all; how many there were.
    #[expect(clippy::must_use_candidate, reason = "called for what it does")]
    pub fn end_subscriptions(&self, shard: Option<&str>, ending: Ending) -> usize {
        self.account.subscriptions.end(shard, ending)
    }

    /// ARN of the consumer and shard of each subscription that is open.
    #[must_use]
    pub fn open_subscriptions(&self) -> Vec<(String, String)> {
        self.account.subscriptions.open_ones()
    }

    /// The last million calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.account.calls().iter().cloned().collect()
    }

    /// The calls of one operation, oldest first.
    #[must_use]
    pub fn calls_of(&self, operation: Operation) -> Vec<Call> {
        let calls = self.account.calls();
        calls.iter().filter(|call| call.operation == operation).cloned().collect()
    }
}

impl Drop for KinesisServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
