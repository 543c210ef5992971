//! Holds the map of ARCHITECTURE.md: which module may import which, and what the pure core may not name.

#![expect(clippy::expect_used, reason = "a test that cannot read the sources has failed")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Module, and the modules it may import beside itself; in the order of `lib.rs`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("flow", &[]),
    ("batch", &["flow"]),
    ("s3", &[]),
    ("signal", &["flow"]),
    ("lease", &["telemetry"]),
    ("source", &["batch", "flow", "s3", "decode", "lease", "telemetry"]),
    ("decode", &["flow", "batch"]),
    ("observe", &["flow"]),
    ("combine", &["batch", "flow", "observe"]),
    ("window", &["flow", "combine", "observe"]),
    ("detect", &["flow", "batch", "signal", "observe", "combine", "window"]),
    ("journal", &["batch", "combine", "telemetry"]),
    (
        "pipeline",
        &[
            "flow",
            "batch",
            "signal",
            "decode",
            "observe",
            "combine",
            "window",
            "detect",
            "journal",
            "telemetry",
        ],
    ),
    ("sink", &["s3", "signal", "decode", "telemetry"]),
    ("web", &["flow", "signal", "telemetry"]),
    ("telemetry", &[]),
    ("config", &["flow", "decode", "window", "detect", "pipeline", "source", "sink"]),
    ("cli", &["config", "telemetry"]),
    ("app", &["*"]),
];

/// The modules that have no I/O, clock, async, threads or logging.
const PURE: &[&str] =
    &["flow", "batch", "signal", "decode", "observe", "combine", "window", "detect"];

/// The parts of `lease` of which the same holds: a simulation runs them.
const PURE_PARTS: &[&str] =
    &["lease/lineage", "lease/position", "lease/rules", "lease/schema", "lease/write"];

/// Names that a pure module may not contain, in its code or its tests.
const IMPURE: &[&str] = &[
    "std::io",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::thread",
    "std::env",
    "std::process",
    "Instant",
    "SystemTime",
    "async fn",
    ".await",
    "tokio",
    "crossbeam",
    "tracing",
    "println!",
    "eprintln!",
    "Mutex",
    "RwLock",
    "Atomic",
    "rand::",
];

/// The only files that may use `anyhow`.
const ANYHOW: &[&str] = &["app", "main"];

struct Source {
    path: PathBuf,
    /// The module of `lib.rs` that the file belongs to.
    module: String,
    text: String,
}

#[test]
fn modules_import_only_downward() {
    let modules: Vec<&str> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    let mut breaches = String::new();
    for source in sources() {
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == source.module)
        else {
            assert!(matches!(source.module.as_str(), "lib" | "main"), "{:?}", source.path);
            continue;
        };
        for (number, line) in code_lines(&source.text) {
            let imported =
                modules.iter().filter(|module| line.contains(&format!("crate::{module}")));
            for module in imported.filter(|module| **module != source.module) {
                if !allowed.contains(module) && *allowed != ["*"] {
                    breach(&mut breaches, &source, number, &format!("imports {module}"));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "\n{breaches}");
}

#[test]
fn the_pure_core_names_no_edge() {
    let mut breaches = String::new();
    let is_part = |source: &Source| {
        let path = source.path.strip_prefix(folder()).expect("below src").with_extension("");
        PURE_PARTS.iter().any(|part| path.starts_with(part))
    };
    assert!(sources().filter(is_part).count() >= 2 * PURE_PARTS.len(), "the parts were not found");
    let is_pure = |source: &Source| PURE.contains(&source.module.as_str()) || is_part(source);
    for source in sources().filter(is_pure) {
        for (number, line) in code_lines(&source.text) {
            for name in IMPURE.iter().filter(|name| line.contains(**name)) {
                breach(&mut breaches, &source, number, &format!("names {name}"));
            }
        }
    }
    assert!(breaches.is_empty(), "\n{breaches}");
}

#[test]
fn only_the_app_uses_anyhow_and_no_file_is_named_for_nothing() {
    let mut breaches = String::new();
    for source in sources() {
        let is_app = ANYHOW.contains(&source.module.as_str());
        for (number, line) in code_lines(&source.text).filter(|(_, line)| line.contains("anyhow")) {
            if !is_app {
                breach(&mut breaches, &source, number, &format!("uses anyhow: {line}"));
            }
        }
        let name = source.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if ["utils", "util", "common", "helpers", "misc", "manager", "mod"].contains(&name.as_str())
        {
            breach(&mut breaches, &source, 1, "is named for nothing");
        }
    }
    assert!(breaches.is_empty(), "\n{breaches}");
}

#[test]
fn every_module_of_the_library_is_on_the_map() {
    let library = std::fs::read_to_string(folder().join("lib.rs")).expect("lib.rs");
    let declared: Vec<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let on_map: Vec<&str> = MAY_IMPORT.iter().map(|(module, _)| *module).collect();
    assert!(declared.len() > 10);
    for module in declared {
        assert!(on_map.contains(&module), "{module} is in lib.rs and not on the map");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> impl Iterator<Item = Source> {
    let mut paths = Vec::new();
    collect(&folder(), &mut paths);
    assert!(paths.len() > 30, "the sources were not found");
    paths.into_iter().map(|path| {
        let relative = path.strip_prefix(folder()).expect("below src").with_extension("");
        let first = relative.components().next().expect("a file name");
        let module = first.as_os_str().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("readable");
        Source { path, module, text }
    })
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = (1..).zip(text.lines());
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn breach(breaches: &mut String, source: &Source, line: usize, what: &str) {
    writeln!(breaches, "{}:{line}: {what}", source.path.display()).expect("a string takes all");
}
