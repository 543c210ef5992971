//! How S3 writes names, and which names there can be.

/// A key as S3 writes it into its events: with `+` for a space, and bytes as `%XX`. `None` when it is not so written.
pub(super) fn decoded(written: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Amazon S3 User Guide, "Object key naming guidelines": up to 1,024 bytes of UTF-8.
pub(super) fn is_key(key: &str) -> bool {
    (1..=1024).contains(&key.len())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As S3 does: everything but letters, digits and `-_.*/` by its bytes.
    fn encoded(key: &str) -> String {
        let letter = |byte: u8| match byte {
            b' ' => "+".to_owned(),
            byte if byte.is_ascii_alphanumeric() || b"-_.*/".contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        };
        key.bytes().map(letter).collect()
    }

    #[test]
    fn plus_and_percent_are_what_forms_mean_by_them() {
        assert_eq!(decoded("a+b%2Bc%20d").unwrap(), "a b+c d");
        assert_eq!(decoded("year%3d2026/%E2%82%ac").unwrap(), "year=2026/€");
        for broken in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decoded(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn every_key_survives_what_s3_does_to_it(key in any::<String>()) {
            prop_assert_eq!(decoded(&encoded(&key)), Some(key));
        }
    }
}
