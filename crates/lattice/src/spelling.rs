//! What is a subject and what is a pattern: checked before anything is sent, the same on every bus.

use crate::BusError;

/// The longest subject, its reply subject included, that a NATS server's control line has room for.
const LONGEST: usize = 4000;

/// Refuses what no NATS server would take as the head of a message.
pub(crate) fn check_head(subject: &str, reply: Option<&str>) -> Result<(), BusError> {
    check_subject(subject)?;
    if let Some(reply) = reply {
        check_subject(reply)?;
    }
    if subject.len() + reply.map_or(0, str::len) > LONGEST {
        return Err(refused(subject, "subjects of more than 4000 bytes do not fit a message's head"));
    }
    Ok(())
}

fn check_subject(subject: &str) -> Result<(), BusError> {
    check_tokens(subject)?;
    // Nearly every subject has none of them at all, so look at bytes before tokens.
    let wildcards = subject.bytes().any(|byte| matches!(byte, b'*' | b'>'));
    if wildcards && subject.split('.').any(|token| token == "*" || token == ">") {
        return Err(refused(subject, "messages go to subjects, not to patterns"));
    }
    Ok(())
}

/// Refuses what no NATS server would take as a subscription.
pub(crate) fn check_pattern(pattern: &str) -> Result<(), BusError> {
    check_tokens(pattern)?;
    if pattern.len() > LONGEST {
        return Err(refused(pattern, "patterns of more than 4000 bytes do not fit a request's head"));
    }
    let mut tokens = pattern.split('.').rev().skip(1);
    if tokens.any(|token| token == ">") {
        return Err(refused(pattern, "`>` is allowed at the end only"));
    }
    Ok(())
}

/// No token may be empty, and none may hold a blank.
fn check_tokens(subject: &str) -> Result<(), BusError> {
    let mut before = b'.';
    for byte in subject.bytes() {
        if byte.is_ascii_whitespace() || (byte == b'.' && before == b'.') {
            return Err(refused(subject, "a token is empty or holds a blank"));
        }
        before = byte;
    }
    if before == b'.' {
        return Err(refused(subject, "a token is empty or holds a blank"));
    }
    Ok(())
}

fn refused(subject: &str, reason: &str) -> BusError {
    BusError::Refused { subject: subject.chars().take(200).collect(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_patterns() {
        for (text, subject, pattern) in [
            ("a", true, true),
            ("a.b:/@%2E", true, true),
            ("a.*b.c>", true, true),
            ("a.*.c", false, true),
            ("a.>", false, true),
            ("*", false, true),
            (">", false, true),
            (">.a", false, false),
            ("a.>.b", false, false),
            ("", false, false),
            (".", false, false),
            (".a", false, false),
            ("a.", false, false),
            ("a..b", false, false),
            ("a b", false, false),
            ("a\tb", false, false),
            ("a\r\nPUB b 0", false, false),
        ] {
            assert_eq!(check_head(text, None).is_ok(), subject, "{text:?} as a subject");
            assert_eq!(check_head("a", Some(text)).is_ok(), subject, "{text:?} as a reply subject");
            assert_eq!(check_pattern(text).is_ok(), pattern, "{text:?} as a pattern");
        }
        let long = "a".repeat(LONGEST);
        assert!(check_head(&long, None).is_ok() && check_head(&long, Some("b")).is_err());
    }
}
