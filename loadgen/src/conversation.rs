//! A conversation that may outlive an aggregation interval: one exchange per interval until it
//! ends.

use crate::draws::mix;
use crate::record::{Endpoint, Exchange, Half, Route, flags, interval_end_s, protocol};

/// How a conversation ends, as far as the flags tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    Fin,
    ClientReset,
    ServerReset,
    /// Still open when the traffic stops, or not TCP.
    Silent,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Volume {
    pub(crate) packets: u32,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Conversation {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) protocol: u8,
    pub(crate) route: Route,
    /// The first second that is not yet logged.
    pub(crate) next_s: u64,
    /// The last second, inclusive.
    pub(crate) finish_s: u64,
    /// What is still to be sent.
    pub(crate) forward: Volume,
    /// What is still to be answered; no packets means that nobody answers.
    pub(crate) backward: Volume,
    /// The handshake lies in an interval that is logged already, or before the traffic began.
    pub(crate) opened: bool,
    pub(crate) close: Close,
}

/// An empty segment with timestamps and one selective block.
const ACKNOWLEDGEMENT_BYTES: u64 = 64;

impl Volume {
    pub(crate) const NOTHING: Self = Self { packets: 0, bytes: 0 };

    /// A TCP side that sends that much payload: handshake and close, full segments, 52 bytes of
    /// headers on each.
    pub(crate) fn tcp(payload_bytes: u64) -> Self {
        let segments = u32::try_from(payload_bytes / 1_400).unwrap_or(u32::MAX / 2);
        let packets = segments + 4;
        Self { packets, bytes: payload_bytes + 52 * u64::from(packets) }
    }

    /// The same side, which also acknowledges what the other one sends: one empty packet for two
    /// received.
    #[must_use]
    pub(crate) fn acknowledging(self, other: Self) -> Self {
        let acknowledgements = other.packets / 2;
        Self {
            packets: self.packets + acknowledgements,
            bytes: self.bytes + ACKNOWLEDGEMENT_BYTES * u64::from(acknowledgements),
        }
    }

    /// Takes the share of `span_s` out of `left_s` seconds; all of it in the last interval.
    fn take(&mut self, span_s: u64, left_s: u64) -> Self {
        if self.packets <= 1 || span_s >= left_s {
            let all = *self;
            // A later interval still has a keep-alive packet to log.
            *self = if all.packets == 0 { Self::NOTHING } else { Self { packets: 1, bytes: 52 } };
            return all;
        }
        let share = (u64::from(self.packets) * span_s / left_s).max(1);
        let bytes = self.bytes * share / u64::from(self.packets);
        let packets = u32::try_from(share).unwrap_or(u32::MAX);
        self.packets -= packets;
        self.bytes -= bytes;
        Self { packets, bytes }
    }
}

impl Conversation {
    /// The exchange of the current interval; afterwards `is_over` tells whether another one
    /// follows.
    pub(crate) fn advance(&mut self) -> Exchange {
        let end_s = self.finish_s.min(interval_end_s(self.next_s));
        let last = end_s == self.finish_s;
        let (span_s, left_s) = (end_s - self.next_s + 1, self.finish_s - self.next_s + 1);
        let (client_flags, server_flags) = self.flags(last);
        let (first_packet_s, last_packet_s) = self.packet_times(end_s, last);
        let half = |volume: Volume, flags| Half {
            start_s: first_packet_s,
            end_s: last_packet_s,
            bytes: volume.bytes,
            packets: volume.packets,
            flags,
        };
        let forward = half(self.forward.take(span_s, left_s), client_flags);
        let answer = self.backward.take(span_s, left_s);
        let backward = (answer.packets > 0).then(|| half(answer, server_flags));
        self.next_s = end_s + 1;
        self.opened = true;
        Exchange {
            client: self.client,
            server: self.server,
            protocol: self.protocol,
            route: self.route,
            rejected: false,
            forward,
            backward,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.next_s > self.finish_s
    }

    /// The seconds of the first and the last packet: within an open connection, packets do not fall
    /// on the borders of the interval.
    fn packet_times(&self, end_s: u64, last: bool) -> (u64, u64) {
        let jitter = mix(self.next_s << 16 | u64::from(self.client.port));
        let late = if self.opened { jitter % 4 } else { 0 };
        let early = if last { 0 } else { (jitter >> 8) % 8 };
        let first_s = (self.next_s + late).min(end_s);
        (first_s, end_s - early.min(end_s - first_s))
    }

    fn flags(&self, last: bool) -> (u8, u8) {
        if self.protocol != protocol::TCP {
            return (flags::NONE, flags::NONE);
        }
        let (mut client, mut server) =
            if self.opened { (flags::NONE, flags::NONE) } else { (flags::SYN, flags::SYN_ACK) };
        match self.close {
            Close::Fin if last => (client, server) = (client | flags::FIN, server | flags::FIN),
            Close::ClientReset if last => client |= flags::RST,
            Close::ServerReset if last => server |= flags::RST,
            _ => {}
        }
        (client, server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(start_s: u64, finish_s: u64, close: Close) -> Conversation {
        Conversation {
            client: Endpoint::default(),
            server: Endpoint::default(),
            protocol: protocol::TCP,
            route: Route::Direct,
            next_s: start_s,
            finish_s,
            forward: Volume::tcp(10_000),
            backward: Volume::tcp(1_000_000),
            opened: false,
            close,
        }
    }

    fn flags_of(mut conversation: Conversation) -> Vec<(u8, u8)> {
        let mut seen = Vec::new();
        while !conversation.is_over() {
            let exchange = conversation.advance();
            seen.push((exchange.forward.flags, exchange.backward.unwrap().flags));
        }
        seen
    }

    #[test]
    fn flags_follow_the_life_of_the_connection() {
        assert_eq!(flags_of(conversation(60, 61, Close::Fin)), [(3, 19)]);
        assert_eq!(flags_of(conversation(60, 60, Close::ClientReset)), [(6, 18)]);
        assert_eq!(flags_of(conversation(60, 60, Close::ServerReset)), [(2, 22)]);
        assert_eq!(flags_of(conversation(50, 200, Close::Fin)), [(2, 18), (0, 0), (0, 0), (1, 1)]);
    }

    #[test]
    fn intervals_add_up_to_the_whole_and_never_cross_a_minute() {
        let mut open = conversation(70, 350, Close::Fin);
        let whole = open.backward;
        let (mut packets, mut bytes) = (0, 0);
        while !open.is_over() {
            let half = open.advance().backward.unwrap();
            assert_eq!(half.start_s / 60, half.end_s / 60);
            packets += half.packets;
            bytes += half.bytes;
        }
        assert_eq!((packets, bytes), (whole.packets, whole.bytes));
    }

    #[test]
    fn a_conversation_with_few_packets_logs_keep_alives() {
        let mut open = conversation(0, 599, Close::Silent);
        open.forward = Volume { packets: 2, bytes: 200 };
        let mut intervals = 0;
        while !open.is_over() {
            let half = open.advance().forward;
            assert!(half.packets >= 1 && half.bytes >= 40);
            intervals += 1;
        }
        assert_eq!(intervals, 10);
    }
}
