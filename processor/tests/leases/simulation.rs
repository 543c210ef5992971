//! A world of workers and a table, in which time passes from event to event.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use flowscout::lease::rules::{Output, Request, RequestId, Worker, WriteId};
use flowscout::lease::{
    Checkpoint, Event, Lease, LeaseKey, Position, StoreError, Timing, Token, Write, Written,
};

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Offset in ms of each worker's clock, and its ms in 1000 ms of true time.
    pub(crate) clocks: Vec<(u64, u64)>,
    pub(crate) leases: usize,
    pub(crate) faults: Vec<Fault>,
    pub(crate) lost_percent: u64,
    pub(crate) late_percent: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) worker: usize,
    pub(crate) at_ms: u64,
    pub(crate) length_ms: u64,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Neither requests nor answers come through.
    Partition,
    /// The process stands still, and does not notice.
    Pause,
    /// The process dies; after the length it is started again under the same name.
    Crash,
    /// What reads the shards does not answer requests for handoffs before the end of it.
    SlowReader,
    /// What reads the shards never answers requests for handoffs that come in this time.
    DeafReader,
}

pub(crate) struct Simulation {
    now_ms: u64,
    random: Rng,
    timing: Timing,
    lost_percent: u64,
    late_percent: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    next: u64,
    table: BTreeMap<LeaseKey, Lease>,
    nodes: Vec<Node>,
    /// Which process took each lease last.
    taken_by: BTreeMap<LeaseKey, Process>,
    /// When a lease was last taken from a holder that did not give it up.
    forced_ms: BTreeMap<LeaseKey, u64>,
    is_healed: bool,
}

/// A worker, and which of its lives.
type Process = (usize, u64);

struct Node {
    offset_ms: u64,
    rate: u64,
    life: u64,
    worker: Option<Worker>,
    partitioned_until_ms: u64,
    paused_until_ms: u64,
    slow_until_ms: u64,
    deaf_until_ms: u64,
    wake_at_ms: Option<u64>,
    /// What the reader of shards believes.
    reading: BTreeMap<LeaseKey, (Token, u64)>,
    /// Requests that it waits for, with what it wants to write.
    asked: BTreeMap<RequestId, (LeaseKey, Option<Checkpoint>)>,
    waiting: BTreeSet<Question>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Question {
    Scan(u64),
    Write(WriteId),
}

#[expect(clippy::large_enum_variant, reason = "a box would only be in the way")]
#[derive(Clone, Debug)]
enum Answer {
    Scan(Result<Vec<Lease>, StoreError>),
    Write(Result<Written, StoreError>),
}

#[derive(Clone, Debug)]
enum Happening {
    Fault(Fault),
    Start(usize),
    Wake(Process),
    /// The request reaches the table; `None` scans.
    Request(Process, Question, Option<Write>),
    Answer(Process, Question, Answer),
    Read(Process),
    Release(Process, LeaseKey, Token),
}

fn position(number: u64) -> Checkpoint {
    Checkpoint::Through(Position { sequence: number.to_string().parse().unwrap(), sub_sequence: 0 })
}

fn number(checkpoint: &Checkpoint) -> u64 {
    match checkpoint {
        Checkpoint::Through(position) => position.sequence.as_str().parse().unwrap(),
        _ => 0,
    }
}

impl Simulation {
    pub(crate) fn new(plan: &Plan, duration_ms: u64) -> Self {
        let lease =
            |number| Lease::new(format!("shardId-{number:012}").into(), Checkpoint::TrimHorizon);
        let leases = (0..plan.leases).map(lease);
        let node = |&(offset_ms, rate): &(u64, u64)| Node {
            offset_ms,
            rate,
            life: 0,
            worker: None,
            partitioned_until_ms: 0,
            paused_until_ms: 0,
            slow_until_ms: 0,
            deaf_until_ms: 0,
            wake_at_ms: None,
            reading: BTreeMap::new(),
            asked: BTreeMap::new(),
            waiting: BTreeSet::new(),
        };
        let mut simulation = Self {
            now_ms: 0,
            random: Rng::with_seed(plan.seed),
            timing: Timing { duration_ms, ..Timing::default() },
            lost_percent: plan.lost_percent,
            late_percent: plan.late_percent,
            queue: BTreeMap::new(),
            next: 0,
            table: leases.map(|lease| (lease.key.clone(), lease)).collect(),
            nodes: plan.clocks.iter().map(node).collect(),
            taken_by: BTreeMap::new(),
            forced_ms: BTreeMap::new(),
            is_healed: false,
        };
        for node in 0..plan.clocks.len() {
            let at_ms = simulation.random.u64(0..2 * duration_ms);
            simulation.at(at_ms, Happening::Start(node));
        }
        for fault in &plan.faults {
            simulation.at(fault.at_ms, Happening::Fault(*fault));
        }
        simulation
    }

