//! Starting a program and watching it to its end.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

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
/// Between two looks at a running program.
const POLL: Duration = Duration::from_millis(2);
/// A program that has not ended after about two minutes hangs.
const POLLS_MAX: u32 = 60_000;

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

    /// Runs it to its end. Whatever happens, it must not panic.
    #[must_use]
    pub fn run(mut self) -> Run {
        let command = self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stdout = read(child.stdout.take().unwrap(), self.output);
        let stderr = read(child.stderr.take().unwrap(), Output::All);
        let (mut stdin, mut input) = (child.stdin.take().unwrap(), self.input);
        // It may end without having read all.
        let feed = thread::spawn(move || io::copy(&mut input, &mut stdin).ok());
        let (status, memory_bytes_max) = watch(&mut child);
        feed.join().unwrap();
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let run = Run { code: status.code(), stdout, stderr, memory_bytes_max };
        assert!(!run.stderr.contains("panicked"), "{run}");
        run
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

fn read(stream: impl Read + Send + 'static, output: Output) -> JoinHandle<String> {
    let mut stream = BufReader::new(stream);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        match output {
            Output::All => stream.read_to_end(&mut bytes).unwrap(),
            Output::FirstLine => stream.read_until(b'\n', &mut bytes).unwrap(),
            Output::Nothing => 0,
        };
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn watch(child: &mut Child) -> (ExitStatus, u64) {
    let mut memory_bytes_max = 0;
    for _ in 0..POLLS_MAX {
        memory_bytes_max = resident_bytes_max(child.id()).unwrap_or(0).max(memory_bytes_max);
        if let Some(status) = child.try_wait().unwrap() {
            return (status, memory_bytes_max);
        }
        thread::sleep(POLL);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("the program hangs");
}

/// The high-water mark of a process, proc(5); gone with the process.
fn resident_bytes_max(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
