//! One message, from its receipt to its end: its objects are read, applied, and only then it is deleted.
//!
//! While that lasts it is kept hidden by calls that wait for nothing else: objects are read on threads of their own, so that neither a
//! slow pipeline nor a slow object delays them.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::event::{self, Created};
use super::failure::{Failure, Kind};
use super::fault::Fault;
use super::known::Known;
use super::life::{self, Blame, Failures, Fate, Rules};
use super::queue::{HIDE_ACTION, Message, Queue};
use super::reading::{End, Reader};
use super::tries::Tries;
use super::wanted::{Unwanted, Wanted};
use crate::batch::{Batch, BatchId, Content, Extent};
use crate::source::receipts::Letters;
use crate::source::told::Told;

/// What all messages share.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) queue: Queue,
    pub(super) rules: Rules,
    pub(super) reader: Arc<Reader>,
    /// By what failed, and the reason.
    pub(super) told: Told<(&'static str, &'static str)>,
    pub(super) tries: Tries,
    pub(super) wanted: Wanted,
    /// Letters that are kept: a message comes again if its deletion fails, and they shall not.
    pub(super) kept: Known,
    /// Letters that were sent.
    pub(super) letters: AtomicU64,
}

/// How the work on a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All that it names was applied or kept as a dead letter.
    Done,
    /// Not all could be read.
    Again { after_s: u64 },
    /// The fold applies nothing more.
    Abandoned,
    /// There was no time to finish it.
    Cut,
}

/// After a call that was to keep a message hidden has failed, there is time for several more before its timeout.
const HIDE_AGAIN: Duration = Duration::from_secs(2);
/// A call that hangs is given up so soon: of the shortest timeout, 30 s, a third is over before the first, and three fit into the rest.
const HIDE_MAX: Duration = Duration::from_secs(4);
/// A message that cannot be deleted comes again after its timeout, and is known then.
const DELETE_TRIES_MAX: u32 = 5;
/// A label for metrics.
const LEFT_OUT: &str = "letter_left_out";

impl Work {
    /// Works on a message that has just been received. `slot` is given back when its objects are read.
    pub(super) async fn run(self: Arc<Self>, message: Message, slot: OwnedSemaphorePermit) {
        let cut = self.reader.cut.clone();
        let outcome = tokio::select! {
            biased;
            outcome = self.process(&message, slot) => outcome,
            never = self.keep_hidden(&message) => match never {},
            () = cut.wait() => Outcome::Cut,
        };
        tracing::debug!(message_id = %message.id, ?outcome, "worked on");
        match outcome {
            Outcome::Done => {}
            Outcome::Again { after_s } => self.give_back(&message, after_s).await,
            // Whatever ended the run may end the next one, too: that must not use up the tries of a redrive policy.
            Outcome::Abandoned => {
                self.give_back(&message, life::back_off_s(message.receives)).await
            }
            Outcome::Cut => self.give_back(&message, 0).await,
        }
    }

    /// Shows a message to the next reader, after so long.
    pub(super) async fn give_back(&self, message: &Message, after_s: u64) {
        match self.queue.hide(message, after_s).await {
            Ok(()) => self.reader.meter.gave_back(),
            // It comes again at its timeout, then.
            Err(failure) => self.failed(&failure),
        }
    }

    /// Counts a failed call, and tells it once a minute.
    pub(super) fn failed(&self, failure: &Failure) {
        self.reader.meter.failed(failure.reason());
        if !self.told.is_due((failure.action, failure.reason())) {
            return;
        }
        if failure.needs_someone() {
            tracing::error!(error = %failure, "the queue cannot be used; tried again");
        } else {
            tracing::warn!(error = %failure, "the queue cannot be used; tried again");
        }
    }

    async fn process(&self, message: &Message, slot: OwnedSemaphorePermit) -> Outcome {
        let notice = match event::parse(&message.body) {
            Ok(notice) => notice,
            Err(problem) => {
                let fault = Fault::of_message(self.queue.name(), &message.body, problem);
                return self.refuse(message, vec![fault]).await;
            }
        };
        self.reader.meter.ignored(notice.ignored);
        let queue = self.queue.name();
        let odd = notice.odd.into_iter().map(|odd| Fault::of_record(queue, odd));
        let (mut all_sent, mut faults) = (Vec::new(), odd.collect::<Vec<_>>());
        for created in notice.objects {
            if let Err(unwanted) = self.wanted.check(&created) {
                self.pass_over(&created, unwanted);
                continue;
            }
            match self.read(created).await {
                End::Sent(sent, fault) => {
                    all_sent.push(sent);
                    faults.extend(fault);
                }
                End::Known => {}
                End::Cut => return Outcome::Cut,
                End::Closed => return Outcome::Abandoned,
            }
        }
        // The next message may begin while this one waits for the fold.
        drop(slot);
        for sent in all_sent {
            if !self.reader.applied(sent).await {
                return Outcome::Abandoned;
            }
        }
        if faults.is_empty() {
            self.delete(message).await
        } else {
            self.refuse(message, faults).await
        }
    }

    fn pass_over(&self, created: &Created, unwanted: Unwanted) {
        self.reader.meter.ignored(1);
        let is_told = unwanted == Unwanted::Bucket;
        if is_told && self.told.is_due(("object", "other_bucket")) {
            tracing::warn!(object = %created.source(), "not in sources.s3.buckets: it is not read");
        }
    }

    /// On a thread that may wait for the pipeline.
    async fn read(&self, created: Created) -> End {
        let (reader, object) = (Arc::clone(&self.reader), created.clone());
        let read = tokio::task::spawn_blocking(move || reader.read(&object)).await;
        read.unwrap_or_else(|_panic| {
            End::Sent(super::reading::Sent::default(), Some(Fault::of_panic(&created)))
        })
    }

