//! The configuration files that ship with the project, and how `check` treats bad ones.

use flowscout_tests::{Run, Scratch, flowscout, project_root};

fn check(text: &str) -> Run {
    let scratch = Scratch::new();
    let path = scratch.file("settings.toml", text);
    flowscout().args(["check", "--config"]).arg(path).run()
}

#[test]
fn every_shipped_configuration_is_valid_and_states_its_memory() {
    let mut files = 0;
    for entry in project_root().join("deploy/config").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        files += 1;
        let run = flowscout().args(["check", "--config"]).arg(&path).succeed();
        for part in ["# memory, at the most", "batches", "together", "pane_s = 30"] {
            assert!(run.stdout.contains(part), "{part} is missing for {}: {run}", path.display());
        }
        assert_eq!(run.stderr, "");
    }
    assert!(files >= 2, "flowscout.toml and sensitive.toml ship, {files} found");
}

#[test]
fn what_check_prints_is_itself_a_valid_configuration() {
    let path = project_root().join("deploy/config/sensitive.toml");
    let first = flowscout().args(["check", "--config"]).arg(path).succeed();
    let second = check(&first.stdout);
    assert_eq!(second.code, Some(0), "{second}");
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn more_workers_need_more_memory() {
    let path = project_root().join("deploy/config/flowscout.toml");
    let together = |workers| {
        let run = flowscout().args(["check", "--workers", workers, "--config"]).arg(&path);
        let run = run.succeed();
        run.stdout.lines().find(|line| line.contains("together")).unwrap().to_owned()
    };
    assert_ne!(together("1"), together("64"));
}

#[test]
fn values_out_of_range_are_refused_by_key() {
    let cases = [
        ("[window]\npane_s = 0\n", "window.pane_s"),
        ("[window]\npane_s = 7\n", "is not a multiple of window.pane_s"),
        ("[window]\nstate_bytes_max = 1000\n", "window.state_bytes_max"),
        ("[rules.block_scan]\nunanswered_share_min = 2.0\n", "block_scan.unanswered_share_min"),
        ("[rules.rejected_surge]\nratio_min = -1.0\n", "rules.rejected_surge.ratio_min"),
        ("[rules.exfiltration]\nwindow_s = 60\n", "rules.exfiltration.window_s"),
        (
            "[rules.vertical_scan]\nthresholds = [{ window_s = 300, distinct = 0 }]\n",
            "vertical_scan",
        ),
    ];
    for (text, named) in cases {
        let run = check(text);
        assert_eq!(run.code, Some(2), "{text}{run}");
        run.assert_says(named);
        run.assert_says("settings.toml");
        assert_eq!(run.stdout, "", "{text}");
    }
}

#[test]
fn values_that_are_not_numbers_of_the_right_kind_are_refused_with_file_and_line() {
    let cases = [
        ("[window]\npane_s = \"30\"\n", "settings.toml:2: "),
        ("[window]\n\npane_s = -1\n", "settings.toml:3: "),
        ("[rules.block_scan]\nunanswered_share_min = nan\n", "settings.toml"),
        ("[network]\ninternal = [\"10.0.0.1/8\"]\n", "settings.toml:2: "),
        ("[network]\ninternal = [\"ten\"]\n", "settings.toml:2: "),
        ("[window\n", "settings.toml:1: "),
        ("[rules.no_such_rule]\nenabled = true\n", "no_such_rule"),
    ];
    for (text, named) in cases {
        let run = check(text);
        assert_eq!(run.code, Some(2), "{text}{run}");
        run.assert_says(named);
    }
}

#[test]
fn a_configuration_that_is_not_there_or_not_text_is_refused_by_name() {
    let scratch = Scratch::new();
    let run = flowscout().args(["check", "--config"]).arg(scratch.path("nowhere.toml"));
    run.exit_with(2).assert_says("nowhere.toml");
    let binary = scratch.file("binary.toml", [0xff, 0xfe, 0x00]);
    flowscout().args(["check", "--config"]).arg(binary).exit_with(2).assert_says("binary.toml");
    flowscout().arg("check").exit_with(2).assert_says("--config");
}
