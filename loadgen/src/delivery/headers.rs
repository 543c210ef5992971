//! What goes with each request besides its body (facts/firehose.md, 2).

use std::fmt::{self, Debug, Formatter};

use serde_json::{Map, Value, json};
use thiserror::Error;

/// The secret that an endpoint asks for. No message shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey(String);

/// `commonAttributes`, in the order in which they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Map<String, Value>);

/// Why a header cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// There is no key in the text.
    #[error("there is no access key in it")]
    NoKey,
    /// The key is none that a header can hold.
    #[error("an access key has at most 4096 printable characters of ASCII")]
    Key,
    /// An attribute lacks its sign.
    #[error("common attribute `{text}` is not of the form KEY=VALUE")]
    NoSign {
        /// The attribute.
        text: String,
    },
    /// An attribute is longer than it may be.
    #[error("common attribute `{key}`: a key has 1 to 256 characters, a value at most 1024")]
    Length {
        /// Its key.
        key: String,
    },
    /// An attribute was given before.
    #[error("common attribute `{key}` is given twice")]
    Twice {
        /// Its key.
        key: String,
    },
    /// There are too many.
    #[error("there are more than 50 common attributes")]
    Many,
}

const KEY_BYTES_MAX: usize = 4_096;
const ATTRIBUTES_MAX: usize = 50;
const NAME_CHARACTERS_MAX: usize = 256;
const VALUE_CHARACTERS_MAX: usize = 1_024;

impl AccessKey {
    /// Reads a key, or the JSON in which Secrets Manager keeps one. Of several lines, which is how
    /// an endpoint may list those that it takes, the first that is not empty counts.
    ///
    /// # Errors
    /// [`HeaderError`] when there is none, or none that a header can hold.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let in_secret = match serde_json::from_str(text) {
            Ok(Value::Object(secret)) => {
                secret.get("api_key").and_then(Value::as_str).map(str::to_owned)
            }
            _ => None,
        };
        let line = || text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned);
        let key = in_secret.or_else(line).ok_or(HeaderError::NoKey)?;
        let printable = key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if printable && (1..=KEY_BYTES_MAX).contains(&key.len()) {
            Ok(Self(key))
        } else {
            Err(HeaderError::Key)
        }
    }

    /// The key itself, to be sent and not shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Debug for AccessKey {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccessKey")
    }
}

impl Attributes {
    /// Reads each as `KEY=VALUE`; the value may have further signs.
    ///
    /// # Errors
    /// [`HeaderError`] when Firehose would not take them.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, HeaderError> {
        let mut attributes = Map::new();
        for text in texts.iter().map(AsRef::as_ref) {
            let Some((key, value)) = text.split_once('=') else {
                return Err(HeaderError::NoSign { text: text.to_owned() });
            };
            let fits = (1..=NAME_CHARACTERS_MAX).contains(&key.chars().count())
                && value.chars().count() <= VALUE_CHARACTERS_MAX;
            if !fits {
                return Err(HeaderError::Length {
                    key: key.chars().take(NAME_CHARACTERS_MAX).collect(),
                });
            }
            if attributes.insert(key.to_owned(), value.into()).is_some() {
                return Err(HeaderError::Twice { key: key.to_owned() });
            }
        }
        if attributes.len() > ATTRIBUTES_MAX {
            Err(HeaderError::Many)
        } else {
            Ok(Self(attributes))
        }
    }

    /// The header, unless there are none.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        let header = || json!({ "commonAttributes": self.0 }).to_string();
        (!self.0.is_empty()).then(header)
    }
}

/// True for `arn:aws:firehose:REGION:ACCOUNT:deliverystream/NAME`.
#[must_use]
pub fn is_stream_arn(arn: &str) -> bool {
    let printable = arn.bytes().all(|byte| byte.is_ascii_graphic());
    arn.starts_with("arn:")
        && arn.contains(":firehose:")
        && !stream_name(arn).is_empty()
        && printable
}

/// The name of the stream in its ARN, or nothing.
#[must_use]
pub fn stream_name(arn: &str) -> &str {
    arn.split_once(":deliverystream/").map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_stands_or_from_its_secret() {
        for text in ["k3y=/+", "k3y=/+\n", "\n  k3y=/+ \r\nolder\n", r#"{"api_key": "k3y=/+"}"#] {
            assert_eq!(AccessKey::parse(text).unwrap().expose(), "k3y=/+");
        }
        assert_eq!(AccessKey::parse(" \n\n"), Err(HeaderError::NoKey));
        assert_eq!(AccessKey::parse("schlüssel"), Err(HeaderError::Key));
        assert_eq!(AccessKey::parse(&"k".repeat(4_097)), Err(HeaderError::Key));
        assert!(AccessKey::parse(&"k".repeat(4_096)).is_ok());
    }

    #[test]
    fn a_key_is_not_shown() {
        assert!(!format!("{:?}", AccessKey::parse("k3y").unwrap()).contains("k3y"));
    }

    #[test]
    fn attributes_are_one_json_object() {
        let attributes = Attributes::parse(&["team=net=work", "empty=", "sign=\"ß\""]).unwrap();
        let header: Value = serde_json::from_str(&attributes.header().unwrap()).unwrap();
        let expected = json!({ "team": "net=work", "empty": "", "sign": "\"ß\"" });
        assert_eq!(header, json!({ "commonAttributes": expected }));
        assert_eq!(Attributes::parse::<&str>(&[]).unwrap().header(), None);
    }

    #[test]
    fn attributes_that_firehose_would_not_take_are_refused() {
        let parse = |texts: &[String]| {
            Attributes::parse(texts).map(|_| ()).map_err(|error| error.to_string())
        };
        let [name, value] = ["k".repeat(257), "v".repeat(1_025)];
        for (text, said) in [
            ("team".to_owned(), "not of the form"),
            ("=v".to_owned(), "a key has 1 to 256"),
            (format!("{name}=v"), "a key has 1 to 256"),
            (format!("k={value}"), "a value at most 1024"),
        ] {
            let told = parse(&[text]).unwrap_err();
            assert!(told.contains(said), "{told}");
        }
        assert!(parse(&["k=1".to_owned(), "k=2".to_owned()]).unwrap_err().contains("twice"));
        let many: Vec<String> = (0..51).map(|number| format!("k{number}=v")).collect();
        assert!(parse(&many).unwrap_err().contains("more than 50"));
        assert!(parse(&many[..50]).is_ok());
    }

    #[test]
    fn an_arn_names_a_stream() {
        let arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/flows";
        assert!(is_stream_arn(arn));
        assert_eq!(stream_name(arn), "flows");
        for other in [
            "flows",
            "arn:aws:firehose:us-east-1:123456789012:deliverystream/",
            "arn:aws:kinesis:::stream/a",
        ] {
            assert!(!is_stream_arn(other));
        }
    }
}
