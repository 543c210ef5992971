//! The loop of the thread: gives the rules the time, the answers and the requests, and does what they put out.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::backlog::Backlog;
use super::table::{self, CONCURRENT_MAX};
use super::{Command, Reply};
use crate::lease::rules::{Output, Request, RequestId, Timing, Token, View, Worker, WriteId};
use crate::lease::{
    Checkpoint, CheckpointError, Child, Event, Lease, LeaseKey, Store, StoreError, Write, Written,
};

pub(super) struct Shell<S> {
    store: Arc<S>,
    timing: Timing,
    worker: Worker,
    started: Instant,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    backlog: Backlog,
    tasks: JoinSet<Answer>,
    /// Writes that wait for one of the others to be answered.
    waiting: VecDeque<(WriteId, Write)>,
    writes_in_flight: usize,
    replies: BTreeMap<RequestId, Reply<Result<(), CheckpointError>>>,
    next_request: u64,
    view: watch::Sender<Arc<View>>,
    stop: Option<Stop>,
    /// No failure is logged before.
    quiet_until_ms: u64,
}

struct Stop {
    deadline: Instant,
    replies: Vec<Reply<()>>,
}

/// What a task brings back.
#[expect(clippy::large_enum_variant, reason = "twenty at the most: a box would only be in the way")]
enum Answer {
    Scanned(Result<Vec<Lease>, StoreError>),
    Written(WriteId, Result<Written, StoreError>),
    /// The children of a shard have leases, or cannot get them.
    Children(Finish, Result<(), CheckpointError>),
    /// Leases were made or removed and whoever wanted it has been told.
    Changed,
}

struct Finish {
    key: LeaseKey,
    token: Token,
    children: Vec<Child>,
    reply: Reply<Result<(), CheckpointError>>,
}

