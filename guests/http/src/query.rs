//! The query of a URL, taken apart.

/// Names and values, percent-decoded, in their order; a value may be any bytes.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, Vec<u8>)>);

impl Query {
    /// Takes `a=1&b=2` apart.
    pub fn parse(query: &str) -> Self {
        Self(
            query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (String::from_utf8_lossy(&decode(name)).into_owned(), decode(value))
                })
                .collect(),
        )
    }

    /// Adds what another has.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Adds a value as it is.
    pub fn push(&mut self, name: &str, value: Vec<u8>) {
        self.0.push((name.to_owned(), value));
    }

    /// The first value of `name`, as bytes.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    /// The first value of `name`, as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The first value of `name`, as a number or whatever else is read from text.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// Every value of `name`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        match (byte, escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (_, Some(value)) => {
                decoded.push(value);
                at += 2;
            }
            (b'+', None) => decoded.push(b' '),
            (other, None) => decoded.push(other),
        }
        at += 1;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_query_apart() {
        let query = Query::parse("key=a%20b&key=c+d&raw=%ff%&n=-7&bare");
        assert_eq!(query.all("key").collect::<Vec<_>>(), [b"a b", b"c d"]);
        assert_eq!(query.bytes("raw"), Some(&[0xff, b'%'][..]));
        assert_eq!(query.parsed("n"), Some(-7));
        assert_eq!(query.text("bare").as_deref(), Some(""));
        assert_eq!(query.text("absent"), None);
    }
}
