use proptest::prelude::*;

use super::*;

fn stream() -> Stream {
    Stream {
        name: "flows".into(),
        account: "123456789012".into(),
        creation_epoch: 1_700_000_000,
        is_only: true,
    }
}

fn id(number: usize) -> Arc<str> {
    format!("shardId-{number:012}").into()
}

fn shard(number: usize, parents: &[usize], is_open: bool) -> Shard {
    let parents = parents.iter().map(|parent| id(*parent)).collect();
    Shard { id: id(number), parents, hash_range: HashRange::WHOLE, is_open }
}

/// 0 and 1 became 6, 2 and 3 became 7, 6 and 7 became 8, 5 became 9 and 10; 4 is as it was.
fn family() -> Vec<Shard> {
    let mut shards: Vec<Shard> = (0..6).map(|number| shard(number, &[], number == 4)).collect();
    shards.push(shard(6, &[0, 1], false));
    shards.push(shard(7, &[2, 3], false));
    shards.push(shard(8, &[6, 7], true));
    shards.push(shard(9, &[5], true));
    shards.push(shard(10, &[5], true));
    shards
}

fn lease(number: usize, checkpoint: Checkpoint) -> Lease {
    let shards = family();
    stream().lease(&shards[number], checkpoint)
}

fn created(leased: &[usize], initial: Initial) -> Vec<(String, Checkpoint)> {
    let leases: Vec<Lease> =
        leased.iter().map(|number| lease(*number, Checkpoint::TrimHorizon)).collect();
    let missing = missing(&stream(), &family(), &leases, initial);
    missing.into_iter().map(|lease| (lease.key.to_string(), lease.checkpoint)).collect()
}

fn expected(shards: &[(usize, Checkpoint)]) -> Vec<(String, Checkpoint)> {
    shards
        .iter()
        .map(|(number, checkpoint)| (id(*number).to_string(), checkpoint.clone()))
        .collect()
}

#[test]
fn an_empty_table_gets_a_lease_for_each_shard_of_the_initial_position() {
    let all: Vec<(usize, Checkpoint)> =
        (0..11).map(|number| (number, Checkpoint::Latest)).collect();
    assert_eq!(created(&[], Initial::Latest), expected(&all));
}

#[test]
fn only_the_first_missing_generation_is_created() {
    use Checkpoint::{AtTimestamp, Latest, TrimHorizon};
    // 8 waits for 6, its parent that was never read; 9 and 10 come after 5, which is.
    let latest = created(&[4, 5, 7], Initial::Latest);
    assert_eq!(latest, expected(&[(6, Latest), (9, TrimHorizon), (10, TrimHorizon)]));
    let oldest = created(&[4, 5, 7], Initial::TrimHorizon);
    assert_eq!(
        oldest,
        expected(&[(0, TrimHorizon), (1, TrimHorizon), (9, TrimHorizon), (10, TrimHorizon)])
    );
    let at_timestamp = created(&[4, 6, 7], Initial::AtTimestamp);
    assert_eq!(at_timestamp, expected(&[(5, AtTimestamp), (8, AtTimestamp)]));
    let next = [6, 7, 9, 10].map(|number| (number, TrimHorizon));
    assert_eq!(created(&[0, 1, 2, 3, 4, 5], Initial::Latest), expected(&next));
    assert_eq!(created(&[4, 8, 9, 10], Initial::Latest), expected(&[]), "nothing is missing");
}

#[test]
fn a_child_waits_for_all_parents_and_not_for_those_without_a_lease() {
    let child = lease(8, Checkpoint::TrimHorizon);
    let ended = |number| lease(number, Checkpoint::ShardEnd);
    assert!(may_start(&child, &[]));
    assert!(may_start(&child, &[ended(6), lease(0, Checkpoint::Latest)]));
    assert!(may_start(&child, &[ended(6), ended(7)]));
    assert!(!may_start(&child, &[ended(6), lease(7, Checkpoint::TrimHorizon)]));
}