    /// Of a message with objects that cannot be read, or that says nothing that we understand.
    async fn refuse(&self, message: &Message, faults: Vec<Fault>) -> Outcome {
        let is_own = faults.iter().any(|fault| fault.blame == Blame::Object);
        let tries = if is_own { self.tries.failed(&message.id) } else { 0 };
        let failures = Failures { tries, receives: message.receives };
        let mut soonest_s = None;
        for fault in &faults {
            self.reader.meter.failed(fault.reason);
            let fate = self.rules.after_failure(failures, fault.blame);
            self.tell(message, fault, fate);
            if let Fate::Again { after_s } = fate {
                soonest_s =
                    Some(soonest_s.map_or(after_s, |soonest_s: u64| soonest_s.min(after_s)));
            }
        }
        match soonest_s {
            Some(after_s) => Outcome::Again { after_s },
            None => self.give_up(message, faults).await,
        }
    }

    /// Keeps a dead letter of each of its faults. A message whose letters are not all kept stays with the queue.
    async fn give_up(&self, message: &Message, faults: Vec<Fault>) -> Outcome {
        let mut receipts = Vec::new();
        for fault in faults {
            let name: Arc<str> = format!("{} {}", message.id, fault.source).into();
            if self.kept.is_applied(&name) {
                continue;
            }
            // Numbered, since the fold knows those that it has seen, also when their letters were left out.
            let number = self.letters.fetch_add(1, Ordering::Relaxed);
            let (id, bytes) = (format!("{}#{number}", message.id), fault.letter.len() as u64);
            let extent = Extent::Request { id: id.into(), records: 1, bytes, checksum: 0 };
            let id = BatchId { source: fault.source, extent };
            receipts.push((self.reader.receipts.expect(&id), name));
            let batch = Batch { id, content: Content::Unreadable(fault.letter) };
            if self.reader.inlet.send(Ok(batch)).await.is_err() {
                return Outcome::Abandoned;
            }
        }
        let mut all_kept = true;
        for (receipt, name) in receipts {
            match receipt.letters().await {
                Ok(Letters::Kept) => {
                    self.kept.applied(name);
                    self.reader.meter.gave_up();
                }
                Ok(Letters::LeftOut) => all_kept = false,
                Err(_ended) => return Outcome::Abandoned,
            }
        }
        if all_kept {
            return self.delete(message).await;
        }
        self.reader.meter.failed(LEFT_OUT);
        if self.told.is_due(("letter", LEFT_OUT)) {
            tracing::error!("dead letters are left out; the messages stay with the queue");
        }
        Outcome::Again { after_s: life::BACK_OFF_S_MAX }
    }

    fn tell(&self, message: &Message, fault: &Fault, fate: Fate) {
        let Fault { source, reason, problem, .. } = fault;
        let (receives, id) = (message.receives, &message.id);
        match fate {
            Fate::GivenUp => {
                tracing::warn!(message_id = %id, object = %source, reason, problem, receives, "given up");
            }
            Fate::Again { .. } if !self.told.is_due(("object", reason)) => {}
            Fate::Again { after_s } if fault.needs_someone() => {
                tracing::error!(object = %source, reason, problem, after_s, receives, "cannot be read; tried again");
            }
            Fate::Again { after_s } => {
                tracing::warn!(object = %source, reason, problem, after_s, receives, "cannot be read; tried again");
            }
        }
    }

    async fn delete(&self, message: &Message) -> Outcome {
        for failures in 1..=DELETE_TRIES_MAX {
            match self.queue.delete(message).await {
                Ok(()) => {
                    self.reader.meter.deleted();
                    self.tries.forget(&message.id);
                    break;
                }
                Err(failure) => {
                    self.failed(&failure);
                    if failure.kind == Kind::NotOurs || failures == DELETE_TRIES_MAX {
                        break;
                    }
                }
            }
            sleep(Duration::from_millis(life::pause_ms(failures, false, fastrand::f64()))).await;
        }
        Outcome::Done
    }

    /// Extends the message's timeout until it is dropped.
    async fn keep_hidden(&self, message: &Message) -> Infallible {
        let (received_at, rules) = (Instant::now(), self.rules);
        let mut hidden_until_s = rules.visibility_s;
        let mut wait = Duration::from_secs(rules.extends_after_s());
        loop {
            sleep(wait).await;
            let held_s = received_at.elapsed().as_secs();
            let Some(visibility_s) = rules.extension_s(held_s, hidden_until_s) else { break };
            let hide = self.queue.hide(message, visibility_s);
            let hidden = timeout(HIDE_MAX, hide).await;
            let hidden = hidden.unwrap_or_else(|_late| Err(Failure::unanswered(HIDE_ACTION)));
            match hidden {
                Ok(()) => {
                    self.reader.meter.extended();
                    hidden_until_s = held_s + visibility_s;
                    wait = Duration::from_secs(rules.extends_after_s());
                }
                Err(failure) => {
                    self.failed(&failure);
                    if failure.kind == Kind::NotOurs {
                        // Somebody else may read it by now. What we have sent cannot be taken back; deleting it may still save them the work.
                        return pending().await;
                    }
                    wait = HIDE_AGAIN;
                }
            }
        }
        sleep(Duration::from_secs(hidden_until_s).saturating_sub(received_at.elapsed())).await;
        tracing::warn!(message_id = %message.id, "hidden for twelve hours, the longest that SQS allows: others may read it, too");
        pending().await
    }
}
