use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;
use crate::lease::{Grant, HashRange, Memory, Position, Write, Written};

/// Long enough for a busy machine to renew in time.
const TIMING: Timing =
    Timing { duration_ms: 2_000, handoff_timeout_ms: 6_000, leases_max: usize::MAX };

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn key(number: usize) -> LeaseKey {
    format!("shardId-{number:012}").into()
}

fn memory(leases: usize) -> Arc<Memory> {
    let lease = |number| Lease::new(key(number), Checkpoint::TrimHorizon);
    Arc::new(Memory::new((0..leases).map(lease)))
}

fn start<S: Store>(store: S, worker: &str) -> (Handle, mpsc::Receiver<Event>) {
    Coordinator::start(|| async { Ok(store) }, worker.into(), TIMING).unwrap()
}

fn through(number: u64) -> Checkpoint {
    let sequence = number.to_string().parse().unwrap();
    Checkpoint::Through(Position { sequence, sub_sequence: 0 })
}

async fn event(events: &mut mpsc::Receiver<Event>) -> Event {
    let limit = Duration::from_millis(10 * TIMING.duration_ms);
    timeout(limit, events.recv()).await.expect("in time").expect("not the end")
}

async fn granted(events: &mut mpsc::Receiver<Event>) -> Grant {
    match event(events).await {
        Event::Granted(grant) => grant,
        other => panic!("{other:?}"),
    }
}

/// A table of which one lease is never answered for, and in which some answers are lost after the write was done.
struct Faulty {
    table: Arc<Memory>,
    silent: Option<LeaseKey>,
    lost_one_in: u64,
    writes: AtomicU64,
}

