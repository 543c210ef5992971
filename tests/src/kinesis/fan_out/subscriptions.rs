//! Who is subscribed to which shard: one at a time per consumer, and the newest wins, unless it comes too soon.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::kinesis::clock;
use crate::kinesis::refusal::Refusal;

/// How the subscriptions that are open are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As at the end of their life.
    Clean,
    /// The connection is closed in the middle.
    Cut,
    /// With this error in the stream.
    Error(&'static str, &'static str),
    /// Not at all: they stay open, and nothing comes any more.
    Silence,
}

/// All that were ever opened, each as the newest of its kind.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct Subscriptions(Mutex<BTreeMap<Key, Subscription>>);

/// Of what there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) consumer: String,
    pub(super) shard: String,
}

/// One that was opened.
#[derive(Debug)]
pub(super) struct Subscribed {
    pub(super) ending: watch::Receiver<Option<Ending>>,
    key: Key,
    opened: Instant,
}

#[derive(Debug)]
struct Subscription {
    opened: Instant,
    is_open: bool,
    ending: watch::Sender<Option<Ending>>,
}

impl Subscriptions {
    /// Opens one and ends the one before it, which must not be younger than `exclusive`, even when it is over.
    pub(super) fn open(&self, key: Key, exclusive: Duration) -> Result<Subscribed, Refusal> {
        let mut all = self.lock();
        let opened = clock::now();
        if let Some(before) = all.get(&key) {
            let Key { consumer, shard } = &key;
            if opened < before.opened + exclusive {
                return Err(Refusal::in_use(format_args!(
                    "Another active subscription exists for this consumer: {shard}, {consumer}"
                )));
            }
            let taken = "Another consumer has taken over this subscription";
            before.ending.send_replace(Some(Ending::Error("ResourceInUseException", taken)));
        }
        let (sender, ending) = watch::channel(None);
        all.insert(key.clone(), Subscription { opened, is_open: true, ending: sender });
        Ok(Subscribed { ending, key, opened })
    }

    pub(super) fn close(&self, subscribed: &Subscribed) {
        let mut all = self.lock();
        let newest = all.get_mut(&subscribed.key);
        if let Some(newest) = newest.filter(|newest| newest.opened == subscribed.opened) {
            newest.is_open = false;
        }
    }

    /// The consumer is no more.
    pub(in crate::kinesis) fn forget(&self, consumer: &str) {
        let gone = Ending::Error("ResourceNotFoundException", "The consumer does not exist");
        self.lock().retain(|key, subscription| {
            let stays = key.consumer != consumer;
            if !stays {
                subscription.ending.send_replace(Some(gone));
            }
            stays
        });
    }

    /// Ends those of a shard, or all; how many.
    pub(in crate::kinesis) fn end(&self, shard: Option<&str>, ending: Ending) -> usize {
        let all = self.lock();
        let is_meant = |(key, subscription): &(&Key, &Subscription)| {
            subscription.is_open && shard.is_none_or(|shard| shard == key.shard)
        };
        let meant: Vec<_> = all.iter().filter(is_meant).collect();
        for (_key, subscription) in &meant {
            subscription.ending.send_replace(Some(ending));
        }
        meant.len()
    }

    /// Consumer and shard of those that are open.
    pub(in crate::kinesis) fn open_ones(&self) -> Vec<(String, String)> {
        let all = self.lock();
        let open = all.iter().filter(|(_key, subscription)| subscription.is_open);
        open.map(|(key, _subscription)| (key.consumer.clone(), key.shard.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Subscription>> {
        self.0.lock().unwrap()
    }
}
