//! The tokens that NATS servers read: JSON claims, signed by a key that the servers trust.
//!
//! Written by hand: of the two crates that make such tokens, `nats-io-jwt` generates 7,000 lines of types from a
//! schema with a build script, and `nats-jwt` has an unreleased log of changes, no operator tokens, no revocations
//! and cannot read. The form is small: a header, the claims and a signature over both, each in base64
//! (<https://github.com/nats-io/jwt>, version 2).

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha512_256};

use crate::error::Error;
use crate::key::{Key, Kind, verifies};

const HEADER: &str = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;

/// What a token claims; `nats` holds what depends on its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// When it ends, in seconds of the Unix epoch.
    #[serde(rename = "exp", default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<i64>,
    /// A hash of the other claims.
    #[serde(rename = "jti", default)]
    id: String,
    /// When it was signed.
    #[serde(rename = "iat", default)]
    pub(crate) signed: i64,
    /// The public key that signed it.
    #[serde(rename = "iss", default)]
    pub(crate) issuer: String,
    /// For people.
    #[serde(default)]
    pub(crate) name: String,
    /// When it begins.
    #[serde(rename = "nbf", default, skip_serializing_if = "Option::is_none")]
    pub(crate) begins: Option<i64>,
    /// The public key that it is about.
    #[serde(rename = "sub", default)]
    pub(crate) subject: String,
    /// Kind, limits, permissions.
    #[serde(default)]
    pub(crate) nats: Value,
}

impl Claims {
    /// Claims about `subject` that never end.
    pub(crate) fn new(name: &str, subject: String, nats: Value) -> Self {
        let (ends, begins, id, issuer) = (None, None, String::new(), String::new());
        Self { ends, id, signed: now(), issuer, name: name.to_owned(), begins, subject, nats }
    }

    /// `operator`, `account`, `user` or something that is not made here.
    pub(crate) fn kind(&self) -> &str {
        self.nats.get("type").and_then(Value::as_str).unwrap_or("unknown")
    }

    /// Signs the claims.
    ///
    /// # Errors
    /// The key does not sign.
    pub(crate) fn sign(mut self, key: &Key) -> Result<String, Error> {
        self.issuer = key.public();
        self.id = String::new();
        self.id = BASE32_NOPAD.encode(&Sha512_256::digest(json(&self)?));
        let text = format!("{}.{}", encode(HEADER.as_bytes()), encode(json(&self)?.as_bytes()));
        let signature = encode(&key.sign(text.as_bytes())?);
        Ok(format!("{text}.{signature}"))
    }

    /// Reads a token and checks that the issuer that it names signed it, and may sign this kind.
    ///
    /// # Errors
    /// In words: what is wrong with it.
    pub(crate) fn read(token: &str) -> Result<Self, String> {
        let mut parts = token.trim().split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("a token has three parts with dots between them".to_owned());
        };
        let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|error| error.to_string());
        let algorithm: Value = serde_json::from_slice(&part(header)?).map_err(|error| error.to_string())?;
        match algorithm.get("alg").and_then(Value::as_str) {
            Some("ed25519-nkey") => {}
            Some(other) => return Err(format!("signed by {other}; tokens of NATS 2 have ed25519-nkey")),
            None => return Err("the token's header does not say how it is signed".to_owned()),
        }
        let read: Self = serde_json::from_slice(&part(claims)?).map_err(|error| error.to_string())?;
        if !verifies(&read.issuer, format!("{header}.{claims}").as_bytes(), &part(signature)?) {
            return Err("its signature is not that of the issuer that it names".to_owned());
        }
        let allowed = match read.kind() {
            "operator" | "account" => Some(Kind::Operator),
            "user" => Some(Kind::Account),
            _ => None,
        };
        if allowed.is_some() && Kind::of_public(&read.issuer) != allowed {
            return Err(format!("its issuer may not sign a token of kind {}", read.kind()));
        }
        Ok(read)
    }
}

fn json(claims: &Claims) -> Result<String, Error> {
    serde_json::to_string(claims)
        .map_err(|error| Error::Key { kind: "token", reason: format!("its claims are no JSON: {error}") })
}

fn encode(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// The time, in seconds of the Unix epoch.
pub(crate) fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> (Key, Claims) {
        let subject = Key::generate(Kind::User).public();
        (Key::generate(Kind::Account), Claims::new("me", subject, serde_json::json!({ "type": "user" })))
    }

    #[test]
    fn what_was_signed_is_read() {
        let (account, claims) = user();
        let read = Claims::read(&claims.clone().sign(&account).unwrap()).unwrap();
        assert_eq!((read.name.as_str(), read.issuer.as_str()), ("me", account.public().as_str()));
        assert_eq!((read.id.len(), &read.subject), (52, &claims.subject));
    }

    #[test]
    fn what_was_changed_is_refused() {
        let (account, claims) = user();
        let token = claims.clone().sign(&account).unwrap();
        let other = Claims { name: "you".to_owned(), ..claims.clone() }.sign(&account).unwrap();
        let (head, rest) = (token.split('.').next().unwrap(), other.split('.').nth(1).unwrap());
        let mixed = format!("{head}.{rest}.{}", token.split('.').nth(2).unwrap());
        assert_eq!(
            Claims::read(&mixed).unwrap_err(),
            "its signature is not that of the issuer that it names"
        );
        let by_operator = claims.sign(&Key::generate(Kind::Operator)).unwrap();
        assert_eq!(Claims::read(&by_operator).unwrap_err(), "its issuer may not sign a token of kind user");
        for broken in ["", "a.b", "a.b.c.d", "e30.e30.e30", "é.é.é"] {
            assert!(Claims::read(broken).is_err(), "{broken}");
        }
    }
}
