//! What S3 may answer, and what is said about it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;

use super::super::cause::{Cause, PutError};
use super::super::store::Patience;
use super::{Bucket, Store, bucket, prefix};
use crate::s3::Refusal;

const DENIED: &str = "403 Forbidden\r\n\r\n<Error><Code>AccessDenied</Code><Message>User: \
    arn:aws:iam::123456789012:user/u is not authorized to perform: s3:PutObject</Message></Error>";
const UNKNOWN_KEY: &str = "403 Forbidden\r\n\r\n<Error><Code>InvalidAccessKeyId</Code><Message>The AWS \
    Access Key Id you provided does not exist in our records.</Message>\
    <AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId></Error>";
const EXPIRED: &str = "400 Bad Request\r\n\r\n<Error><Code>ExpiredToken</Code><Message>The provided token \
    has expired.</Message><Token-0>the-token</Token-0></Error>";
const NO_BUCKET: &str = "404 Not Found\r\n\r\n<Error><Code>NoSuchBucket</Code><Message>The specified \
    bucket does not exist</Message><BucketName>letters</BucketName></Error>";
const ELSEWHERE: &str =
    "301 Moved Permanently\r\n\r\n<Error><Code>PermanentRedirect</Code></Error>";
const BUSY: &str = "503 Slow Down\r\n\r\n<Error><Code>SlowDown</Code><Message>Please reduce your \
    request rate.</Message></Error>";
const PROXY: &str = "403 Forbidden\r\n\r\n<html>who are you, wJalrXUtnFEMI?</html>";
const STORED: &str = "200 OK\r\nETag: \"1\"\r\n\r\n";
/// It never comes.
const NOTHING: &str = "";

const SECRET: &str = "wJalrXUtnFEMI";

/// A server that gives these answers, then the last one again and again. Its address.
fn server(answers: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut silent = Vec::new();
        let last = std::iter::repeat(answers.last().unwrap());
        for (connection, answer) in listener.incoming().zip(answers.iter().chain(last)) {
            let connection = connection.unwrap();
            if answer.is_empty() {
                silent.push(connection);
            } else {
                reply(connection, answer);
            }
        }
    });
    format!("http://{address}")
}

fn reply(connection: TcpStream, answer: &str) {
    let mut request = BufReader::new(&connection);
    let (mut header, mut length) = (String::new(), 0);
    while request.read_line(&mut header).unwrap_or(0) > 2 {
        let name_and_value = header.to_ascii_lowercase();
        if let Some(value) = name_and_value.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        header.clear();
    }
    // A client that speaks TLS sends what is no request, and gets an answer that is none.
    request.take(length).read_to_end(&mut Vec::new()).unwrap_or(0);
    let answer = answer.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    (&connection).write_all(format!("HTTP/1.1 {answer}").as_bytes()).ok();
}

fn builder(endpoint: &str) -> AmazonS3Builder {
    let builder = AmazonS3Builder::new().with_allow_http(true).with_endpoint(endpoint);
    builder.with_access_key_id("AKIAIOSFODNN7EXAMPLE").with_secret_access_key(SECRET)
}

fn impatient_bucket(builder: AmazonS3Builder) -> Bucket {
    let [retries_max, put_max, probe_max] = [200, 2000, 1000].map(Duration::from_millis);
    let patience = Patience { retries_max, put_max, probe_max };
    bucket(Store::new(builder, &prefix(), patience).unwrap(), Duration::MAX)
}

/// Two objects of one letter each.
fn put_two(builder: AmazonS3Builder) -> (u64, Option<PutError>) {
    let mut bucket = impatient_bucket(builder);
    bucket.add(b"one\n");
    bucket.flush();
    bucket.add(b"two\n");
    bucket.finish()
}

/// What is said when neither can be put.
fn failure(builder: AmazonS3Builder) -> (Cause, String) {
    let (lost, failure) = put_two(builder);
    let failure = failure.unwrap();
    assert_eq!((lost, failure.letters), (2, 2));
    let said = failure.to_string();
    for secret in [SECRET, "AKIAIOSFODNN7EXAMPLE", "the-token", "Signature", "http://"] {
        assert!(!said.contains(secret), "{said}");
    }
    (failure.cause, said)
}

