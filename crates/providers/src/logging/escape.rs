//! Keeping what a guest wrote from steering the terminal it is shown on.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` on one line, with nothing in it that a terminal obeys: control characters, line separators and marks
/// that turn the direction of writing become visible escapes (`\n`, `\u{1b}`). Tabs stay.
///
/// To be used wherever a message is printed for people. Backslashes are left as they are: this is for reading,
/// not for parsing back.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            character if obeyed(character) => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            character => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

fn obeyed(character: char) -> bool {
    match character {
        '\t' => false,
        // Line and paragraph separator; embeddings, overrides and isolates of direction; the three marks.
        '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => true,
        character => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_ordinary_text_alone() {
        for text in ["", "hello", "a\tb", "größer ✓ 日本", r"C:\new"] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn shows_what_a_terminal_would_obey() {
        let cases = [
            ("a\nb\r", r"a\nb\r"),
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("\u{0}\u{7f}", r"\u{0}\u{7f}"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("\u{202e}txt", r"\u{202e}txt"),
            ("\u{2028}", r"\u{2028}"),
        ];
        for (text, shown) in cases {
            assert_eq!(escape(text), shown);
        }
    }
}
