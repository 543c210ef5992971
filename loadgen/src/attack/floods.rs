//! Volume: an upload of gigabytes, and thousands of refused connections to one service.

use crate::address::{aws_service, outside};
use crate::conversation::{Close, Conversation, Volume};
use crate::record::{Endpoint, Exchange, Half, Route, flags, protocol};

use super::{Answer, Claim, Planner, probe};

const HTTPS: u16 = 443;
const SURGE_S: u64 = 300;
const MEGABYTES: u64 = 1_000_000;

impl Planner<'_> {
    /// The host has a public address of its own, so that nothing of this passes the NAT gateway.
    pub(super) fn exfiltration(&mut self) {
        let src = self.own_host();
        let mut candidates = (0..).map(|index| outside(0x6578_6669_6C00, index));
        let dst = candidates.find(|address| aws_service(*address).is_none()).unwrap_or_default();
        let length_s = u64::from(self.draws.between(1_200, 2_400)).min(self.duration_s() - 120);
        let start_s = self.place(length_s);
        let connections = u64::from(self.draws.between(4, 8));
        let total_bytes = u64::from(self.draws.between(2_000, 5_500)) * MEGABYTES;
        let mut exchanges = Vec::new();
        for connection in 0..connections {
            // Each begins in its turn and overlaps with the next.
            let turn_s = length_s / connections;
            let from_s = start_s + connection * turn_s;
            let until_s = (from_s + turn_s * 5 / 4).min(start_s + length_s);
            let mut upload = self.upload(src, dst, from_s, until_s, total_bytes / connections);
            while !upload.is_over() {
                exchanges.push(upload.advance());
            }
        }
        let claim = Claim { kind: "exfiltration", src, dst: Some(dst), port: Some(HTTPS) };
        self.add(&claim, exchanges);
    }

    /// A misconfigured or hostile client that does not take no for an answer.
    pub(super) fn rejected_surge(&mut self) {
        let src = self.own_host();
        let service = self.network.services[2 % self.network.services.len()];
        let server = Endpoint { address: service.address, port: service.port };
        let attempts = self.draws.between(3_000, 6_000);
        let start_s = self.place(SURGE_S);
        let exchanges = (0..attempts).map(|attempt| {
            let at_s = start_s + u64::from(attempt) * SURGE_S / u64::from(attempts);
            // In turn, so that every connection has a source port of its own.
            let port = 32_768 + u16::try_from(attempt).unwrap_or(0);
            let refused = probe(Endpoint { address: src, port }, server, at_s, Answer::Rejected);
            let forward = Half { bytes: 60, flags: flags::SYN, ..refused.forward };
            Exchange { forward, ..refused }
        });
        let exchanges = exchanges.collect();
        let claim = Claim {
            kind: "rejected_surge",
            src,
            dst: Some(server.address),
            port: Some(server.port),
        };
        self.add(&claim, exchanges);
    }

    fn upload(
        &mut self,
        src: u32,
        dst: u32,
        from_s: u64,
        until_s: u64,
        bytes: u64,
    ) -> Conversation {
        let forward = Volume::tcp(bytes);
        Conversation {
            client: Endpoint { address: src, port: self.draws.port_between(32_768, 60_999) },
            server: Endpoint { address: dst, port: HTTPS },
            protocol: protocol::TCP,
            route: Route::Direct,
            next_s: from_s,
            finish_s: until_s,
            forward,
            backward: Volume::tcp(6_000).acknowledging(forward),
            opened: false,
            close: Close::Fin,
        }
    }
}
