//! The bytes of short plans, by their SHA-256: a change of the generator that changes traffic shows here.
//!
//! To renew the table after an intended change: `cargo test -p loadgen golden`, and paste the table that the failing
//! test prints over the one below.

use std::fmt::Write;

use loadgen::{LineFormat, Plan, Profile, Scenario};
use sha2::{Digest, Sha256};

use crate::lines::{bytes, plan};

/// Profile, scenario, format, and the first 16 bytes of the hash.
const GOLDEN: &str = "\
";

#[test]
fn the_same_seed_gives_the_golden_bytes() {
    let mut table = String::new();
    for profile in Profile::NAMES {
        for scenario in [None].into_iter().chain(Scenario::ALL.map(Some)) {
            let duration_s = scenario.map_or(600, Scenario::duration_s_min);
            let scenarios: Vec<Scenario> = scenario.into_iter().collect();
            let name = scenario.map_or("none", Scenario::as_str);
            for (label, format) in
                [("default", LineFormat::default()), ("recommended", LineFormat::recommended())]
            {
                let profile = Profile::by_name(profile).unwrap();
                let rate_per_s = 50;
                let plan =
                    Plan { format, ..plan(profile.clone(), &scenarios, rate_per_s, duration_s) };
                writeln!(table, "{} {name} {label} {}", profile.name, fingerprint(&plan)).unwrap();
            }
        }
    }
    assert!(
        table == GOLDEN,
        "the traffic changed; if that is intended, this is the new table:\n{table}"
    );
}

#[test]
fn another_seed_gives_other_bytes_and_other_attacks() {
    let first = plan(Profile::quiet(), &[Scenario::BlockScan], 50, 600);
    let second = Plan { seed: 2, ..first.clone() };
    assert_ne!(fingerprint(&first), fingerprint(&second));
    let truth = |plan: &Plan| loadgen::Generator::new(plan).unwrap().truth().to_vec();
    assert_ne!(truth(&first), truth(&second));
}

#[test]
fn an_attack_leaves_the_ordinary_lines_as_they_were() {
    let text = |scenarios: &[Scenario]| {
        String::from_utf8(bytes(&plan(Profile::quiet(), scenarios, 50, 600))).unwrap()
    };
    let (without, with) = (text(&[]), text(&[Scenario::BlockScan]));
    let mut rest = with.lines();
    assert!(without.lines().all(|line| rest.any(|other| other == line)));
}

fn fingerprint(plan: &Plan) -> String {
    let hash = Sha256::digest(bytes(plan));
    hash.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
