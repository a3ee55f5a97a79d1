//! Text that must not be seen: no Debug, no Display, wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A seed, a private key, or a file that contains one.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Whoever asks for it writes it to a private file or signs with it, nothing else.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("SUAIO".to_owned())), "Secret(…)");
    }
}
