//! What a server of S3 may answer: which requests follow, and what is said.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::{error, future};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::s3::{Address, Prefix, Refusal};
use crate::source::object::{Object, Period, find, open};
use crate::source::parquet::Columns;

const SECRET: &str = "wJalrXUtnFEMI";
const DENIED: &str =
    "403 Forbidden\r\n\r\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
const NO_BUCKET: &str = "404 Not Found\r\n\r\n<Error><Code>NoSuchBucket</Code><Message>no such bucket</Message></Error>";
const BUSY: &str = "503 Slow Down\r\n\r\n<Error><Code>SlowDown</Code></Error>";
const ELSEWHERE: &str = "301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\n\r\n<Error/>";
const WRONG_REGION: &str = "400 Bad Request\r\n\r\n<Error><Code>AuthorizationHeaderMalformed</Code>\
    <Message>the region is wrong</Message><Region>eu-west-1</Region></Error>";
const GIVEN: &str = "206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes 0-3/4\r\n\
    Last-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\nContent-Length: 4\r\n\r\nabc\n";
const LISTED: &str = "200 OK\r\n\r\n<ListBucketResult><Contents><Key>p/a.log</Key><Size>4</Size>\
    <LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>\"1\"</ETag></Contents></ListBucketResult>";

/// A server of S3 that answers a request, head and all, as it is told.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str) -> &'static str + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.unwrap();
                let request = head(&connection);
                let answer = answer(&request);
                seen.lock().unwrap().push(request);
                let answer = answer.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
                (&connection).write_all(format!("HTTP/1.1 {answer}").as_bytes()).ok();
            }
        });
        Self { url, requests }
    }

    fn buckets(&self) -> Buckets {
        let credentials = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            SECRET,
            Some("the-token".into()),
            None,
            "test",
        );
        Buckets::new(&sdk(SharedCredentialsProvider::new(credentials)), &self.url)
    }

    fn count(&self, what: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|request| request.contains(what)).count()
    }
}

fn head(connection: &TcpStream) -> String {
    let mut request = BufReader::new(connection);
    let mut head = String::new();
    while request.read_line(&mut head).unwrap_or(0) > 2 {}
    head
}

fn sdk(provider: SharedCredentialsProvider) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(provider)
        .build()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn prefix(text: &str) -> Prefix {
    let Ok(Address::Bucket(prefix)) = Address::parse(text) else { panic!("{text}") };
    prefix
}

fn read(buckets: &Buckets) -> Result<usize, String> {
    let runtime = runtime();
    let bucket = buckets.bucket("flows", None).unwrap();
    let object = Object { bucket: "flows".into(), key: "p/a.log".into() };
    let opened = open(runtime.handle(), &bucket, &object, Columns::Used);
    opened.map(Iterator::count).map_err(|error| error.to_string())
}

fn list(buckets: &Buckets, url: &str) -> Result<Vec<String>, String> {
    let urls = [(prefix(url), url.ends_with('/'))];
    let found = runtime().block_on(find(buckets, &urls, &Period::ALWAYS));
    let found = found.map(|found| found.iter().map(|one| one.object.to_string()).collect());
    found.map_err(|error| error.to_string())
}

