//! All that one server holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use super::arguments::Arguments;
use super::calls::Calls;
use super::clock;
use super::fan_out::Subscriptions;
use super::faults::Faults;
use super::options::Options;
use super::refusal::Refusal;
use super::shard::Shard;
use super::stream::Stream;

/// The state of one server.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) options: Arc<Options>,
    pub(super) started: Instant,
    pub(super) subscriptions: Subscriptions,
    streams: Mutex<Streams>,
    faults: Mutex<Faults>,
    calls: Mutex<Calls>,
    /// Iterators that are older than this have expired, whatever their life.
    iterators_from: AtomicU64,
    next_iterator: AtomicU64,
}

/// By name.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_name: BTreeMap<String, Stream>,
    /// A stream that is made again has other sequence numbers.
    made: u32,
}

impl Account {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options: Arc::new(options),
            started: clock::now(),
            subscriptions: Subscriptions::default(),
            streams: Mutex::default(),
            faults: Mutex::default(),
            calls: Mutex::default(),
            iterators_from: AtomicU64::new(0),
            next_iterator: AtomicU64::new(0),
        }
    }

    pub(super) fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap()
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }

    pub(super) fn shard(&self, stream: &str, shard: &str) -> Result<Arc<Shard>, Refusal> {
        self.streams().named(stream)?.shard(shard).map(Arc::clone)
    }

    pub(super) fn next_iterator(&self) -> u64 {
        self.next_iterator.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn is_iterator_valid(&self, number: u64) -> bool {
        number >= self.iterators_from.load(Ordering::Relaxed)
    }

    pub(super) fn expire_iterators(&self) {
        let next = self.next_iterator.load(Ordering::Relaxed);
        self.iterators_from.store(next, Ordering::Relaxed);
    }
}

impl Streams {
    pub(super) fn create(
        &mut self,
        name: &str,
        shards: u32,
        options: &Arc<Options>,
    ) -> Result<(), Refusal> {
        if self.by_name.contains_key(name) {
            return Err(Refusal::in_use(format_args!("Stream {name} already exists")));
        }
        self.made += 1;
        let stream = Stream::new(name, self.made, shards, Arc::clone(options));
        self.by_name.insert(name.to_owned(), stream);
        Ok(())
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<Stream, Refusal> {
        self.by_name.remove(name).ok_or_else(|| no_stream(name))
    }

    pub(super) fn named(&mut self, name: &str) -> Result<&mut Stream, Refusal> {
        self.by_name.get_mut(name).ok_or_else(|| no_stream(name))
    }

    /// The stream that a request is about.
    pub(super) fn meant(&mut self, arguments: &Arguments) -> Result<&mut Stream, Refusal> {
        self.named(arguments.stream()?)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.by_name.keys().map(String::as_str).collect()
    }
}

fn no_stream(name: &str) -> Refusal {
    Refusal::not_found(format_args!("Stream {name} not found"))
}
