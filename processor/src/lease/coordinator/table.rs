//! Writes that belong to no lease that is held: made one after another or together, tried again a few times.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::lease::{
    CheckpointError, Child, Lease, LeaseKey, Store, StoreError, Timing, Write, Written,
};

/// Writes at once, as many as renewals.
pub(super) const CONCURRENT_MAX: usize = 20;

/// How often a request is made before its failure is reported.
const TRIES_MAX: u32 = 5;

/// Makes the leases of the children of `parent`, if those of merged shards may be made.
pub(super) async fn create_children<S: Store>(
    store: &S,
    timing: Timing,
    parent: &Lease,
    children: &[Child],
) -> Result<(), CheckpointError> {
    for child in children {
        let lease = child.lease(parent);
        for other in child.parents.iter().filter(|other| ***other != *parent.shard_id()) {
            let other_key = parent.key.sibling(other);
            let is_absent = get(store, timing, &other_key).await?.is_none();
            // A child that has a lease may have outlived that of its other parent.
            if is_absent && get(store, timing, &lease.key).await?.is_none() {
                return Err(CheckpointError::Deferred { parent: Arc::clone(other) });
            }
        }
        // Refused: the other parent's holder made it.
        write(store, timing, &Write::Create(lease)).await?;
    }
    Ok(())
}

/// Writes them all, some at once.
///
/// # Returns
/// How many were done.
pub(super) async fn write_all<S: Store>(
    store: Arc<S>,
    timing: Timing,
    writes: Vec<Write>,
) -> Result<usize, StoreError> {
    let (mut waiting, mut tasks, mut done) = (writes.into_iter(), JoinSet::new(), 0);
    loop {
        while tasks.len() < CONCURRENT_MAX
            && let Some(next) = waiting.next()
        {
            let store = Arc::clone(&store);
            tasks.spawn(async move { write(&*store, timing, &next).await });
        }
        let Some(answer) = tasks.join_next().await else { return Ok(done) };
        match answer {
            Ok(Ok(Written::Done { .. })) => done += 1,
            Ok(Ok(Written::Refused { .. })) => {}
            Ok(Err(error)) => return Err(error),
            Err(error) => return Err(StoreError::Unavailable(error.to_string())),
        }
    }
}

/// One try, not waited for longer than its answer is of use.
pub(super) async fn write_once<S: Store>(
    store: &S,
    timing: Timing,
    write: &Write,
) -> Result<Written, StoreError> {
    within(timing.answer_timeout_ms(), store.write(write)).await
}

/// Waits for an answer and no longer.
pub(super) async fn within<T>(
    limit_ms: u64,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::Unavailable(format!("no answer within {limit_ms} ms")));
    timeout(Duration::from_millis(limit_ms), answer).await.unwrap_or_else(late)
}

async fn write<S: Store>(store: &S, timing: Timing, write: &Write) -> Result<Written, StoreError> {
    let mut tries = 1;
    loop {
        match write_once(store, timing, write).await {
            Err(error) if error.is_passing() && tries < TRIES_MAX => {
                pause(timing, &mut tries).await
            }
            answer => return answer,
        }
    }
}

async fn get<S: Store>(
    store: &S,
    timing: Timing,
    key: &LeaseKey,
) -> Result<Option<Lease>, StoreError> {
    let mut tries = 1;
    loop {
        match within(timing.answer_timeout_ms(), store.get(key)).await {
            Err(error) if error.is_passing() && tries < TRIES_MAX => {
                pause(timing, &mut tries).await
            }
            answer => return answer,
        }
    }
}

/// Doubled each time, and half of it by chance.
async fn pause(timing: Timing, tries: &mut u32) {
    let most_ms = (timing.duration_ms / 50) << *tries;
    *tries += 1;
    sleep(Duration::from_millis(most_ms / 2 + fastrand::u64(0..=most_ms / 2))).await;
}
