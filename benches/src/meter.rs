//! Records per second of wall time and of processor time, of several programs in turn.
//!
//! Where others use the same cores, wall time measures them too, and a median of one program taken before that of the next
//! compares two loads. So programs run in turn, and processor time, of all threads, is what is compared.

use std::time::{Duration, Instant};

/// A name, and a run that checks its answer and gives the number of its records.
pub type Program<'p> = (&'p str, &'p dyn Fn() -> u64);

const ROUNDS: usize = 7;
/// A program repeats its run until it has used so much processor time, which is counted in steps of 10 ms.
const CPU_MIN: Duration = Duration::from_secs(1);

/// Runs each program once in each of seven rounds, and prints median, least and most of its speeds; and the median, least and
/// most of how many times it is as fast as the last one, by processor time of the same round. Gives the medians, in millions of
/// records per second of processor time.
#[expect(clippy::print_stdout, reason = "a table is the purpose")]
pub fn compare(programs: &[Program<'_>]) -> Vec<f64> {
    let round = |_| programs.iter().map(|(_, run)| measure(*run)).collect();
    let rounds: Vec<Vec<Speed>> = (0..ROUNDS).map(round).collect();
    println!(
        "{:<30} {:>26} {:>26} {:>26}",
        "", "M records/CPU-s", "M records/s wall", "x last row"
    );
    println!("{:<30} {HEADS} {HEADS} {HEADS}", "");
    for (place, (name, _)) in programs.iter().enumerate() {
        let column = |value: fn(&Speed, &Speed) -> f64| {
            summary(rounds.iter().map(|round| value(&round[place], &round[round.len() - 1])))
        };
        let cpu = column(|speed, _| speed.per_cpu_s);
        let wall = column(|speed, _| speed.per_wall_s);
        let ratio = column(|speed, last| speed.per_cpu_s / last.per_cpu_s);
        println!("{name:<30} {cpu} {wall} {ratio}");
    }
    let speeds = |place: usize| rounds.iter().map(move |round| round[place].per_cpu_s).collect();
    (0..programs.len()).map(|place| median(speeds(place))).collect()
}

const HEADS: &str = "  median      min      max";

/// Processor time of this thread, in nanoseconds.
#[must_use]
pub fn thread_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The middle one; of an even number, the upper of the two in the middle. Not a number if there is none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[derive(Clone, Copy, Debug)]
struct Speed {
    per_cpu_s: f64,
    per_wall_s: f64,
}

#[expect(clippy::disallowed_methods, reason = "measures the run, never reaches the core")]
fn measure(run: &dyn Fn() -> u64) -> Speed {
    let (cpu_before, wall_before) = (cpu_time(), Instant::now());
    let mut records = 0;
    loop {
        records += run();
        let cpu = cpu_time().saturating_sub(cpu_before);
        if cpu >= CPU_MIN {
            let per = |time: Duration| records as f64 / time.as_secs_f64() / 1e6;
            return Speed { per_cpu_s: per(cpu), per_wall_s: per(wall_before.elapsed()) };
        }
    }
}

/// User and system time of all threads, those that have ended included: fields 14 and 15 of `/proc/self/stat`, in ticks
/// that Linux fixes at 100 per second for what it tells programs (proc(5), `USER_HZ`).
#[expect(clippy::expect_used, reason = "without the clock there is nothing to measure")]
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has this file");
    // Field 2, the program's name in brackets, may hold spaces; field 3 is the first behind it.
    let (_, fields) = stat.rsplit_once(") ").expect("the name stands in brackets");
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn summary(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (median, min, max) = (values[ROUNDS / 2], values[0], values[ROUNDS - 1]);
    format!("{median:>8.2} {min:>8.2} {max:>8.2}")
}
