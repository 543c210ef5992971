//! Every answer through a client with our reader and a client with the SDK's, which must say the same.

use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

/// Answers every request with these bytes.
#[derive(Clone, Debug)]
struct Canned {
    status: u16,
    body: Vec<u8>,
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let status = StatusCode::try_from(self.status).unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.body.clone()))))
    }
}

/// What a client makes of the answer: output or error, as debug text.
fn seen(canned: &Canned, protocol: Option<Protocol>) -> String {
    let connector = SharedHttpConnector::new(canned.clone());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
        .retry_config(aws_sdk_kinesis::config::retry::RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()));
    let config = match protocol {
        Some(protocol) => config.protocol(protocol),
        None => config,
    };
    let client = Client::from_conf(config.build());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(client.get_records().shard_iterator("iterator").send());
    match result {
        Ok(output) => format!("{output:?}"),
        Err(error) => format!("{:?}", error.into_service_error()),
    }
}

/// What both make of it.
fn both(status: u16, body: &[u8]) -> String {
    let canned = Canned { status, body: body.to_vec() };
    let (ours, stock) = (seen(&canned, Some(Protocol::new())), seen(&canned, None));
    assert_eq!(ours, stock, "{}", String::from_utf8_lossy(body));
    ours
}

const FULL: &str = r#"{"MillisBehindLatest":2100,"NextShardIterator":"AAAA/iter+ator==","Records":[{"ApproximateArrivalTimestamp":1.767225600123E9,"Data":"MiBhCg==","EncryptionType":"KMS","PartitionKey":"key é","SequenceNumber":"49590338271490256608559692538361571095921575989136588898"},{"ApproximateArrivalTimestamp":1767225600.5,"Data":"","PartitionKey":"","SequenceNumber":"1"}]}"#;

#[test]
fn what_aws_spells_is_read_here_and_as_the_sdk_reads_it() {
    let answer = read(FULL.as_bytes()).unwrap();
    assert_eq!(answer.payloads, b"2 a\n"[..]);
    assert_eq!(answer.records.as_ref().map(Vec::len), Some(2));
    let text = both(200, FULL.as_bytes());
    assert!(text.contains("49590338271490256608559692538361571095921575989136588898"), "{text}");
    // A double of this size ends at a quarter of a microsecond: round to the millisecond that was meant.
    assert!(text.contains("2026-01-01T00:00:00.122999Z"), "{text}");
    for body in ["{}", r#"{"Records":[]}"#, r#"{"Records":[{}]}"#, r#"{"MillisBehindLatest":0}"#] {
        assert!(read(body.as_bytes()).is_some(), "{body}");
        both(200, body.as_bytes());
    }
}

#[test]
fn every_other_spelling_is_left_to_the_sdk() {
    let others = [
        FULL.replace(':', ": "),
        FULL.replace("2100", "21e2"),
        FULL.replace("2100", "-1"),
        FULL.replace("2100", "007"),
        FULL.replace("2100", "99999999999999999999"),
        FULL.replace("2100", "null"),
        FULL.replace("\"AAAA/iter+ator==\"", "null"),
        FULL.replace("AAAA/iter", r"AAAA\/iter"),
        FULL.replace("MiBhCg==", r"MiBhCg=\u003d"),
        FULL.replace("MiBhCg==", "MiBhCg"),
        FULL.replace("MiBhCg==", "MiBhCh=="),
        FULL.replace("MiBhCg==", "no base64!"),
        FULL.replace("\"MiBhCg==\"", "null"),
        FULL.replace("\"MiBhCg==\"", "7"),
        FULL.replace("1.767225600123E9", "1767225600"),
        FULL.replace("1.767225600123E9", "-1.5"),
        FULL.replace("1.767225600123E9", "1."),
        FULL.replace("1.767225600123E9", "1.5E"),
        FULL.replace("1.767225600123E9", "\"2026-01-01T00:00:00Z\""),
        FULL.replace("1.767225600123E9", "null"),
        FULL.replace("key é", "key\\u00e9"),
        FULL.replace("key é", "key\té"),
        FULL.replace("PartitionKey", "partitionKey"),
        FULL.replace("PartitionKey", "SequenceNumber"),
        FULL.replace("\"Records\"", "\"ChildShards\":[{\"ShardId\":\"shardId-1\",\"ParentShards\":[\"shardId-0\"],\"HashKeyRange\":{\"StartingHashKey\":\"0\",\"EndingHashKey\":\"9\"}}],\"Records\""),
        FULL.replace("\"Records\"", "\"Unknown\":{\"a\":[1,\"b\"]},\"Records\""),
        FULL.replace("\"Records\"", "\"Records\":[],\"Records\""),
        FULL.to_owned() + " ",
        FULL.to_owned() + "x",
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        r#"{"Records":null}"#.to_owned(),
        r#"{"Records":[null]}"#.to_owned(),
        r#"{"Records":[{"Data":"MiBhCg=="},]}"#.to_owned(),
    ];
    for body in others {
        assert!(read(body.as_bytes()).is_none(), "{body}");
        both(200, body.as_bytes());
    }
    let invalid: Vec<u8> =
        FULL.bytes().map(|byte| if byte >= 0x80 { 0xff } else { byte }).collect();
    assert!(read(&invalid).is_none());
    both(200, &invalid);
}

