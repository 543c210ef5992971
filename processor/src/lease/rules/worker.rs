//! One worker: what it holds, what it waits for, what it does next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::balance::{Census, Situation};
use super::held::{Held, Verdict};
use super::random::Random;
use super::seen::Leases;
use super::{CheckpointError, Counts, Event, Grant, Timing, Token, View};
use crate::lease::{Checkpoint, Lease, LeaseKey, StoreError, Write, Written};

/// A write that was given out to be sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriteId(u64);

/// A request of the reader of a shard; the caller chooses the number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What the reader of a shard wants for its lease.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// The shard was read so far; children only at its end.
    Checkpoint {
        /// How far.
        checkpoint: Checkpoint,
        /// Ids of the child shards.
        children: Vec<Arc<str>>,
    },
    /// It reads no more.
    Release,
}

/// What the caller is to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Read the table, then call [`Worker::scanned`].
    Scan,
    /// Write to the table, then call [`Worker::written`], also when no answer came in time.
    Write {
        /// To say which one was answered.
        id: WriteId,
        /// What to write.
        write: Write,
    },
    /// Tell the reader of shards.
    Event(Event),
    /// Tell whoever made the request.
    Settled {
        /// Which.
        request: RequestId,
        /// How it ended.
        result: Result<(), CheckpointError>,
    },
}

/// The state of one worker. Times are milliseconds of a monotonic clock of its own.
///
/// Memory: a copy of each lease in the table, of which stores give at most 100 000, and as much
/// again for those that it holds.
#[derive(Debug)]
pub struct Worker {
    name: Arc<str>,
    timing: Timing,
    random: Random,
    leases: Leases,
    scans: u64,
    scanned: Arc<[Lease]>,
    held: BTreeMap<LeaseKey, Held>,
    sent: BTreeMap<WriteId, Sent>,
    /// Leases that are not taken before a time: released, not wanted back at once.
    resting_until_ms: BTreeMap<LeaseKey, u64>,
    /// Leases that others were asked for.
    asked: BTreeSet<LeaseKey>,
    outputs: VecDeque<Output>,
    scan_at_ms: u64,
    scan_sent_ms: Option<u64>,
    scan_ended_ms: u64,
    scan_failures: u32,
    next_id: u64,
    is_stopping: bool,
    counts: Counts,
    census: Census,
}

/// A write whose answer is waited for.
#[derive(Debug)]
struct Sent {
    write: Write,
    sent_ms: u64,
    /// The grant that it belongs to; none if the lease is not held.
    token: Option<Token>,
}

impl Worker {
    /// A worker that knows nothing and looks at the table first. `seed` is for its draws; workers should differ in it.
    #[must_use]
    pub fn new(name: Arc<str>, timing: Timing, seed: u64, now_ms: u64) -> Self {
        let census =
            Census { counts: BTreeMap::from([(Arc::clone(&name), 0)]), total: 0, available: 0 };
        Self {
            name,
            timing,
            random: Random::new(seed),
            leases: Leases::default(),
            scans: 0,
            scanned: Arc::from([]),
            held: BTreeMap::new(),
            sent: BTreeMap::new(),
            resting_until_ms: BTreeMap::new(),
            asked: BTreeSet::new(),
            outputs: VecDeque::new(),
            scan_at_ms: now_ms,
            scan_sent_ms: None,
            scan_ended_ms: 0,
            scan_failures: 0,
            next_id: 0,
            is_stopping: false,
            counts: Counts::default(),
            census,
        }
    }

