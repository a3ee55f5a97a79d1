//! Numbers for people.

/// `1 204` for 1204: a thin way to make large numbers readable.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 request`, `1 204 requests`: for words whose plural takes an s.
pub(crate) fn counted(number: impl TryInto<u64>, word: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {word}{plural}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words() {
        assert_eq!([0, 999, 1204, 1_000_000].map(thousands), ["0", "999", "1 204", "1 000 000"]);
        let told = [0_usize, 1, 1204].map(|number| counted(number, "request"));
        assert_eq!(told, ["0 requests", "1 request", "1 204 requests"]);
    }
}
