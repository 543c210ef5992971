//! Messages and progress for people, on standard error.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One message on standard error; a name within it may hold bytes that a terminal obeys. There is nobody left to tell when
/// that fails.
pub(super) fn complain(message: &str) {
    let is_harmful = |letter: char| letter.is_control() && letter != '\n';
    let message: String = if message.contains(is_harmful) {
        let escape = |letter: char| {
            if is_harmful(letter) { letter.escape_default().to_string() } else { letter.into() }
        };
        message.chars().map(escape).collect()
    } else {
        message.to_owned()
    };
    let result = writeln!(io::stderr(), "flowscout: {message}");
    drop(result);
}

/// A bar over `length` units on a terminal; hidden when standard error is piped.
pub(super) fn progress(length: u64, template: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_error| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr()).with_style(style)
}

/// A number with thin groups of three digits, as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in decimal units, as `1.23 GB`.
pub(super) fn bytes(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = number as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    if unit == "B" { format!("{number} B") } else { format!("{value:.2} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_bytes_have_units() {
        assert_eq!([1, 123, 1234, 1_234_567].map(grouped), ["1", "123", "1,234", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 1_234_567_890].map(bytes),
            ["0 B", "999 B", "1.00 kB", "1.23 GB"]
        );
        assert_eq!(bytes(u64::MAX), "18.45 EB");
    }
}
