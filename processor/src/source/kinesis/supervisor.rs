//! Starts and stops the shards' tasks as their leases come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::buffer::Buffer;
use super::config::Config;
use super::failure::Failure;
use super::ledger::Ledger;
use super::shard::{self, Answered, Command, Ended, Source};
use super::stream::Stream;
use super::sync;
use super::{EndedError, Parts};
use crate::lease::{Event, Grant, Handle, LeaseKey, View, lineage};
use crate::source::clock::Clock;
use crate::source::inlet::Inlet;
use crate::source::stop::Stopped;
use crate::telemetry::shards::{Leases, Shards};

/// Reads all streams of the configuration.
#[derive(Debug)]
pub(super) struct Supervisor {
    config: Arc<Config>,
    client: Client,
    leases: Handle,
    events: mpsc::Receiver<Event>,
    meters: Shards,
    inlet: Inlet,
    ledger: Ledger,
    clock: Clock,
    buffer: Buffer,
    streams: Vec<Arc<Stream>>,
    /// How often the lease table had been read, and since when.
    table_read: (u64, u64),
    /// Leases whose parents are not finished.
    waiting: Vec<Grant>,
    running: BTreeMap<LeaseKey, Running>,
    names: BTreeMap<Id, LeaseKey>,
    tasks: JoinSet<Ended>,
}

#[derive(Debug)]
struct Running {
    commands: watch::Sender<Command>,
    /// Granted again while the task of the earlier grant was still ending.
    next: Option<Grant>,
}

/// A lease table that cannot be read for so long, at the start, is not waited for: whoever starts us tries again.
const FIRST_VIEW_MAX: Duration = Duration::from_secs(30);
/// How often waiting leases are looked at, and the leases' counts published.
const TICK: Duration = Duration::from_millis(250);
/// How long a deployment waits at its start for a service that does not answer.
const START_TRIES_MAX: u32 = 6;
const START_WAIT: Duration = Duration::from_secs(2);
/// After what only a person can mend, a shard is tried again so often.
const PATIENCE_MS: u64 = 30_000;
/// Without leases and with a table that cannot be read for so long, this task is of no use.
const TABLE_AGE_MS_MAX: u64 = 120_000;
/// How long all leases together may take to be released at the end.
const RELEASE_MAX: Duration = Duration::from_secs(4);
/// How long a shard may take to be handed over at the end. The fold has at most some batches before it; a table that does not
/// answer must not keep us until we are killed.
const HAND_OVER_MAX: Duration = Duration::from_secs(20);

