//! One request over HTTP to a server that looks at no signature, but tells by it which service is meant.

use std::io::{Read, Write};
use std::net::TcpStream;

/// Sends one request, which must succeed; the body of its answer.
pub(super) fn request(
    server: &str,
    method: &str,
    path: &str,
    service: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> String {
    let host = server.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(host).unwrap();
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.0\r\n\
         Host: {host}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=none\r\n\
         {headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(body).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let is_success = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
    assert!(is_success, "{method} {path}: {answer}");
    body.to_owned()
}

/// As URLs, forms and the events of S3 have it.
pub(super) fn encoded(text: &str) -> String {
    let letter = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

/// The texts of all elements of this name.
pub(super) fn elements(xml: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let text = |rest: &str| rest.split_once(&end).unwrap().0.to_owned();
    xml.split(&start).skip(1).map(text).collect()
}
