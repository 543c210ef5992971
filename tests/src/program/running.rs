//! A program while it runs: what it has printed, signals, its end.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, kill_process};

use super::{Output, Run};

/// A program that runs. It is killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Printed,
    stderr: Printed,
    feed: Option<JoinHandle<()>>,
}

/// What a program is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: it shall end.
    Terminate,
    /// SIGINT: as Ctrl-C.
    Interrupt,
    /// SIGKILL: it ends without noticing.
    Kill,
    /// SIGSTOP: it stands still, and its connections stay open.
    Stop,
    /// SIGCONT: it goes on.
    Continue,
}

/// A stream as far as it was read.
#[derive(Debug)]
struct Printed {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// Between two looks at a running program.
const POLL: Duration = Duration::from_millis(2);
/// A program that has not ended, or said something, after about two minutes hangs.
const POLLS_MAX: u32 = 60_000;

impl Running {
    pub(super) fn new(mut child: Child, mut input: Box<dyn Read + Send>, output: Output) -> Self {
        let stdout = Printed::read(child.stdout.take().unwrap(), output);
        let stderr = Printed::read(child.stderr.take().unwrap(), Output::All);
        let mut stdin = child.stdin.take().unwrap();
        // It may end without having read all.
        let feed = thread::spawn(move || drop(io::copy(&mut input, &mut stdin)));
        Self { child, stdout, stderr, feed: Some(feed) }
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Standard output until now.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Standard error until now.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until standard error has `text`; what it has then.
    pub fn wait_until_says(&mut self, text: &str) -> String {
        self.wait_until(&format!("it says `{text}`"), |running| {
            Some(running.stderr()).filter(|said| said.contains(text))
        })
    }

    /// Waits until `look` finds something, which must be before the program ends.
    pub fn wait_until<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..POLLS_MAX {
            // Looked at first: what is found after the end counts as well.
            let is_running = self.is_running();
            if let Some(found) = look(self) {
                return found;
            }
            assert!(is_running, "it ended before {what}:\n{}", self.stderr());
            thread::sleep(POLL);
        }
        panic!("not in time: {what}:\n{}", self.stderr());
    }

    /// Sends a signal. It must not have ended.
    pub fn send(&self, signal: Signal) {
        let process = Pid::from_child(&self.child);
        kill_process(process, signal.into()).unwrap();
    }

    /// Waits for its end. Whatever happened, it must not have panicked.
    #[must_use]
    pub fn wait(mut self) -> Run {
        let (status, memory_bytes_max) = watch(&mut self.child);
        if let Some(feed) = self.feed.take() {
            feed.join().unwrap();
        }
        let (stdout, stderr) = (self.stdout.end(), self.stderr.end());
        let run = Run { code: status.code(), stdout, stderr, memory_bytes_max };
        assert!(!run.stderr.contains("panicked"), "{run}");
        run
    }

    /// Sends a signal and waits for its end.
    #[must_use]
    pub fn end(self, signal: Signal) -> Run {
        self.send(signal);
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl From<Signal> for rustix::process::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Terminate => Self::TERM,
            Signal::Interrupt => Self::INT,
            Signal::Kill => Self::KILL,
            Signal::Stop => Self::STOP,
            Signal::Continue => Self::CONT,
        }
    }
}

impl Printed {
    fn read(stream: impl Read + Send + 'static, output: Output) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&bytes);
        let reader = thread::spawn(move || match output {
            Output::All => follow(stream, &read),
            Output::FirstLine => {
                let mut line = Vec::new();
                BufReader::new(stream).read_until(b'\n', &mut line).unwrap();
                read.lock().unwrap().append(&mut line);
            }
            Output::Nothing => {}
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// All of it, once nobody writes any more.
    fn end(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.text()
    }
}

/// Reads a stream to its end as it comes.
fn follow(mut stream: impl Read, read: &Mutex<Vec<u8>>) {
    const CHUNK_BYTES: usize = 64 << 10;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => read.lock().unwrap().extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
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
