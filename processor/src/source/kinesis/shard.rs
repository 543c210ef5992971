//! The life of a shard under one grant of its lease: read, cut, send, checkpoint what was applied, and hand over or finish.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use super::arrivals::Answer;
use super::batcher::{Batcher, Closed};
use super::buffer::{Buffer, shrink};
use super::config::{Config, Mode};
use super::failure::Failure;
use super::fan_out::FanOut;
use super::foreign;
use super::ledger::Ledger;
use super::place::{Found, Place, Resume};
use super::polling::Polling;
use super::problem::Repeated;
use super::stream::{Presence, Stream};
use crate::batch::{Batch, BatchId, Content, Extent};
use crate::lease::{Checkpoint, CheckpointError, Child, Grant, Handle, Lease, Position, Token};
use crate::source::clock::Clock;
use crate::source::inlet::{Inlet, Problem};
use crate::source::told::Told;
use crate::telemetry::shards::ShardMeter;

/// What a shard's task works with.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) client: Client,
    pub(super) stream: Arc<Stream>,
    pub(super) shard_id: Arc<str>,
    /// `stream/shard`, as batches and messages call it.
    pub(super) name: Arc<str>,
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    pub(super) buffer: Buffer,
    pub(super) ledger: Ledger,
    pub(super) leases: Handle,
    pub(super) inlet: Inlet,
    pub(super) meter: ShardMeter,
    pub(super) answered: Answered,
    /// How long to wait after what only a person can mend.
    pub(super) patience_ms: u64,
}

/// When the last answer came, or reading began.
#[derive(Debug)]
pub(super) struct Answered(AtomicU64);

impl Answered {
    pub(super) fn at(clock: Clock) -> Self {
        Self(AtomicU64::new(clock.now_ms()))
    }

    fn now(&self, clock: Clock) {
        self.0.store(clock.now_ms(), Ordering::Relaxed);
    }

    fn age_ms(&self, clock: Clock) -> u64 {
        clock.now_ms().saturating_sub(self.0.load(Ordering::Relaxed))
    }
}

impl Source {
    /// A record without a number cannot be placed, and comes from no real service.
    pub(super) fn told_broken(&self, number: &str) {
        self.meter.failed("bad_sequence_number");
        let shown = number.get(..40).unwrap_or(number).escape_debug().to_string();
        tracing::error!(shard = %self.name, number = shown, "a record has no sequence number: left out");
    }
}

/// What the task shall do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// Read.
    Read,
    /// Stop reading, wait until what was sent is applied, checkpoint, release.
    HandOver,
    /// Stop: the lease is somebody else's.
    Drop,
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The shard was read to its end, its children have leases.
    Finished,
    /// The lease was released.
    HandedOver,
    /// The lease is somebody else's.
    Lost,
    /// The stream was deleted.
    StreamDeleted(Arc<Stream>),
    /// The shard was trimmed away with all that was not read of it, and its lease is deleted.
    ShardGone,
}

enum Read {
    ToTheEnd(Vec<Child>),
    StreamDeleted,
    ShardGone,
}

/// Before another look at what was not found though it is there.
const NOT_FOUND: Duration = Duration::from_secs(2);
/// Between two tries of what the lease table did not take.
const RETRY: Duration = Duration::from_secs(1);

/// Reads until it ends or `commands` say otherwise.
pub(super) async fn run(
    source: Source,
    grant: Grant,
    mut commands: watch::Receiver<Command>,
) -> Ended {
    let Grant { lease, token } = grant;
    tracing::info!(shard = %source.name, checkpoint = ?lease.checkpoint, "reading");
    let command = {
        let life = async {
            tokio::select! {
                ended = read_and_finish(&source, &lease, token) => ended,
                () = checkpoints(&source, &lease, token) => Ended::Lost,
            }
        };
        tokio::select! {
            ended = life => return ended,
            command = not_read(&mut commands) => command,
        }
    };
    if command == Command::Drop {
        return Ended::Lost;
    }
    tokio::select! {
        ended = hand_over(&source, &lease, token) => ended,
        () = dropped(&mut commands) => Ended::Lost,
    }
}