impl<S: Store> Shell<S> {
    pub(super) fn new(
        store: S,
        worker: Arc<str>,
        timing: Timing,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> (Self, watch::Receiver<Arc<View>>) {
        let worker = Worker::new(worker, timing, fastrand::u64(..), 0);
        let (view, views) = watch::channel(Arc::new(worker.view(0)));
        let shell = Self {
            store: Arc::new(store),
            timing,
            worker,
            started: Instant::now(),
            commands,
            events,
            backlog: Backlog::default(),
            tasks: JoinSet::new(),
            waiting: VecDeque::new(),
            writes_in_flight: 0,
            replies: BTreeMap::new(),
            next_request: 0,
            view,
            stop: None,
            quiet_until_ms: 0,
        };
        (shell, views)
    }

    pub(super) async fn run(mut self) {
        let reader = self.events.clone();
        let mut reader_is_gone = pin!(reader.closed());
        loop {
            self.worker.tick(self.now_ms());
            self.do_outputs();
            if self.is_over() {
                break;
            }
            let wake = self.next_wake();
            tokio::select! {
                Some(answer) = self.tasks.join_next() => match answer {
                    Ok(answer) => self.answered(answer),
                    // A store that panics cannot be trusted to say who holds what.
                    Err(error) => {
                        tracing::error!(%error, "the thread of the leases ends");
                        break;
                    }
                },
                command = self.commands.recv(), if self.stop.is_none() => match command {
                    Some(command) => self.command(command),
                    None => self.begin_to_stop(None),
                },
                Ok(room) = reader.reserve(), if !self.backlog.is_empty() => {
                    if let Some(event) = self.backlog.pop() {
                        room.send(event);
                    }
                }
                // Nobody reads the shards any more.
                () = &mut reader_is_gone, if self.stop.is_none() => self.begin_to_stop(None),
                () = sleep_until(wake) => {}
            }
        }
        self.publish();
        for reply in self.stop.into_iter().flat_map(|stop| stop.replies) {
            // Whoever no longer waits needs no answer.
            let _is_awaited = reply.send(());
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn next_wake(&self) -> Instant {
        let far_ms = self.now_ms() + self.timing.duration_ms;
        let wake_ms = self.worker.next_wake_ms().unwrap_or(far_ms).min(far_ms);
        let wake = self.started + Duration::from_millis(wake_ms);
        self.stop.as_ref().map_or(wake, |stop| wake.min(stop.deadline))
    }

    fn is_over(&self) -> bool {
        let is_late = |stop: &Stop| stop.deadline <= Instant::now();
        self.worker.is_stopped() || self.stop.as_ref().is_some_and(is_late)
    }

    fn publish(&self) {
        self.view.send_replace(Arc::new(self.worker.view(self.now_ms())));
    }

    fn do_outputs(&mut self) {
        let mut is_changed = false;
        while let Some(output) = self.worker.next_output() {
            is_changed = true;
            match output {
                Output::Scan => {
                    let (store, limit_ms) = (Arc::clone(&self.store), self.timing.duration_ms);
                    let scan = async move { table::within(limit_ms, store.scan()).await };
                    self.tasks.spawn(async move { Answer::Scanned(scan.await) });
                }
                Output::Write { id, write } => self.waiting.push_back((id, write)),
                Output::Event(event) => self.backlog.push(event),
                Output::Settled { request, result } => {
                    if let Some(reply) = self.replies.remove(&request) {
                        drop(reply.send(result));
                    }
                }
            }
        }
        while self.writes_in_flight < CONCURRENT_MAX
            && let Some((id, write)) = self.waiting.pop_front()
        {
            self.writes_in_flight += 1;
            let (store, timing) = (Arc::clone(&self.store), self.timing);
            self.tasks.spawn(async move {
                Answer::Written(id, table::write_once(&*store, timing, &write).await)
            });
        }
        if is_changed {
            self.publish();
        }
    }

    fn answered(&mut self, answer: Answer) {
        let now_ms = self.now_ms();
        match answer {
            Answer::Scanned(scan) => {
                if let Err(error) = &scan {
                    self.warn(error, "cannot read the leases");
                }
                self.worker.scanned(now_ms, scan);
                self.publish();
            }
            Answer::Written(id, written) => {
                self.writes_in_flight -= 1;
                if let Err(error) = &written {
                    self.warn(error, "cannot write a lease");
                }
                self.worker.written(now_ms, id, written);
            }
            Answer::Children(finish, Ok(())) => {
                let children = finish.children.into_iter().map(|child| child.shard_id).collect();
                let request = Request::Checkpoint { checkpoint: Checkpoint::ShardEnd, children };
                self.ask(&finish.key, finish.token, request, finish.reply);
            }
            Answer::Children(finish, Err(error)) => drop(finish.reply.send(Err(error))),
            Answer::Changed => self.worker.scan_soon(now_ms),
        }
    }

    /// At most once a second: what fails for one lease fails for all.
    fn warn(&mut self, error: &StoreError, what: &'static str) {
        let now_ms = self.now_ms();
        if now_ms < self.quiet_until_ms {
            return;
        }
        self.quiet_until_ms = now_ms + 1_000;
        match error.is_passing() {
            true => tracing::warn!(%error, reason = error.reason(), "{what}"),
            false => tracing::error!(%error, reason = error.reason(), "{what}"),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Ask { key, token, request, reply } => self.ask(&key, token, request, reply),
            Command::Finish { key, token, children, reply } => {
                self.finish(Finish { key, token, children, reply });
            }
            Command::Create { leases, reply } => {
                self.change(leases.into_iter().map(Write::Create).collect(), |made| {
                    drop(reply.send(made));
                });
            }
            Command::Delete { keys, reply } => {
                let writes = keys.into_iter().map(|key| Write::Delete { key }).collect();
                self.change(writes, |deleted| drop(reply.send(deleted.map(|_count| ()))));
            }
            Command::Shutdown { reply } => self.begin_to_stop(Some(reply)),
        }
    }

    fn ask(
        &mut self,
        key: &LeaseKey,
        token: Token,
        request: Request,
        reply: oneshot::Sender<Result<(), CheckpointError>>,
    ) {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.replies.insert(id, reply);
        self.worker.request(self.now_ms(), id, key, token, request);
    }

    fn finish(&mut self, finish: Finish) {
        let now_ms = self.now_ms();
        self.worker.tick(now_ms);
        let Some(parent) = self.worker.held_lease(now_ms, &finish.key, finish.token).cloned()
        else {
            return drop(finish.reply.send(Err(CheckpointError::Lost)));
        };
        let (store, timing) = (Arc::clone(&self.store), self.timing);
        self.tasks.spawn(async move {
            let made = table::create_children(&*store, timing, &parent, &finish.children).await;
            Answer::Children(finish, made)
        });
    }

    fn change(
        &mut self,
        writes: Vec<Write>,
        tell: impl FnOnce(Result<usize, StoreError>) + Send + 'static,
    ) {
        let (store, timing) = (Arc::clone(&self.store), self.timing);
        self.tasks.spawn(async move {
            tell(table::write_all(store, timing, writes).await);
            Answer::Changed
        });
    }

    fn begin_to_stop(&mut self, reply: Option<Reply<()>>) {
        // After it the leases would be expired anyway.
        let deadline = Instant::now() + Duration::from_millis(self.timing.duration_ms);
        self.stop = Some(Stop { deadline, replies: reply.into_iter().collect() });
        self.worker.stop(self.now_ms());
    }
}
