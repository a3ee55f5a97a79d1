//! Escaping of one token of a subject: percent-encoding of whatever has a meaning to the bus.

/// Writes `text` as one token. Function names hold `:`, `/`, `@` and `.`; of these only `.` means something to the
/// bus. Anything that is not printable ASCII is escaped as well, so that no client trips over it.
pub(super) fn escape(text: &str) -> String {
    let mut token = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if plain(byte) {
            token.push(char::from(byte));
        } else {
            token.push('%');
            token.push(digit(byte >> 4));
            token.push(digit(byte & 15));
        }
    }
    token
}

/// Reads what [`escape`] wrote, and nothing else: `None` for an empty token, a broken escape, lower-case
/// hexadecimal, an escape that was not needed, or bytes that are not UTF-8.
pub(super) fn unescape(token: &str) -> Option<String> {
    let mut text = Vec::with_capacity(token.len());
    let mut bytes = token.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let escaped = value(bytes.next()?)? << 4 | value(bytes.next()?)?;
            if plain(escaped) {
                return None;
            }
            text.push(escaped);
        } else if plain(byte) {
            text.push(byte);
        } else {
            return None;
        }
    }
    String::from_utf8(text).ok().filter(|text| !text.is_empty())
}

const fn plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'.' | b'*' | b'>' | b'%')
}

fn digit(value: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(value & 15)])
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
