//! What people and services do: calls inside the VPC, requests from the internet, browsing through
//! the NAT gateway.
//!
//! Every TCP conversation is answered. Uploads to the internet are small, and spread over a
//! population that grows with the rate, so that no pair of hosts looks like an exfiltration at any
//! rate.

use crate::address::{is_public, outside};
use crate::conversation::{Close, Conversation, Volume};
use crate::draws::{Draws, Zipf};
use crate::network::{Network, Service};
use crate::profile::{Profile, Weights};
use crate::record::{Endpoint, Route, interval_end_s, protocol};

use super::{Ordinary, Ports, Span, visitor};

/// Who can talk, and how often each of them does.
#[derive(Debug)]
pub(super) struct Population {
    seed: u64,
    clients: Zipf,
    services: Zipf,
    public_servers: Zipf,
    /// How many internet addresses take part.
    outside_hosts: u32,
    weights_sum: u32,
}

/// What the two sides of a conversation send.
pub(super) struct Sizes {
    pub(super) request_bytes: u64,
    pub(super) reply_bytes: u64,
}

/// One in so many calls stays open for minutes.
const LONG_PERMILLE: u32 = 15;
const NTP_PORT: u16 = 123;
const DNS_PORT: u16 = 53;
/// Public resolvers that everybody knows: 1.1.1.1, 8.8.8.8.
const PUBLIC_RESOLVERS: [u32; 2] = [0x0101_0101, 0x0808_0808];

impl Population {
    pub(super) fn new(profile: &Profile, network: &Network, rate_per_s: u32, seed: u64) -> Self {
        let Weights { service_calls, dns_queries, inbound_requests, browsing, outside_udp } =
            profile.weights;
        let weights = [service_calls, dns_queries, inbound_requests, browsing, outside_udp];
        Self {
            seed,
            clients: Zipf::new(network.clients.len()),
            services: Zipf::new(network.services.len()),
            public_servers: Zipf::new(network.public_servers.len()),
            outside_hosts: rate_per_s.saturating_mul(16).saturating_add(2_000),
            weights_sum: weights.map(u32::from).iter().sum(),
        }
    }

    /// The connection pools: one per client, open before the traffic begins and after it ends.
    pub(super) fn standing(
        &self,
        network: &Network,
        span: Span,
        draws: &mut Draws,
        ports: &mut Ports,
    ) -> Vec<Conversation> {
        let intervals =
            u32::try_from((span.stop_s - span.start_s).div_ceil(60)).unwrap_or(u32::MAX);
        let pools = network.clients.iter().map(|client| {
            let service = network.services[self.services.draw(draws)];
            let packets = draws.between(20, 200).saturating_mul(intervals);
            let volume = |bytes| Volume { packets, bytes: u64::from(packets) * bytes };
            Conversation {
                client: Endpoint { address: *client, port: ports.take(*client, network) },
                server: endpoint(service),
                protocol: protocol::TCP,
                route: Route::Direct,
                next_s: span.start_s,
                finish_s: span.stop_s - 1,
                forward: volume(140),
                backward: volume(u64::from(draws.between(200, 900))),
                opened: true,
                close: Close::Silent,
            }
        });
        pools.collect()
    }
}

impl Ordinary {
    /// One conversation of the profile's mix, beginning now.
    pub(super) fn draw_conversation(&mut self, now_s: u64, network: &Network) -> Conversation {
        let weights = self.profile.weights;
        let mut point = self.draws.below(self.population.weights_sum);
        let mut within = |weight: u16| {
            let inside = point < u32::from(weight);
            point = point.wrapping_sub(u32::from(weight));
            inside
        };
        if within(weights.service_calls) {
            self.service_call(now_s, network)
        } else if within(weights.dns_queries) {
            self.dns_query(now_s, network)
        } else if within(weights.inbound_requests) {
            self.inbound_request(now_s, network)
        } else if within(weights.browsing) {
            self.browsing(now_s, network)
        } else {
            self.outside_udp(now_s, network)
        }
    }

    /// One call of a host to an internal web service, for hosts that do little else.
    pub(super) fn single_call(
        &mut self,
        address: u32,
        now_s: u64,
        network: &Network,
    ) -> Conversation {
        let service = network.services[1 % network.services.len()];
        let client = self.client_endpoint(address, network);
        self.tcp(
            client,
            endpoint(service),
            now_s,
            Sizes { request_bytes: 640, reply_bytes: 12_000 },
        )
    }

    fn service_call(&mut self, now_s: u64, network: &Network) -> Conversation {
        let client = self.draw_client(network);
        let service = network.services[self.population.services.draw(&mut self.draws)];
        let sizes = Sizes {
            request_bytes: self.draws.heavy(150, 5),
            reply_bytes: self.draws.heavy(300, 10),
        };
        let call = self.tcp(client, endpoint(service), now_s, sizes);
        if !self.draws.chance(LONG_PERMILLE) {
            return call;
        }
        let seconds = self.draws.between(120, 1_200);
        let finish_s = self.finish(now_s, seconds);
        let (request, reply) =
            (Volume::tcp(u64::from(seconds) * 400), Volume::tcp(u64::from(seconds) * 3_000));
        Conversation { finish_s, forward: request.acknowledging(reply), backward: reply, ..call }
    }