async fn read_and_finish(source: &Source, lease: &Lease, token: Token) -> Ended {
    match read(source, lease).await {
        Read::ToTheEnd(children) => finish(source, lease, token, children).await,
        Read::StreamDeleted => {
            tracing::error!(shard = %source.name, "the stream was deleted");
            // Nobody reads it: it shall not count as work.
            drop(source.leases.release(&lease.key, token).await);
            Ended::StreamDeleted(Arc::clone(&source.stream))
        }
        Read::ShardGone => give_up(source, lease).await,
    }
}

async fn not_read(commands: &mut watch::Receiver<Command>) -> Command {
    match commands.wait_for(|command| *command != Command::Read).await {
        Ok(command) => *command,
        Err(_closed) => Command::Drop,
    }
}

async fn dropped(commands: &mut watch::Receiver<Command>) {
    drop(commands.wait_for(|command| *command == Command::Drop).await);
}

enum Reader {
    Polling(Polling),
    FanOut(Box<FanOut>),
}

impl Reader {
    fn new(config: &Config, place: Place) -> Self {
        match config.mode {
            Mode::Polling => Self::Polling(Polling::new(place, config.idle_ms_max)),
            Mode::FanOut => Self::FanOut(Box::new(FanOut::new(place))),
        }
    }

    async fn next(&mut self, source: &Source) -> Result<Answer, Failure> {
        match self {
            Self::Polling(polling) => polling.next(source).await,
            Self::FanOut(fan_out) => fan_out.next(source).await,
        }
    }

    fn restart_at(&mut self, place: Place) {
        match self {
            Self::Polling(polling) => polling.restart_at(place),
            Self::FanOut(fan_out) => fan_out.restart_at(place),
        }
    }
}

async fn read(source: &Source, lease: &Lease) -> Read {
    let sent = source.ledger.sent_through(&source.name).map(Checkpoint::Through);
    let checkpoint = sent.into_iter().fold(lease.checkpoint.clone(), Checkpoint::max);
    let since_ms = match source.config.initial_position() {
        Ok(super::InitialPosition::AtTimestamp { unix_ms }) => Some(unix_ms),
        _ => None,
    };
    let Some(place) = Place::of(&checkpoint, since_ms, lease.since_ms) else {
        return Read::ToTheEnd(Vec::new());
    };
    let through = match checkpoint {
        Checkpoint::Through(position) => Some(position),
        _ => None,
    };
    let mut reader = Reader::new(&source.config, place);
    let mut resume = Resume::behind(through);
    let mut batcher = Batcher::new(source.config.bucket_ms);
    let mut told = Repeated::default();
    let mut last = None;
    loop {
        match answer(source, &mut reader, &mut batcher).await {
            Ok(mut answer) => {
                told.recovered(source);
                let found;
                (answer.records, found) = resume.filter(std::mem::take(&mut answer.records));
                if found == Found::Gap {
                    report_gap(source).await;
                }
                if let Some(record) = answer.records.last() {
                    last = Some(record.sequence.clone());
                }
                if let Some(children) = take(source, lease, &mut batcher, answer).await {
                    return Read::ToTheEnd(children);
                }
            }
            Err(failure @ Failure::NoSuchPosition { .. }) => {
                if told.failed(source, &failure) {
                    report_gap(source).await;
                }
                resume = Resume::behind(None);
                reader.restart_at(Place::Horizon);
            }
            // While the iterator expired, records may have been trimmed: the last one that was read shows it.
            Err(Failure::Expired) if last.is_some() => {
                told.failed(source, &Failure::Expired);
                if let Some(last) = last.take() {
                    reader.restart_at(Place::At(last.clone()));
                    let whole = Position { sequence: last, sub_sequence: u64::MAX };
                    resume = Resume::behind(Some(whole));
                }
            }
            Err(failure @ Failure::NotFound { .. }) => {
                match source.stream.presence_of(&source.shard_id).await {
                    Presence::StreamDeleted => return Read::StreamDeleted,
                    Presence::ShardGone => return Read::ShardGone,
                    // A consumer that somebody deregistered, or an answer from before a change.
                    Presence::There => {
                        told.failed(source, &failure);
                        sleep(NOT_FOUND).await;
                    }
                }
            }
            Err(failure) => {
                told.failed(source, &failure);
            }
        }
    }
}

