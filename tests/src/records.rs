//! Flow records of which none is like another.

/// A flow record whose bytes tell it from all others, so that a sum over records tells one that is missing from one that came twice.
#[must_use]
pub fn line(number: u64) -> String {
    let [host, port] = [number % 250 + 1, 1024 + number % 60_000];
    let bytes = weight(number);
    let start = 1_767_225_600 + number / 100;
    let end = start + 10;
    format!(
        "2 123456789010 eni-{host} 10.0.0.{host} 10.1.0.5 {port} 443 6 10 {bytes} {start} {end} ACCEPT OK\n"
    )
}

/// Records 0 to `count`, and the sum of their bytes.
#[must_use]
pub fn sum_of(count: u64) -> (u64, u64) {
    (count, (0..count).map(weight).sum())
}

fn weight(number: u64) -> u64 {
    40 + number * number
}
