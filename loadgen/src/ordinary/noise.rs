//! The background noise of the internet: probes to public-facing hosts, all refused, and stray
//! packets after a close.
//!
//! Every source is new and sends at most three probes, so that nobody here is a scanner by
//! anybody's definition.

use crate::address::{aws_service, is_public};
use crate::draws::{Draws, mix};
use crate::network::Network;
use crate::profile::Profile;
use crate::record::{Endpoint, Exchange, Half, Route, flags, protocol};

use super::{Log, Ordinary};

#[derive(Debug)]
pub(super) struct Noise {
    /// Probes per minute, of all sources together.
    probes_per_min: u32,
    owed_sixtieths: u32,
    next_source: u32,
}

const PORTS: [u16; 12] = [22, 23, 445, 3389, 80, 8080, 5900, 1433, 2323, 6379, 8443, 5060];
const PROBES_MAX: u32 = 3;
/// Stray packets per 1,000 s: a handful within minutes over all servers, so that not even a detector
/// which takes them for refused connections sees one server reach many clients.
const STRAY_PERMILLE: u32 = 20;
const HTTPS: u16 = 443;

impl Noise {
    pub(super) fn new(profile: &Profile, seed: u64) -> Self {
        let [a, b, c, d, ..] = mix(seed).to_be_bytes();
        Self {
            probes_per_min: u32::from(profile.public_servers)
                * u32::from(profile.noise_probes_per_min),
            owed_sixtieths: 0,
            next_source: u32::from_be_bytes([a, b, c, d]),
        }
    }

    pub(super) fn play(&mut self, now_s: u64, draws: &mut Draws, log: &mut Log<'_>) {
        self.owed_sixtieths += self.probes_per_min;
        while self.owed_sixtieths >= 60 {
            let source = self.new_source();
            let probes = draws.between(1, PROBES_MAX);
            for _ in 0..probes {
                probe(source, now_s, draws, log);
            }
            self.owed_sixtieths = self.owed_sixtieths.saturating_sub(60 * probes);
        }
    }

    /// Multiplying by an odd number permutes the addresses: no source comes twice.
    fn new_source(&mut self) -> u32 {
        loop {
            self.next_source = self.next_source.wrapping_add(1);
            let address = self.next_source.wrapping_mul(0x9E37_79B1);
            if is_public(address) && aws_service(address).is_none() {
                return address;
            }
        }
    }
}

impl Ordinary {
    /// Now and then a packet of a server arrives after the client closed: AWS logs it as REJECT.
    pub(super) fn stray_packet(&mut self, now_s: u64, log: &mut Log<'_>) {
        if !self.draws.chance(STRAY_PERMILLE) {
            return;
        }
        let network = log.network;
        let inside: Vec<u32> = network
            .services
            .iter()
            .filter(|service| service.port == HTTPS)
            .map(|service| service.address)
            .collect();
        let server = Endpoint { address: self.draws.pick(&inside), port: HTTPS };
        let client = Endpoint {
            address: self.draws.pick(&network.clients),
            port: self.draws.port_between(32_768, 60_999),
        };
        let packet_flags = self.draws.pick(&[flags::NONE, flags::FIN, flags::RST]);
        let packets = if packet_flags == flags::RST { 1 } else { self.draws.between(1, 2) };
        log.exchange(&refused(
            server,
            client,
            now_s,
            (packets, u64::from(packets) * 40, packet_flags),
        ));
    }
}

fn probe(source: u32, now_s: u64, draws: &mut Draws, log: &mut Log<'_>) {
    let network: &Network = log.network;
    let client = Endpoint { address: source, port: draws.port_between(1_024, u16::MAX) };
    let server =
        Endpoint { address: draws.pick(&network.public_servers), port: draws.pick(&PORTS) };
    let bytes = draws.pick(&[40, 44, 52, 60]);
    log.exchange(&refused(client, server, now_s, (1, bytes, flags::SYN)));
}

fn refused(
    from: Endpoint,
    to: Endpoint,
    now_s: u64,
    (packets, bytes, flags): (u32, u64, u8),
) -> Exchange {
    Exchange {
        client: from,
        server: to,
        protocol: protocol::TCP,
        route: Route::Direct,
        rejected: true,
        forward: Half { start_s: now_s, end_s: now_s, bytes, packets, flags },
        backward: None,
    }
}