impl Supervisor {
    pub(super) fn new(config: Arc<Config>, parts: Parts, clock: Clock) -> Self {
        let Parts { client, leases, events, meters, inlet, ledger, stopped: _ } = parts;
        Self {
            buffer: Buffer::new(config.buffer_bytes_max),
            config,
            client,
            leases,
            events,
            meters,
            inlet,
            ledger,
            clock,
            streams: Vec::new(),
            table_read: (0, 0),
            waiting: Vec::new(),
            running: BTreeMap::new(),
            names: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    pub(super) async fn run(mut self, stopped: Stopped) -> Result<(), EndedError> {
        let result = tokio::select! {
            result = self.work() => result,
            () = stopped.wait() => Ok(()),
        };
        self.end().await;
        result
    }

    async fn work(&mut self) -> Result<(), EndedError> {
        self.find_streams().await?;
        let mut syncs = JoinSet::new();
        for stream in &self.streams {
            syncs.spawn(sync::run(
                Arc::clone(stream),
                Arc::clone(&self.config),
                self.leases.clone(),
                self.inlet.clone(),
                self.clock,
            ));
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.take_event(event),
                    None => return Err(EndedError::NoLeases),
                },
                Some(ended) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.take_end(ended)?;
                }
                Some(Ok(deleted)) = syncs.join_next(), if !syncs.is_empty() => self.forget(&deleted)?,
                _ = ticks.tick() => self.tick()?,
            }
        }
    }

    /// Who the streams are, under the names that the lease table knows or can know.
    async fn find_streams(&mut self) -> Result<(), EndedError> {
        let view = timeout(FIRST_VIEW_MAX, self.first_view()).await;
        let view = view.map_err(|_elapsed| EndedError::NoLeases)?;
        let is_of_several = view.leases.iter().any(|lease| lease.key.as_str().contains(':'));
        let is_of_one = view.leases.iter().any(|lease| !lease.key.as_str().contains(':'));
        if is_of_one && !is_of_several && self.config.streams.len() > 1 {
            return Err(EndedError::TableOfOneStream);
        }
        let is_only = self.config.streams.len() == 1 && !is_of_several;
        let application: Arc<str> = self.config.application.as_str().into();
        for name in &self.config.streams {
            let stream = find(&self.client, name, &application, is_only).await;
            let stream =
                stream.map_err(|failure| EndedError::Stream { stream: name.clone(), failure })?;
            self.streams.push(Arc::new(stream));
        }
        Ok(())
    }

    async fn first_view(&self) -> Arc<View> {
        loop {
            let view = self.leases.view();
            if view.scans > 0 {
                return view;
            }
            sleep(TICK).await;
        }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Granted(grant) => match self.running.get_mut(&grant.lease.key) {
                Some(running) => {
                    running.commands.send_replace(Command::Drop);
                    running.next = Some(grant);
                }
                None => self.begin(grant),
            },
            Event::HandoffRequested(key) => match self.running.get_mut(&key) {
                Some(running) => match running.next.take() {
                    // The grant that was not begun is the one that is asked for.
                    Some(grant) => self.release(grant),
                    None => {
                        running.commands.send_replace(Command::HandOver);
                    }
                },
                None => self.give_back(&key),
            },
            Event::Lost(key) => {
                self.waiting.retain(|grant| grant.lease.key != key);
                if let Some(running) = self.running.get_mut(&key) {
                    running.next = None;
                    running.commands.send_replace(Command::Drop);
                    tracing::warn!(lease = %key, "lost the lease: it was not renewed in time, or another task took it");
                }
            }
        }
    }

    /// A lease that waits for its parents has nothing to drain.
    fn give_back(&mut self, key: &LeaseKey) {
        let Some(place) = self.waiting.iter().position(|grant| grant.lease.key == *key) else {
            return;
        };
        let grant = self.waiting.swap_remove(place);
        self.release(grant);
    }

    fn release(&self, grant: Grant) {
        let leases = self.leases.clone();
        tokio::spawn(async move {
            if let Err(error) = leases.release(&grant.lease.key, grant.token).await {
                tracing::warn!(lease = %grant.lease.key, %error, "the lease is not released");
            }
        });
    }

    fn begin(&mut self, grant: Grant) {
        let view = self.leases.view();
        if !lineage::may_start(&grant.lease, &view.leases) {
            self.waiting.push(grant);
            return;
        }
        let Some(stream) = self.streams.iter().find(|stream| stream.lineage.owns(&grant.lease))
        else {
            // A task with another configuration may read it.
            tracing::info!(lease = %grant.lease.key, "released: it belongs to no stream that is read");
            self.release(grant);
            return;
        };
        let source = self.source(stream, &grant);
        let key = grant.lease.key.clone();
        let (commands, commanded) = watch::channel(Command::Read);
        let id = self.tasks.spawn(shard::run(source, grant, commanded)).id();
        self.names.insert(id, key.clone());
        self.running.insert(key, Running { commands, next: None });
    }

    fn source(&self, stream: &Arc<Stream>, grant: &Grant) -> Source {
        let shard_id = grant.lease.shard_id();
        Source {
            client: self.client.clone(),
            stream: Arc::clone(stream),
            shard_id: shard_id.into(),
            name: format!("{}/{shard_id}", stream.name).into(),
            config: Arc::clone(&self.config),
            clock: self.clock,
            buffer: self.buffer.clone(),
            ledger: self.ledger.clone(),
            leases: self.leases.clone(),
            inlet: self.inlet.clone(),
            meter: self.meters.meter(&stream.name, shard_id),
            answered: Answered::at(self.clock),
            patience_ms: PATIENCE_MS,
        }
    }

    fn take_end(
        &mut self,
        ended: Result<(Id, Ended), tokio::task::JoinError>,
    ) -> Result<(), EndedError> {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, ended),
            Err(error) => {
                tracing::error!(%error, "the task of a shard panicked");
                return Err(EndedError::Panicked);
            }
        };
        let Some(key) = self.names.remove(&id) else { return Ok(()) };
        let Some(running) = self.running.remove(&key) else { return Ok(()) };
        if let Ended::StreamDeleted(deleted) = ended {
            self.forget(&deleted)?;
        }
        if let Some(grant) = running.next {
            self.begin(grant);
        }
        Ok(())
    }

    /// A stream was deleted; without any there is nothing to do.
    fn forget(&mut self, deleted: &Arc<Stream>) -> Result<(), EndedError> {
        self.streams.retain(|stream| !Arc::ptr_eq(stream, deleted));
        if self.streams.is_empty() {
            return Err(EndedError::Deleted(deleted.name.to_string()));
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), EndedError> {
        let (view, now_ms) = (self.leases.view(), self.clock.now_ms());
        if view.scans != self.table_read.0 {
            self.table_read = (view.scans, now_ms);
        }
        let table_age_ms = now_ms - self.table_read.1;
        // A start makes a table anew that somebody deleted, and an operator sees it.
        if view.counts.held == 0 && table_age_ms > TABLE_AGE_MS_MAX {
            return Err(EndedError::NoLeases);
        }
        let ready = |grant: &Grant| lineage::may_start(&grant.lease, &view.leases);
        let (ready, waiting): (Vec<Grant>, Vec<Grant>) =
            std::mem::take(&mut self.waiting).into_iter().partition(ready);
        self.waiting = waiting;
        ready.into_iter().for_each(|grant| self.begin(grant));
        self.meters.leases_are(Leases { table_age_ms, ..counts(&view) });
        Ok(())
    }

    /// Hands over all shards at once and gives all leases back.
    async fn end(mut self) {
        tracing::info!(shards = self.running.len(), "hands over");
        for running in self.running.values_mut() {
            running.next = None;
            running.commands.send_replace(Command::HandOver);
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(HAND_OVER_MAX, all).await.is_err() {
            tracing::error!(
                "not all shards were handed over: what was not checkpointed is read again"
            );
        }
        if timeout(RELEASE_MAX, self.leases.shutdown()).await.is_err() {
            tracing::error!("the leases are not released; they will expire");
        }
        // The channel of batches closes with this, and so the pipeline ends.
    }
}

fn counts(view: &View) -> Leases {
    let counts = view.counts;
    Leases {
        held: counts.held,
        total: counts.total,
        expired: counts.expired,
        taken: counts.taken,
        lost: counts.lost,
        stolen: counts.stolen,
        handed_over: counts.handed_over,
        renewals_failed: counts.renewals_failed,
        renewal_age_ms_max: view.renewal_age_ms_max,
        table_age_ms: 0,
    }
}

/// A service that does not answer gets some time, since all parts of a deployment start together.
async fn find(
    client: &Client,
    name: &str,
    application: &Arc<str>,
    is_only: bool,
) -> Result<Stream, Failure> {
    let mut tries = 1;
    loop {
        match Stream::find(client, name, application, is_only).await {
            Err(failure @ (Failure::Unavailable { .. } | Failure::Throttled { .. }))
                if tries < START_TRIES_MAX =>
            {
                tracing::warn!(stream = name, error = %failure, "cannot find the stream; tried again");
            }
            found => return found,
        }
        tries += 1;
        sleep(START_WAIT).await;
    }
}
