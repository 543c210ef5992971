//! The lease table on a server of DynamoDB.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use flowscout::lease::{
    Checkpoint, Coordinator, DynamoDb, Event, Grant, Handle, HashRange, Lease, LeaseKey, Store,
    StoreError, Timing, Write, Written,
};
use flowscout_tests::{Ministack, aws};
use tokio::time::{Instant, timeout};

type Item = BTreeMap<String, AttributeValue>;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: &str) -> AttributeValue {
    AttributeValue::N(number.to_owned())
}

fn texts<const COUNT: usize>(texts: [&str; COUNT]) -> AttributeValue {
    AttributeValue::Ss(texts.map(str::to_owned).to_vec())
}

fn item(attributes: &[(&str, AttributeValue)]) -> Item {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

async fn put(client: &Client, table: &str, item: Item) {
    let mut request = client.put_item().table_name(table);
    for (name, value) in item {
        request = request.item(name, value);
    }
    request.send().await.unwrap();
}

async fn get(client: &Client, table: &str, key: &str) -> Option<Item> {
    let request = client.get_item().table_name(table).key("leaseKey", text(key));
    let output = request.consistent_read(true).send().await.unwrap();
    output.item.map(|item| item.into_iter().collect())
}

/// Numbers, so that the choices of a test are the same in each run.
struct Draws(u64);

impl Draws {
    /// Knuth's MMIX generator; its upper bits are good enough for a test.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn worker(&mut self) -> Arc<str> {
        format!("worker-{}", self.below(3)).into()
    }

    fn checkpoint(&mut self) -> Checkpoint {
        match self.below(6) {
            0 => Checkpoint::TrimHorizon,
            1 => Checkpoint::Latest,
            2 => Checkpoint::AtTimestamp,
            3 => Checkpoint::ShardEnd,
            _ => Checkpoint::from_text(
                &format!("4959033827149025660855969253{}", self.below(1000)),
                self.below(9),
            )
            .unwrap(),
        }
    }

    fn children(&mut self) -> Vec<Arc<str>> {
        (0..self.below(3)).map(|_| format!("shardId-{}", self.below(3)).into()).collect()
    }

    fn hash_range(&mut self) -> Option<HashRange> {
        (self.below(2) == 0).then(|| HashRange { start: u128::from(self.below(9)), end: u128::MAX })
    }

    /// A write that often fits the lease as it is.
    fn write(&mut self, key: LeaseKey, current: Option<&Lease>) -> Write {
        let known = current.cloned().unwrap_or_else(|| Lease::new(key.clone(), Checkpoint::Latest));
        let counter = known.counter + u64::from(self.below(5) == 0);
        let mut someone = |known: Option<Arc<str>>| match self.below(4) {
            0 => self.worker(),
            _ => known.unwrap_or_else(|| "worker-0".into()),
        };
        let owner = someone(known.owner.clone());
        let holder = someone(known.checkpoint_owner.clone().or_else(|| known.owner.clone()));
        match self.below(16) {
            0 | 1 => Write::Create(self.lease(key)),
            2..=4 => Write::Renew { key, counter, holder },
            5..=7 => {
                Write::Take { key, counter, owner: self.worker(), is_switch: self.below(2) == 0 }
            }
            8 | 9 => Write::RequestHandoff { key, owner, next: self.worker() },
            10 | 11 => Write::Checkpoint {
                key,
                counter,
                holder,
                checkpoint: self.checkpoint(),
                children: self.children(),
            },
            12 | 13 => {
                let owner = known.owner.clone().filter(|_| self.below(6) > 0);
                Write::Evict {
                    key,
                    counter,
                    owner,
                    checkpoint_owner: known.checkpoint_owner.clone(),
                }
            }
            14 => {
                Write::UpdateMeta { key, children: self.children(), hash_range: self.hash_range() }
            }
            _ => Write::Delete { key },
        }
    }

    fn lease(&mut self, key: LeaseKey) -> Lease {
        let mut lease = Lease::new(key, self.checkpoint());
        lease.parents = self.children();
        lease.parents.sort();
        lease.parents.dedup();
        lease.hash_range = self.hash_range();
        lease.counter = self.below(3);
        lease.stream_name = (self.below(2) == 0).then(|| "123456789012:flows:1".into());
        lease
    }
}

