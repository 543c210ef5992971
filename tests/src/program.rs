//! Starting a program and watching it to its end.

mod running;

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

pub use running::{Running, Signal};

/// The program `flowscout`.
#[must_use]
pub fn flowscout() -> Program {
    Program::new("flowscout")
}

/// The program `loadgen`.
#[must_use]
pub fn loadgen() -> Program {
    Program::new("loadgen")
}

/// A program that is about to run. It inherits neither standard input nor settings of this project.
pub struct Program {
    command: Command,
    input: Box<dyn Read + Send>,
    output: Output,
}

/// How much of standard output someone reads.
#[derive(Clone, Copy)]
enum Output {
    All,
    FirstLine,
    Nothing,
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, as far as it was read.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Largest resident memory that was seen, in bytes; 0 where the system does not tell.
    pub memory_bytes_max: u64,
}

/// Under which keys are hashed where a test compares two runs.
const HASH_KEY: &str = "000102030405060708090a0b0c0d0e0f";

impl Program {
    fn new(name: &str) -> Self {
        let mut command = Command::new(binary(name));
        command.env_remove("FLOWSCOUT_HASH_KEY").env_remove("RUST_LOG");
        // No test may reach whatever account the developer works with.
        let variables = std::env::vars_os().map(|(name, _value)| name);
        for name in variables.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        Self { command, input: Box::new(io::empty()), output: Output::All }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Fixes the secret under which keys are hashed, so that two runs can be compared.
    #[must_use]
    pub fn with_hash_key(self) -> Self {
        self.env("FLOWSCOUT_HASH_KEY", HASH_KEY)
    }

    /// Gives it `input` on standard input; without this it reads an empty one.
    #[must_use]
    pub fn stdin(mut self, input: impl Read + Send + 'static) -> Self {
        self.input = Box::new(input);
        self
    }

    /// Closes its standard output after the first line, as `head -1` does.
    #[must_use]
    pub fn closing_stdout_after_a_line(mut self) -> Self {
        self.output = Output::FirstLine;
        self
    }

    /// Closes its standard output before it writes.
    #[must_use]
    pub fn closing_stdout(mut self) -> Self {
        self.output = Output::Nothing;
        self
    }

    /// Starts it and lets it run; it is killed when it is dropped.
    #[must_use]
    pub fn start(mut self) -> Running {
        let command = self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        Running::new(child, self.input, self.output)
    }

    /// Runs it to its end. Whatever happens, it must not panic.
    #[must_use]
    pub fn run(self) -> Run {
        self.start().wait()
    }

    /// Runs it to its end, which must be a good one.
    #[must_use]
    pub fn succeed(self) -> Run {
        self.exit_with(0)
    }

    /// Runs it to its end, which must have this exit code.
    #[must_use]
    pub fn exit_with(self, code: i32) -> Run {
        let run = self.run();
        assert_eq!(run.code, Some(code), "{run}");
        run
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.command.fmt(formatter)
    }
}

impl Run {
    /// Standard output as JSON lines.
    #[must_use]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Standard error as the one JSON object that `--report json` prints.
    #[must_use]
    pub fn report(&self) -> Value {
        let report: Value = serde_json::from_str(&self.stderr).unwrap_or_else(|error| {
            panic!("standard error is not one JSON object: {error}\n{self}")
        });
        assert!(report.is_object(), "{self}");
        report
    }

    /// Requires that standard error has `text`.
    pub fn assert_says(&self, text: &str) {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{self}");
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = |text: &str| text.chars().take(2000).collect::<String>();
        let (stdout, stderr) = (start(&self.stdout), start(&self.stderr));
        write!(formatter, "exit {:?}\nstdout: {stdout}\nstderr: {stderr}", self.code)
    }
}

/// The program beside the test executable, which lies in `deps` below it.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{name} is not built: run `cargo build --workspace --bins` first");
    path
}
