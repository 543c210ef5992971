//! The bytes of short plans, by their SHA-256: a change of the generator that changes traffic shows
//! here.
//!
//! To renew the table after an intended change: `cargo test -p loadgen golden`, and paste the table
//! that the failing test prints over the one below.

use std::fmt::Write;

use loadgen::{LineFormat, Plan, Profile, Scenario};
use sha2::{Digest, Sha256};

use crate::lines::{bytes, plan};

/// Profile, scenario, format, and the first 16 bytes of the hash.
const GOLDEN: &str = "\
ordinary none default 106725685c5d0dd2a1a32b48d370f9ec
ordinary none recommended 0dde3a7fab04d94ac748ec58c285f55a
ordinary vertical-scan default 55283eddc1d2f7ebfa48d6bf9ce036b7
ordinary vertical-scan recommended b3e2d0f6116eb25e5683c0f4ac3b3994
ordinary horizontal-scan default 9a5da7e7e7bff32114ba6fb56dd45624
ordinary horizontal-scan recommended 016b9f3c60c9ec08df0f115d62752775
ordinary icmp-sweep default a8febb5950a40be0290da65eab664438
ordinary icmp-sweep recommended 7990a9435916ae8d5a3e16d5ec94e324
ordinary block-scan default 95b4a199645cfc635623c338228233b4
ordinary block-scan recommended aa15721afad04833359d178f46fe470f
ordinary slow-scan default f472a2c0e5a2ef936192fd1e07ed4618
ordinary slow-scan recommended 7705b4fd4f1943688444922f820fb34d
ordinary exfiltration default 84f4166ba228fbca541c2bace181f021
ordinary exfiltration recommended b925ba18545541ed1b4a0ddcfa9f2b1c
ordinary rejected-surge default f926c38a98da7691de391ebe25697a5a
ordinary rejected-surge recommended d0dcc17f5a7af09132539cdbebef1131
ordinary data-gap default 75e1217fc808b91da35416bbd4147343
ordinary data-gap recommended 2610800cfb56f1d2fec413a571bb58f1
busy none default c88038cb4ab288ca6c67b6bf62a1fb18
busy none recommended 38a5aceffb77c01b52f8c7473fb246a8
busy vertical-scan default dd50567a3a4916742c57722894823823
busy vertical-scan recommended f5570bd8b67c5d587e5bbfa2e29896e2
busy horizontal-scan default 72de740b341a8c5496fe618900c6ec06
busy horizontal-scan recommended 391519cf5bb80b0f744f14160e5c505b
busy icmp-sweep default 2fed714049ba014e69709407f68b6785
busy icmp-sweep recommended ee3a93c7ce5ec3ef43b6f72cc91eabfc
busy block-scan default 6455f2e0119b86bc0c0807f587e7aeac
busy block-scan recommended 87f1788c2d6cd5b92255f10d429ac94b
busy slow-scan default b1991a2c51e16508dbf48387798f700f
busy slow-scan recommended 6db07f2703fca5b746eee432dffc609f
busy exfiltration default 19f749368731c7b718ffb5259347c338
busy exfiltration recommended e5f64704c9b76b68e6bfded4e563f0c5
busy rejected-surge default ecafd81bddc730b3b25da5cfb26d4265
busy rejected-surge recommended c98c03034acdaf36d09fbdb4ea9f2acb
busy data-gap default b785e3576106154429db8cbb8df3c1dd
busy data-gap recommended 96b5106de3271157aa0f9661f87a8e43
quiet none default 8e37e268363d261ddf3a0a4ba4672d55
quiet none recommended 2db59b5691aa69c32276d1065b240ae8
quiet vertical-scan default b53229f0ffe01efb77ca9c75f30fea3e
quiet vertical-scan recommended 04441530fba568d5671d218bb2c42e6d
quiet horizontal-scan default c1c93128916e265dc7125d0a6c864a06
quiet horizontal-scan recommended 59ea9d2afab26c9f5b63512ad379bcee
quiet icmp-sweep default 15078a10fd3288c56f3838ebd0db17ae
quiet icmp-sweep recommended a2226eec99ac416db4465ff5eff0e2ef
quiet block-scan default 4fb67a0270c41559531b256cde13f0fb
quiet block-scan recommended a34dc7daecf75ce754705a9df2c419ff
quiet slow-scan default b2c6d1884e662310fcb2422b55157092
quiet slow-scan recommended 38e10b56949d7368541026d053e6076a
quiet exfiltration default 6261d21c7f1d30f145d4cd1fa98f698d
quiet exfiltration recommended eb8e24a617c70e2f837123ac678ab037
quiet rejected-surge default f3a401ef99f57f17cca50f020108eda3
quiet rejected-surge recommended 85f8cada9e61f0578f77e98650e8757f
quiet data-gap default 9d5905c4e82ff4d6185f9a6c119961a9
quiet data-gap recommended 2522cd86eddfbea2264573453b5e214f
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
