//! What a server says when it denies a user something, read.

/// What was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Violation {
    /// Publishing to this subject.
    Publish(String),
    /// Publishing with this reply subject; the subject itself is allowed.
    Reply(String),
    /// Listening to this pattern.
    Subscribe(String),
}

impl Violation {
    /// Reads `Permissions Violation for Publish to "todo.call.gcp"` and its like; `None` if it is something else.
    pub(super) fn read(words: &str) -> Option<Self> {
        let rest = words.strip_prefix("Permissions Violation for ")?;
        let (kind, after): (fn(String) -> Self, _) = if let Some(after) = rest.strip_prefix("Publish to ") {
            (Self::Publish, after)
        } else if let Some(after) = rest.strip_prefix("Publish with Reply of ") {
            (Self::Reply, after)
        } else {
            (Self::Subscribe, rest.strip_prefix("Subscription to ")?)
        };
        // Go quotes it; no subject of ours needs an escape.
        let quoted = after.strip_prefix('"')?;
        let (subject, _) = quoted.split_once('"')?;
        Some(kind(subject.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_say() {
        for (words, violation) in [
            (
                r#"Permissions Violation for Publish to "todo.call.a""#,
                Some(Violation::Publish("todo.call.a".into())),
            ),
            (
                r#"Permissions Violation for Publish with Reply of "_R_.x""#,
                Some(Violation::Reply("_R_.x".into())),
            ),
            (r#"Permissions Violation for Subscription to "a.*""#, Some(Violation::Subscribe("a.*".into()))),
            (
                r#"Permissions Violation for Subscription to "a.>" using queue "q" (sid "3")"#,
                Some(Violation::Subscribe("a.>".into())),
            ),
            (
                r#"Permissions Violation for Subscription to "a", too many tokens"#,
                Some(Violation::Subscribe("a".into())),
            ),
            ("Permissions Violation for Publish to a", None),
            ("maximum connections exceeded", None),
            ("", None),
        ] {
            assert_eq!(Violation::read(words), violation, "{words}");
        }
    }
}
