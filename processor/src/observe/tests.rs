use super::*;
use crate::flow::TcpFlags;

const CLIENT: Address = Address::v4(0x0a00_0001);
const SERVER: Address = Address::v4(0x0a00_0002);

fn record(from: (Address, u16), to: (Address, u16), protocol: u8) -> Record<'static> {
    Record {
        interface_id: b"eni-1",
        source: from.0,
        destination: to.0,
        source_port: from.1,
        destination_port: to.1,
        protocol,
        packets: 4,
        bytes: 400,
        start_s: 1,
        end_s: 2,
        action: Some(Action::Accept),
        tcp_flags: None,
        destination_service: b"",
    }
}

fn tcp(from: (Address, u16), to: (Address, u16)) -> Record<'static> {
    record(from, to, protocol::TCP)
}

fn only(record: &Record<'_>) -> Observation {
    let (first, second) = observe(record);
    assert_eq!(second, None);
    first
}

fn assert_service(seen: &Observation, outcome: Outcome, confidence: Confidence) {
    assert_eq!((seen.initiator, seen.target, seen.port), (CLIENT, SERVER, 443));
    assert_eq!((seen.outcome, seen.confidence), (outcome, confidence));
}

#[test]
fn request_and_reply_name_the_same_service_by_their_ports() {
    let request = only(&tcp((CLIENT, 50_000), (SERVER, 443)));
    let reply = only(&tcp((SERVER, 443), (CLIENT, 50_000)));
    assert_service(&request, Outcome::Opened, Confidence::Medium);
    assert_service(&reply, Outcome::Answered, Confidence::Medium);
    assert!(request.is_from_initiator && !reply.is_from_initiator);
}

#[test]
fn flags_overrule_ports() {
    // A scan from source port 443 looks like a reply by its ports; its SYN says otherwise.
    let mut probe = tcp((SERVER, 443), (CLIENT, 50_000));
    probe.tcp_flags = Some(TcpFlags(2));
    let seen = only(&probe);
    assert_eq!((seen.initiator, seen.port, seen.outcome), (SERVER, 50_000, Outcome::Opened));
    let mut accepted = tcp((CLIENT, 50_000), (SERVER, 443));
    accepted.tcp_flags = Some(TcpFlags(19));
    let seen = only(&accepted);
    assert_eq!((seen.initiator, seen.port, seen.outcome), (SERVER, 50_000, Outcome::Answered));
    assert_eq!(seen.confidence, Confidence::High);
}

#[test]
fn middle_intervals_with_no_flags_fall_back_to_ports() {
    let mut middle = tcp((SERVER, 443), (CLIENT, 50_000));
    middle.tcp_flags = Some(TcpFlags(0));
    assert_service(&only(&middle), Outcome::Answered, Confidence::Medium);
}

#[test]
fn a_bare_reset_with_flags_comes_from_the_target_whatever_the_ports() {
    let mut reset = tcp((SERVER, 50_000), (CLIENT, 443));
    (reset.packets, reset.bytes, reset.tcp_flags) = (1, 40, Some(TcpFlags(4)));
    let seen = only(&reset);
    assert_eq!((seen.initiator, seen.port, seen.outcome), (CLIENT, 50_000, Outcome::Reset));
}

#[test]
fn a_rejection_is_a_refused_attempt_of_its_sender() {
    let mut rejected = tcp((CLIENT, 50_000), (SERVER, 443));
    rejected.action = Some(Action::Reject);
    assert_service(&only(&rejected), Outcome::Refused, Confidence::High);
}

#[test]
fn late_packets_of_a_closed_connection_are_rejected_but_no_attempt() {
    let mut late = tcp((SERVER, 443), (CLIENT, 50_000));
    late.action = Some(Action::Reject);
    assert_service(&only(&late), Outcome::Answered, Confidence::Medium);
}

#[test]
fn a_bare_reset_refuses_and_a_syn_ack_with_options_answers() {
    let reply = |packets, bytes, flags| {
        let mut reply = tcp((SERVER, 443), (CLIENT, 50_000));
        (reply.packets, reply.bytes, reply.tcp_flags) = (packets, bytes, flags);
        only(&reply).outcome
    };
    assert_eq!(reply(1, 40, None), Outcome::Reset);
    assert_eq!(reply(2, 80, None), Outcome::Reset);
    assert_eq!(reply(1, 44, None), Outcome::Answered);
    assert_eq!(reply(4, 160, None), Outcome::Answered);
    assert_eq!(reply(1, 40, Some(TcpFlags(4))), Outcome::Reset);
    assert_eq!(reply(9, 5000, Some(TcpFlags(4))), Outcome::Answered);
    assert_eq!(reply(1, 44, Some(TcpFlags(22))), Outcome::Answered);
}

#[test]
fn unknown_direction_is_unclear_and_keeps_the_sender_first() {
    let seen = only(&tcp((CLIENT, 51_413), (SERVER, 60_001)));
    assert_eq!((seen.outcome, seen.confidence), (Outcome::Unclear, Confidence::Low));
    assert_eq!(seen.initiator, CLIENT);
}

#[test]
fn a_ping_is_evidence_for_both_roles_of_its_sender() {
    let (opened, answered) = observe(&record((CLIENT, 0), (SERVER, 0), protocol::ICMP));
    assert_eq!((opened.initiator, opened.outcome), (CLIENT, Outcome::Opened));
    let answered = answered.unwrap();
    assert_eq!((answered.initiator, answered.target), (SERVER, CLIENT));
    assert_eq!(answered.outcome, Outcome::Answered);
}

#[test]
fn backscatter_from_a_popular_port_is_a_reply() {
    for port in [2155, 4647, 216, 65_000] {
        let seen = only(&tcp((SERVER, 80), (CLIENT, port)));
        assert_eq!((seen.initiator, seen.outcome), (CLIENT, Outcome::Answered), "{port}");
    }
}