impl Store for Faulty {
    async fn prepare(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scan(&self) -> Result<Vec<Lease>, StoreError> {
        self.table.scan().await
    }

    async fn get(&self, key: &LeaseKey) -> Result<Option<Lease>, StoreError> {
        self.table.get(key).await
    }

    async fn write(&self, write: &Write) -> Result<Written, StoreError> {
        let is_take = matches!(write, Write::Take { .. });
        if self.silent.as_ref() == Some(write.key()) && !is_take {
            std::future::pending::<()>().await;
        }
        let written = self.table.write(write).await;
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        if !is_take && number.is_multiple_of(self.lost_one_in) {
            return Err(StoreError::Unavailable("the answer was lost".to_owned()));
        }
        written
    }
}

#[test]
fn checkpoints_are_written_under_the_grant_they_belong_to_and_never_go_back() {
    run(async {
        let table = memory(1);
        let (handle, mut events) = start(Arc::clone(&table), "me");
        let Grant { lease, token } = granted(&mut events).await;
        assert_eq!(lease.owner.as_deref(), Some("me"));
        handle.checkpoint(&lease.key, token, through(10)).await.unwrap();
        assert_eq!(table.find(&lease.key).unwrap().checkpoint, through(10));
        let back = handle.checkpoint(&lease.key, token, through(9)).await;
        let (from, to) = (through(10), through(9));
        assert_eq!(back, Err(CheckpointError::Backward { from, to }));

        handle.release(&lease.key, token).await.unwrap();
        assert_eq!(table.find(&lease.key).unwrap().owner, None);
        handle.release(&lease.key, token).await.unwrap();
        let again = granted(&mut events).await;
        assert_ne!(again.token, token);
        let old = handle.checkpoint(&lease.key, token, through(11)).await;
        assert_eq!(old, Err(CheckpointError::Lost));
        handle.checkpoint(&lease.key, again.token, through(11)).await.unwrap();
        let view = handle.next_view().await;
        assert!(view.is_first_worker);
        assert_eq!((view.workers, view.counts.held, view.counts.taken), (1, 1, 2));
        handle.shutdown().await;
    });
}

#[test]
fn a_reader_that_takes_no_events_stops_no_renewal() {
    run(async {
        let table = memory(2 * EVENTS_MAX);
        let (handle, events) = start(Arc::clone(&table), "me");
        sleep(Duration::from_millis(3 * TIMING.duration_ms)).await;
        let view = handle.view();
        assert_eq!((view.counts.held, view.counts.lost), (2 * EVENTS_MAX as u64, 0));
        assert!(table.all().iter().all(|lease| lease.counter > 4), "renewed");
        drop(events);
        // Nobody reads: the leases are for others.
        sleep(Duration::from_millis(TIMING.duration_ms)).await;
        assert!(table.all().iter().all(|lease| lease.owner.is_none()));
        assert_eq!(handle.create(Vec::new()).await, Err(ended()));
    });
}

#[test]
fn a_lease_that_is_not_answered_for_is_lost_alone_and_in_time() {
    run(async {
        let table = memory(8);
        let (silent, writes) = (Some(key(3)), AtomicU64::new(1));
        let store = Faulty { table, silent, lost_one_in: u64::MAX, writes };
        let (handle, mut events) = start(store, "me");
        let started = tokio::time::Instant::now();
        for _ in 0..8 {
            granted(&mut events).await;
        }
        assert_eq!(event(&mut events).await, Event::Lost(key(3)));
        assert!(started.elapsed() < Duration::from_millis(TIMING.duration_ms + 500));
        assert_eq!(handle.view().counts.lost, 1);
        handle.shutdown().await;
    });
}

#[test]
fn lost_answers_lose_neither_checkpoints_nor_leases() {
    run(async {
        let table = memory(4);
        let (lost_one_in, writes) = (3, AtomicU64::new(0));
        let store = Faulty { table: Arc::clone(&table), silent: None, lost_one_in, writes };
        let (handle, mut events) = start(store, "me");
        let mut grants = Vec::new();
        for _ in 0..4 {
            grants.push(granted(&mut events).await);
        }
        for number in 1..20 {
            for Grant { lease, token } in &grants {
                handle.checkpoint(&lease.key, *token, through(number)).await.unwrap();
                assert_eq!(table.find(&lease.key).unwrap().checkpoint, through(number));
            }
        }
        assert_eq!(handle.view().counts.lost, 0);
        handle.shutdown().await;
        assert!(table.all().iter().all(|lease| lease.owner.is_none()));
        assert_eq!(events.recv().await, None, "nothing is held");
    });
}

#[test]
fn a_worker_that_comes_later_asks_for_its_share_and_gets_it_when_the_holder_is_done() {
    run(async {
        let table = memory(2);
        let (first, mut first_events) = start(Arc::clone(&table), "first");
        let grants = [granted(&mut first_events).await, granted(&mut first_events).await];
        let (second, mut second_events) = start(Arc::clone(&table), "second");
        let Event::HandoffRequested(key) = event(&mut first_events).await else { panic!("asked") };
        let Grant { lease, token } =
            grants.into_iter().find(|grant| grant.lease.key == key).unwrap();
        // It drains, and is renewed while it does.
        sleep(Duration::from_millis(TIMING.duration_ms + 500)).await;
        first.checkpoint(&lease.key, token, through(5)).await.unwrap();
        first.release(&lease.key, token).await.unwrap();
        let grant = granted(&mut second_events).await;
        assert_eq!((grant.lease.key, grant.lease.checkpoint), (key, through(5)));
        let view = second.next_view().await;
        assert_eq!((view.workers, view.counts.stolen, view.is_first_worker), (2, 1, false));
        assert_eq!((first.view().counts.handed_over, first.view().counts.lost), (1, 0));
        first.shutdown().await;
        granted(&mut second_events).await;
        second.shutdown().await;
    });
}

#[test]
fn a_finished_shard_leaves_leases_for_its_children() {
    run(async {
        let table = memory(2);
        let (handle, mut events) = start(Arc::clone(&table), "me");
        let mut grants = [granted(&mut events).await, granted(&mut events).await];
        grants.sort_by(|one, other| one.lease.key.cmp(&other.lease.key));
        let child = |number: usize, parents: &[usize]| Child {
            shard_id: key(number).as_str().into(),
            parents: parents.iter().map(|parent| key(*parent).as_str().into()).collect(),
            hash_range: HashRange::WHOLE,
        };
        let Grant { lease, token } = &grants[0];
        let orphan = handle.finish(&lease.key, *token, vec![child(4, &[0, 3])]).await;
        assert_eq!(orphan, Err(CheckpointError::Deferred { parent: key(3).as_str().into() }));
        assert_eq!(table.find(&key(4)), None);
        handle.finish(&lease.key, *token, vec![child(2, &[0, 1])]).await.unwrap();
        let ended = table.find(&key(0)).unwrap();
        assert_eq!(ended.checkpoint, Checkpoint::ShardEnd);
        assert_eq!(ended.children, [key(2).as_str().into()]);
        let grant = granted(&mut events).await;
        assert_eq!((grant.lease.key, grant.lease.checkpoint), (key(2), Checkpoint::TrimHorizon));
        assert_eq!(grant.lease.parents.len(), 2);
        let Grant { lease, token } = &grants[1];
        handle.finish(&lease.key, *token, vec![child(2, &[0, 1])]).await.unwrap();
        let again = handle.finish(&lease.key, *token, vec![child(2, &[0, 1])]).await;
        assert_eq!(again, Err(CheckpointError::Lost), "it is over");
        handle.delete(vec![key(0), key(1)]).await.unwrap();
        let more = [key(2), key(7)].map(|key| Lease::new(key, Checkpoint::Latest));
        assert_eq!(handle.create(more.to_vec()).await, Ok(1));
        assert_eq!(granted(&mut events).await.lease.key, key(7));
        assert_eq!(table.all().len(), 2);
        handle.shutdown().await;
    });
}

#[test]
fn leases_that_an_earlier_process_of_this_name_left_are_taken_at_once() {
    run(async {
        let table = memory(3);
        for number in 0..3 {
            let take =
                Write::Take { key: key(number), counter: 0, owner: "me".into(), is_switch: false };
            table.write(&take).await.unwrap();
        }
        let started = tokio::time::Instant::now();
        let (handle, mut events) = start(Arc::clone(&table), "me");
        for _ in 0..3 {
            granted(&mut events).await;
        }
        assert!(started.elapsed() < Duration::from_millis(TIMING.duration_ms / 2));
        handle.shutdown().await;
    });
}

#[test]
fn a_table_that_cannot_be_used_is_told_at_the_start() {
    let make = || async { Err::<Memory, _>(StoreError::Unusable("no table".to_owned())) };
    let error = Coordinator::start(make, "me".into(), TIMING).unwrap_err();
    assert_eq!(error.to_string(), "lease table: no table");
}
