//! Asks the queue for as many messages as there is room for, and sees all of them to their ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Duration, sleep, timeout};

use super::life;
use super::queue::{MESSAGES_MAX, Message, WAIT_S_MAX};
use super::work::Work;
use super::{EndedError, Failure};
use crate::source::clock::Clock;
use crate::source::stop::{Stop, Stopped};

/// Reads one queue until it is stopped.
#[derive(Debug)]
pub(super) struct Receiver {
    queue_url: String,
    work: Arc<Work>,
    stopped: Stopped,
    /// Breaks off what is under way.
    cut: Stop,
    /// One for each object that may be read at once.
    slots: Arc<Semaphore>,
    /// One for each message that is ours, with those that wait for the fold.
    hands: Arc<Semaphore>,
    tasks: JoinSet<()>,
    /// Under way when we were stopped.
    last_call: Option<JoinHandle<Answer>>,
    clock: Clock,
}

type Answer = Result<Vec<Message>, Failure>;

/// Room for one message.
#[derive(Debug)]
struct Place {
    slot: OwnedSemaphorePermit,
    hand: OwnedSemaphorePermit,
}

/// Messages in hand for each object that may be read at once: while some wait for the fold, or to be deleted, others are read.
pub(super) const HANDS_PER_SLOT: usize = 4;
/// How long a deployment waits at its start for a service that does not answer.
const START_TRIES_MAX: u32 = 6;
/// A call that is under way when we stop may bring messages, also those that we give back: unheard, they would stay hidden until their
/// timeout.
const LAST_ANSWER_MAX: Duration = Duration::from_secs(1);
/// How long what is under way may take at the end, before it is given back and read again by others.
const DRAIN_MAX: Duration = Duration::from_secs(18);
/// How long giving back may take.
const GIVE_BACK_MAX: Duration = Duration::from_secs(3);