    pub(crate) fn run_until(&mut self, end_ms: u64) {
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= end_ms
        {
            let ((at_ms, _), happening) = entry.remove_entry();
            self.now_ms = at_ms;
            self.happen(happening);
            self.check_beliefs();
        }
        self.now_ms = end_ms;
    }

    /// From now on nothing fails any more; who is dead starts again.
    pub(crate) fn heal(&mut self) {
        self.is_healed = true;
        (self.lost_percent, self.late_percent) = (0, 0);
        for node in 0..self.nodes.len() {
            let now_ms = self.now_ms;
            let paused_until_ms = self.nodes[node].paused_until_ms;
            self.nodes[node].partitioned_until_ms = now_ms;
            self.nodes[node].paused_until_ms = paused_until_ms.min(now_ms);
            self.nodes[node].slow_until_ms = now_ms;
            self.nodes[node].deaf_until_ms = now_ms;
            if self.nodes[node].worker.is_none() {
                self.start(node);
            }
        }
    }

    pub(crate) fn kill(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.worker = None;
        node.life += 1;
        node.reading.clear();
        node.asked.clear();
        node.waiting.clear();
        node.wake_at_ms = None;
    }

    pub(crate) fn table(&self) -> Vec<Lease> {
        self.table.values().cloned().collect()
    }

    /// Each lease is believed to be held by exactly one worker, and the table says the same.
    pub(crate) fn assert_all_held(&self) -> BTreeMap<LeaseKey, usize> {
        let holder = |lease: &Lease| {
            let believers = self.believers(&lease.key);
            assert_eq!(believers.len(), 1, "at {}: {lease:?}", self.now_ms);
            assert_eq!(lease.holder(), Some(name(believers[0]).as_str()));
            (lease.key.clone(), believers[0])
        };
        self.table.values().map(holder).collect()
    }

    /// As above, no two workers differ by more than one lease, and nobody waits.
    pub(crate) fn settled(&self) -> BTreeMap<LeaseKey, usize> {
        let holders = self.assert_all_held();
        let count = |node| holders.values().filter(|holder| **holder == node).count();
        let counts: Vec<usize> = (0..self.nodes.len()).map(count).collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "{counts:?}");
        for node in &self.nodes {
            assert!(
                node.asked.len() <= 1,
                "only what was asked a moment ago waits: {:?}",
                node.asked
            );
        }
        holders
    }

    fn at(&mut self, at_ms: u64, happening: Happening) {
        self.next += 1;
        self.queue.insert((at_ms, self.next), happening);
    }

    fn local_ms(&self, node: usize) -> u64 {
        let node = &self.nodes[node];
        node.offset_ms + self.now_ms * node.rate / 1000
    }

    fn real_ms(&self, node: usize, local_ms: u64) -> u64 {
        let node = &self.nodes[node];
        local_ms.saturating_sub(node.offset_ms) * 1000 / node.rate + 1
    }

    fn believers(&self, key: &LeaseKey) -> Vec<usize> {
        let believes = |node: &usize| {
            let worker = self.nodes[*node].worker.as_ref();
            worker.is_some_and(|worker| worker.belief(self.local_ms(*node), key).is_some())
        };
        (0..self.nodes.len()).filter(believes).collect()
    }

    fn check_beliefs(&self) {
        for key in self.table.keys() {
            let believers = self.believers(key);
            if believers.len() > 1 {
                let forced_ms = self.forced_ms.get(key).expect("nothing was taken by force");
                let since_ms = self.now_ms - forced_ms;
                assert!(
                    believers.len() == 2 && since_ms < self.timing.duration_ms,
                    "{believers:?} hold {key} at {}, {since_ms} ms after it was taken by force",
                    self.now_ms
                );
            }
        }
    }