fn assert_says_nothing_secret(said: &str) {
    for secret in [SECRET, "AKIAIOSFODNN7EXAMPLE", "the-token", "Signature", "http://"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn requests_are_signed_with_the_credentials_of_the_sdk() {
    let server = Server::start(|_| GIVEN);
    assert_eq!(read(&server.buckets()), Ok(1));
    let signed = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/";
    assert_eq!((server.count(signed), server.count("the-token")), (1, 1));
    assert_eq!(server.count("GET /flows/p/a.log HTTP"), 1);
    assert_eq!(server.count("range: bytes=0-8388607"), 1);
}

#[test]
fn a_permission_that_is_missing_is_named() {
    let server = Server::start(|_| DENIED);
    let said = read(&server.buckets()).unwrap_err();
    assert_eq!(
        said,
        "s3://flows/p/a.log: access denied (AccessDenied: Access Denied); the role or user needs s3:GetObject on \
         arn:aws:s3:::flows/p/a.log; without s3:ListBucket on arn:aws:s3:::flows an object that is not there is \
         denied as well"
    );
    for (url, objects) in [("s3://flows/p", "p/*"), ("s3://flows/p/", "p/*"), ("s3://flows", "*")] {
        let said = list(&server.buckets(), url).unwrap_err();
        let expected = format!(
            "cannot list: access denied (AccessDenied: Access Denied); the role or user needs s3:ListBucket on \
             arn:aws:s3:::flows, and s3:GetObject on arn:aws:s3:::flows/{objects}"
        );
        assert!(said.ends_with(&expected), "{said}");
        assert_says_nothing_secret(&said);
    }
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let server = Server::start(|request| match request.starts_with("HEAD") {
        true => "404 Not Found\r\n\r\n",
        false => NO_BUCKET,
    });
    let said = list(&server.buckets(), "s3://flows/p").unwrap_err();
    let expected = "s3://flows/p/: cannot list: not found (NoSuchBucket: no such bucket); is there a bucket flows?";
    assert_eq!(said, expected);
}

#[test]
fn a_busy_server_and_a_broken_connection_are_tried_again() {
    let tries = AtomicUsize::new(0);
    let server = Server::start(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => BUSY,
        1 => {
            "206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes 0-3/4\r\n\
            Last-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\nContent-Length: 4\r\n\r\nab"
        }
        2 => "",
        _ => {
            "206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes 2-3/4\r\n\
            Last-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\nContent-Length: 2\r\n\r\nc\n"
        }
    });
    assert_eq!(read(&server.buckets()), Ok(1));
    assert_eq!(server.requests.lock().unwrap().len(), 4);
    assert!(server.count("range: bytes=2-3") >= 1, "what had come is not asked for again");
}

#[test]
fn a_bucket_in_another_region_is_asked_there() {
    // The region is a part of what is signed.
    for answer in [WRONG_REGION, ELSEWHERE] {
        let server = Server::start(move |request| {
            match (request.contains("/eu-west-1/s3/"), request.starts_with("HEAD /flows/p ")) {
                (false, true) => answer.split_once("<Error>").map_or(answer, |(head, _)| head),
                (false, false) if request.starts_with("HEAD") => ELSEWHERE,
                (false, false) => answer,
                (true, true) => "404 Not Found\r\n\r\n",
                (true, false) => LISTED,
            }
        });
        let buckets = server.buckets();
        for url in ["s3://flows/p", "s3://flows/p/", "s3://flows"] {
            assert_eq!(list(&buckets, url), Ok(vec!["s3://flows/p/a.log".to_owned()]));
        }
        assert!(server.count("/us-east-1/s3/") <= 2, "it is asked there at once from then on");
        let said = list(&server.buckets(), "s3://other/p/");
        assert_eq!(said, Ok(vec!["s3://other/p/a.log".to_owned()]));
    }
}

#[test]
fn a_server_that_redirects_in_circles_is_told() {
    let server = Server::start(|_| ELSEWHERE);
    let said = list(&server.buckets(), "s3://flows/p/").unwrap_err();
    assert!(said.contains("region"), "{said}");
    assert!(server.requests.lock().unwrap().len() <= 3);
}

#[test]
fn names_that_no_bucket_or_region_has_reach_no_server() {
    let server = Server::start(|_| GIVEN);
    let buckets = server.buckets();
    for name in ["", "ab", "a/../b", "flows?x", "Flows", "10.0.0.1"] {
        let refused = buckets.bucket(name, None).unwrap_err();
        assert_eq!(refused, BucketError::Name(AddressError::Bucket));
    }
    for region in ["", "us-east-1.evil.example/", "a@b"] {
        assert!(matches!(buckets.bucket("flows", Some(region)), Err(BucketError::Environment(_))));
    }
    assert!(buckets.bucket("flows", Some("eu-west-1")).is_ok());
    assert!(!format!("{buckets:?}").contains(SECRET));
}

#[test]
fn clients_are_kept_and_bounded() {
    let buckets = Server::start(|_| GIVEN).buckets();
    let first = buckets.client("bucket-0", None).unwrap();
    assert!(Arc::ptr_eq(&first, &buckets.client("bucket-0", None).unwrap()));
    for number in 0..KNOWN_MAX {
        drop(buckets.client(&format!("bucket-1-{number}"), None).unwrap());
    }
    assert_eq!(buckets.known.lock().unwrap().len(), KNOWN_MAX);
    assert!(!Arc::ptr_eq(&first, &buckets.client("bucket-0", None).unwrap()));
}

#[test]
fn endpoints_are_those_of_the_region_and_its_partition() {
    let buckets = |url: &str| {
        let nobody = Credentials::new("a", "b", None, None, "test");
        Buckets::new(&sdk(SharedCredentialsProvider::new(nobody)), url)
    };
    let of_region = buckets("");
    assert_eq!(of_region.endpoint_url("eu-west-1"), "https://s3.eu-west-1.amazonaws.com");
    assert_eq!(of_region.endpoint_url("cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
    assert_eq!(buckets("http://127.0.0.1:1").endpoint_url("eu-west-1"), "http://127.0.0.1:1");
}

/// Credentials that expire in so many seconds, each other ones, until there are none.
#[derive(Debug)]
struct Vending {
    expiry: Duration,
    vended: AtomicUsize,
    left: usize,
}

impl ProvideCredentials for Vending {
    #[expect(clippy::disallowed_methods, reason = "credentials expire by the clock")]
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.vended.fetch_add(1, Ordering::Relaxed);
        let expiry = SystemTime::now() + self.expiry;
        let key = format!("key-{number}");
        future::ProvideCredentials::ready(if number < self.left {
            Ok(Credentials::new(key, SECRET, None, Some(expiry), "test"))
        } else {
            Err(error::CredentialsError::not_loaded("no more"))
        })
    }
}

#[test]
fn credentials_are_kept_until_they_are_about_to_expire() {
    let get = |expiry_s, left, times: usize| -> Vec<Result<String, String>> {
        let (expiry, vended) = (Duration::from_secs(expiry_s), AtomicUsize::new(0));
        let provider = SharedCredentialsProvider::new(Vending { expiry, vended, left });
        let credentials = SdkCredentials { provider, latest: tokio::sync::Mutex::new(None) };
        let get = || runtime().block_on(credentials.get());
        let keys = (0..times).map(|_| get());
        keys.map(|got| {
            got.map(|got| got.key_id.clone()).map_err(|error| Refusal::of(&error).to_string())
        })
        .collect()
    };
    let key = |number: usize| Ok(format!("key-{number}"));
    assert_eq!(get(3600, 9, 3), [key(0), key(0), key(0)]);
    assert_eq!(get(60, 9, 3), [key(0), key(1), key(2)]);
    // They serve as long as they are good.
    assert_eq!(get(60, 1, 3), [key(0), key(0), key(0)]);
    assert_eq!(get(60, 0, 1), [Err("no credentials: no more".to_owned())]);
}

#[test]
fn a_head_of_a_bucket_that_cannot_be_asked_is_no_region() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server { url: format!("http://{nobody}"), requests: Arc::default() };
    let buckets = server.buckets();
    assert_eq!(runtime().block_on(buckets.ask_region("flows")), None);
    let found = runtime().block_on(async {
        let bucket = buckets.bucket("flows", None).unwrap();
        drop(bucket);
        buckets
            .follow(
                "flows",
                &object_store::Error::NotImplemented {
                    operation: "x".into(),
                    implementer: "y".into(),
                },
            )
            .await
    });
    assert!(!found);
}
