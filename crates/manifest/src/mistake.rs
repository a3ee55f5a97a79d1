//! One mistake, with everything a reader needs to mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::ObjectReference;

/// Something that the files say and that cannot be meant.
///
/// Displayed it is one line: `todo.yaml:7:11: spec.sites.gpc: unknown site "gpc": did you mean "gcp"?
/// (allowed: aws, gcp)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mistake {
    /// The file, as [`crate::File`] named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The object that it holds back, if that can be told.
    pub object: Option<ObjectReference>,
    /// The field: `spec.links.store.import`. Empty when it is about a whole object or file.
    pub path: String,
    /// What was found: `unknown site "gpc"`.
    pub found: String,
    /// What is allowed in its place.
    pub allowed: Option<String>,
    /// What to do: `did you mean "gcp"?`.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, path, found, .. } = self;
        write!(formatter, "{file}:{line}:{column}: ")?;
        if !path.is_empty() {
            write!(formatter, "{path}: ")?;
        }
        write!(formatter, "{found}")?;
        if let Some(hint) = &self.hint {
            write!(formatter, ": {hint}")?;
        }
        if let Some(allowed) = &self.allowed {
            write!(formatter, " (allowed: {allowed})")?;
        }
        Ok(())
    }
}

/// `did you mean "…"?` with the candidate nearest to what was found, if one is near enough.
#[must_use]
pub fn did_you_mean<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let folded = found.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .filter(|(distance, candidate)| {
            *distance < candidate.chars().count().min(found.chars().count()).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("did you mean {candidate:?}?"))
}

/// A text in quotes, cut to a length that a line can bear.
pub(crate) fn quoted(text: &str) -> String {
    if text.chars().count() <= 60 {
        format!("{text:?}")
    } else {
        format!("{:?}…", text.chars().take(60).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, quoted};

    #[test]
    fn suggestions_are_near() {
        for (found, expected) in [
            ("gpc", Some("gcp")),
            ("azure", None),
            ("GCP", Some("gcp")),
            ("maxConcurency", Some("maxConcurrency")),
            ("x", None),
            ("", None),
        ] {
            let hint = did_you_mean(found, ["aws", "gcp", "maxConcurrency"]);
            assert_eq!(hint, expected.map(|name| format!("did you mean {name:?}?")), "{found:?}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(quoted(&"a".repeat(100)), format!("\"{}\"…", "a".repeat(60)));
    }
}
