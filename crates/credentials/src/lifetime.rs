//! How long a credential lasts, as people write it: `90d`.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A span of time of whole seconds, at least one: `90d`, `12h`, `30m`, `10s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime {
    seconds: i64,
}

impl Lifetime {
    /// So many days.
    #[must_use]
    pub const fn days(days: u16) -> Self {
        Self { seconds: if days == 0 { 1 } else { days as i64 * 86_400 } }
    }

    /// When it is over, if it begins now.
    pub(crate) fn ends(self) -> i64 {
        crate::token::now().saturating_add(self.seconds)
    }
}

impl FromStr for Lifetime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Lifetime { found: text.to_owned() };
        let unit = match text.chars().last() {
            Some('d') => 86_400,
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(wrong()),
        };
        let count: u32 = text.get(..text.len() - 1).and_then(|count| count.parse().ok()).ok_or_else(wrong)?;
        if count == 0 { Err(wrong()) } else { Ok(Self { seconds: i64::from(count) * unit }) }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, letter) in [(86_400, 'd'), (3600, 'h'), (60, 'm')] {
            if self.seconds % unit == 0 {
                return write!(formatter, "{}{letter}", self.seconds / unit);
            }
        }
        write!(formatter, "{}s", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::Lifetime;

    #[test]
    fn as_people_write_it() {
        for text in ["90d", "12h", "30m", "10s"] {
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
        }
        for text in ["", "d", "0d", "-1d", "90", "1.5d", "90 d", "5é", "99999999999d"] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
    }
}
