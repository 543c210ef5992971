use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn record(event: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.5",
        "eventSource": "aws:s3",
        "awsRegion": "us-west-2",
        "eventTime": "1970-01-01T00:00:00.000Z",
        "eventName": event,
        "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "testConfigRule",
            "bucket": {
                "name": "amzn-s3-demo-bucket",
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": "arn:aws:s3:::amzn-s3-demo-bucket"
            },
            "object": {
                "key": key,
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                "sequencer": "0055AED6DCD90281E5"
            }
        }
    })
}

fn direct(events: &[(&str, &str)]) -> Value {
    let records: Vec<Value> = events.iter().map(|(event, key)| record(event, key)).collect();
    json!({ "Records": records })
}

fn bridged(kind: &str) -> Value {
    json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": kind,
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2021-11-12T00:00:00Z",
        "region": "ca-central-1",
        "resources": ["arn:aws:s3:::amzn-s3-demo-bucket1"],
        "detail": {
            "version": "0",
            "bucket": {"name": "amzn-s3-demo-bucket1"},
            "object": {
                "key": "a+b%20c",
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "617f08299329d189"
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "1.2.3.4",
            "reason": "PutObject"
        }
    })
}

fn by_sns(event: &Value) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
        "Subject": "Amazon S3 Notification",
        "Message": event.to_string(),
        "Timestamp": "2012-05-02T00:54:06.655Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEw6JRN",
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/x.pem",
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe"
    })
}

fn parsed(body: &Value) -> Result<Notice, NotUnderstood> {
    parse(&body.to_string())
}

#[test]
fn an_event_of_s3_names_its_objects_directly_and_through_sns() {
    let event = direct(&[
        ("ObjectCreated:Put", "AWSLogs/year%3D2026/a+b.log.gz"),
        ("ObjectCreated:CompleteMultipartUpload", "second"),
        ("s3:ObjectCreated:Copy", "third"),
    ]);
    for body in [event.clone(), by_sns(&event)] {
        let notice = parsed(&body).unwrap();
        let keys: Vec<&str> = notice.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["AWSLogs/year=2026/a b.log.gz", "second", "third"]);
        let first = &notice.objects[0];
        assert_eq!((first.bucket.as_str(), notice.ignored), ("amzn-s3-demo-bucket", 0));
        assert_eq!(first.region.as_deref(), Some("us-west-2"));
    }
}

#[test]
fn an_event_of_eventbridge_names_its_object_as_it_is() {
    let event = bridged("Object Created");
    for body in [event.clone(), by_sns(&event)] {
        let notice = parsed(&body).unwrap();
        let [object] = &notice.objects[..] else { panic!("{notice:?}") };
        assert_eq!(
            (object.key.as_str(), object.bucket.as_str()),
            ("a+b%20c", "amzn-s3-demo-bucket1")
        );
        assert_eq!(object.region.as_deref(), Some("ca-central-1"));
    }
}

#[test]
fn other_events_are_ignored() {
    let test = json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2014-10-13T15:57:02.089Z",
        "Bucket": "amzn-s3-demo-bucket",
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE"
    });
    let mut ec2 = bridged("EC2 Instance State-change Notification");
    ec2["source"] = "aws.ec2".into();
    let bodies = [
        by_sns(&test),
        test,
        direct(&[("ObjectRemoved:Delete", "key")]),
        direct(&[("ObjectRestore:Completed", "key")]),
        bridged("Object Deleted"),
        ec2,
        json!({"Type": "UnsubscribeConfirmation", "Message": "You have chosen to deactivate"}),
    ];
    for body in bodies {
        assert_eq!(parsed(&body), Ok(Notice { ignored: 1, ..Notice::default() }), "{body}");
    }
    let mixed = direct(&[("ObjectRemoved:Delete", "gone"), ("ObjectCreated:Put", "there")]);
    let notice = parsed(&mixed).unwrap();
    assert_eq!((notice.objects.len(), notice.ignored), (1, 1));
}

#[test]
fn an_object_without_content_is_not_read() {
    let mut folder = direct(&[("ObjectCreated:Put", "folder/")]);
    folder["Records"][0]["s3"]["object"]["size"] = 0.into();
    assert_eq!(parsed(&folder), Ok(Notice { ignored: 1, ..Notice::default() }));
}