#[tokio::test]
async fn the_table_does_to_a_lease_what_the_rules_say() {
    let Some(server) = Ministack::shared() else { return };
    let table = DynamoDb::new(aws::dynamodb_client(&server.url()), "leases-model", true);
    table.prepare().await.unwrap();
    let mut model: BTreeMap<LeaseKey, Lease> = BTreeMap::new();
    let mut draws = Draws(42);
    let (mut done, mut refused) = (0, 0);
    for step in 0..600 {
        let key = LeaseKey::from(format!("shardId-{:012}", draws.below(3)));
        let current = model.get(&key);
        let write = draws.write(key.clone(), current);
        let expected = match write.apply(current) {
            Ok(now) => Written::Done { now },
            Err(_) => Written::Refused { current: current.cloned() },
        };
        assert_eq!(table.write(&write).await, Ok(expected.clone()), "step {step}: {write:?}");
        match expected {
            Written::Refused { .. } => refused += 1,
            Written::Done { now } => {
                done += 1;
                match now {
                    Some(lease) => model.insert(key.clone(), lease),
                    None => model.remove(&key),
                };
            }
        }
        assert_eq!(table.get(&key).await, Ok(model.get(&key).cloned()));
    }
    let mut leases = table.scan().await.unwrap();
    leases.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(leases, model.into_values().collect::<Vec<_>>());
    assert!(done > 200 && refused > 100, "{done} done, {refused} refused");
}

