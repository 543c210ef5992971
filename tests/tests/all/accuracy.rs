//! Detection on real captures: who is accused, of what, and who is not.

use std::collections::BTreeSet;
use std::path::Path;

use flowscout_tests::{Scratch, captures, flowscout, loadgen, shared_data};

/// Kind and source of every scan that a replay of `path` reports.
fn scans(path: &Path, preset: &str) -> BTreeSet<(String, String)> {
    assert!(path.is_file(), "{} is missing in the shared data", path.display());
    let run = flowscout().arg("replay").arg(path).args(["--preset", preset, "--signals", "-"]);
    let signals = run.args(["--report", "none"]).succeed().json_lines();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let named = signals.iter().map(|one| (text(&one["kind"]), text(&one["entity"]["src"])));
    named.filter(|(kind, _)| kind.ends_with("_scan")).collect()
}

fn assert_scans(shared: &Path, preset: &str, expected: &[(&str, &str, &str)]) {
    for (capture, kind, source) in expected {
        let found = scans(&captures(shared).join(format!("{capture}.log.gz")), preset);
        let scan = ((*kind).to_owned(), (*source).to_owned());
        assert!(found.contains(&scan), "{capture} at {preset}: {found:?}");
        let others: Vec<_> = found.iter().filter(|(_, accused)| accused != source).collect();
        assert!(others.is_empty(), "{capture} at {preset} accuses {others:?}");
    }
}

#[test]
fn nmap_is_found_and_nobody_else_is_accused() {
    let Some(shared) = shared_data() else { return };
    for preset in ["default", "sensitive"] {
        let found = scans(&shared.join("development/nmap002/flows.log.gz"), preset);
        assert!(found.iter().all(|(_, source)| source == "172.16.1.11"), "{preset}: {found:?}");
        let has = |kind: &str| found.iter().any(|(found, _)| found == kind);
        assert!(has("vertical_scan"), "{preset}: {found:?}");
        assert!(has("horizontal_scan") || has("block_scan"), "{preset}: {found:?}");
    }
}

#[test]
fn the_labels_of_nmap_are_met_with_no_miss_and_no_false_finding() {
    let Some(shared) = shared_data() else { return };
    let (set, scratch) = (shared.join("development/nmap002"), Scratch::new());
    let signals = scratch.path("signals.jsonl");
    let replay = flowscout().arg("replay").arg(set.join("flows.log.gz"));
    let replay = replay.arg("--signals").arg(&signals).args(["--report", "json"]).succeed();
    assert!(replay.report()["records"].as_u64().unwrap() > 1000, "{replay}");
    let score = loadgen().args(["score", "--min-recall", "1", "--min-precision", "1"]);
    let score = score.arg("--truth").arg(set.join("labels.tsv"));
    let score = score.arg("--signals").arg(&signals).succeed();
    assert!(score.stdout.contains("precision 1.000 recall 1.000"), "{score}");
}

#[test]
fn scans_by_fast_tools_are_found_at_the_default_thresholds() {
    let Some(shared) = shared_data() else { return };
    assert_scans(
        &shared,
        "default",
        &[
            ("masscan-tcp-0-1000", "vertical_scan", "172.31.15.102"),
            ("masscan-udp-0-1000", "vertical_scan", "172.31.15.102"),
            ("ppa-synscan", "vertical_scan", "172.16.0.8"),
            ("slips-icmp-scan", "horizontal_scan", "192.168.1.109"),
        ],
    );
}

#[test]
fn tiny_scans_are_found_by_the_sensitive_preset() {
    let Some(shared) = shared_data() else { return };
    assert_scans(
        &shared,
        "sensitive",
        &[
            ("zeek-445-scan", "horizontal_scan", "176.192.150.3"),
            ("zeek-multiport-address-scan", "horizontal_scan", "125.27.226.209"),
            ("zeek-port-scan", "vertical_scan", "192.168.2.154"),
            ("zeek-zero-window-scan", "horizontal_scan", "10.0.0.1"),
        ],
    );
}

#[test]
fn what_only_looks_like_a_scan_gives_no_scan_finding() {
    let Some(shared) = shared_data() else { return };
    let innocent = [
        captures(&shared).join("zeek-backscatter.log.gz"),
        captures(&shared).join("nmap-80-A.log.gz"),
        shared.join("development/rita_proxy_background/flows.log.gz"),
    ];
    for path in innocent {
        for preset in ["default", "sensitive"] {
            let found = scans(&path, preset);
            assert!(found.is_empty(), "{} at {preset}: {found:?}", path.display());
        }
    }
}
