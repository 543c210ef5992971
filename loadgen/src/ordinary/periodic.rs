//! What runs by the clock: health checks, scrapes, syslog, backups, idle interfaces.

use crate::address::s3;
use crate::conversation::{Close, Conversation, Volume};
use crate::draws::Draws;
use crate::network::Network;
use crate::record::{
    Endpoint, Exchange, Half, Record, Route, Verdict, flags, interval_end_s, protocol,
};

use super::conversations::Sizes;
use super::{Log, Ordinary};

/// Jobs by the second of the minute in which they run.
#[derive(Debug)]
pub(super) struct Timetable {
    jobs: Vec<Vec<Job>>,
    records_per_interval: u64,
}

#[derive(Debug, Clone, Copy)]
enum Job {
    HealthCheck {
        balancer: u32,
        target: Endpoint,
    },
    Scrape {
        host: u32,
    },
    /// The monitoring does not know that the host is down.
    ScrapeDown {
        host: u32,
    },
    Syslog {
        host: u32,
    },
    Statsd {
        host: u32,
    },
    Call {
        host: u32,
    },
    Backup {
        host: u32,
    },
    Idle {
        host: u32,
    },
}

/// S3 addresses per backup host. One upload a minute, to each address in turn, makes at most three
/// an hour to one address: 3 x 45 MB stay below 150 MB an hour, which is what a pair of hosts may
/// send without being remarkable.
const S3_ADDRESSES: u32 = 24;
const UPLOAD_BYTES_MIN: u32 = 15_000_000;
const UPLOAD_BYTES_MAX: u32 = 45_000_000;
const EXPORTER_PORT: u16 = 9_100;
const SYSLOG_PORT: u16 = 514;
const STATSD_PORT: u16 = 8_125;

impl Timetable {
    pub(super) fn new(network: &Network, draws: &mut Draws) -> Self {
        let mut timetable = Self { jobs: vec![Vec::new(); 60], records_per_interval: 0 };
        timetable.add_health_checks(network, draws);
        timetable.add_agents(network, draws);
        timetable.add_own_duties(network, draws);
        timetable
    }

    pub(super) fn records_per_interval(&self) -> u64 {
        self.records_per_interval
    }

    fn add_health_checks(&mut self, network: &Network, draws: &mut Draws) {
        for balancer in &network.balancers {
            for target in targets(network) {
                let job = Job::HealthCheck { balancer: *balancer, target };
                let phase = draws.below(30);
                self.add(phase, job, 4);
                self.add(phase + 30, job, 4);
            }
        }
    }

    /// Every host runs an exporter and sends its logs; some send metrics, too.
    fn add_agents(&mut self, network: &Network, draws: &mut Draws) {
        for (index, host) in (0_u32..).zip(network.hosts()) {
            if host != network.monitor {
                self.add(draws.below(60), Job::Scrape { host }, 4);
            }
            if host != network.collector {
                self.add(draws.below(60), Job::Syslog { host }, 2);
            }
            if host != network.collector && index.is_multiple_of(4) {
                self.add(draws.below(60), Job::Statsd { host }, 2);
            }
        }
    }

    fn add_own_duties(&mut self, network: &Network, draws: &mut Draws) {
        for host in &network.down {
            self.add(draws.below(60), Job::ScrapeDown { host: *host }, 1);
        }
        for host in &network.spares {
            self.add(draws.below(60), Job::Call { host: *host }, 4);
        }
        for host in &network.backups {
            self.add(draws.below(60), Job::Backup { host: *host }, 2);
        }
        for host in &network.idle {
            // Idle interfaces are logged for whole intervals.
            self.add(0, Job::Idle { host: *host }, 1);
        }
    }

    fn add(&mut self, phase: u32, job: Job, records: u64) {
        self.jobs[phase as usize % 60].push(job);
        self.records_per_interval += records;
    }
}

impl Ordinary {
    pub(super) fn run_timetable(&mut self, now_s: u64, log: &mut Log<'_>) {
        let phase = usize::try_from(now_s % 60).unwrap_or(0);
        for index in 0..self.timetable.jobs[phase].len() {
            let job = self.timetable.jobs[phase][index];
            self.run_job(job, now_s, log);
        }
    }

