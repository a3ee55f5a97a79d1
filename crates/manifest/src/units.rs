//! Kubernetes' ways to write times (`1m30s`, `500ms`) and amounts of memory (`64Mi`), read and printed.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Reads a time: up to four numbers of at most five digits, each with its unit `h`, `m`, `s` or `ms`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        if !(1..=5).contains(&digits) {
            return None;
        }
        let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, tail) = tail.split_at(letters);
        let milliseconds = match unit {
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return None,
        };
        total += Duration::from_millis(number.parse::<u64>().ok()? * milliseconds);
        rest = tail;
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

/// Prints a time so that [`parse_duration`] reads it back; anything finer than a millisecond is dropped.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let parts = [
        (milliseconds / 3_600_000, "h"),
        (milliseconds / 60_000 % 60, "m"),
        (milliseconds / 1000 % 60, "s"),
        (milliseconds % 1000, "ms"),
    ];
    let text: String = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if text.is_empty() { "0s".into() } else { text }
}

const UNITS: [(&str, u64); 8] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1000),
];

/// Reads an amount of memory: a number with an optional unit (`Ki`, `Mi`, `Gi`, `Ti`, `k`, `M`, `G`, `T`),
/// which may have a fraction if the result is a whole number of bytes.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
        .unwrap_or((text, 1));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.len() <= 20 && part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || number.ends_with('.') {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = digits.checked_mul(u128::from(factor))?;
    if scaled % scale == 0 { u64::try_from(scaled / scale).ok() } else { None }
}

/// Prints an amount of memory in the largest binary unit that divides it.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    UNITS[..4]
        .iter()
        .find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor))
        .map_or_else(|| bytes.to_string(), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// The schema of a time.
pub(crate) struct DurationText;

impl JsonSchema for DurationText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "go-duration" })
    }
}

/// The schema of an amount of memory.
pub(crate) struct BytesText;

impl JsonSchema for BytesText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": "quantity", "minimum": 0 })
    }
}

/// For `#[serde(with)]`: a [`Duration`] as text.
pub(crate) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_duration(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_duration(&text)
            .ok_or_else(|| D::Error::custom("a time such as 5s, 500ms or 1m30s is needed"))
    }
}

/// For `#[serde(with)]`: an amount of memory as text.
pub(crate) mod bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::format_bytes(*bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        value
            .as_u64()
            .or_else(|| value.as_str().and_then(super::parse_bytes))
            .ok_or_else(|| D::Error::custom("an amount of memory such as 64Mi is needed"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{format_bytes, format_duration, parse_bytes, parse_duration};

    #[test]
    fn times() {
        for (text, milliseconds) in [
            ("5s", Some(5000)),
            ("0s", Some(0)),
            ("1m30s", Some(90_000)),
            ("1h1m1s1ms", Some(3_661_001)),
            ("250ms", Some(250)),
        ] {
            assert_eq!(parse_duration(text), milliseconds.map(Duration::from_millis), "{text:?}");
        }
        for text in ["", "5", "s", "5 s", "-5s", "1.5s", "5S", "5d", "123456s", "1s1s1s1s1s", "5sé"] {
            assert_eq!(parse_duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn amounts() {
        for (text, bytes) in [
            ("64Mi", Some(64 << 20)),
            ("1.5Gi", Some(3 << 29)),
            ("1k", Some(1000)),
            ("128M", Some(128_000_000)),
            ("0", Some(0)),
            ("67108864", Some(64 << 20)),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text:?}");
        }
        for text in
            ["", "Mi", "64mi", "64MB", "-1Mi", "1.Mi", ".5Mi", "0.3", "99999999999999999999", "999999999Ti"]
        {
            assert_eq!(parse_bytes(text), None, "{text:?}");
        }
        assert_eq!(format_bytes(1536 << 20), "1536Mi");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(milliseconds in 0_u64..=359_999_999, bytes: u64) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
            prop_assert_eq!(parse_bytes(&format_bytes(bytes)), Some(bytes));
        }
    }
}
