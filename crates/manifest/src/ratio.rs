//! Shares such as `"0.02"`: decimals in quotes, kept as whole millionths so that they compare exactly.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What one is made of.
const WHOLE: u32 = 1_000_000;

/// A share from 0 to 1, exact to six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Ratio {
    millionths: u32,
}

impl Ratio {
    /// Reads `0`, `1`, or a decimal between with at most six places.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !matches!(whole, "0" | "1") || !is_number(places) || places.len() > 6 {
            return None;
        }
        let fraction: u32 = format!("{places:0<6}").parse().ok()?;
        let millionths = if whole == "1" { WHOLE } else { 0 } + fraction;
        (millionths <= WHOLE).then_some(Self { millionths })
    }

    /// Whether `part` of `whole` is a larger share than this; nothing of nothing is not.
    #[must_use]
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) > u128::from(self.millionths) * u128::from(whole)
    }

    /// As a number, for people and graphs.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / f64::from(WHOLE)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.millionths / WHOLE, self.millionths % WHOLE);
        formatter.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl From<Ratio> for String {
    fn from(ratio: Ratio) -> Self {
        ratio.to_string()
    }
}

impl TryFrom<String> for Ratio {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a decimal from 0 to 1 in quotes is needed, such as \"0.02\"")
    }
}

impl JsonSchema for Ratio {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Ratio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "ratio" })
    }
}

#[cfg(test)]
mod tests {
    use super::Ratio;

    #[test]
    fn only_shares_are_read_and_they_read_back() {
        for (text, printed) in [
            ("0", "0"),
            ("1", "1"),
            ("0.02", "0.02"),
            ("0.020", "0.02"),
            ("1.0", "1"),
            ("0.000001", "0.000001"),
        ] {
            let ratio = Ratio::parse(text).unwrap();
            assert_eq!(ratio.to_string(), printed);
            assert_eq!(Ratio::parse(&ratio.to_string()), Some(ratio));
        }
        for text in
            ["", ".", "0.", ".5", "1.1", "2", "00.1", "0.0000001", "-0.1", "+0", "2%", "1e-2", "0,5", " 0"]
        {
            assert_eq!(Ratio::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_share_is_exceeded_by_more_alone() {
        let fiftieth = Ratio::parse("0.02").unwrap();
        assert!(!fiftieth.is_exceeded(2, 100) && fiftieth.is_exceeded(3, 100));
        let none = Ratio::parse("0").unwrap();
        assert!(!none.is_exceeded(0, 0) && !none.is_exceeded(0, 9) && none.is_exceeded(1, u64::MAX));
        assert!(!Ratio::parse("1").unwrap().is_exceeded(u64::MAX, u64::MAX));
    }
}