#[test]
fn a_missing_permission_is_named_with_the_objects_it_is_missing_for() {
    let (cause, said) = failure(builder(&server(&[DENIED])));
    assert!(matches!(cause, Cause::Refused(Refusal::Denied(_))), "{cause:?}");
    assert_eq!(
        said,
        "s3://letters/of/a/test/: 2 dead letters could not be put there: access denied (AccessDenied: \
         User: arn:aws:iam::123456789012:user/u is not authorized to perform: s3:PutObject); the role or \
         user needs s3:PutObject on arn:aws:s3:::letters/of/a/test/*"
    );
    // From a proxy rather than from S3: its page is not repeated.
    let (cause, said) = failure(builder(&server(&[PROXY])));
    assert_eq!(cause, Cause::Refused(Refusal::Denied("403 Forbidden".to_owned())));
    assert!(said.contains("s3:PutObject"), "{said}");
}

#[test]
fn credentials_that_are_wrong_old_or_absent_are_no_missing_permission() {
    for (answer, code) in [(UNKNOWN_KEY, "InvalidAccessKeyId"), (EXPIRED, "ExpiredToken")] {
        let answer: &'static [&'static str] = Box::leak(Box::new([answer]));
        let (cause, said) = failure(builder(&server(answer)));
        assert!(matches!(cause, Cause::Refused(Refusal::Unauthenticated(_))), "{cause:?}");
        assert!(said.contains(code) && !said.contains("s3:PutObject"), "{said}");
    }
    let nobody = AmazonS3Builder::new().with_metadata_endpoint("http://127.0.0.1:9");
    let (cause, said) = failure(nobody.with_allow_http(true).with_endpoint(server(&[STORED])));
    assert!(matches!(cause, Cause::Refused(Refusal::NoCredentials(_))), "{cause:?}");
    assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}

#[test]
fn a_bucket_that_is_not_there_or_elsewhere_is_told() {
    let (cause, said) = failure(builder(&server(&[NO_BUCKET])));
    let told = "NoSuchBucket: The specified bucket does not exist";
    assert_eq!(cause, Cause::Refused(Refusal::NotFound(told.to_owned())));
    assert!(said.ends_with("; is there a bucket letters, and in AWS_REGION?"), "{said}");
    let (_cause, said) = failure(builder(&server(&[ELSEWHERE])));
    assert!(said.contains("region"), "{said}");
}

#[test]
fn a_server_that_is_down_or_speaks_no_tls_cannot_be_reached() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (cause, _said) = failure(builder(&format!("http://{closed}")));
    let Cause::Refused(Refusal::Unreachable(told)) = cause else { panic!("{cause:?}") };
    assert!(told.contains("refused"), "{told}");
    let plain = server(&[STORED]).replace("http://", "https://");
    let (cause, _said) = failure(builder(&plain));
    assert!(matches!(cause, Cause::Refused(Refusal::Unreachable(_))), "{cause:?}");
}

#[test]
fn a_server_that_never_answers_is_not_waited_for_for_ever() {
    let (cause, said) = failure(builder(&server(&[NOTHING])));
    assert_eq!(cause, Cause::Slow { limit: Duration::from_secs(2) });
    assert!(said.contains("not done in 2 s"), "{said}");
}

#[test]
fn a_busy_server_is_tried_again_and_in_the_end_told() {
    assert_eq!(put_two(builder(&server(&[BUSY, STORED]))), (0, None));
    let (cause, _said) = failure(builder(&server(&[BUSY])));
    assert_eq!(
        cause,
        Cause::Refused(Refusal::Busy("SlowDown: Please reduce your request rate.".to_owned()))
    );
}

#[test]
fn after_a_failure_the_next_object_is_tried_and_the_failure_is_told_all_the_same() {
    let (lost, failure) = put_two(builder(&server(&[DENIED, STORED])));
    assert_eq!((lost, failure.map(|failure| failure.letters)), (1, Some(1)));
}

#[test]
fn an_environment_with_half_a_key_is_a_mistake_and_the_half_is_not_told() {
    let half = AmazonS3Builder::new().with_access_key_id("AKIAIOSFODNN7EXAMPLE");
    let [retries_max, put_max, probe_max] = [Duration::ZERO; 3];
    let error = Store::new(half, &prefix(), Patience { retries_max, put_max, probe_max });
    let said = error.unwrap_err().to_string();
    assert!(said.contains("Missing SecretAccessKey") && !said.contains("AKIA"), "{said}");
}
