//! What services and libraries say of errors, fit to be shown.

/// A message of the service is somebody else's text: cut, and without what a terminal obeys.
pub(super) fn shown(message: &str) -> String {
    const LETTERS_MAX: usize = 400;
    let is_cut = message.chars().nth(LETTERS_MAX).is_some();
    let cut: String = message.chars().take(LETTERS_MAX).collect();
    let escaped = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    let shown: String = cut.chars().map(escaped).collect();
    if is_cut { format!("{shown} …") } else { shown }
}

/// An error and its causes, each only where it adds something.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_long_message_is_cut_and_what_a_terminal_obeys_is_spelt_out() {
        assert_eq!(shown("no\u{1b}[2J"), "no\\u{1b}[2J");
        assert_eq!(shown(&"x".repeat(500)), format!("{} …", "x".repeat(400)));
    }

    #[test]
    fn causes_are_told_once() {
        let error = io::Error::other(io::Error::other("refused"));
        assert_eq!(chain(&error), "refused");
    }
}