    fn run_job(&mut self, job: Job, now_s: u64, log: &mut Log<'_>) {
        let network = log.network;
        let collector = |port| Endpoint { address: network.collector, port };
        let conversation = match job {
            Job::HealthCheck { balancer, target } => {
                self.health_check(balancer, target, now_s, network)
            }
            Job::Scrape { host } => self.scrape(host, now_s, network),
            Job::Call { host } => self.single_call(host, now_s, network),
            Job::Backup { host } => self.upload(host, now_s, network),
            // These agents keep one socket open, so that the source port stays.
            Job::Syslog { host } => {
                self.one_way(Endpoint { address: host, port: 514 }, collector(SYSLOG_PORT), now_s)
            }
            Job::Statsd { host } => self.one_way(
                Endpoint { address: host, port: 41_825 },
                collector(STATSD_PORT),
                now_s,
            ),
            Job::ScrapeDown { host } => return self.scrape_down(host, now_s, log),
            Job::Idle { host } => return self.idle(host, now_s, log),
        };
        self.enter(conversation, log);
    }

    /// Balancers with an even address open the port only; the others ask for a page.
    fn health_check(
        &mut self,
        balancer: u32,
        target: Endpoint,
        now_s: u64,
        network: &Network,
    ) -> Conversation {
        let client = self.client_endpoint(balancer, network);
        let (forward, backward) = if balancer.is_multiple_of(2) {
            (Volume { packets: 4, bytes: 216 }, Volume { packets: 2, bytes: 112 })
        } else {
            (Volume { packets: 6, bytes: 446 }, Volume { packets: 5, bytes: 528 })
        };
        let check = self.tcp(client, target, now_s, Sizes { request_bytes: 0, reply_bytes: 0 });
        Conversation { finish_s: now_s, forward, backward, close: Close::Fin, ..check }
    }

    fn scrape(&mut self, host: u32, now_s: u64, network: &Network) -> Conversation {
        let client = self.client_endpoint(network.monitor, network);
        let server = Endpoint { address: host, port: EXPORTER_PORT };
        let reply_bytes = u64::from(self.draws.between(20_000, 60_000));
        let scrape = self.tcp(client, server, now_s, Sizes { request_bytes: 320, reply_bytes });
        Conversation { finish_s: now_s, close: Close::Fin, ..scrape }
    }

    /// Three attempts within the interval, and no answer.
    fn scrape_down(&mut self, host: u32, now_s: u64, log: &mut Log<'_>) {
        let client = self.client_endpoint(log.network.monitor, log.network);
        let end_s = (now_s + 3).min(interval_end_s(now_s)).min(self.span.stop_s - 1);
        log.exchange(&Exchange {
            client,
            server: Endpoint { address: host, port: EXPORTER_PORT },
            protocol: protocol::TCP,
            route: Route::Direct,
            rejected: false,
            forward: Half { start_s: now_s, end_s, bytes: 180, packets: 3, flags: flags::SYN },
            backward: None,
        });
    }

    fn upload(&mut self, host: u32, now_s: u64, network: &Network) -> Conversation {
        let client = self.client_endpoint(host, network);
        let turn = u32::try_from(now_s / 60 % u64::from(S3_ADDRESSES)).unwrap_or(0);
        let offset = host % 251 * S3_ADDRESSES;
        let server = Endpoint { address: s3(offset + turn), port: 443 };
        let bytes = u64::from(self.draws.between(UPLOAD_BYTES_MIN, UPLOAD_BYTES_MAX));
        let seconds = u64::from(self.draws.between(8, 50));
        let upload =
            self.tcp(client, server, now_s, Sizes { request_bytes: bytes, reply_bytes: 6_000 });
        let finish_s = (now_s + seconds).min(self.span.stop_s - 1);
        let backward = upload.backward.acknowledging(upload.forward);
        Conversation { finish_s, backward, close: Close::Fin, ..upload }
    }

    fn idle(&mut self, host: u32, now_s: u64, log: &mut Log<'_>) {
        let end_s = interval_end_s(now_s);
        if let Some(interface) = log.network.interface(host).filter(|_| end_s < self.span.stop_s) {
            log.record(Record::silence(interface, Verdict::NoData, now_s, end_s));
        }
    }
}

/// What load balancers check: the public servers and the internal web services.
fn targets(network: &Network) -> Vec<Endpoint> {
    let public =
        network.public_servers.iter().map(|address| Endpoint { address: *address, port: 443 });
    let web = network.services.iter().filter(|service| matches!(service.port, 80 | 443 | 8080));
    let web = web.map(|service| Endpoint { address: service.address, port: service.port });
    public.chain(web).collect()
}
