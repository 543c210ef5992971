//! Our sketches as [`Summary`].

use std::sync::LazyLock;

use flowscout_benches::traffic::KEY;
use sketches::count_min::{ConservativeCountMin, CountMin};
use sketches::hash::KeyedState;
use sketches::talkers::Talkers;

use super::summary::{Answers, Promise, Summary, UPPER};
use super::{STREAM, TOP};

/// As many keys of 8 bytes as fit in 1 MiB.
const TALKERS: usize = 39_800;
const TALKERS_PROMISE: Promise = Promise { recall_min: 0.99, error_max: 0.002, ..UPPER };

impl Summary for Talkers<u64> {
    const NAME: &'static str = "Talkers::add";
    const PROMISE: Promise = TALKERS_PROMISE;

    fn new() -> Self {
        Self::new(TALKERS, KeyedState::new(KEY))
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        stream.iter().for_each(|&(key, weight)| self.add(key, weight));
    }

    fn bytes(&self) -> usize {
        self.memory_bytes()
    }

    fn answers(&self) -> Answers<'_> {
        Answers::Top(self.top(TOP).iter().map(|talker| (talker.key, talker.weight)).collect())
    }
}

/// Talkers that get their updates in batches.
pub(crate) struct Batched(Talkers<u64>);

impl Summary for Batched {
    const NAME: &'static str = "Talkers::add_batch";
    const PROMISE: Promise = TALKERS_PROMISE;

    fn new() -> Self {
        Self(Summary::new())
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        self.0.add_batch(stream);
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn answers(&self) -> Answers<'_> {
        self.0.answers()
    }
}

/// Talkers that get the hashes of the whole stream with it, as from a caller that needs them anyway.
pub(crate) struct Prehashed(Talkers<u64>);

static HASHES: LazyLock<Vec<u64>> =
    LazyLock::new(|| STREAM.iter().map(|&(key, _)| KEY.hash_u64(key)).collect());

impl Summary for Prehashed {
    const NAME: &'static str = "Talkers::add_hashed";
    const PROMISE: Promise = TALKERS_PROMISE;

    fn new() -> Self {
        Self(Summary::new())
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        for (&(key, weight), &hash) in stream.iter().zip(HASHES.iter()) {
            self.0.add_hashed(hash, key, weight);
        }
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn answers(&self) -> Answers<'_> {
        self.0.answers()
    }
}

/// Talkers as the pipeline has them: 4,096, in a tenth of the memory, so that most updates of a new
/// key evict another.
pub(crate) struct Small(Talkers<u64>);

impl Summary for Small {
    const NAME: &'static str = "Talkers::add, 4,096 of them";
    /// A thousand is a quarter of the keys that it can hold, and too many to ask for.
    const PROMISE: Promise = Promise { recall_min: 0.4, error_max: 0.3, ..UPPER };

    fn new() -> Self {
        Self(Talkers::new(4_096, KeyedState::new(KEY)))
    }

    fn add_all(&mut self, stream: &[(u64, u64)]) {
        self.0.add_all(stream);
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn answers(&self) -> Answers<'_> {
        self.0.answers()
    }
}

/// Rows of 2^16 counters: 2 MiB.
const WIDTH_LOG2: u8 = 16;

/// The hash of the key is part of the update.
macro_rules! count_min {
    ($sketch:ident, $name:literal, $error_max:literal) => {
        impl Summary for $sketch {
            const NAME: &'static str = $name;
            const PROMISE: Promise = Promise { error_max: $error_max, ..UPPER };

            fn new() -> Self {
                Self::new(WIDTH_LOG2).unwrap()
            }

            fn add_all(&mut self, stream: &[(u64, u64)]) {
                stream.iter().for_each(|&(key, weight)| self.add(KEY.hash_u64(key), weight));
            }

            fn bytes(&self) -> usize {
                self.memory_bytes()
            }

            fn answers(&self) -> Answers<'_> {
                Answers::Any(Box::new(|key| self.estimate(KEY.hash_u64(key))))
            }
        }
    };
}

count_min!(CountMin, "CountMin", 0.02);
count_min!(ConservativeCountMin, "ConservativeCountMin", 0.001);