    /// What to do next; to be asked for after every other call until there is nothing.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Does what is due. To be called at [`Self::next_wake_ms`], and before a request is passed on.
    pub fn tick(&mut self, now_ms: u64) {
        let is_over = |held: &Held| !held.is_believed(now_ms, &self.timing);
        let over: Vec<LeaseKey> = self
            .held
            .iter()
            .filter(|(_, held)| is_over(held))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.lose(&key);
        }
        let is_due =
            |held: &Held| held.next_write_ms(&self.timing).is_some_and(|due_ms| due_ms <= now_ms);
        let due: Vec<LeaseKey> =
            self.held.iter().filter(|(_, held)| is_due(held)).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.write_next(now_ms, &key);
        }
        if self.scan_sent_ms.is_none() && self.scan_at_ms <= now_ms && !self.is_stopping {
            self.scan_sent_ms = Some(now_ms);
            self.outputs.push_back(Output::Scan);
        }
    }

    /// When [`Self::tick`] has something to do, unless an answer comes first.
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        let beliefs = self.held.values().map(|held| held.renewed_ms + self.timing.belief_ms());
        let writes = self.held.values().filter_map(|held| held.next_write_ms(&self.timing));
        let is_scan_due = self.scan_sent_ms.is_none() && !self.is_stopping;
        beliefs.chain(writes).chain(is_scan_due.then_some(self.scan_at_ms)).min()
    }

    /// The table was read, or it could not be.
    pub fn scanned(&mut self, now_ms: u64, scan: Result<Vec<Lease>, StoreError>) {
        let sent_ms = self.scan_sent_ms.take().unwrap_or(now_ms);
        self.scan_ended_ms = now_ms;
        let interval_ms = self.timing.scan_interval_ms();
        let mut leases = match scan {
            Ok(leases) => leases,
            Err(_reported) => {
                self.scan_failures += 1;
                let gap_ms = self.timing.scan_gap_ms();
                self.scan_at_ms =
                    now_ms + self.random.backoff_ms(self.scan_failures, gap_ms, interval_ms);
                return;
            }
        };
        self.scan_failures = 0;
        self.scans += 1;
        leases.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        self.scanned = leases.as_slice().into();
        self.leases.replace(now_ms, leases, self.timing.duration_ms);
        // What another has held meanwhile may come back: it was not left for want of a reader.
        let (scanned, me) = (&self.scanned, &self.name);
        let is_others = |key: &LeaseKey| {
            let place = scanned.binary_search_by(|lease| lease.key.cmp(key));
            let owner = place.ok().and_then(|place| scanned[place].owner.as_ref());
            owner.is_some_and(|owner| owner != me)
        };
        self.resting_until_ms.retain(|key, until_ms| *until_ms > now_ms && !is_others(key));
        self.forget_answered_questions();
        // A little earlier or later each time, so that workers that started together do not stay together.
        let jitter_ms = self.random.below(interval_ms / 10 + 1);
        self.scan_at_ms =
            (sent_ms + interval_ms - jitter_ms).max(now_ms + self.timing.scan_gap_ms());
        self.plan(now_ms);
        self.wake_at_expiry(now_ms);
    }

    /// A write was answered, or its answer is not waited for any longer ([`StoreError::Unavailable`]).
    pub fn written(&mut self, now_ms: u64, id: WriteId, answer: Result<Written, StoreError>) {
        let Some(sent) = self.sent.remove(&id) else { return };
        match sent.token {
            Some(token) => self.written_held(now_ms, &sent, token, answer),
            None => self.written_other(now_ms, &sent, answer),
        }
        self.tick(now_ms);
    }

    /// A reader of a shard asks for something; it is settled later, or at once if its lease is not held.
    pub fn request(
        &mut self,
        now_ms: u64,
        id: RequestId,
        key: &LeaseKey,
        token: Token,
        request: Request,
    ) {
        self.tick(now_ms);
        let held = self.held.get_mut(key).filter(|held| held.token == token && !held.is_leaving);
        let is_release = request == Request::Release;
        let pushed = match held {
            None => Err(CheckpointError::Lost),
            Some(held) => {
                let pushed = held.push(id, request);
                held.is_leaving |= is_release && pushed.is_ok();
                pushed
            }
        };
        match pushed {
            Ok(()) => self.tick(now_ms),
            // Who gives up what is gone has what it wants.
            Err(CheckpointError::Lost) if is_release => self.settle(id, Ok(())),
            Err(error) => self.settle(id, Err(error)),
        }
    }

    /// Looks at the table soon: something changed there.
    pub fn scan_soon(&mut self, now_ms: u64) {
        let soon_ms = now_ms.max(self.scan_ended_ms + self.timing.scan_gap_ms());
        self.scan_at_ms = self.scan_at_ms.min(soon_ms);
    }

    /// Takes nothing more and gives up everything.
    pub fn stop(&mut self, now_ms: u64) {
        self.is_stopping = true;
        for held in self.held.values_mut() {
            held.is_leaving = true;
        }
        self.tick(now_ms);
    }

    /// Whether, after [`Self::stop`], nothing is held and no answer waited for.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.is_stopping && self.held.is_empty() && self.sent.is_empty()
    }

    /// The grant under which the lease is believed to be held.
    #[must_use]
    pub fn belief(&self, now_ms: u64, key: &LeaseKey) -> Option<Token> {
        let held = self.held.get(key)?;
        let is_believed = !held.is_leaving && held.is_believed(now_ms, &self.timing);
        is_believed.then_some(held.token)
    }

    /// The lease as it is known under a grant that is still believed in.
    #[must_use]
    pub fn held_lease(&self, now_ms: u64, key: &LeaseKey, token: Token) -> Option<&Lease> {
        (self.belief(now_ms, key)? == token).then(|| self.held.get(key).map(|held| &held.lease))?
    }

    /// What it knows.
    #[must_use]
    pub fn view(&self, now_ms: u64) -> View {
        let is_owner = |(_, leases): &(&Arc<str>, &usize)| **leases > 0;
        let first = self.census.counts.iter().find(is_owner).map(|(name, _)| name);
        let held = self.held.values().filter(|held| !held.is_leaving);
        let ages = held.clone().map(|held| now_ms.saturating_sub(held.renewed_ms));
        View {
            leases: Arc::clone(&self.scanned),
            scans: self.scans,
            workers: self.census.counts.len(),
            is_first_worker: first.is_none_or(|first| *first == self.name),
            renewal_age_ms_max: ages.max().unwrap_or(0),
            counts: Counts {
                held: held.count() as u64,
                total: self.census.total as u64,
                expired: self.census.available as u64,
                ..self.counts
            },
        }
    }

    fn plan(&mut self, now_ms: u64) {
        let held =
            self.held.iter().map(|(key, held)| (key.clone(), held.lease.owner.clone())).collect();
        let mut left_alone: BTreeSet<LeaseKey> = self.resting_until_ms.keys().cloned().collect();
        left_alone.extend(self.sent.values().map(|sent| sent.write.key().clone()));
        let situation = Situation {
            now_ms,
            me: &self.name,
            timing: &self.timing,
            leases: &self.leases,
            held: &held,
            left_alone: &left_alone,
            asked: &self.asked,
        };
        self.census = situation.census();
        if self.is_stopping {
            return;
        }
        for write in situation.plan(&mut self.random) {
            if let Write::RequestHandoff { key, .. } = &write {
                self.asked.insert(key.clone());
            }
            self.send(now_ms, write, None);
        }
    }

    /// What is neither ours in the table nor on its way to be asked for.
    fn forget_answered_questions(&mut self) {
        let me = Some(&self.name);
        let mine: BTreeSet<&LeaseKey> = self
            .leases
            .values()
            .filter(|seen| seen.lease.owner.as_ref() == me)
            .map(|seen| &seen.lease.key)
            .chain(self.sent.values().map(|sent| sent.write.key()))
            .collect();
        self.asked.retain(|key| mine.contains(key) && !self.held.contains_key(key));
    }

    fn wake_at_expiry(&mut self, now_ms: u64) {
        let is_ours = |key: &LeaseKey| self.held.contains_key(key);
        if let Some(expiry_ms) =
            self.leases.next_expiry_ms(now_ms, self.timing.duration_ms, is_ours)
        {
            let soonest_ms = now_ms + self.timing.scan_gap_ms();
            self.scan_at_ms = self.scan_at_ms.min(expiry_ms.max(soonest_ms));
        }
    }

    fn written_held(
        &mut self,
        now_ms: u64,
        sent: &Sent,
        token: Token,
        answer: Result<Written, StoreError>,
    ) {
        let key = sent.write.key();
        let Some(held) = self.held.get_mut(key).filter(|held| held.token == token) else { return };
        let is_renewal = matches!(sent.write, Write::Renew { .. });
        self.counts.renewals_failed += u64::from(is_renewal && answer.is_err());
        match held.answered(sent.sent_ms, &sent.write, answer, &self.name) {
            Verdict::Lost => self.lose(key),
            Verdict::Over(request) => self.end(now_ms, key, request),
            Verdict::Held(settled) => {
                if held.failures() > 0 {
                    let (least_ms, most_ms) =
                        (self.timing.duration_ms / 50, self.timing.duration_ms / 8);
                    let delay_ms = self.random.backoff_ms(held.failures(), least_ms, most_ms);
                    held.wait_until(now_ms + delay_ms);
                }
                if held.is_newly_asked_for() {
                    self.outputs.push_back(Output::Event(Event::HandoffRequested(key.clone())));
                }
                if let Some((request, result)) = settled {
                    self.settle(request, result);
                }
            }
        }
    }

    fn written_other(&mut self, now_ms: u64, sent: &Sent, answer: Result<Written, StoreError>) {
        let duration_ms = self.timing.duration_ms;
        match (&sent.write, answer) {
            (Write::Take { key, .. }, Ok(Written::Done { now: Some(lease) })) => {
                self.leases.update(now_ms, &lease, duration_ms);
                self.grant(now_ms, key.clone(), lease, sent.sent_ms);
            }
            (_, Ok(Written::Done { now: Some(lease) })) => {
                self.leases.update(now_ms, &lease, duration_ms)
            }
            // Another worker was faster; perhaps it left something else.
            (_, Ok(Written::Refused { .. })) => {
                let gap_ms = self.timing.scan_gap_ms();
                let delay_ms = gap_ms + self.random.below(gap_ms + 1);
                self.scan_at_ms = self.scan_at_ms.min(now_ms + delay_ms);
            }
            (_, Ok(Written::Done { now: None }) | Err(_)) => {}
        }
    }

    fn grant(&mut self, now_ms: u64, key: LeaseKey, lease: Lease, sent_ms: u64) {
        let token = Token(self.next());
        let mut held = Held::new(token, lease.clone(), sent_ms);
        if !held.is_believed(now_ms, &self.timing) || self.held.contains_key(&key) {
            // The answer came so late that it proves nothing; the table shows it as ours at the next look.
            self.scan_soon(now_ms);
            return;
        }
        held.is_leaving = self.is_stopping;
        self.counts.taken += 1;
        self.counts.stolen += u64::from(self.asked.remove(&key));
        self.held.insert(key, held);
        if !self.is_stopping {
            self.outputs.push_back(Output::Event(Event::Granted(Grant { lease, token })));
        }
    }

    fn lose(&mut self, key: &LeaseKey) {
        let Some(held) = self.held.remove(key) else { return };
        for (request, wanted) in held.requests {
            // A lease that is left to expire is given up too.
            let is_release = wanted == Request::Release;
            self.settle(request, if is_release { Ok(()) } else { Err(CheckpointError::Lost) });
        }
        if !held.is_leaving {
            self.counts.lost += 1;
            self.outputs.push_back(Output::Event(Event::Lost(key.clone())));
        }
    }

    /// The lease was finished or released: not lost, and not to be taken back at once.
    fn end(&mut self, now_ms: u64, key: &LeaseKey, request: Option<RequestId>) {
        let Some(held) = self.held.remove(key) else { return };
        if let Some(request) = request {
            self.settle(request, Ok(()));
        }
        for (request, _) in held.requests {
            self.settle(request, Err(CheckpointError::Lost));
        }
        self.counts.handed_over += u64::from(
            held.is_leaving
                && held.lease.owner.as_ref() != Some(&self.name)
                && held.lease.owner.is_some(),
        );
        if !held.lease.is_finished() {
            self.resting_until_ms.insert(key.clone(), now_ms + self.timing.duration_ms);
        }
        self.scan_soon(now_ms);
    }

    fn write_next(&mut self, now_ms: u64, key: &LeaseKey) {
        let Some(held) = self.held.get(key) else { return };
        let (write, token) = (held.next_write(&self.name), held.token);
        let id = self.send(now_ms, write, Some(token));
        if let Some(held) = self.held.get_mut(key) {
            held.in_flight = Some(id);
        }
    }

    fn send(&mut self, now_ms: u64, write: Write, token: Option<Token>) -> WriteId {
        let id = WriteId(self.next());
        self.sent.insert(id, Sent { write: write.clone(), sent_ms: now_ms, token });
        self.outputs.push_back(Output::Write { id, write });
        id
    }

    fn settle(&mut self, request: RequestId, result: Result<(), CheckpointError>) {
        self.outputs.push_back(Output::Settled { request, result });
    }

    const fn next(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
