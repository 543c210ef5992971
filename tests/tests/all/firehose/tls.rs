//! TLS: the endpoint with a certificate of its own, and another one while it runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flowscout_tests::http::{ACCESS_KEY, Post};
use flowscout_tests::{Run, Scratch, TWO_SCANS, Traffic, loadgen};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::delivery::{assert_found, deliver, records_of};
use super::endpoint::{Endpoint, program};
use super::request::vended;

/// An authority that signs certificates for this machine.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn file(&self, scratch: &Scratch, name: &str) -> PathBuf {
        scratch.file(name, self.0.pem())
    }

    /// A certificate and its key, written to `chain` and `key`.
    fn sign(&self, chain: &Path, key: &Path) {
        let own = KeyPair::generate().unwrap();
        let params =
            CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&own, &self.0).unwrap();
        std::fs::write(key, own.serialize_pem()).unwrap();
        std::fs::write(chain, certificate.pem()).unwrap();
    }
}

fn start(scratch: Scratch) -> Endpoint {
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| scratch.path(name));
    let lines = format!("tls_certificate_file = {chain:?}\ntls_key_file = {key:?}");
    Endpoint::start_in(scratch, "127.0.0.1:0", &lines, |program| {
        program.env("FLOWSCOUT_FIREHOSE_ACCESS_KEYS", ACCESS_KEY)
    })
}

fn try_to_deliver(endpoint: &Endpoint, authority: &Path) -> Run {
    let put = loadgen().args(["run", "--rate", "20", "--seconds", "60", "--scenario", "none"]);
    let put = put.args(["--retry-seconds", "1", "--ca-file"]).arg(authority);
    let put = put.env("FLOWSCOUT_FIREHOSE_ACCESS_KEY", ACCESS_KEY);
    put.args(["--target", &format!("https://{}/", endpoint.address)]).run()
}

#[test]
fn traffic_over_tls_is_read_and_judged_and_plain_http_is_not_answered() {
    let (scratch, authority) = (Scratch::new(), Authority::new());
    let trusted = authority.file(&scratch, "authority.pem");
    authority.sign(&scratch.path("chain.pem"), &scratch.path("key.pem"));
    let endpoint = start(scratch);
    let traffic = Traffic::new(&TWO_SCANS);
    let url = format!("https://{}/flow-logs", endpoint.address);
    deliver(&endpoint, &url, &["--gzip", "--ca-file", trusted.to_str().unwrap()]);
    assert_eq!(endpoint.service.records(), records_of(&traffic));
    let mut plain = endpoint.connect();
    plain.write(&Post::of(&vended(0..1)));
    assert!(plain.is_closed());
    assert_found(endpoint, &traffic);
}

#[test]
fn a_certificate_that_is_renewed_is_served_without_a_restart() {
    let (scratch, first, second) = (Scratch::new(), Authority::new(), Authority::new());
    let [by_first, by_second] = [(&first, "first.pem"), (&second, "second.pem")]
        .map(|(authority, name)| authority.file(&scratch, name));
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| scratch.path(name));
    first.sign(&chain, &key);
    let mut endpoint = start(scratch);
    assert_eq!(try_to_deliver(&endpoint, &by_first).code, Some(0));
    assert_eq!(try_to_deliver(&endpoint, &by_second).code, Some(1));
    // A key without its certificate is not served, as while both are being written.
    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    endpoint.service.running.wait_until_says("cannot be used: the former stays in use");
    assert_eq!(try_to_deliver(&endpoint, &by_first).code, Some(0));
    second.sign(&chain, &key);
    endpoint.service.running.wait_until_says("read again what=\"the certificate\"");
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(try_to_deliver(&endpoint, &by_second).code, Some(0));
}

#[test]
fn what_is_no_certificate_is_told_at_the_start() {
    let scratch = Scratch::new();
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| scratch.file(name, "nonsense"));
    let lines = format!(
        "requires_access_key = false\ntls_certificate_file = {chain:?}\ntls_key_file = {key:?}"
    );
    let run = program(&scratch, "127.0.0.1:0", &lines).run();
    assert_eq!(run.code, Some(2), "{run}");
    run.assert_says("chain.pem: it has no certificate in PEM");
}
