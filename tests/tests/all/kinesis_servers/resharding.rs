//! Splits and merges: who follows whom, where a shard ends, and what a list of shards shows.

use std::time::{Duration, SystemTime};

use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{
    ChildShard, ScalingType, Shard, ShardFilter, ShardFilterType, ShardIteratorType,
};

use super::polling::{range, since_epoch};
use super::{FIRST_SHARD, Kind, Server, code, data, ids, servers};

/// Ministack takes the shards away that are split or merged: see the last test.
const LINEAGE: [Kind; 2] = [Kind::KinesisMock, Kind::Ours];

const SECOND_SHARD: &str = "shardId-000000000001";
const THIRD_SHARD: &str = "shardId-000000000002";
/// The middle of all hash keys.
const MIDDLE: &str = "170141183460469231731687303715884105728";

impl Server {
    async fn split(&self, shard: &str, at: &str) {
        let split = self.client.split_shard().stream_name(&self.stream).shard_to_split(shard);
        split.new_starting_hash_key(at).send().await.unwrap();
        self.until_active().await;
    }

    async fn merge(&self, shard: &str, adjacent: &str) {
        let merge = self.client.merge_shards().stream_name(&self.stream).shard_to_merge(shard);
        merge.adjacent_shard_to_merge(adjacent).send().await.unwrap();
        self.until_active().await;
    }

    async fn shards_that_pass(&self, filter: ShardFilter) -> Vec<String> {
        let list = self.client.list_shards().stream_name(&self.stream).shard_filter(filter);
        let shards = list.send().await.unwrap().shards.unwrap();
        shards.into_iter().map(|shard| shard.shard_id).collect()
    }
}

fn parents(shard: &Shard) -> (Option<&str>, Option<&str>) {
    (shard.parent_shard_id(), shard.adjacent_parent_shard_id())
}

fn ending(shard: &Shard) -> Option<&str> {
    shard.sequence_number_range.as_ref().unwrap().ending_sequence_number()
}

fn children(children: &[ChildShard]) -> Vec<(&str, Vec<&str>)> {
    let texts = children.iter().map(|child| child.parent_shards().iter().map(String::as_str));
    children.iter().map(ChildShard::shard_id).zip(texts.map(Iterator::collect)).collect()
}

#[tokio::test]
async fn a_split_shard_is_read_to_its_end_which_names_two_children() {
    for server in servers(&LINEAGE, "split", 1).await {
        let (_, last_of_parent) = server.put_at("0", "before, low").await;
        server.put_at(MIDDLE, "before, high").await;
        server.split(FIRST_SHARD, MIDDLE).await;
        let (low, first_of_child) = server.put_at("0", "after, low").await;
        let (high, _) = server.put_at(MIDDLE, "after, high").await;
        assert_eq!((low.as_str(), high.as_str()), (SECOND_SHARD, THIRD_SHARD), "{:?}", server.kind);
        assert!(first_of_child > last_of_parent, "{:?}", server.kind);

        let (records, end) = server.read_to_end(FIRST_SHARD).await;
        assert_eq!(data(&records), ["before, low", "before, high"], "{:?}", server.kind);
        let (expected, parent) = ([SECOND_SHARD, THIRD_SHARD], vec![FIRST_SHARD]);
        let expected = expected.map(|child| (child, parent.clone()));
        assert_eq!(children(end.child_shards()), expected, "{:?}", server.kind);
        let range = end.child_shards()[1].hash_key_range.as_ref().unwrap();
        assert_eq!(range.starting_hash_key, MIDDLE, "{:?}", server.kind);

        let iterator = server.iterator(THIRD_SHARD, ShardIteratorType::TrimHorizon).await;
        assert_eq!(data(&server.read(&iterator).await.records), ["after, high"]);

        let shards = server.shards().await;
        assert_eq!(ids(&shards), [FIRST_SHARD, SECOND_SHARD, THIRD_SHARD], "{:?}", server.kind);
        let parent = (Some(FIRST_SHARD), None);
        let expected = [(None, None), parent, parent];
        assert_eq!(shards.iter().map(parents).collect::<Vec<_>>(), expected, "{:?}", server.kind);
        assert!(ending(&shards[0]).is_some_and(|ending| ending > last_of_parent.as_str()));
        assert_eq!((ending(&shards[1]), ending(&shards[2])), (None, None), "{:?}", server.kind);
    }
}

#[tokio::test]
async fn two_merged_shards_end_with_the_same_child_which_names_both() {
    for server in servers(&LINEAGE, "merge", 2).await {
        server.put_at("0", "low").await;
        server.put_at(MIDDLE, "high").await;
        server.merge(FIRST_SHARD, SECOND_SHARD).await;
        server.put_at("0", "child").await;
        for (shard, expected) in [(FIRST_SHARD, "low"), (SECOND_SHARD, "high")] {
            let (records, end) = server.read_to_end(shard).await;
            assert_eq!(data(&records), [expected], "{:?}", server.kind);
            let mut children = children(end.child_shards());
            children[0].1.sort_unstable();
            assert_eq!(
                children,
                [(THIRD_SHARD, vec![FIRST_SHARD, SECOND_SHARD])],
                "{:?}",
                server.kind
            );
        }
        let shards = server.shards().await;
        let expected = (Some(FIRST_SHARD), Some(SECOND_SHARD));
        assert_eq!(parents(&shards[2]), expected, "{:?}", server.kind);
    }
}

