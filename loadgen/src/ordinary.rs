//! The ordinary traffic of the network, second by second; a sane detector finds nothing in it.
//!
//! `periodic` is what runs by the clock (health checks, scrapes, syslog, backups), `noise` is what
//! the internet sends, `conversations` is what people and services do. Conversations fill whatever
//! the plan's rate leaves: at each minute the continuing ones are logged first, and the number of
//! new ones follows from the records still due.
//!
//! Memory bound: the conversations that are open at one time, which the rate bounds and the length
//! of the plan does not.

mod conversations;
mod noise;
mod periodic;

use crate::address::outside;
use crate::calendar::Calendar;
use crate::conversation::Conversation;
use crate::draws::Draws;
use crate::legs;
use crate::network::Network;
use crate::profile::Profile;
use crate::record::{Endpoint, Exchange, INTERVAL_S, Record, interval_end_s};

use conversations::Population;
use noise::Noise;
use periodic::Timetable;

/// When the traffic begins and the first second after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) start_s: u64,
    pub(crate) stop_s: u64,
}

#[derive(Debug)]
pub(crate) struct Ordinary {
    profile: Profile,
    span: Span,
    rate_per_s: u64,
    draws: Draws,
    population: Population,
    noise: Noise,
    timetable: Timetable,
    ports: Ports,
    continuing: Vec<Conversation>,
    budget: Budget,
}

/// Source ports, handed out in turn per host as an operating system does.
#[derive(Debug)]
struct Ports {
    next: Vec<u16>,
    nat: u16,
}

/// How many conversations to begin so that the rate holds on average.
#[derive(Debug)]
struct Budget {
    logged: u64,
    begun: u64,
    logged_by_begun: u64,
    left: u64,
}

/// What everything that logs needs.
struct Log<'a> {
    network: &'a Network,
    calendar: &'a mut Calendar,
    logged: u64,
}

/// Linux takes ephemeral ports from this range.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;
const NAT_FIRST_PORT: u16 = 1_024;

impl Ordinary {
    pub(crate) fn new(
        profile: Profile,
        network: &Network,
        rate_per_s: u32,
        seed: u64,
        span: Span,
    ) -> Self {
        let mut draws = Draws::new(seed, 0);
        let mut ports = Ports::new(network);
        let population = Population::new(&profile, network, rate_per_s, seed);
        let continuing = population.standing(network, span, &mut draws, &mut ports);
        Self {
            noise: Noise::new(&profile, seed),
            timetable: Timetable::new(network, &mut draws),
            budget: Budget { logged: 0, begun: 0, logged_by_begun: 0, left: 0 },
            rate_per_s: u64::from(rate_per_s),
            profile,
            span,
            draws,
            population,
            ports,
            continuing,
        }
    }

    /// Files everything that begins or continues in that second.
    pub(crate) fn play(&mut self, now_s: u64, network: &Network, calendar: &mut Calendar) {
        let mut log = Log { network, calendar, logged: 0 };
        if now_s == self.span.start_s || now_s.is_multiple_of(INTERVAL_S) {
            self.open_interval(now_s, &mut log);
        }
        self.run_timetable(now_s, &mut log);
        self.noise.play(now_s, &mut self.draws, &mut log);
        self.stray_packet(now_s, &mut log);
        self.budget.logged += log.logged;
        log.logged = 0;
        let seconds_left = self.seconds_left(now_s);
        let begin = self.budget.share(&mut self.draws, seconds_left);
        for _ in 0..begin {
            let conversation = self.draw_conversation(now_s, network);
            self.enter(conversation, &mut log);
        }
        self.budget.logged += log.logged;
        self.budget.logged_by_begun += log.logged;
    }

    #[cfg(test)]
    pub(crate) fn open_conversations(&self) -> usize {
        self.continuing.len()
    }

    /// Logs the next interval of every open conversation and sets the budget of this interval.
    fn open_interval(&mut self, now_s: u64, log: &mut Log<'_>) {
        self.continuing.retain_mut(|conversation| {
            log.exchange(&conversation.advance());
            !conversation.is_over()
        });
        let seconds = self.seconds_left(now_s);
        let target = self.rate_per_s * (now_s + seconds - self.span.start_s);
        let foreseen = self.timetable.records_per_interval() * seconds / INTERVAL_S;
        self.budget.open(target.saturating_sub(log.logged + foreseen));
    }

    /// Logs the first interval of a conversation and keeps it if there are more.
    fn enter(&mut self, mut conversation: Conversation, log: &mut Log<'_>) {
        log.exchange(&conversation.advance());
        if !conversation.is_over() {
            self.continuing.push(conversation);
        }
    }

    /// Seconds from now to the end of the interval or of the traffic.
    fn seconds_left(&self, now_s: u64) -> u64 {
        (interval_end_s(now_s) + 1).min(self.span.stop_s) - now_s
    }

    fn client_endpoint(&mut self, address: u32, network: &Network) -> Endpoint {
        Endpoint { address, port: self.ports.take(address, network) }
    }
}

impl Log<'_> {
    fn exchange(&mut self, exchange: &Exchange) {
        self.logged += legs::log(self.network, exchange, self.calendar);
    }

    fn record(&mut self, record: Record) {
        self.calendar.push(record);
        self.logged += 1;
    }
}

impl Ports {
    fn new(network: &Network) -> Self {
        let first = |interface: usize| {
            let offset = u16::try_from(interface * 137 % 28_000).unwrap_or(0);
            EPHEMERAL.start() + offset
        };
        Self { next: (0..network.interfaces()).map(first).collect(), nat: NAT_FIRST_PORT }
    }

    fn take(&mut self, address: u32, network: &Network) -> u16 {
        let Some(interface) = network.interface(address) else { return *EPHEMERAL.start() };
        let next = &mut self.next[interface as usize];
        let port = *next;
        *next = if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
        port
    }

    fn take_nat(&mut self) -> u16 {
        let port = self.nat;
        self.nat = port.checked_add(1).unwrap_or(NAT_FIRST_PORT);
        port
    }
}

impl Budget {
    fn open(&mut self, target: u64) {
        let due = target.saturating_sub(self.logged);
        // Until enough were seen, a conversation is taken to cause 3.8 records.
        self.left = due * (self.begun + 100) / (self.logged_by_begun + 380);
    }

    /// How many conversations to begin now, when that many seconds are left: an even share, give or
    /// take a quarter.
    fn share(&mut self, draws: &mut Draws, seconds_left: u64) -> u64 {
        if seconds_left <= 1 {
            let rest = std::mem::take(&mut self.left);
            self.begun += rest;
            return rest;
        }
        let percent = u64::from(draws.between(75, 125));
        // Rounded up now and then, or a low rate would put everything into the last second.
        let share = (self.left * percent + u64::from(draws.below(100)) * seconds_left)
            / (100 * seconds_left);
        let share = share.min(self.left);
        self.left -= share;
        self.begun += share;
        share
    }
}

/// An address of the internet's users, of which there are many.
fn visitor(seed: u64, index: u32) -> u32 {
    outside(seed ^ 0x0076_6973_6974, index)
}
