//! Signing keys in the form of NATS (nkeys: Ed25519, spelled in base32 with a prefix and a checksum).

use nkeys::{KeyPair, KeyPairType};

use crate::error::Error;
use crate::secret::Secret;

/// Whose key; each signs what the next needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Trusted by the servers; signs accounts.
    Operator,
    /// Signs its users.
    Account,
    /// Signs the challenges of servers.
    User,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Account => "account",
            Self::User => "user",
        }
    }

    /// The kind that a public key is of, by its first letter.
    pub(crate) fn of_public(key: &str) -> Option<Self> {
        nkeys::from_public_key(key).ok()?;
        match key.as_bytes().first()? {
            b'O' => Some(Self::Operator),
            b'A' => Some(Self::Account),
            b'U' => Some(Self::User),
            _ => None,
        }
    }
}

/// A key that can sign.
pub(crate) struct Key {
    kind: Kind,
    pair: KeyPair,
}

impl Key {
    pub(crate) fn generate(kind: Kind) -> Self {
        let pair = match kind {
            Kind::Operator => KeyPair::new_operator(),
            Kind::Account => KeyPair::new_account(),
            Kind::User => KeyPair::new_user(),
        };
        Self { kind, pair }
    }

    /// Reads a seed.
    ///
    /// # Errors
    /// It is no seed, or that of another kind.
    pub(crate) fn from_seed(kind: Kind, seed: &Secret) -> Result<Self, Error> {
        // The library's words may repeat letters of the seed, so they are not passed on.
        let failed = |reason: &str| Error::Key { kind: kind.word(), reason: reason.to_owned() };
        let pair = KeyPair::from_seed(seed.expose().trim()).map_err(|_| failed("its seed is damaged"))?;
        let found = match pair.key_pair_type() {
            KeyPairType::Operator => Some(Kind::Operator),
            KeyPairType::Account => Some(Kind::Account),
            KeyPairType::User => Some(Kind::User),
            _ => None,
        };
        if found == Some(kind) { Ok(Self { kind, pair }) } else { Err(failed("it is a key of another kind")) }
    }

    pub(crate) fn public(&self) -> String {
        self.pair.public_key()
    }

    /// # Errors
    /// Never for a key that was generated or read here.
    pub(crate) fn seed(&self) -> Result<Secret, Error> {
        let seed = self.pair.seed().map_err(|error| self.failed(&error));
        seed.map(Secret::new)
    }

    /// # Errors
    /// Never for a key that was generated or read here.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        self.pair.sign(text).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &nkeys::error::Error) -> Error {
        Error::Key { kind: self.kind.word(), reason: error.to_string() }
    }
}

/// Whether `signature` is that of the public key's owner.
pub(crate) fn verifies(public: &str, text: &[u8], signature: &[u8]) -> bool {
    KeyPair::from_public_key(public).is_ok_and(|pair| pair.verify(text, signature).is_ok())
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Key").field(&self.public()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_key_and_shows_nowhere() {
        for (kind, prefix) in [(Kind::Operator, "SO"), (Kind::Account, "SA"), (Kind::User, "SU")] {
            let key = Key::generate(kind);
            let seed = key.seed().unwrap();
            assert!(seed.expose().starts_with(prefix));
            let again = Key::from_seed(kind, &seed).unwrap();
            assert_eq!(again.public(), key.public());
            assert_eq!(Kind::of_public(&key.public()), Some(kind));
            assert!(!format!("{key:?}{seed:?}").contains(seed.expose()));
            assert!(verifies(&key.public(), b"text", &again.sign(b"text").unwrap()));
            assert!(!verifies(&key.public(), b"other", &again.sign(b"text").unwrap()));
        }
    }

    #[test]
    fn refuses_other_kinds_and_damage() {
        let user = Key::generate(Kind::User).seed().unwrap();
        let error = Key::from_seed(Kind::Account, &user).unwrap_err();
        assert_eq!(error.to_string(), "the account key cannot be used: it is a key of another kind");
        let damaged = Secret::new(user.expose().replace('A', "B"));
        assert!(!Key::from_seed(Kind::User, &damaged).unwrap_err().to_string().contains(damaged.expose()));
        assert!(Key::from_seed(Kind::User, &Secret::new("é".repeat(29))).is_err());
    }
}
