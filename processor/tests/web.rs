//! The dashboard over real HTTP, and the demo's options around it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use flowscout::flow::Address;
use flowscout::signal::{Entity, Evidence, Kind, Party, Severity, Signal, Status};
use flowscout::web::{Meter, Progress, Server};
use serde_json::Value;

const START_S: u64 = 1_767_225_600;

struct Answer {
    code: u16,
    head: String,
    body: String,
}

fn start() -> Server {
    Server::start("127.0.0.1:0".parse().unwrap()).unwrap()
}

fn ask(address: SocketAddr, method: &str, path: &str, host: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { code, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn get(server: &Server, path: &str) -> Answer {
    ask(server.address(), "GET", path, &server.address().to_string())
}

fn data_gap(interface: &str) -> Signal {
    Signal {
        id: "data_gap-1".to_owned(),
        kind: Kind::DataGap,
        status: Status::Open,
        severity: Severity::Informational,
        entity: Entity {
            src: Party::Interface(interface.into()),
            dst: Some(Address::v4(0x0a00_0001)),
            port: None,
            protocol: None,
        },
        window_s: 600,
        estimate: 1,
        estimate_error: 0,
        threshold: 1,
        first_seen_s: START_S,
        last_seen_s: START_S + 60,
        evidence: Evidence::default(),
    }
}

#[test]
fn the_status_is_json_with_what_was_published() {
    let server = start();
    let mut publisher = server.publisher("a test", Meter { first_s: START_S, span_s: 600 });
    let before: Value = serde_json::from_str(&get(&server, "/api/v1/status").body).unwrap();
    assert_eq!((&before["state"], &before["records"]), (&"starting".into(), &0.into()));

    publisher.signal(&data_gap("eni-<script>alert(\"1\")</script>\n"));
    let progress = || Progress { records: 5, event_s: START_S + 60, ..Progress::default() };
    publisher.batch(10, (5, START_S + 60), progress);
    publisher.finish(20, progress(), Some(serde_json::json!({ "recall": 1.0 })));
    let answer = get(&server, "/api/v1/status");
    assert_eq!(answer.code, 200);
    assert!(answer.head.contains("\r\ncontent-type: application/json\r\n"), "{}", answer.head);
    assert!(answer.head.contains("\r\ncache-control: no-store\r\n"), "{}", answer.head);
    assert!(answer.body.contains(r#""src":"eni-<script>alert(\"1\")</script>\n""#));
    let status: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(status["state"], "done");
    assert_eq!(status["event_time"], "2026-01-01T00:01:00Z");
    assert_eq!(status["findings"][0]["opened"], "2026-01-01T00:01:00Z");
    assert_eq!(status["findings"][0]["kind"], "data_gap");
    assert_eq!(status["scorecard"]["recall"], 1.0);
}

#[test]
fn the_page_runs_nothing_but_its_own_files() {
    let server = start();
    let page = get(&server, "/");
    assert_eq!(page.code, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'; script-src 'self'"));
    assert!(page.head.contains("x-content-type-options: nosniff"));
    for path in ["/page.css", "/page.js", "/icon.svg"] {
        assert!(page.body.contains(path), "{path} is not used");
        assert_eq!(get(&server, path).code, 200, "{path}");
    }
    assert!(!page.body.contains("http://") && !page.body.contains("https://"));
    assert!(!page.body.contains("<style") && !page.body.contains("style="));
    let script = get(&server, "/page.js").body;
    for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!script.contains(sink), "{sink}");
    }
}

#[test]
fn foreign_hosts_other_methods_and_unknown_paths_are_refused() {
    let server = start();
    let address = server.address();
    assert_eq!(get(&server, "/livez").body, "ok\n");
    for path in ["/", "/api/v1/status", "/livez", "/unknown"] {
        assert_eq!(ask(address, "GET", path, "attacker.example:8666").code, 403, "{path}");
    }
    for path in ["/", "/api/v1/status"] {
        assert_eq!(ask(address, "POST", path, "localhost").code, 405, "{path}");
        assert_eq!(ask(address, "DELETE", path, "localhost").code, 405, "{path}");
    }
    for path in ["/unknown", "/api/v1/", "/../Cargo.toml", "/page.js/"] {
        let answer = get(&server, path);
        assert_eq!(answer.code, 404, "{path}");
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{path}");
    }
}

#[test]
fn a_dropped_server_hangs_up_even_on_a_half_sent_request() {
    let server = start();
    let mut half = TcpStream::connect(server.address()).unwrap();
    half.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost: lo").unwrap();
    drop(server);
    let end = half.read(&mut [0; 1]);
    assert!(!matches!(&end, Ok(1..)), "{end:?}");
    assert!(!matches!(&end, Err(error) if error.kind() == ErrorKind::WouldBlock), "{end:?}");
}

fn demo(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowscout"))
        .args(["demo", "--rate", "20"])
        .args(options)
        .output()
        .unwrap()
}

#[test]
fn the_demo_names_its_dashboard_first_and_its_scorecard_last() {
    let output = demo(&["--listen", "127.0.0.1:0", "--pace", "1000000"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with("dashboard on http://127.0.0.1:"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("precision "), "{text}");

    let silent = String::from_utf8(demo(&["--no-web"]).stdout).unwrap();
    assert!(silent.starts_with("120 minutes of"), "{silent}");
}

#[test]
fn a_taken_port_is_named_and_the_demo_goes_on_with_another() {
    let server = start();
    let taken = server.address();
    let output = demo(&["--listen", &taken.to_string()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.contains(&format!("port {} is taken", taken.port())), "{text}");
}

#[test]
fn an_address_that_others_reach_is_misuse() {
    for options in [&["--listen", "0.0.0.0:0"][..], &["--listen", "x"], &["--no-web", "--hold"]] {
        let output = demo(options);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(output.stdout.is_empty(), "{options:?}");
    }
    let message = String::from_utf8(demo(&["--listen", "0.0.0.0:0"]).stderr).unwrap();
    assert!(message.contains("loopback addresses only"), "{message}");
}