/// A write, the attributes that it sets, and the one that it removes.
type Step = (Write, Item, Option<&'static str>);

/// What can happen to a lease, in an order in which it can.
fn life(key: &LeaseKey) -> Vec<Step> {
    let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
    let (key, holder) = (key.clone(), Arc::clone(&one));
    let sequence = "49590338271490256608559692538361571095921575989136588898";
    let checkpoint = Checkpoint::from_text(sequence, 7).unwrap();
    let children = vec!["shardId-000000000005".into(), "shardId-000000000004".into()];
    let take =
        Write::Take { key: key.clone(), counter: 0, owner: Arc::clone(&one), is_switch: true };
    let checkpoint = Write::Checkpoint {
        key: key.clone(),
        counter: 1,
        holder: Arc::clone(&one),
        checkpoint,
        children,
    };
    let evict = |counter, checkpoint_owner| Write::Evict {
        key: key.clone(),
        counter,
        owner: Some(Arc::clone(&other)),
        checkpoint_owner,
    };
    let (owner, next) = (Arc::clone(&one), Arc::clone(&other));
    let taken = [
        ("leaseOwner", text("one")),
        ("leaseCounter", number("1")),
        ("ownerSwitchesSinceCheckpoint", number("1")),
    ];
    let checkpointed = [
        ("leaseCounter", number("2")),
        ("ownerSwitchesSinceCheckpoint", number("0")),
        ("checkpoint", text(sequence)),
        ("checkpointSubSequenceNumber", number("7")),
        ("childShardIds", texts(["shardId-000000000004", "shardId-000000000005"])),
    ];
    // The counter stays, so that the holder can renew.
    let asked = [("leaseOwner", text("other")), ("checkpointOwner", text("one"))];
    let counted = |counter| item(&[("leaseCounter", number(counter))]);
    vec![
        (take, item(&taken), None),
        (checkpoint, item(&checkpointed), None),
        (Write::RequestHandoff { key: key.clone(), owner, next }, item(&asked), None),
        (Write::Renew { key: key.clone(), counter: 2, holder }, counted("3"), None),
        // The next owner stays.
        (evict(3, Some(one)), counted("4"), Some("checkpointOwner")),
        (evict(4, None), counted("5"), Some("leaseOwner")),
    ]
}

#[tokio::test]
async fn a_lease_of_ours_reads_as_the_schema_of_kcl_says() {
    let Some(server) = Ministack::shared() else { return };
    let client = aws::dynamodb_client(&server.url());
    let name = "leases-schema";
    let table = DynamoDb::new(client.clone(), name, true);
    table.prepare().await.unwrap();
    let described = client.describe_table().table_name(name).send().await.unwrap().table.unwrap();
    let billing = described.billing_mode_summary().and_then(|billing| billing.billing_mode());
    assert_eq!(billing, Some(&BillingMode::PayPerRequest));

    let key = LeaseKey::from("123456789012:flows:1700000000:shardId-000000000003");
    let mut lease = Lease::new(key.clone(), Checkpoint::TrimHorizon);
    lease.parents = vec!["shardId-000000000001".into(), "shardId-000000000002".into()];
    lease.hash_range = Some(HashRange::WHOLE);
    lease.stream_name = Some("123456789012:flows:1700000000".into());
    lease.shard_id = Some("shardId-000000000003".into());
    table.write(&Write::Create(lease)).await.unwrap();
    let mut expected = item(&[
        ("leaseKey", text(key.as_str())),
        ("entityType", text("LEASE")),
        ("leaseCounter", number("0")),
        ("ownerSwitchesSinceCheckpoint", number("0")),
        ("checkpoint", text("TRIM_HORIZON")),
        ("checkpointSubSequenceNumber", number("0")),
        ("parentShardId", texts(["shardId-000000000001", "shardId-000000000002"])),
        ("startingHashKey", text("0")),
        ("endingHashKey", text("340282366920938463463374607431768211455")),
        ("streamName", text("123456789012:flows:1700000000")),
        ("shardId", text("shardId-000000000003")),
    ]);
    let read = async || sorted(get(&client, name, key.as_str()).await.unwrap());
    assert_eq!(read().await, expected, "created: no owner");
    for (write, set, removed) in life(&key) {
        let written = table.write(&write).await.unwrap();
        assert!(matches!(written, Written::Done { .. }), "{write:?}: {written:?}");
        expected.extend(set);
        if let Some(removed) = removed {
            expected.remove(removed);
        }
        assert_eq!(read().await, expected, "{write:?}");
    }
    table.write(&Write::Delete { key: key.clone() }).await.unwrap();
    assert_eq!(get(&client, name, key.as_str()).await, None);
}

/// Sets have no order.
fn sorted(mut item: Item) -> Item {
    for value in item.values_mut() {
        if let AttributeValue::Ss(texts) = value {
            texts.sort();
        }
    }
    item
}

/// As KCL 2.x writes it: no entity type, no parents where there are none.
fn kcl_2_lease() -> Item {
    item(&[
        ("leaseKey", text("shardId-000000000000")),
        ("leaseOwner", text("old-worker")),
        ("leaseCounter", number("1234")),
        ("ownerSwitchesSinceCheckpoint", number("2")),
        ("checkpoint", text("49590338271490256608559692538361571095921575989136588898")),
        ("checkpointSubSequenceNumber", number("3")),
        ("pendingCheckpoint", text("49590338271490256608559692538361571095921575989136588899")),
        ("pendingCheckpointSubSequenceNumber", number("0")),
        ("pendingCheckpointState", AttributeValue::B(Blob::new(*b"state"))),
        ("startingHashKey", text("0")),
        ("endingHashKey", text("170141183460469231731687303715884105727")),
        ("ofAnotherProgram", text("stays")),
    ])
}

/// As KCL 3.x writes it, in the middle of a handoff whose two workers are gone.
fn kcl_3_lease() -> Item {
    item(&[
        ("leaseKey", text("shardId-000000000002")),
        ("entityType", text("LEASE")),
        ("leaseOwner", text("next-worker")),
        ("checkpointOwner", text("old-worker")),
        ("leaseCounter", number("77")),
        ("ownerSwitchesSinceCheckpoint", number("0")),
        ("checkpoint", text("TRIM_HORIZON")),
        ("checkpointSubSequenceNumber", number("0")),
        ("parentShardId", texts(["shardId-000000000001"])),
        ("throughputKBps", number("12.75")),
        ("startingHashKey", text("170141183460469231731687303715884105728")),
        ("endingHashKey", text("340282366920938463463374607431768211455")),
    ])
}

fn foreign_items() -> [Item; 3] {
    [
        item(&[
            ("leaseKey", text("old-worker")),
            ("entityType", text("WORKER_METRIC_STATS")),
            ("lut", number("1790000000")),
            ("leaseOwner", text("old-worker")),
        ]),
        item(&[
            ("leaseKey", text("Leader")),
            ("entityType", text("LEADER")),
            ("ownerName", text("old-worker")),
            ("leaseDuration", text("120000")),
            ("recordVersionNumber", text("6d0f3e5c-0000-4000-8000-000000000000")),
        ]),
        item(&[
            ("leaseKey", text("Migration3.0")),
            ("entityType", text("CLIENT_VERSION_MIGRATION")),
        ]),
    ]
}

/// Starts a worker and waits until it has two leases; they come in the order of their keys.
async fn two_grants(url: String, table: &'static str) -> (Handle, Vec<Grant>) {
    let timing = Timing { duration_ms: 1_500, ..Timing::default() };
    let make = move || async move { Ok(DynamoDb::new(aws::dynamodb_client(&url), table, false)) };
    let start = move || Coordinator::start(make, "ours".into(), timing).unwrap();
    let (handle, mut events) = tokio::task::spawn_blocking(start).await.unwrap();
    let mut grants = Vec::new();
    while grants.len() < 2 {
        let event = timeout(Duration::from_secs(20), events.recv()).await.unwrap();
        match event.unwrap() {
            Event::Granted(grant) => grants.push(grant),
            other => panic!("{other:?}"),
        }
    }
    grants.sort_by(|one, other| one.lease.key.cmp(&other.lease.key));
    // Whoever drops its events gives its leases up.
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    (handle, grants)
}

#[tokio::test]
async fn a_table_that_kcl_wrote_is_taken_over_and_what_is_not_ours_stays() {
    let Some(server) = Ministack::shared() else { return };
    let (url, name) = (server.url(), "leases-of-kcl");
    let client = aws::dynamodb_client(&url);
    DynamoDb::new(client.clone(), name, true).prepare().await.unwrap();
    let foreign = foreign_items();
    for item in foreign.iter().chain([&kcl_2_lease(), &kcl_3_lease()]) {
        put(&client, name, item.clone()).await;
    }
    // A lease that cannot be read is left alone too.
    let broken = item(&[("leaseKey", text("shardId-000000000009")), ("checkpoint", text("?"))]);
    put(&client, name, broken.clone()).await;

    let started = Instant::now();
    let (handle, grants) = two_grants(url, name).await;
    assert!(started.elapsed() > Duration::from_millis(1_500), "not before they were expired");
    let position = "49590338271490256608559692538361571095921575989136588898";
    assert_eq!(grants[0].lease.checkpoint, Checkpoint::from_text(position, 3).unwrap());
    assert_eq!(grants[1].lease.parents, ["shardId-000000000001".into()]);
    let later =
        Checkpoint::from_text("49590338271490256608559692538361571095921575989136588900", 0)
            .unwrap();
    let (key, token) = (&grants[0].lease.key, grants[0].token);
    handle.checkpoint(key, token, later).await.unwrap();

    let mut old = get(&client, name, key.as_str()).await.unwrap();
    let counter = old.remove("leaseCounter").unwrap();
    assert!(counter.as_n().unwrap().parse::<u64>().unwrap() > 1235, "{counter:?}");
    let mut expected = kcl_2_lease();
    for gone in [
        "leaseCounter",
        "pendingCheckpoint",
        "pendingCheckpointSubSequenceNumber",
        "pendingCheckpointState",
    ] {
        expected.remove(gone);
    }
    expected.extend(item(&[
        ("leaseOwner", text("ours")),
        ("ownerSwitchesSinceCheckpoint", number("0")),
        ("checkpoint", text("49590338271490256608559692538361571095921575989136588900")),
        ("checkpointSubSequenceNumber", number("0")),
    ]));
    assert_eq!(old, expected);

    let mut new = get(&client, name, "shardId-000000000002").await.unwrap();
    new.remove("leaseCounter");
    let mut expected = kcl_3_lease();
    for gone in ["leaseCounter", "checkpointOwner"] {
        expected.remove(gone);
    }
    expected.extend(item(&[
        ("leaseOwner", text("ours")),
        ("ownerSwitchesSinceCheckpoint", number("1")),
    ]));
    assert_eq!(new, expected);

    assert_eq!(handle.view().leases.len(), 2);
    handle.delete(vec!["Leader".into()]).await.unwrap();
    handle.shutdown().await;
    for item in foreign.iter().chain([&broken]) {
        let key = item["leaseKey"].as_s().unwrap();
        assert_eq!(get(&client, name, key).await.as_ref(), Some(item), "{key}");
    }
    let released = get(&client, name, "shardId-000000000002").await.unwrap();
    assert!(!released.contains_key("leaseOwner"));
}

#[tokio::test]
async fn a_table_that_is_missing_or_is_something_else_is_refused() {
    let Some(server) = Ministack::shared() else { return };
    let client = aws::dynamodb_client(&server.url());
    let missing = DynamoDb::new(client.clone(), "leases-missing", false).prepare().await;
    let message = "table leases-missing does not exist, and may not be created".to_owned();
    assert_eq!(missing, Err(StoreError::Unusable(message)));

    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build();
    let attribute = AttributeDefinition::builder()
        .attribute_name("id")
        .attribute_type(ScalarAttributeType::S)
        .build();
    let create = client.create_table().table_name("orders").key_schema(key.unwrap());
    let create = create.attribute_definitions(attribute.unwrap());
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
    let other = DynamoDb::new(client, "orders", true).prepare().await.unwrap_err();
    assert!(other.to_string().contains("orders is no lease table"), "{other}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    // Port 9 is for discarding; nobody listens.
    let table = DynamoDb::new(aws::dynamodb_client("http://127.0.0.1:9"), "leases", false);
    let error = table.scan().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(error.is_passing() && error.may_be_done());
}