/// The next answer. A subscription that stays silent because nothing comes is no reason to keep what is there.
async fn answer(
    source: &Source,
    reader: &mut Reader,
    batcher: &mut Batcher,
) -> Result<Answer, Failure> {
    let is_pushed = matches!(reader, Reader::FanOut(_));
    let next = reader.next(source);
    tokio::pin!(next);
    loop {
        let over_at_ms = batcher.is_over_at_ms().filter(|_| is_pushed);
        let wait_ms = over_at_ms
            .map_or(u64::MAX, |at_ms| (at_ms + PUSH_WAIT_MS).saturating_sub(source.clock.now_ms()));
        tokio::select! {
            answer = &mut next => return answer,
            () = sleep(Duration::from_millis(wait_ms)), if over_at_ms.is_some() => {
                if let Some(closed) = batcher.flush() {
                    send(source, closed, None).await;
                }
            }
        }
    }
}

/// How long after the end of a bucket its records are waited for, with fan-out.
const PUSH_WAIT_MS: u64 = 1_000;

/// Cuts and sends an answer; the children, if it was the last.
async fn take(
    source: &Source,
    lease: &Lease,
    batcher: &mut Batcher,
    mut answer: Answer,
) -> Option<Vec<Child>> {
    source.answered.now(source.clock);
    source.meter.answered(answer.records.len() as u64, answer.bytes(), answer.behind_ms);
    let now_ms = source.clock.now_ms();
    let bytes = answer.memory_bytes();
    let room = answer.room.take().map(|room| shrink(room, bytes));
    let range = lease.hash_range.filter(|_| source.config.drops_foreign_hash_keys);
    for record in std::mem::take(&mut answer.records) {
        if range.is_some_and(|range| foreign::is_foreign(&record.payload, range)) {
            source.meter.dropped_foreign();
            continue;
        }
        if let Some(closed) = batcher.push(record, now_ms) {
            send(source, closed, room.as_ref()).await;
        }
    }
    let is_over = batcher.is_over_at_ms().is_some_and(|at_ms| answer.asked_at_ms >= at_ms);
    if ((is_over && answer.behind_ms == 0) || answer.end.is_some())
        && let Some(closed) = batcher.flush()
    {
        send(source, closed, room.as_ref()).await;
    }
    // What is left waits for its bucket's end, without room: it must not hold the whole answer meanwhile.
    batcher.detach();
    answer.end
}

/// Waits for the pipeline to take the batch.
async fn send(source: &Source, closed: Closed, room: Option<&Arc<OwnedSemaphorePermit>>) {
    let Closed { first, through, payloads, bytes } = closed;
    let [first, last] = [&first, &through.sequence].map(|number| number.as_str().into());
    let id = BatchId { source: Arc::clone(&source.name), extent: Extent::Records { first, last } };
    // The pipeline ends after us.
    let Ok(place) = source.inlet.reserve().await else { return std::future::pending().await };
    tracing::debug!(batch = %id, records = payloads.len(), bytes, "read");
    source.ledger.sent(&source.name, through, source.clock.now_ms(), room.map(Arc::clone));
    source.meter.sent_batch();
    place.send(Ok(Batch { id, content: Content::Payloads { first_record: 1, payloads } }));
}

async fn report_gap(source: &Source) {
    source.meter.lost_records();
    let gap = Problem::Gap { shard: Arc::clone(&source.name), at_unix_ms: source.clock.unix_ms() };
    drop(source.inlet.send(Err(gap)).await);
}

