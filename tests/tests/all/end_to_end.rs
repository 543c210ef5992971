//! Labelled traffic through generator, decoder, sketches and detectors, scored against the truth.

use flowscout_tests::{Traffic, flowscout};

const PERFECT: &str = "precision 1.000 recall 1.000";

fn demo(seed: &str) {
    let run = flowscout().args(["demo", "--seed", seed]).succeed();
    let last = run.stdout.lines().last().unwrap();
    assert!(last.starts_with(PERFECT), "seed {seed}: {run}");
    assert!(last.ends_with("false 0 missed 0"), "seed {seed}: {run}");
    assert_eq!(run.stderr, "");
}

#[test]
fn the_demo_finds_every_attack_and_nothing_else() {
    demo("1");
}

#[test]
fn the_demo_does_not_depend_on_its_seed() {
    demo("2");
    demo("3");
}

/// Two hours of `profile` at `rate`, in the two formats, without and with TCP flags, from two seeds.
fn replayed(profile: &str, rate: &str) {
    for seed in ["1", "2"] {
        for format in ["default", "recommended"] {
            let what = format!("profile {profile}, rate {rate}, seed {seed}, {format} format");
            let options = ["--profile", profile, "--rate", rate, "--seed", seed];
            let format = ["--scenario", "all", "--format", format, "--header"];
            let traffic = Traffic::new(&[&options[..], &format].concat());
            let score = traffic.replay_and_score(&[]);
            assert_eq!(score.code, Some(0), "{what}: {score}");
            let last = score.stdout.lines().last().unwrap();
            assert!(last.starts_with(PERFECT), "{what}: {score}");
            assert!(last.ends_with("false 0 missed 0"), "{what}: {score}");
        }
    }
}

#[test]
fn a_replay_of_ordinary_traffic_finds_every_attack_and_nothing_else() {
    replayed("ordinary", "200");
}

#[test]
fn a_replay_of_quiet_traffic_finds_every_attack_and_nothing_else() {
    replayed("quiet", "60");
}

#[test]
fn a_replay_of_busy_traffic_finds_every_attack_and_nothing_else() {
    replayed("busy", "60");
}

#[test]
fn calm_traffic_gives_no_finding() {
    let traffic = Traffic::new(&["--scenario", "none", "--seconds", "3600"]);
    let run = flowscout().arg("replay").arg(&traffic.flows).args(["--report", "json"]).succeed();
    let report = run.report();
    assert_eq!(report["findings"].as_array().unwrap().len(), 0, "{run}");
    assert!(report["records"].as_u64().unwrap() > 500_000, "{run}");
}

#[test]
fn the_scorer_fails_a_detector_that_finds_nothing() {
    let traffic = Traffic::thin();
    let blind = traffic.file(
        "blind.toml",
        "[rules.vertical_scan]\nenabled = false\n\
         [rules.horizontal_scan]\nenabled = false\n\
         [rules.block_scan]\nenabled = false\n",
    );
    let score = traffic.replay_and_score(&["--config", blind.to_str().unwrap()]);
    assert_eq!(score.code, Some(1), "{score}");
}