#[test]
fn errors_are_those_of_the_sdk() {
    for code in ["ExpiredIteratorException", "ProvisionedThroughputExceededException", "Unheard"] {
        let body = format!(r#"{{"__type":"{code}","message":"not now"}}"#);
        let text = both(400, body.as_bytes());
        assert!(text.contains(code) && text.contains("not now"), "{text}");
    }
    both(500, b"<html>");
    both(500, FULL.as_bytes());
}

#[test]
fn a_cut_anywhere_is_the_error_that_the_sdk_makes_of_it() {
    for cut in 0..FULL.len() {
        both(200, &FULL.as_bytes()[..cut]);
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => "[a-zA-Z0-9 é/+=-]{0,12}",
        1 => select(vec![r"\n", r"\u0041", r"\/", r#"\""#, "\t", r"\", r"\ud800"]).prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        15 => (0_u64..4_000_000_000, 0_u32..1_000).prop_map(|(s, ms)| format!("{s}.{ms:03}")),
        15 => (1_u64..2_000_000_000_000).prop_map(|ms| format!("1.{ms}E9")),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| format!("{number:?}")),
        1 => select(vec!["0", "00", "-0", "1e3", "1.", ".5", "1.5e", "1.5e+3", "1.5E400", "null", "true", "\"1\""])
            .prop_map(str::to_owned),
    ]
}

fn value(member: &'static str) -> BoxedStrategy<String> {
    let quoted = |text: String| format!("\"{text}\"");
    match member {
        "Data" => prop_oneof![
            30 => prop::collection::vec(any::<u8>(), 0..60).prop_map(|data| STANDARD.encode(data)),
            1 => "[A-Za-z0-9+/=]{0,9}",
        ]
        .prop_map(quoted)
        .boxed(),
        "ApproximateArrivalTimestamp" => number().boxed(),
        "MillisBehindLatest" => {
            prop_oneof![4 => (0_u32..100_000).prop_map(|ms| ms.to_string()), 1 => number()].boxed()
        }
        _ => prop_oneof![40 => text().prop_map(quoted), 1 => Just("null".to_owned())].boxed(),
    }
}

/// An object of some of these members in any order, now and then twice, now and then spaced.
fn object(members: Vec<(&'static str, BoxedStrategy<String>)>) -> impl Strategy<Value = String> {
    let member = |(name, value): (&'static str, BoxedStrategy<String>)| {
        value.prop_map(move |value| format!("\"{name}\":{value}")).boxed()
    };
    let members: Vec<_> = members.into_iter().map(member).collect();
    let some = prop::collection::vec(prop::strategy::Union::new(members.clone()), 0..3);
    let all = (members, some, 0_u8..8).prop_map(|(all, some, choice)| match choice {
        0 => some,
        1 => all.into_iter().chain(some).collect(),
        2 => all.into_iter().rev().collect(),
        _ => all,
    });
    (all, 0_u8..12).prop_map(|(members, choice)| match choice {
        0 => format!("{{ {} }}", members.join(" , ")),
        _ => format!("{{{}}}", members.join(",")),
    })
}

fn record() -> impl Strategy<Value = String> {
    let names =
        ["ApproximateArrivalTimestamp", "Data", "EncryptionType", "PartitionKey", "SequenceNumber"];
    object(names.map(|name| (name, value(name))).to_vec())
}

fn answer() -> impl Strategy<Value = String> {
    let records = prop::collection::vec(record(), 0..4)
        .prop_map(|records| format!("[{}]", records.join(",")));
    object(vec![
        ("MillisBehindLatest", value("MillisBehindLatest")),
        ("NextShardIterator", value("NextShardIterator")),
        ("Records", records.boxed()),
    ])
}

#[test]
fn the_answers_below_go_both_ways() {
    let mut runner = TestRunner::deterministic();
    let mut draw = || answer().new_tree(&mut runner).unwrap().current();
    let here = (0..400).filter(|_| read(draw().as_bytes()).is_some()).count();
    assert!((40..360).contains(&here), "{here} of 400 are read here");
}

proptest! {
    #[test]
    fn whatever_the_answer_the_sdk_says_the_same(body in answer()) {
        both(200, body.as_bytes());
    }

    #[test]
    fn one_byte_of_damage_changes_nothing_about_that(at in 0..FULL.len(), byte in any::<u8>()) {
        let mut body = FULL.as_bytes().to_vec();
        body[at] = byte;
        both(200, &body);
    }
}