#[test]
fn what_is_no_event_is_not_understood() {
    assert_eq!(parse(""), Err(NotUnderstood::NoJson));
    assert_eq!(parse("2 123456789010 eni-1 …"), Err(NotUnderstood::NoJson));
    assert_eq!(parse("[]"), Err(NotUnderstood::NoJson));
    assert_eq!(parse("{}"), Err(NotUnderstood::UnknownShape));
    assert_eq!(parsed(&json!({"Records": 5})), Err(NotUnderstood::NoJson));
    assert_eq!(parsed(&by_sns(&json!("hello"))), Err(NotUnderstood::NoJson));
    let twice = by_sns(&by_sns(&direct(&[("ObjectCreated:Put", "key")])));
    assert_eq!(parsed(&twice), Err(NotUnderstood::UnknownShape));
    let confirmation = json!({"Type": "SubscriptionConfirmation", "Message": "You have chosen"});
    assert_eq!(parsed(&confirmation), Err(NotUnderstood::Confirmation));
    let many = direct(&vec![("ObjectCreated:Put", "key"); RECORDS_MAX + 1]);
    assert_eq!(parsed(&many), Err(NotUnderstood::TooMany));
    let mut bridged = bridged("Object Created");
    bridged["detail"]["bucket"]["name"] = "a/b".into();
    assert_eq!(parsed(&bridged), Err(NotUnderstood::NoName));
}

#[test]
fn an_odd_record_takes_no_other_with_it() {
    let changes: [fn(&mut Value); 7] = [
        |record| *record = 5.into(),
        |record| record["s3"] = Value::Null,
        |record| record["s3"]["bucket"]["name"] = "a/b".into(),
        |record| record["s3"]["bucket"]["name"] = "Legacy_Bucket".into(),
        |record| record["s3"]["object"]["key"] = "".into(),
        |record| record["s3"]["object"]["key"] = "%zz".into(),
        |record| record["s3"]["object"]["key"] = "x".repeat(1025).into(),
    ];
    for change in changes {
        let mut event = direct(&[("ObjectCreated:Put", "a"), ("ObjectCreated:Put", "b")]);
        change(&mut event["Records"][1]);
        let text = event["Records"][1].to_string();
        let notice = parsed(&event).unwrap();
        assert_eq!(notice.objects.len(), 1, "{event}");
        assert_eq!(notice.odd, [Odd { number: 1, text }]);
    }
}

#[test]
fn a_region_that_is_none_is_not_believed() {
    let mut event = direct(&[("ObjectCreated:Put", "key")]);
    event["Records"][0]["awsRegion"] = "evil.example.com/".into();
    assert_eq!(parsed(&event).unwrap().objects[0].region, None);
}

/// A message whose bytes are cut off or changed.
fn damaged() -> impl Strategy<Value = String> {
    let event = direct(&[("ObjectCreated:Put", "a%2Fb+c")]);
    let bodies =
        [event.to_string(), by_sns(&event).to_string(), bridged("Object Created").to_string()];
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (prop::sample::select(bodies.to_vec()), damage, any::<prop::sample::Index>()).prop_map(
        |(body, damage, end)| {
            let mut bytes = body.into_bytes();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if end.index(3) == 0 {
                bytes.truncate(end.index(bytes.len()));
            }
            String::from_utf8_lossy(&bytes).into_owned()
        },
    )
}

proptest! {
    #[test]
    fn no_text_panics(body in any::<String>()) {
        drop(parse(&body));
    }

    #[test]
    fn no_damaged_message_panics_or_names_what_s3_cannot_have(body in damaged()) {
        if let Ok(notice) = parse(&body) {
            for object in notice.objects {
                prop_assert!((1..=1024).contains(&object.key.len()));
                prop_assert!(!object.bucket.contains(['/', '@', ':', '?', '#', '%']));
            }
        }
    }
}

#[test]
fn deeply_nested_json_is_refused_without_a_stack_overflow() {
    let deep = format!("{{\"Records\":{}", "[".repeat(1 << 20));
    assert_eq!(parse(&deep), Err(NotUnderstood::NoJson));
    let deep = format!("{{\"detail\":{}", "[".repeat(1 << 20));
    assert_eq!(parse(&deep), Err(NotUnderstood::NoJson));
}