impl Receiver {
    pub(super) fn new(
        queue_url: String,
        objects_in_flight_max: usize,
        work: Arc<Work>,
        stopped: Stopped,
        cut: Stop,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(objects_in_flight_max));
        let hands = Arc::new(Semaphore::new(objects_in_flight_max * HANDS_PER_SLOT));
        let (tasks, clock) = (JoinSet::new(), Clock::start());
        Self { queue_url, work, stopped, cut, slots, hands, tasks, last_call: None, clock }
    }

    pub(super) async fn run(mut self) -> Result<(), EndedError> {
        let result = self.receive().await;
        self.end().await;
        result
    }

    async fn receive(&mut self) -> Result<(), EndedError> {
        let (mut failures, mut has_begun) = (0, false);
        while !self.stopped.is_stopped() && !self.work.reader.inlet.is_closed() {
            self.reap()?;
            let places = tokio::select! {
                biased;
                () = self.stopped.clone().wait() => break,
                places = self.places() => places,
            };
            // The first call shall tell at once whether there is such a queue.
            let wait_s = if has_begun { WAIT_S_MAX } else { 0 };
            let Some(answer) = self.ask(places.len(), wait_s).await? else { break };
            match answer {
                Ok(messages) => {
                    if !std::mem::replace(&mut has_begun, true) {
                        tracing::info!(queue = %self.queue_url, "reads the queue");
                    }
                    failures = 0;
                    self.begin(messages, places);
                    let broken = self.work.reader.outage.load(Ordering::Relaxed);
                    if broken > 0 {
                        self.pause(broken, false).await;
                    }
                }
                Err(failure) => {
                    failures += 1;
                    self.work.failed(&failure);
                    let needs_someone = failure.needs_someone();
                    if !has_begun && (needs_someone || failures == START_TRIES_MAX) {
                        let queue = self.queue_url.clone();
                        return Err(EndedError::Queue { queue, failure });
                    }
                    self.pause(failures, needs_someone).await;
                }
            }
        }
        Ok(())
    }

    /// Waits until there is room for a message, and takes all the room that there is.
    async fn places(&self) -> Vec<Place> {
        let (hands, slots) = (Arc::clone(&self.hands), Arc::clone(&self.slots));
        let mut places = Vec::new();
        // They are closed nowhere.
        if let (Ok(hand), Ok(slot)) = (hands.acquire_owned().await, slots.acquire_owned().await) {
            places.push(Place { slot, hand });
        }
        while places.len() < MESSAGES_MAX {
            let (hands, slots) = (Arc::clone(&self.hands), Arc::clone(&self.slots));
            match (hands.try_acquire_owned(), slots.try_acquire_owned()) {
                (Ok(hand), Ok(slot)) => places.push(Place { slot, hand }),
                _ => break,
            }
        }
        places
    }

    /// Messages, or why there are none; `None` when we were stopped meanwhile.
    async fn ask(
        &mut self,
        messages_max: usize,
        wait_s: i32,
    ) -> Result<Option<Answer>, EndedError> {
        let (queue, visibility_s) = (self.work.queue.clone(), self.work.rules.visibility_s);
        let mut call =
            tokio::spawn(async move { queue.receive(messages_max, wait_s, visibility_s).await });
        let answer = tokio::select! {
            answer = &mut call => answer.map_err(|_panic| EndedError::Panicked)?,
            () = self.stopped.clone().wait() => {
                self.last_call = Some(call);
                return Ok(None);
            }
        };
        if let Ok(messages) = &answer {
            let age_ms = age_ms(messages, self.clock.unix_ms());
            self.work.reader.meter.received(messages.len() as u64, age_ms);
        }
        Ok(Some(answer))
    }

    fn begin(&mut self, messages: Vec<Message>, places: Vec<Place>) {
        let is_stopped = self.stopped.is_stopped();
        for (message, Place { slot, hand }) in messages.into_iter().zip(places) {
            let work = Arc::clone(&self.work);
            self.tasks.spawn(async move {
                if is_stopped {
                    work.give_back(&message, 0).await;
                } else {
                    Box::pin(work.run(message, slot)).await;
                }
                drop(hand);
            });
        }
    }

    async fn pause(&self, failures: u32, needs_someone: bool) {
        let pause_ms = life::pause_ms(failures, needs_someone, fastrand::f64());
        tokio::select! {
            () = sleep(Duration::from_millis(pause_ms)) => {}
            () = self.stopped.clone().wait() => {}
        }
    }

    fn reap(&mut self) -> Result<(), EndedError> {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "the task of a message panicked");
                return Err(EndedError::Panicked);
            }
        }
        Ok(())
    }

    /// Finishes what was begun, and gives back what cannot be finished.
    async fn end(&mut self) {
        tracing::info!(messages = self.tasks.len(), "finishes what was begun");
        if timeout(DRAIN_MAX, join_all(&mut self.tasks)).await.is_err() {
            let messages = self.tasks.len();
            tracing::error!(
                messages,
                "not all objects were read to their ends: they are read again"
            );
            self.cut.stop();
            if timeout(GIVE_BACK_MAX, join_all(&mut self.tasks)).await.is_err() {
                tracing::error!(
                    "not all messages were given back; they come again after their timeout"
                );
            }
        }
        let Some(call) = self.last_call.take() else { return };
        if let Ok(Ok(Ok(messages))) = timeout(LAST_ANSWER_MAX, call).await {
            for message in messages {
                self.work.give_back(&message, 0).await;
            }
        }
    }
}

/// How old the oldest message is, of those that come for the first time: what waited its time after a failure says nothing about how far
/// behind we are.
fn age_ms(messages: &[Message], now_unix_ms: u64) -> u64 {
    let first = messages.iter().filter(|message| message.receives == 1);
    let sent_ms = first.filter_map(|message| message.sent_unix_ms).min();
    sent_ms.map_or(0, |sent_ms| now_unix_ms.saturating_sub(sent_ms))
}

async fn join_all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_was_received_before_says_nothing_of_the_backlog() {
        let message = |receives, sent_unix_ms| Message {
            id: "id".into(),
            handle: String::new(),
            body: String::new(),
            receives,
            sent_unix_ms,
        };
        let messages = [message(7, Some(1_000)), message(1, Some(8_000)), message(1, Some(9_000))];
        assert_eq!(age_ms(&messages, 10_000), 2_000);
        assert_eq!(age_ms(&messages[..1], 10_000), 0);
        assert_eq!(age_ms(&[message(1, None)], 10_000), 0);
    }
}