#[test]
fn a_lease_is_cleaned_up_after_its_parents_and_once_its_children_are_started() {
    let through = Checkpoint::from_text("1", 0).unwrap();
    let mut leases = vec![lease(2, Checkpoint::ShardEnd), lease(3, Checkpoint::ShardEnd)];
    leases.push(lease(6, Checkpoint::Latest));
    leases.push(lease(7, Checkpoint::TrimHorizon));
    assert_eq!(finished(&leases, &family()), [], "7 is not started");
    leases[3].checkpoint = Checkpoint::ShardEnd;
    leases.push(lease(8, through));
    let keys = [2, 3].map(|number| stream().key(&id(number)));
    assert_eq!(finished(&leases, &family()), keys);
    assert_eq!(finished(&leases[2..], &family()), [stream().key(&id(7))], "6 is not finished");
    let told = [id(8), id(11)];
    leases[3].children = told.to_vec();
    assert_eq!(finished(&leases[2..], &family()), [], "another child has no lease");
}

#[test]
fn a_lease_of_a_shard_that_is_gone_is_cleaned_up_and_that_of_a_new_one_is_not() {
    let leases: Vec<Lease> =
        [0, 5, 10].map(|number| lease(number, Checkpoint::TrimHorizon)).to_vec();
    let listed = [shard(4, &[], true), shard(9, &[5], true)];
    let keys = [0, 5].map(|number| stream().key(&id(number)));
    assert_eq!(finished(&leases, &listed), keys, "10 is newer than the listing");
    assert_eq!(finished(&leases, &[]), []);
}

#[test]
fn streams_that_share_a_table_are_told_apart() {
    let shared = Stream { is_only: false, ..stream() };
    let lease = shared.lease(&family()[8], Checkpoint::TrimHorizon);
    assert_eq!(lease.key.as_str(), "123456789012:flows:1700000000:shardId-000000000008");
    assert_eq!(lease.stream_name.as_deref(), Some("123456789012:flows:1700000000"));
    assert_eq!(lease.shard_id(), "shardId-000000000008");
    assert!(shared.owns(&lease) && !stream().owns(&lease));
    let again = Stream { creation_epoch: 1_800_000_000, ..shared.clone() };
    assert!(!again.owns(&lease), "a stream of the same name that was created again");
    let child = Child { shard_id: id(11), parents: vec![id(8)], hash_range: HashRange::WHOLE };
    let child = child.lease(&lease);
    assert_eq!(child.key, shared.key(&id(11)));
    assert_eq!((child.shard_id(), &child.checkpoint), (&*id(11), &Checkpoint::TrimHorizon));
}

/// Sixteenths of the hash space.
const PIECE: u128 = 1 << 124;

fn piece(start: u128, end: u128) -> HashRange {
    HashRange { start: start * PIECE, end: end * PIECE + (PIECE - 1) }
}

#[test]
fn a_hole_that_is_met_three_times_in_a_row_needs_a_sync() {
    let of = |range| {
        let mut lease = lease(4, Checkpoint::TrimHorizon);
        lease.hash_range = Some(range);
        lease
    };
    let (hole, other) = ([of(piece(0, 3)), of(piece(5, 15))], [of(piece(0, 3)), of(piece(6, 15))]);
    let whole = [of(piece(0, 7)), of(piece(4, 15))];
    let mut audit = Audit::default();
    let mut looks = |leases: &[Lease]| audit.is_sync_needed(leases);
    assert_eq!([looks(&hole), looks(&hole), looks(&hole)], [false, false, true]);
    // The same start of another hole may be the same one that grew; one that went is another.
    assert_eq!([looks(&whole), looks(&hole), looks(&other)], [false; 3]);
    assert_eq!([looks(&whole), looks(&hole), looks(&[])], [false, false, true]);
    let mut unknown = hole.to_vec();
    unknown[0].hash_range = None;
    assert!(!(0..5).any(|_| looks(&unknown)), "nobody knows what it covers");
    let mut ended = whole.to_vec();
    ended[1].checkpoint = Checkpoint::ShardEnd;
    assert_eq!([looks(&ended), looks(&ended), looks(&ended)], [false, false, true]);
}