/// Writes what was applied, every few seconds, until the lease is lost.
async fn checkpoints(source: &Source, lease: &Lease, token: Token) {
    loop {
        sleep(Duration::from_secs(source.config.checkpoint_s)).await;
        match checkpoint(source, lease, token).await {
            Ok(()) => {}
            Err(CheckpointError::Lost) => return,
            Err(error) => {
                source.meter.failed("checkpoint");
                tracing::warn!(shard = %source.name, %error, "no checkpoint written; tried again");
            }
        }
        source.meter.answer_is_old(source.answered.age_ms(source.clock));
        let since_ms = source.ledger.waiting_since_ms(&source.name);
        let age_ms = since_ms.map_or(0, |since_ms| source.clock.now_ms().saturating_sub(since_ms));
        source.meter.waits_for_checkpoint(age_ms);
    }
}

/// Writes what was applied, if anything was since the last time.
async fn checkpoint(source: &Source, lease: &Lease, token: Token) -> Result<(), CheckpointError> {
    let Some(through) = source.ledger.due(&source.name) else { return Ok(()) };
    let checkpoint = Checkpoint::Through(through.clone());
    match source.leases.checkpoint(&lease.key, token, checkpoint).await {
        Ok(()) => {}
        // The lease is further than what we read before we lost it once: nothing to do.
        Err(CheckpointError::Backward { .. }) => {}
        Err(error) => return Err(error),
    }
    tracing::debug!(shard = %source.name, through = %through.sequence, "checkpointed");
    source.ledger.checkpointed(&source.name, &through);
    source.meter.checkpointed();
    Ok(())
}

/// Waits until the fold has all of the shard, then gives its children leases and ends its own.
async fn finish(source: &Source, lease: &Lease, token: Token, children: Vec<Child>) -> Ended {
    source.ledger.drained(&source.name).await;
    if source.ledger.is_abandoned() {
        // Its end is not applied, so nobody may think so; the lease goes with the others.
        return std::future::pending().await;
    }
    let told = Told::new();
    loop {
        match source.leases.finish(&lease.key, token, children.clone()).await {
            Ok(()) => break,
            Err(CheckpointError::Lost) => return Ended::Lost,
            // The shard is at its end already.
            Err(CheckpointError::Backward { .. }) => break,
            Err(error) => {
                source.meter.failed("finish");
                if told.is_due("finish") {
                    tracing::warn!(shard = %source.name, %error, "the end of the shard is not written yet");
                }
                sleep(RETRY).await;
            }
        }
    }
    source.ledger.forget(&source.name);
    tracing::info!(shard = %source.name, children = children.len(), "read to its end");
    Ended::Finished
}

/// Nothing is left to read: its children, if it has any, are started without it.
async fn give_up(source: &Source, lease: &Lease) -> Ended {
    tracing::error!(shard = %source.name, "the shard is no longer there: its lease is deleted");
    report_gap(source).await;
    source.ledger.drained(&source.name).await;
    while let Err(error) = source.leases.delete(vec![lease.key.clone()]).await {
        tracing::warn!(shard = %source.name, %error, "the lease is not deleted; tried again");
        sleep(RETRY).await;
    }
    source.ledger.forget(&source.name);
    Ended::ShardGone
}

async fn hand_over(source: &Source, lease: &Lease, token: Token) -> Ended {
    source.ledger.drained(&source.name).await;
    loop {
        match checkpoint(source, lease, token).await {
            Ok(()) => break,
            Err(CheckpointError::Lost) => return Ended::Lost,
            Err(error) => {
                tracing::warn!(shard = %source.name, %error, "no checkpoint written; tried again");
                sleep(RETRY).await;
            }
        }
    }
    match source.leases.release(&lease.key, token).await {
        Ok(()) => {
            // All that was sent is checkpointed.
            source.ledger.forget(&source.name);
            Ended::HandedOver
        }
        // The leases' thread has ended, and with it the renewals.
        Err(error) => {
            tracing::warn!(shard = %source.name, %error, "the lease is not released; it will expire");
            Ended::Lost
        }
    }
}
