//! A lease table in memory: for tests, and what the local table keeps between its files.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Lease, LeaseKey, Store, StoreError, Write, Written};

/// Leases by key, gone with the process.
#[derive(Debug, Default)]
pub struct Memory {
    leases: Mutex<BTreeMap<LeaseKey, Lease>>,
}

impl Memory {
    /// A table with these leases.
    #[must_use]
    pub fn new(leases: impl IntoIterator<Item = Lease>) -> Self {
        let leases = leases.into_iter().map(|lease| (lease.key.clone(), lease)).collect();
        Self { leases: Mutex::new(leases) }
    }

    pub(super) fn all(&self) -> Vec<Lease> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn find(&self, key: &LeaseKey) -> Option<Lease> {
        self.lock().get(key).cloned()
    }

    pub(super) fn put(&self, key: &LeaseKey, lease: Option<Lease>) {
        let mut leases = self.lock();
        match lease {
            Some(lease) => leases.insert(key.clone(), lease),
            None => leases.remove(key),
        };
    }

    pub(super) fn apply(&self, write: &Write) -> Written {
        let mut leases = self.lock();
        let key = write.key();
        let current = leases.get(key);
        match write.apply(current) {
            Err(_refused) => Written::Refused { current: current.cloned() },
            Ok(now) => {
                match now.clone() {
                    Some(lease) => leases.insert(key.clone(), lease),
                    None => leases.remove(key),
                };
                Written::Done { now }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LeaseKey, Lease>> {
        // Nothing panics between two changes that belong together.
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scan(&self) -> Result<Vec<Lease>, StoreError> {
        Ok(self.all())
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        Ok(self.find(key))
    }

    async fn write(&self, write: &Write) -> Result<Written, StoreError> {
        Ok(self.apply(write))
    }
}
