//! S3 on this machine: [moto](https://docs.getmoto.org) in a process of its own, with the users and policies of IAM.
//!
//! `.ci/test` installs it and says where in `FLOWSCOUT_TEST_S3_SERVER`; otherwise `moto_server` is sought on the `PATH`.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::{Program, skipped};

/// A server that ends with the test.
#[derive(Debug)]
pub struct S3 {
    process: Child,
    address: SocketAddr,
}

/// An access key of IAM.
#[derive(Clone, Debug)]
pub struct AccessKey {
    id: String,
    secret: String,
}

/// An object and what is in it.
#[derive(Debug)]
pub struct Object {
    /// With its prefix.
    pub key: String,
    /// What was put.
    pub content: Vec<u8>,
}

/// As many requests as are made before keys and policies are looked at.
const FOR_EVER: &str = "inf";
const FROM_NOW: &str = "0";

impl S3 {
    /// Starts one on a free port; `None`, which is said, where it is not installed, unless this is CI.
    #[must_use]
    pub fn start() -> Option<Self> {
        let program = std::env::var_os("FLOWSCOUT_TEST_S3_SERVER");
        let program = program.unwrap_or_else(|| OsString::from("moto_server"));
        let mut command = Command::new(&program);
        command.args(["-H", "127.0.0.1", "-p", "0"]).env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let is_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
                assert!(!is_ci, "{}: not found: .ci/test installs it", program.display());
                skipped("moto_server, a server of S3, is not installed");
                return None;
            }
            Err(error) => panic!("{}: {error}", program.display()),
        };
        let address = address(&mut process);
        Some(Self { process, address })
    }

    /// `http://` with address and port.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) {
        self.request("PUT", &format!("/{name}"), "s3", b"");
    }

    /// Puts an object, as anyone.
    pub fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        self.request("PUT", &format!("/{bucket}/{key}"), "s3", content);
    }

    /// From now on every request needs a key that exists, a right signature, and a permission. This key may do `action` on
    /// `resource`, and nothing else.
    #[must_use]
    pub fn only_allowing(&self, action: &str, resource: &str) -> AccessKey {
        self.only_allowing_all(&[action], resource)
    }

    /// As [`S3::only_allowing`], for several actions.
    #[must_use]
    pub fn only_allowing_all(&self, actions: &[&str], resource: &str) -> AccessKey {
        let iam = |form: &str| {
            let form = format!("{form}&UserName=flowscout&Version=2010-05-08");
            String::from_utf8(self.request("POST", "/", "iam", form.as_bytes())).unwrap()
        };
        iam("Action=CreateUser");
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":{actions:?},"Resource":"{resource}"}}}}"#
        );
        iam(&format!("Action=PutUserPolicy&PolicyName=one&PolicyDocument={policy}"));
        let key = iam("Action=CreateAccessKey");
        let [id, secret] =
            ["AccessKeyId", "SecretAccessKey"].map(|name| elements(&key, name).remove(0));
        self.look_at_keys(FROM_NOW);
        AccessKey { id, secret }
    }

    /// From now on no key is looked at.
    pub fn allow_everything(&self) {
        self.look_at_keys(FOR_EVER);
    }

    /// Whatever anyone put below `prefix`, in the order of the keys.
    #[must_use]
    pub fn objects(&self, bucket: &str, prefix: &str) -> Vec<Object> {
        self.look_at_keys(FOR_EVER);
        let list =
            self.request("GET", &format!("/{bucket}?list-type=2&prefix={prefix}"), "s3", b"");
        let list = String::from_utf8(list).unwrap();
        assert!(list.contains("<IsTruncated>false"), "{list}");
        let object = |key: String| {
            let content = self.request("GET", &format!("/{bucket}/{key}"), "s3", b"");
            Object { key, content }
        };
        elements(&list, "Key").into_iter().map(object).collect()
    }

    /// `program` with this server as its S3.
    #[must_use]
    pub fn serve(&self, program: Program, key: &AccessKey) -> Program {
        let program = program.env("AWS_ENDPOINT_URL_S3", &format!("http://{}", self.address));
        let program = program.env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
        program.env("AWS_ACCESS_KEY_ID", &key.id).env("AWS_SECRET_ACCESS_KEY", &key.secret)
    }

    /// Ends it, so that nobody answers at its address.
    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn look_at_keys(&self, after_requests: &str) {
        self.request("POST", "/moto-api/reset-auth", "moto-api", after_requests.as_bytes());
    }

    fn request(&self, method: &str, path: &str, service: &str, body: &[u8]) -> Vec<u8> {
        request(self.address, (method, path), service, body)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // It may have been stopped.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl AccessKey {
    /// A key that no server knows; as good as any while none is looked at.
    #[must_use]
    pub fn unknown() -> Self {
        Self { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: "not-a-secret".to_owned() }
    }

    /// What may stand in no message.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

/// Sends one request, which must succeed; the body of its answer.
pub(crate) fn request(
    address: SocketAddr,
    (method, path): (&str, &str),
    service: &str,
    body: &[u8],
) -> Vec<u8> {
    let mut connection = TcpStream::connect(address).unwrap();
    // Which service is meant is told by whom the request is signed for.
    let kind = match service {
        "iam" => "application/x-www-form-urlencoded",
        // A body that calls itself a form is taken apart, and the object is empty.
        "s3" => "binary/octet-stream",
        _ => "text/plain",
    };
    let head = format!(
        "{method} {path} HTTP/1.0\r\n\
         Host: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=nobody/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=none\r\n\
         Content-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        address,
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(body).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let body = answer.split_off(end + 4);
    let is_success = head.split(' ').nth(1) == Some("200");
    assert!(is_success, "{method} {path}: {head}\n{}", String::from_utf8_lossy(&body));
    body
}

/// Waits for the line that tells the address; reads on, so that the server never waits for a reader.
fn address(process: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut told = String::new();
    for line in lines.by_ref().map(Result::unwrap) {
        if let Some((_, address)) = line.split_once("Running on http://") {
            let address = address.trim().parse().unwrap();
            thread::spawn(move || lines.for_each(drop));
            return address;
        }
        told += &line;
    }
    panic!("the server of S3 ended: {told}");
}

/// The texts of all elements of this name.
fn elements(xml: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let text = |rest: &str| rest.split_once(&end).unwrap().0.to_owned();
    xml.split(&start).skip(1).map(text).collect()
}