    fn dns_query(&mut self, now_s: u64, network: &Network) -> Conversation {
        let client = self.draw_client(network);
        let resolver = Endpoint { address: self.draws.pick(&network.resolvers), port: DNS_PORT };
        self.datagrams(client, resolver, now_s, (64, 150))
    }

    fn inbound_request(&mut self, now_s: u64, network: &Network) -> Conversation {
        let index = self.draws.below(self.population.outside_hosts);
        let client = Endpoint {
            address: visitor(self.population.seed, index),
            port: self.draws.port_between(1_024, u16::MAX),
        };
        let address = network.public_servers[self.population.public_servers.draw(&mut self.draws)];
        let port = if self.draws.chance(900) { 443 } else { 80 };
        let sizes = Sizes {
            request_bytes: self.draws.heavy(400, 4),
            reply_bytes: self.draws.heavy(2_000, 8),
        };
        self.tcp(client, Endpoint { address, port }, now_s, sizes)
    }

    fn browsing(&mut self, now_s: u64, network: &Network) -> Conversation {
        let client = self.draw_client(network);
        let index = self.draws.skewed(self.population.outside_hosts);
        let address = website(self.population.seed, index);
        let port = if self.draws.chance(950) { 443 } else { 80 };
        let sizes = Sizes {
            request_bytes: self.draws.heavy(500, 3),
            reply_bytes: self.draws.heavy(1_500, 8),
        };
        let visit = self.tcp(client, Endpoint { address, port }, now_s, sizes);
        Conversation { route: Route::Nat { port: self.ports.take_nat() }, ..visit }
    }

    fn outside_udp(&mut self, now_s: u64, network: &Network) -> Conversation {
        let client = self.draw_client(network);
        let (address, port, sizes) = if self.draws.chance(500) {
            (outside(self.population.seed ^ 0x6E_7470, self.draws.below(8)), NTP_PORT, (76, 76))
        } else {
            (self.draws.pick(&PUBLIC_RESOLVERS), DNS_PORT, (66, 160))
        };
        let query = self.datagrams(client, Endpoint { address, port }, now_s, sizes);
        Conversation { route: Route::Nat { port: self.ports.take_nat() }, ..query }
    }

    fn draw_client(&mut self, network: &Network) -> Endpoint {
        let rank = self.population.clients.draw(&mut self.draws);
        self.client_endpoint(network.clients[rank], network)
    }

    /// A TCP conversation of a few seconds.
    pub(super) fn tcp(
        &mut self,
        client: Endpoint,
        server: Endpoint,
        now_s: u64,
        sizes: Sizes,
    ) -> Conversation {
        let seconds = if self.draws.chance(700) { 0 } else { self.draws.between(1, 15) };
        let close = match self.draws.below(100) {
            0..=2 => Close::ClientReset,
            3 => Close::ServerReset,
            _ => Close::Fin,
        };
        let reply = Volume::tcp(sizes.reply_bytes);
        Conversation {
            client,
            server,
            protocol: protocol::TCP,
            route: Route::Direct,
            next_s: now_s,
            finish_s: self.finish(now_s, seconds),
            forward: Volume::tcp(sizes.request_bytes).acknowledging(reply),
            backward: reply,
            opened: false,
            close,
        }
    }

    /// One datagram and its answer, within a second.
    fn datagrams(
        &mut self,
        client: Endpoint,
        server: Endpoint,
        now_s: u64,
        sizes: (u32, u32),
    ) -> Conversation {
        let mut datagram =
            |bytes: u32| Volume { packets: 1, bytes: u64::from(bytes + self.draws.below(12)) };
        Conversation {
            client,
            server,
            protocol: protocol::UDP,
            route: Route::Direct,
            next_s: now_s,
            finish_s: now_s,
            forward: datagram(sizes.0),
            backward: datagram(sizes.1),
            opened: false,
            close: Close::Silent,
        }
    }

    /// The last second of something that would last that long.
    fn finish(&self, now_s: u64, seconds: u32) -> u64 {
        (now_s + u64::from(seconds)).min(self.span.stop_s - 1)
    }

    /// A datagram that nobody answers, as syslog and statsd are.
    pub(super) fn one_way(
        &mut self,
        client: Endpoint,
        server: Endpoint,
        now_s: u64,
    ) -> Conversation {
        let packets = self.draws.between(3, 40);
        let bytes = u64::from(packets) * u64::from(self.draws.between(90, 260));
        let finish_s = self.finish(now_s, self.draws_span(now_s));
        let silent = self.datagrams(client, server, now_s, (1, 1));
        Conversation {
            finish_s,
            forward: Volume { packets, bytes },
            backward: Volume::NOTHING,
            ..silent
        }
    }

    fn draws_span(&self, now_s: u64) -> u32 {
        u32::try_from(interval_end_s(now_s) - now_s).unwrap_or(0).min(40)
    }
}

fn endpoint(service: Service) -> Endpoint {
    Endpoint { address: service.address, port: service.port }
}

/// The website number `index`; some of them are on CloudFront or on other people's EC2.
fn website(seed: u64, index: u32) -> u32 {
    let address = outside(seed ^ 0x7369_7465, index);
    let hosted = match index % 8 {
        0 => 0x0DE0_0000 | (address & 0x0003_FFFF),
        1 => 0x3690_0000 | (address & 0x000F_FFFF),
        _ => address,
    };
    if is_public(hosted) { hosted } else { address }
}