#[tokio::test]
async fn a_filter_shows_the_shards_of_its_time() {
    for server in servers(&LINEAGE, "filter", 1).await {
        let pause = || tokio::time::sleep(Duration::from_millis(1200));
        pause().await;
        let before = DateTime::from(SystemTime::UNIX_EPOCH + since_epoch());
        pause().await;
        server.split(FIRST_SHARD, MIDDLE).await;
        pause().await;
        let after = DateTime::from(SystemTime::UNIX_EPOCH + since_epoch());
        let filter = |kind| ShardFilter::builder().r#type(kind);
        let all = vec![FIRST_SHARD, SECOND_SHARD, THIRD_SHARD];
        let (first, open) = (vec![FIRST_SHARD], vec![SECOND_SHARD, THIRD_SHARD]);
        let cases = [
            (filter(ShardFilterType::FromTrimHorizon), all.clone()),
            (filter(ShardFilterType::AtTrimHorizon), first.clone()),
            (filter(ShardFilterType::AtLatest), open.clone()),
            (filter(ShardFilterType::AfterShardId).shard_id(FIRST_SHARD), open.clone()),
            (filter(ShardFilterType::AtTimestamp).timestamp(before), first),
            (filter(ShardFilterType::AtTimestamp).timestamp(after), open.clone()),
            (filter(ShardFilterType::FromTimestamp).timestamp(before), all.clone()),
            (filter(ShardFilterType::FromTimestamp).timestamp(after), open),
        ];
        for (filter, mut expected) in cases {
            let filter = filter.build().unwrap();
            // Kinesis-mock shows all shards here.
            if server.kind == Kind::KinesisMock
                && *filter.r#type() == ShardFilterType::AtTrimHorizon
            {
                expected.clone_from(&all);
            }
            let shards = server.shards_that_pass(filter.clone()).await;
            assert_eq!(shards, expected, "{:?}, {filter:?}", server.kind);
        }
    }
}

#[tokio::test]
async fn pages_of_shards_go_on_where_the_one_before_ended() {
    for server in servers(&LINEAGE, "pages", 5).await {
        let (mut seen, mut token) = (Vec::new(), None::<String>);
        loop {
            let list = server.client.list_shards().max_results(2);
            let list = match token.take() {
                Some(token) => list.next_token(token),
                None => list.stream_name(&server.stream),
            };
            let list = list.send().await.unwrap();
            let shards = list.shards.unwrap();
            assert!(shards.len() <= 2, "{:?}", server.kind);
            seen.extend(shards.into_iter().map(|shard| shard.shard_id));
            token = list.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids(&server.shards().await), "{:?}", server.kind);
    }
}

#[tokio::test]
async fn what_cannot_be_resharded_is_refused() {
    for server in servers(&LINEAGE, "refused-reshards", 3).await {
        let merge = server.client.merge_shards().stream_name(&server.stream);
        let merge = merge.shard_to_merge(FIRST_SHARD).adjacent_shard_to_merge(THIRD_SHARD);
        assert_eq!(code(merge.send().await), "InvalidArgumentException", "{:?}", server.kind);
        let split = |shard: &str, at: &str| {
            let split = server.client.split_shard().stream_name(&server.stream);
            split.shard_to_split(shard).new_starting_hash_key(at).send()
        };
        let outside = code(split(FIRST_SHARD, MIDDLE).await);
        assert_eq!(outside, "InvalidArgumentException", "{:?}", server.kind);
        server.merge(FIRST_SHARD, SECOND_SHARD).await;
        let closed = code(split(FIRST_SHARD, "1000").await);
        // Kinesis-mock has a name of its own for it.
        let expected = match server.kind {
            Kind::KinesisMock => "ResourceInUseException",
            _ => "InvalidArgumentException",
        };
        assert_eq!(closed, expected, "{:?}", server.kind);
    }
}

#[tokio::test]
async fn another_count_of_shards_is_reached_by_a_cascade_that_no_record_falls_out_of() {
    for server in servers(&LINEAGE, "count", 2).await {
        for number in 0..20 {
            server.put(&format!("key {number}"), &format!("{number}")).await;
        }
        let update = server.client.update_shard_count().stream_name(&server.stream);
        let update = update.target_shard_count(3).scaling_type(ScalingType::UniformScaling);
        update.send().await.unwrap();
        server.until_active().await;
        let shards = server.shards().await;
        let open: Vec<_> = shards.iter().filter(|shard| ending(shard).is_none()).collect();
        assert_eq!(open.len(), 3, "{:?}: {shards:?}", server.kind);
        let mut read = 0;
        for shard in &shards {
            if ending(shard).is_some() {
                let (records, end) = server.read_to_end(&shard.shard_id).await;
                assert!(!end.child_shards().is_empty(), "{:?}", server.kind);
                read += records.len();
            } else {
                let iterator =
                    server.iterator(&shard.shard_id, ShardIteratorType::TrimHorizon).await;
                read += server.read(&iterator).await.records.len();
            }
        }
        assert_eq!(read, 20, "{:?}", server.kind);
        let keys: u128 =
            open.iter().map(|shard| range(shard)).map(|range| range.end() - range.start()).sum();
        assert_eq!(keys, u128::MAX - 2, "{:?}", server.kind);
    }
}

#[tokio::test]
async fn ministack_takes_the_parents_away() {
    for server in servers(&[Kind::Ministack], "destroyed", 1).await {
        server.put("key", "lost").await;
        server.split(FIRST_SHARD, MIDDLE).await;
        let shards = server.shards().await;
        assert!(!ids(&shards).contains(&FIRST_SHARD), "it has learned lineage: {shards:?}");
    }
}