/// Shards after some splits and merges, in order of their creation.
fn histories() -> impl Strategy<Value = Vec<Shard>> {
    let steps = prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..12);
    (1..4u128, steps).prop_map(|(first, steps)| {
        let whole: Vec<HashRange> = (0..first)
            .map(|number| piece(number * 4, if number + 1 == first { 15 } else { number * 4 + 3 }))
            .collect();
        let mut shards: Vec<Shard> = Vec::new();
        for range in whole {
            shards.push(Shard { hash_range: range, ..shard(shards.len(), &[], true) });
        }
        for (chosen, is_split) in steps {
            let mut open: Vec<usize> =
                (0..shards.len()).filter(|number| shards[*number].is_open).collect();
            open.sort_by_key(|number| shards[*number].hash_range);
            let at = chosen.index(open.len());
            let HashRange { start, end } = shards[open[at]].hash_range;
            let next_end = open.get(at + 1).map(|next| shards[*next].hash_range.end);
            let mut add = |parents: &[usize], hash_range| {
                let new = Shard { hash_range, ..shard(shards.len(), parents, true) };
                shards.push(new);
                parents.iter().for_each(|parent| shards[*parent].is_open = false);
            };
            if is_split && end > start {
                let middle = start + (end - start) / 2;
                add(&[open[at]], HashRange { start, end: middle });
                add(&[open[at]], HashRange { start: middle + 1, end });
            } else if let Some(end) = next_end {
                add(&[open[at], open[at + 1]], HashRange { start, end });
            }
        }
        shards
    })
}

proptest! {
    #[test]
    fn holes_are_found_where_no_range_is(ranges in prop::collection::vec((0..16u128, 0..4u128), 1..12)) {
        let leases: Vec<Lease> = ranges.iter().map(|(start, more)| {
            let mut lease = lease(4, Checkpoint::Latest);
            lease.hash_range = Some(piece(*start, (start + more).min(15)));
            lease
        }).collect();
        let is_covered = |at: &u128| ranges.iter().any(|(start, more)| start <= at && *at <= start + more);
        let hole = (0..16).find(|at| !is_covered(at)).map(|at| at * PIECE);
        prop_assert_eq!(first_hole(&leases), hole);
    }

    /// Readers that always die between the end of a shard and the leases of its children, and a sync of shards: every shard
    /// from the first that had a lease on is read, parents before children.
    #[test]
    fn syncs_alone_bring_every_shard_to_be_read_in_order(shards in histories(), chosen: prop::sample::Index) {
        let (stream, first) = (stream(), &shards[chosen.index(shards.len())]);
        let mut leases = vec![stream.lease(first, Checkpoint::TrimHorizon)];
        let mut read: Vec<Arc<str>> = Vec::new();
        for _ in 0..2 * shards.len() {
            let new = missing(&stream, &shards, &leases, Initial::TrimHorizon);
            let is_new = |parent: &Arc<str>| new.iter().any(|lease| *lease.shard_id() == **parent);
            prop_assert!(!new.iter().any(|lease| lease.parents.iter().any(is_new)), "two generations");
            leases.extend(new);
            let all = leases.clone();
            for lease in leases.iter_mut().filter(|lease| !lease.is_finished() && may_start(lease, &all)) {
                let shard = shards.iter().find(|shard| *shard.id == *lease.shard_id()).unwrap();
                let is_read = |parent: &&Arc<str>| read.contains(parent);
                let has_lease = |parent: &&Arc<str>| all.iter().any(|lease| *lease.shard_id() == ***parent);
                prop_assert!(shard.parents.iter().filter(has_lease).all(|parent| is_read(&parent)));
                if !shard.is_open {
                    lease.checkpoint = Checkpoint::ShardEnd;
                    read.push(Arc::clone(&shard.id));
                }
            }
        }
        for shard in shards.iter().filter(|shard| shard.is_open) {
            prop_assert!(leases.iter().any(|lease| *lease.shard_id() == *shard.id), "{}", shard.id);
        }
        prop_assert_eq!(first_hole(&leases), None);
        let mut keys: Vec<&LeaseKey> = leases.iter().map(|lease| &lease.key).collect();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), count, "no lease is made twice");
    }
}
