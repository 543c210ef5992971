//! `SubscribeToShard`: one subscription per consumer and shard, pushed as frames of `application/vnd.amazon.eventstream`.

mod frame;
mod subscriptions;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

pub use subscriptions::Ending;
pub(super) use subscriptions::Subscriptions;
use subscriptions::{Key, Subscribed};

use super::account::Account;
use super::arguments::Arguments;
use super::faults::Fault;
use super::http::Piece;
use super::operations::{Answer, Content};
use super::options::EndContinuation;
use super::refusal::Refusal;
use super::shard::{Batch, Shard};

/// What pushes the events of one subscription.
struct Feed {
    account: Arc<Account>,
    shard: Arc<Shard>,
    fault: Option<Fault>,
    events: mpsc::Sender<Piece>,
}

/// The client went away.
struct Gone;

/// Events that wait for a client that does not read.
const EVENTS_WAITING_MAX: usize = 2;
/// In one event.
const RECORDS_MAX: usize = 10_000;

pub(super) fn subscribe(
    account: &Arc<Account>,
    arguments: &Arguments,
    fault: Option<&Fault>,
) -> Result<Answer, Refusal> {
    let arn = arguments.text("ConsumerARN")?;
    let shard = {
        let mut streams = account.streams();
        let stream = streams.meant(arguments)?;
        let consumer = stream.consumers.values().find(|consumer| consumer.arn == arn);
        let consumer =
            consumer.ok_or_else(|| Refusal::not_found(format_args!("Consumer {arn} not found")))?;
        if !consumer.is_active() {
            return Err(Refusal::in_use(format_args!("Consumer {arn} is not ACTIVE")));
        }
        Arc::clone(stream.shard(arguments.text("ShardId")?)?)
    };
    let position = arguments.object("StartingPosition");
    let position = position.ok_or_else(|| Refusal::validation("StartingPosition is missing"))?;
    let place = shard.place(&position.start("Type", "SequenceNumber")?, &account.options)?;
    let key = Key { consumer: arn.to_owned(), shard: shard.id.clone() };
    let subscribed = account.subscriptions.open(key, account.options.fan_out.exclusive)?;
    let (events, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
    let feed = Feed { account: Arc::clone(account), shard, fault: fault.cloned(), events };
    tokio::spawn(feed.run(place, subscribed));
    Ok(Answer::new(Content::Events(receiver)))
}

impl Feed {
    /// Pushes until the first of: the end of the shard, the end of the subscription's life, whoever ends it, the client.
    async fn run(self, place: u64, mut subscribed: Subscribed) {
        let life = self.account.options.fan_out.life;
        let ending = tokio::select! {
            _gone_or_done = self.feed(place) => None,
            () = self.events.closed() => None,
            ending = ending(&mut subscribed.ending) => Some(ending),
            () = sleep(life), if !matches!(self.fault, Some(Fault::Silent)) => None,
        };
        match ending {
            Some(Ending::Error(code, message)) => {
                let refusal = Refusal::new(code, message);
                // Whoever does not read does not see it.
                drop(self.send(frame::exception(&refusal)).await);
            }
            Some(Ending::Cut) => drop(self.cut().await),
            Some(Ending::Silence) => self.events.closed().await,
            Some(Ending::Clean) | None => {}
        }
        self.account.subscriptions.close(&subscribed);
    }

    async fn feed(&self, mut place: u64) -> Result<(), Gone> {
        self.send(frame::initial_response()).await?;
        match self.fault {
            Some(Fault::Silent) => pending().await,
            Some(Fault::InStream(code, message)) => {
                return self.send(frame::exception(&Refusal::new(code, message))).await;
            }
            _ => {}
        }
        let options = &*self.account.options;
        let mut changes = self.shard.changes();
        loop {
            changes.mark_unchanged();
            let bytes_max = options.fan_out.bytes_per_event_max;
            let batch = self.shard.read(place, RECORDS_MAX, bytes_max, options);
            let is_idle = batch.len() == 0 && batch.end.is_none();
            if is_idle && self.has_news(&mut changes).await {
                continue;
            }
            let continuation;
            (continuation, place) = if is_idle {
                self.shard.move_on(batch.next)
            } else {
                (self.shard.text(batch.next.max(1) - 1), batch.next)
            };
            self.send(frame::event(&self.json(&batch, &continuation))).await?;
            if matches!(self.fault, Some(Fault::CutStream)) {
                return self.cut().await;
            }
            if batch.end.is_some() {
                return Ok(());
            }
            self.rest(batch.bytes).await;
        }
    }

    /// Whether something came before an event without records is due.
    async fn has_news(&self, changes: &mut watch::Receiver<()>) -> bool {
        tokio::select! {
            changed = changes.changed() => changed.is_ok(),
            () = sleep(self.account.options.fan_out.heartbeat) => false,
        }
    }

    async fn rest(&self, bytes: usize) {
        if let Some(rate) = self.account.options.fan_out.bytes_per_s {
            #[expect(clippy::cast_precision_loss, reason = "at most a few millions")]
            sleep(Duration::from_secs_f64(bytes as f64 / rate)).await;
        }
    }

    fn json(&self, batch: &Batch, continuation: &str) -> Vec<u8> {
        let mut json = br#"{"Records":"#.to_vec();
        self.shard.write_records(batch, &mut json);
        let mut rest = format!(r#","MillisBehindLatest":{}"#, batch.behind_ms);
        let continuation = match (&batch.end, self.account.options.fan_out.end) {
            (Some(_), EndContinuation::Absent) => None,
            (Some(_), EndContinuation::Null) => Some(Value::Null),
            (Some(_), EndContinuation::Empty) => Some(Value::from("")),
            (None, _) | (Some(_), EndContinuation::Last) => Some(Value::from(continuation)),
        };
        if let Some(continuation) = continuation {
            rest += &format!(r#","ContinuationSequenceNumber":{continuation}"#);
        }
        if let Some(end) = &batch.end {
            rest += &format!(r#","ChildShards":{}"#, Value::from(end.children.clone()));
        }
        json.extend_from_slice(rest.as_bytes());
        json.push(b'}');
        json
    }

    /// Closes the connection once what was sent has gone out, which a connection that breaks does not wait for.
    async fn cut(&self) -> Result<(), Gone> {
        const ON_ITS_WAY: Duration = Duration::from_millis(50);
        sleep(ON_ITS_WAY).await;
        self.events.send(Piece::Cut).await.map_err(|_error| Gone)
    }

    async fn send(&self, frame: Bytes) -> Result<(), Gone> {
        self.events.send(Piece::Frame(frame)).await.map_err(|_error| Gone)
    }
}

/// Waits for someone who ends the subscription.
async fn ending(endings: &mut watch::Receiver<Option<Ending>>) -> Ending {
    let told = endings.wait_for(Option::is_some).await.map(|ending| *ending);
    match told {
        Ok(ending) => ending.unwrap_or(Ending::Clean),
        // The subscription was taken out of the list without a word.
        Err(_closed) => pending().await,
    }
}
