use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::flow::protocol;

fn id() -> BatchId {
    BatchId::at("test".into(), 0)
}

fn record(client: u8, server: u8, is_reply: bool, end_s: u64) -> Record<'static> {
    let client = (Address::v4(0x0a00_0000 | u32::from(client)), 50_000);
    let server = (Address::v4(0x0a00_0100 | u32::from(server)), 443);
    let (from, to) = if is_reply { (server, client) } else { (client, server) };
    Record {
        interface_id: b"eni-1",
        source: from.0,
        destination: to.0,
        source_port: from.1,
        destination_port: to.1,
        protocol: protocol::TCP,
        packets: 5,
        bytes: 1000,
        start_s: end_s.saturating_sub(10),
        end_s,
        action: Some(Action::Accept),
        tcp_flags: None,
        destination_service: b"",
    }
}

fn combine(records: &[Record<'_>]) -> Partial {
    let mut combiner = Combiner::new(HashKey::new(1, 2), 30);
    for record in records {
        combiner.add(record);
    }
    combiner.finish(id())
}

#[test]
fn request_and_reply_become_one_row_with_both_marks_and_both_volumes() {
    let partial = combine(&[record(1, 1, false, 100), record(1, 1, true, 101)]);
    let [(key, row)] = partial.conversations.as_slice() else { panic!("{partial:?}") };
    assert_eq!((key.port, key.pane), (443, 3));
    assert!(row.marks.contains(Outcome::Opened) && row.marks.contains(Outcome::Answered));
    assert_eq!((row.records, row.bytes_up, row.bytes_down), (2, 1000, 1000));
    assert_eq!((row.first_s, row.last_s), (90, 101));
}

#[test]
fn a_ping_counts_its_bytes_once_and_marks_both_directions() {
    let mut ping = record(1, 1, false, 100);
    (ping.protocol, ping.source_port, ping.destination_port) = (protocol::ICMP, 0, 0);
    let partial = combine(&[ping]);
    let volumes: u64 =
        partial.conversations.iter().map(|(_, row)| row.bytes_up + row.bytes_down).sum();
    assert_eq!((partial.conversations.len(), volumes), (2, 1000));
}

#[test]
fn nothing_is_kept_between_batches() {
    let mut combiner = Combiner::new(HashKey::new(1, 2), 30);
    combiner.add(&record(1, 1, false, 100));
    combiner.add_blind(b"eni-9", 60, 120);
    combiner.add_silent();
    let first = combiner.finish(id());
    assert_eq!((first.conversations.len(), first.blind.len(), first.silent), (1, 1, 1));
    let second = combiner.finish(id());
    assert!(second.conversations.is_empty() && second.blind.is_empty());
    assert_eq!((second.records, second.silent), (0, 0));
}

proptest! {
    /// The oracle: a map from conversation and pane to the sum of bytes.
    #[test]
    fn rows_hold_every_byte_once_whatever_the_order(
        input in prop::collection::vec((0u8..4, 0u8..4, any::<bool>(), 0u64..200), 0..60)
    ) {
        let records: Vec<_> = input.iter().map(|&(c, s, reply, end)| record(c, s, reply, end)).collect();
        let mut expected: BTreeMap<_, u64> = BTreeMap::new();
        for &(client, server, is_reply, end_s) in &input {
            *expected.entry((client, server, end_s / 30, is_reply)).or_default() += 1000;
        }
        let partial = combine(&records);
        let reversed: Vec<_> = records.iter().rev().copied().collect();
        prop_assert_eq!(combine(&reversed).conversations.len(), partial.conversations.len());
        let total: u64 = partial.conversations.iter().map(|(_, row)| row.bytes_up + row.bytes_down).sum();
        prop_assert_eq!(total, expected.values().sum::<u64>());
        let is_sorted = partial.conversations.is_sorted_by_key(|(key, _)| key.pane);
        prop_assert!(is_sorted);
        for (key, row) in &partial.conversations {
            let number = |address: Address| u8::try_from(address.bits() & 0xff).unwrap();
            let (client, server) = (number(key.initiator), number(key.target));
            let at = |reply| expected.get(&(client, server, u64::from(key.pane), reply)).copied();
            prop_assert_eq!(row.bytes_up, at(false).unwrap_or(0));
            prop_assert_eq!(row.bytes_down, at(true).unwrap_or(0));
        }
    }
}
