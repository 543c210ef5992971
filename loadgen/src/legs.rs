//! Which interfaces log an exchange, and what each of them sees (facts/flow-log-record.md, 7).
//!
//! Inside the VPC both ends log both directions. Towards the internet only our end does. Through
//! the NAT gateway there are six records: two on the client's interface, four on the gateway's.

use crate::address::{aws_service, is_inside};
use crate::calendar::Calendar;
use crate::network::Network;
use crate::record::{Direction, Endpoint, Exchange, Half, Path, Record, Route, Verdict};

/// Files every record of the exchange and returns how many there were.
pub(crate) fn log(network: &Network, exchange: &Exchange, calendar: &mut Calendar) -> u64 {
    match exchange.route {
        Route::Direct => log_direct(network, exchange, calendar),
        Route::Nat { port } => log_nat(network, exchange, port, calendar),
    }
}

fn log_direct(network: &Network, exchange: &Exchange, calendar: &mut Calendar) -> u64 {
    let arrival = if exchange.rejected { Verdict::Reject } else { Verdict::Accept };
    let mut logged = log_hop(
        network,
        exchange.client,
        exchange.server,
        (exchange, exchange.forward, arrival),
        calendar,
    );
    if let Some(backward) = exchange.backward {
        let reply = (exchange, backward, Verdict::Accept);
        logged += log_hop(network, exchange.server, exchange.client, reply, calendar);
    }
    logged
}

/// One direction: the sender's interface lets it out, the receiver's interface accepts or refuses
/// it.
fn log_hop(
    network: &Network,
    from: Endpoint,
    to: Endpoint,
    (exchange, half, arrival): (&Exchange, Half, Verdict),
    calendar: &mut Calendar,
) -> u64 {
    let template = Record {
        interface: 0,
        source: from,
        destination: to,
        packet_source: from.address,
        packet_destination: to.address,
        protocol: exchange.protocol,
        half,
        verdict: Verdict::Accept,
        direction: Direction::Egress,
        path: path(to.address),
    };
    let mut logged = 0;
    if let Some(interface) = network.interface(from.address) {
        calendar.push(Record { interface, ..template });
        logged += 1;
    }
    if let Some(interface) = network.interface(to.address) {
        let direction = Direction::Ingress;
        calendar.push(Record {
            interface,
            verdict: arrival,
            direction,
            path: Path::None,
            ..template
        });
        logged += 1;
    }
    logged
}

fn log_nat(network: &Network, exchange: &Exchange, port: u16, calendar: &mut Calendar) -> u64 {
    let (Some(own), Some(gateway)) =
        (network.interface(exchange.client.address), network.interface(network.nat))
    else {
        return 0;
    };
    let (client, remote) = (exchange.client, exchange.server);
    let outer = Endpoint { address: network.nat, port };
    // On the inner legs the gateway's address replaces the far end's address, not its port.
    let inner = Endpoint { address: network.nat, port: remote.port };
    let leg = |interface, source: Endpoint, destination: Endpoint, direction, half| Record {
        interface,
        source,
        destination,
        packet_source: source.address,
        packet_destination: destination.address,
        protocol: exchange.protocol,
        half,
        verdict: Verdict::Accept,
        direction,
        path: if direction == Direction::Egress { path(destination.address) } else { Path::None },
    };
    // The client's egress goes to another resource of the VPC, the gateway, whatever its address
    // says.
    let request = leg(own, client, remote, Direction::Egress, exchange.forward);
    calendar.push(Record { path: Path::SameVpc, ..request });
    let arrival = leg(gateway, client, inner, Direction::Ingress, exchange.forward);
    calendar.push(Record { packet_destination: remote.address, ..arrival });
    calendar.push(leg(gateway, outer, remote, Direction::Egress, exchange.forward));
    let Some(backward) = exchange.backward else { return 3 };
    calendar.push(leg(gateway, remote, outer, Direction::Ingress, backward));
    let delivery = leg(gateway, inner, client, Direction::Egress, backward);
    calendar.push(Record { packet_source: remote.address, ..delivery });
    calendar.push(leg(own, remote, client, Direction::Ingress, backward));
    6
}

fn path(to: u32) -> Path {
    if is_inside(to) {
        Path::SameVpc
    } else if aws_service(to) == Some("S3") {
        Path::GatewayEndpoint
    } else {
        Path::InternetGateway
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{outside, text};
    use crate::profile::Profile;
    use crate::record::{flags, protocol};

    fn logged(exchange: &Exchange, network: &Network) -> Vec<Record> {
        let mut calendar = Calendar::new(None);
        let count = log(network, exchange, &mut calendar);
        let mut records = Vec::new();
        calendar.take(60, &mut records);
        assert_eq!(records.len() as u64, count);
        records
    }

    fn exchange(client: u32, server: u32, route: Route) -> Exchange {
        let half = Half { start_s: 60, end_s: 60, bytes: 400, packets: 4, flags: flags::NONE };
        let client = Endpoint { address: client, port: 40_000 };
        let server = Endpoint { address: server, port: 443 };
        let backward = Some(half);
        Exchange {
            client,
            server,
            protocol: protocol::TCP,
            route,
            rejected: false,
            forward: half,
            backward,
        }
    }

    #[test]
    fn a_conversation_inside_is_logged_twice_in_each_direction() {
        let network = Network::new(&Profile::quiet());
        let records = logged(
            &exchange(network.clients[0], network.services[0].address, Route::Direct),
            &network,
        );
        assert_eq!(records.len(), 4);
    }

    #[test]
    fn a_conversation_through_the_gateway_reads_as_in_the_table_of_aws() {
        let network = Network::new(&Profile::quiet());
        let (client, remote) = (network.clients[0], outside(1, 1));
        let records = logged(&exchange(client, remote, Route::Nat { port: 2_000 }), &network);
        let nat = network.nat;
        let gateway = network.interface(nat).unwrap();
        let seen: Vec<_> = records
            .iter()
            .filter(|record| record.interface == gateway)
            .map(|r| {
                [r.source.address, r.destination.address, r.packet_source, r.packet_destination]
                    .map(text)
            })
            .collect();
        let expected = [
            [client, nat, client, remote],
            [nat, remote, nat, remote],
            [remote, nat, remote, nat],
            [nat, client, remote, client],
        ];
        assert_eq!(seen, expected.map(|row| row.map(text)));
        assert_eq!(records.len(), 6);
    }

    #[test]
    fn a_rejected_probe_leaves_its_source_and_is_refused_at_its_target() {
        let network = Network::new(&Profile::quiet());
        let probe = exchange(network.spares[0], network.clients[0], Route::Direct);
        let records = logged(&Exchange { rejected: true, backward: None, ..probe }, &network);
        let verdicts: Vec<Verdict> = records.iter().map(|record| record.verdict).collect();
        assert_eq!(verdicts, [Verdict::Accept, Verdict::Reject]);
    }
}
