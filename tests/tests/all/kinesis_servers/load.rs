//! Whether our server carries the load that tests of whole programs put on it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use flowscout_tests::kinesis::{KinesisServer, Operation, Options};

use super::FIRST_SHARD;

/// A connection to a server.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn new(server: &KinesisServer) -> Self {
        let url = server.url();
        Self(BufReader::new(TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap()))
    }

    /// The body of the answer.
    fn call(&mut self, operation: &str, json: &str) -> Vec<u8> {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: kinesis\r\nX-Amz-Target: Kinesis_20131202.{operation}\r\nContent-Length: {}\r\n\r\n",
            json.len()
        );
        self.0.get_mut().write_all(format!("{head}{json}").as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            if let Some(count) = line.strip_prefix("content-length: ") {
                length = count.trim().parse().unwrap();
            }
            line.clear();
            self.0.read_line(&mut line).unwrap();
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        body
    }
}

/// The text behind the last `"field":"` of an answer that ends with it.
fn last_field<'a>(body: &'a [u8], field: &str) -> &'a str {
    let tail = std::str::from_utf8(&body[body.len().saturating_sub(600)..]).unwrap();
    let (_, value) = tail.rsplit_once(&format!("\"{field}\":\"")).unwrap();
    value.split_once('"').unwrap().0
}

#[test]
fn ours_takes_and_gives_a_hundred_megabytes() {
    const RECORD_BYTES: usize = 1000;
    const REQUESTS: usize = 200;
    let server = KinesisServer::start(Options::default());
    server.create_stream("stream", 1);
    let mut connection = Connection::new(&server);
    let data = base64_turbo::STANDARD.encode(vec![b'x'; RECORD_BYTES]);
    let record = format!(r#"{{"Data":"{data}","PartitionKey":"key"}}"#);
    let records = vec![record; 500].join(",");
    let put = format!(r#"{{"StreamName":"stream","Records":[{records}]}}"#);
    for _ in 0..REQUESTS {
        connection.call("PutRecords", &put);
    }
    let iterator = format!(
        r#"{{"StreamName":"stream","ShardId":"{FIRST_SHARD}","ShardIteratorType":"TRIM_HORIZON"}}"#
    );
    let mut iterator =
        last_field(&connection.call("GetShardIterator", &iterator), "ShardIterator").to_owned();
    // The last read only tells when the one before it was done.
    let reads = REQUESTS * 500 * RECORD_BYTES / 10_000_000 + 1;
    for _ in 0..reads {
        let body = connection.call("GetRecords", &format!(r#"{{"ShardIterator":"{iterator}"}}"#));
        last_field(&body, "NextShardIterator").clone_into(&mut iterator);
    }
    for operation in [Operation::PutRecords, Operation::GetRecords] {
        let calls = server.calls_of(operation);
        let bytes: usize = calls.iter().map(|call| call.bytes).sum();
        assert_eq!(bytes, REQUESTS * 500 * RECORD_BYTES);
    }
}

#[test]
fn a_shard_keeps_no_more_than_it_is_told_to() {
    let server = KinesisServer::start(Options { shard_bytes_max: 10_000, ..Options::default() });
    server.create_stream("stream", 1);
    let put: Vec<_> = (0..100).map(|_| server.put("stream", "key", &[b'x'; 1000]).1).collect();
    let mut connection = Connection::new(&server);
    let iterator = format!(
        r#"{{"StreamName":"stream","ShardId":"{FIRST_SHARD}","ShardIteratorType":"TRIM_HORIZON"}}"#
    );
    let iterator = connection.call("GetShardIterator", &iterator);
    let iterator = last_field(&iterator, "ShardIterator");
    let body = connection.call("GetRecords", &format!(r#"{{"ShardIterator":"{iterator}"}}"#));
    let body = String::from_utf8(body).unwrap();
    let kept: Vec<_> = put.iter().filter(|number| body.contains(*number)).collect();
    assert_eq!(kept, put[90..].iter().collect::<Vec<_>>());
}