    fn is_alive(&self, (node, life): Process) -> bool {
        self.nodes[node].worker.is_some() && self.nodes[node].life == life
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Fault(fault) => self.fault(fault),
            Happening::Start(node) if self.nodes[node].worker.is_none() => self.start(node),
            Happening::Start(_) => {}
            Happening::Request(process, question, write) => self.request(process, question, write),
            Happening::Wake((node, _))
            | Happening::Answer((node, _), ..)
            | Happening::Read((node, _))
            | Happening::Release((node, _), ..)
                if self.nodes[node].paused_until_ms > self.now_ms =>
            {
                let until_ms = self.nodes[node].paused_until_ms;
                self.at(until_ms, happening);
            }
            Happening::Wake(process) if self.is_alive(process) => {
                self.nodes[process.0].wake_at_ms = None;
                self.with_worker(process.0, |worker, local_ms| worker.tick(local_ms));
            }
            Happening::Answer(process, question, answer) if self.is_alive(process) => {
                self.answer(process.0, question, answer);
            }
            Happening::Read(process) if self.is_alive(process) => self.read(process),
            Happening::Release(process, key, token) if self.is_alive(process) => {
                if self.nodes[process.0].slow_until_ms > self.now_ms {
                    let until_ms = self.nodes[process.0].slow_until_ms;
                    self.at(until_ms, Happening::Release(process, key, token));
                } else {
                    self.nodes[process.0].reading.remove(&key);
                    self.ask(process.0, &key, token, Request::Release);
                }
            }
            // To a process that is dead.
            Happening::Wake(_)
            | Happening::Answer(..)
            | Happening::Read(_)
            | Happening::Release(..) => {}
        }
    }

    fn fault(&mut self, fault: Fault) {
        if self.is_healed {
            return;
        }
        let until_ms = self.now_ms + fault.length_ms;
        match fault.kind {
            Kind::Partition => self.nodes[fault.worker].partitioned_until_ms = until_ms,
            Kind::Pause => self.nodes[fault.worker].paused_until_ms = until_ms,
            Kind::SlowReader => self.nodes[fault.worker].slow_until_ms = until_ms,
            Kind::DeafReader => self.nodes[fault.worker].deaf_until_ms = until_ms,
            Kind::Crash => {
                self.kill(fault.worker);
                self.at(until_ms, Happening::Start(fault.worker));
            }
        }
    }

    fn start(&mut self, node: usize) {
        let (seed, local_ms) = (self.random.u64(..), self.local_ms(node));
        let worker = Worker::new(name(node).into(), self.timing, seed, local_ms);
        self.nodes[node].worker = Some(worker);
        self.nodes[node].life += 1;
        let process = (node, self.nodes[node].life);
        self.at(self.now_ms, Happening::Read(process));
        self.with_worker(node, |worker, local_ms| worker.tick(local_ms));
    }

    /// Calls the worker and does what it puts out.
    fn with_worker(&mut self, node: usize, call: impl FnOnce(&mut Worker, u64)) {
        let local_ms = self.local_ms(node);
        let process = (node, self.nodes[node].life);
        let worker = self.nodes[node].worker.as_mut().unwrap();
        call(worker, local_ms);
        let outputs: Vec<Output> = std::iter::from_fn(|| worker.next_output()).collect();
        let wake_ms = worker.next_wake_ms();
        for output in outputs {
            match output {
                Output::Scan => {
                    self.next += 1;
                    self.send(process, Question::Scan(self.next), None);
                }
                Output::Write { id, write } => self.send(process, Question::Write(id), Some(write)),
                Output::Event(event) => self.event(process, event),
                Output::Settled { request, result } => {
                    let (key, wanted) = self.nodes[node].asked.remove(&request).expect("asked");
                    if let (Some(wanted), Ok(())) = (wanted, result) {
                        let there = &self.table[&key].checkpoint;
                        assert!(*there >= wanted, "confirmed and not there: {wanted} of {key}");
                    }
                }
            }
        }
        if let Some(wake_ms) = wake_ms {
            let at_ms = self.real_ms(node, wake_ms).max(self.now_ms + 1);
            if self.nodes[node].wake_at_ms.is_none_or(|planned_ms| planned_ms > at_ms) {
                self.nodes[node].wake_at_ms = Some(at_ms);
                self.at(at_ms, Happening::Wake(process));
            }
        }
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.random.u64(0..100) < percent
    }

    fn latency_ms(&mut self) -> u64 {
        if self.happens(self.late_percent / 2) {
            self.random.u64(0..3 * self.timing.duration_ms)
        } else if self.happens(self.late_percent) {
            self.random.u64(0..self.timing.answer_timeout_ms())
        } else {
            self.random.u64(1..60)
        }
    }

    fn send(&mut self, process: Process, question: Question, write: Option<Write>) {
        self.nodes[process.0].waiting.insert(question);
        let late = StoreError::Unavailable("no answer".to_owned());
        let (limit_ms, answer) = match question {
            Question::Scan(_) => (self.timing.duration_ms, Answer::Scan(Err(late))),
            Question::Write(_) => (self.timing.answer_timeout_ms(), Answer::Write(Err(late))),
        };
        let limit_ms = limit_ms * 1000 / self.nodes[process.0].rate;
        self.at(self.now_ms + limit_ms, Happening::Answer(process, question, answer));
        if !self.is_cut(process.0) {
            let latency_ms = self.latency_ms();
            self.at(self.now_ms + latency_ms, Happening::Request(process, question, write));
        }
    }

    fn is_cut(&mut self, node: usize) -> bool {
        self.nodes[node].partitioned_until_ms > self.now_ms || self.happens(self.lost_percent)
    }

    /// A request reaches the table, perhaps after its sender died.
    fn request(&mut self, process: Process, question: Question, write: Option<Write>) {
        let answer = match write {
            None => Answer::Scan(Ok(self.table())),
            Some(_) if self.happens(self.lost_percent / 4) => {
                Answer::Write(Err(StoreError::Throttled))
            }
            Some(write) => Answer::Write(Ok(self.write(process, &write))),
        };
        if !self.is_cut(process.0) {
            let latency_ms = self.latency_ms();
            self.at(self.now_ms + latency_ms, Happening::Answer(process, question, answer));
        }
    }

    fn write(&mut self, process: Process, write: &Write) -> Written {
        let key = write.key().clone();
        let before = self.table.get(&key).cloned();
        let Ok(now) = write.apply(before.as_ref()) else {
            return Written::Refused { current: before };
        };
        let (before, lease) = (before.unwrap(), now.clone().unwrap());
        match write {
            Write::Take { .. } => {
                let is_forced =
                    before.checkpoint_owner.is_some_and(|holder| *holder != *name(process.0));
                if is_forced && !self.believers(&key).is_empty() {
                    self.forced_ms.insert(key.clone(), self.now_ms);
                }
                self.taken_by.insert(key.clone(), process);
            }
            Write::Checkpoint { .. } => {
                assert_eq!(self.taken_by.get(&key), Some(&process), "wrote a checkpoint of {key}");
                assert_eq!(before.holder(), Some(name(process.0).as_str()));
                assert!(lease.checkpoint >= before.checkpoint, "{key} goes back");
            }
            _ => {}
        }
        assert!(lease.counter >= before.counter);
        self.table.insert(key, lease);
        Written::Done { now }
    }

    fn answer(&mut self, node: usize, question: Question, answer: Answer) {
        if !self.nodes[node].waiting.remove(&question) {
            return;
        }
        self.with_worker(node, |worker, local_ms| match (question, answer) {
            (Question::Write(id), Answer::Write(answer)) => worker.written(local_ms, id, answer),
            (_, Answer::Scan(answer)) => worker.scanned(local_ms, answer),
            (_, Answer::Write(_)) => unreachable!("answers belong to questions"),
        });
    }

    fn event(&mut self, process: Process, event: Event) {
        let is_deaf = self.nodes[process.0].deaf_until_ms > self.now_ms;
        let reading = &mut self.nodes[process.0].reading;
        match event {
            Event::Granted(grant) => {
                let from = number(&grant.lease.checkpoint);
                let before = reading.insert(grant.lease.key, (grant.token, from));
                assert!(before.is_none(), "granted what is held");
            }
            Event::Lost(key) => {
                // It may have been given up by the reader a moment ago.
                reading.remove(&key);
            }
            Event::HandoffRequested(_) if is_deaf => {}
            Event::HandoffRequested(key) => {
                let Some((token, _)) = reading.get(&key).copied() else { return };
                let drain_ms = self.random.u64(0..self.timing.duration_ms / 2);
                self.at(self.now_ms + drain_ms, Happening::Release(process, key, token));
            }
        }
    }

    /// The reader of shards writes a checkpoint of one of its leases, now and then one that goes back, or gives it up.
    fn read(&mut self, process: Process) {
        let node = process.0;
        let keys: Vec<LeaseKey> = self.nodes[node].reading.keys().cloned().collect();
        if self.nodes[node].asked.is_empty()
            && let Some(key) = self.random.choice(keys)
        {
            let step = self.random.u64(0..5);
            let is_mistake = self.happens(5);
            let (token, at) = self.nodes[node].reading.get_mut(&key).unwrap();
            let token = *token;
            let wanted = if is_mistake { at.saturating_sub(1) } else { *at + step };
            *at = wanted.max(*at);
            let request =
                Request::Checkpoint { checkpoint: position(wanted), children: Vec::new() };
            self.ask(node, &key, token, request);
        }
        self.read_later(process);
    }

    fn read_later(&mut self, process: Process) {
        let pause_ms = self.random.u64(100..1500);
        self.at(self.now_ms + pause_ms, Happening::Read(process));
    }

    fn ask(&mut self, node: usize, key: &LeaseKey, token: Token, request: Request) {
        self.next += 1;
        let id = RequestId(self.next);
        let wanted = match &request {
            Request::Checkpoint { checkpoint, .. } => Some(checkpoint.clone()),
            Request::Release => None,
        };
        self.nodes[node].asked.insert(id, (key.clone(), wanted));
        let key = key.clone();
        self.with_worker(node, |worker, local_ms| {
            worker.request(local_ms, id, &key, token, request)
        });
    }
}

fn name(node: usize) -> String {
    format!("worker-{node}")
}
