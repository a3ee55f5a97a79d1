//! Any credential in words: whose it is, who signed it, how long it lasts, what it may do. Never the secret itself.

mod certificate;
mod text;
mod words;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::creds::block;
use crate::error::Error;
use crate::files;
use crate::key::{Key, Kind};
use crate::secret::Secret;
use crate::token::{Claims, now};

pub(crate) use certificate::{
    certificate_facts, certificate_of_der, certificates, names as certificate_names,
};

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Shown {
    /// A signed token: operator, account or user.
    Token {
        /// `operator`, `account`, `user`.
        of: String,
        /// Its name, for people.
        name: String,
        /// The public key that it is about.
        subject: String,
        /// The public key that signed it; the signature was checked.
        issuer: String,
        /// When it was signed.
        signed: String,
        /// When it ends, if it does.
        ends: Option<String>,
        /// Whether that is over.
        ended: bool,
        /// Whether the file holds the user's seed too, and is therefore secret.
        secret: bool,
        /// How it may connect; empty: in every way.
        connections: Vec<String>,
        /// Where it may publish; nothing listed for a user: everywhere.
        publish: Vec<Right>,
        /// What it may subscribe to; nothing listed for a user: everything.
        subscribe: Vec<Right>,
        /// How many of an account's users are revoked.
        revoked: usize,
    },
    /// A certificate.
    Certificate {
        /// Its common name.
        name: String,
        /// DNS names and IP addresses of the server.
        names: Vec<String>,
        /// The common name of the authority that signed it.
        issuer: String,
        /// Whether it may sign others.
        authority: bool,
        /// From when it is valid.
        begins: String,
        /// Until when.
        ends: String,
        /// Whether that is over.
        ended: bool,
    },
    /// The seed of a key; secret.
    Seed {
        /// Whose: `operator`, `account`, `user`.
        of: String,
        /// The public key that belongs to it.
        public: String,
    },
    /// The private key of a certificate; secret.
    PrivateKey,
    /// A line of a server's configuration that says where it listens, connects or finds a file.
    Setting {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// A pattern of subjects, and what it is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Right {
    /// The pattern.
    pub subject: String,
    /// What it means on a lattice; empty if it is no subject of one.
    pub meaning: String,
}

/// Explains all credentials in a file: `.creds`, tokens, seeds, certificates, keys, or a server's configuration.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn show(path: &Path) -> Result<Vec<Shown>, Error> {
    let text = files::read_secret(path)?;
    let unreadable = |reason: String| Error::Unreadable { path: path.to_owned(), reason };
    let mut shown = Vec::new();
    let secret = block(text.expose(), "USER NKEY SEED").is_some();
    if !secret {
        shown.extend(settings(text.expose()));
    }
    for found in words_of(text.expose()).filter(|word| word.starts_with("eyJ")) {
        let claims = Claims::read(found).map_err(unreadable)?;
        shown.push(token(claims, secret));
    }
    if !secret {
        shown.extend(words_of(text.expose()).filter_map(seed));
    }
    if text.expose().contains("BEGIN CERTIFICATE-----") {
        shown.extend(certificate::read(path, text.expose())?);
    }
    if text.expose().contains("PRIVATE KEY-----") {
        shown.push(Shown::PrivateKey);
    }
    if shown.is_empty() {
        return Err(unreadable(
            "there is no credential in it; expected .creds, a token, a seed, PEM or a configuration of ours"
                .to_owned(),
        ));
    }
    Ok(shown)
}

/// Words of which tokens and seeds are made: what stands between spaces and quotes.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter.is_whitespace() || letter == '"').filter(|word| !word.is_empty())
}

fn seed(word: &str) -> Option<Shown> {
    if word.len() != 58 {
        return None;
    }
    let text = Secret::new(word.to_owned());
    let key = [Kind::Operator, Kind::Account, Kind::User]
        .into_iter()
        .find_map(|kind| Some((kind, Key::from_seed(kind, &text).ok()?)));
    key.map(|(kind, key)| Shown::Seed { of: kind.word().to_owned(), public: key.public() })
}

/// The lines of a server's configuration that say where it listens, connects and finds its files.
fn settings(text: &str) -> Vec<Shown> {
    const NAMED: [&str; 8] =
        ["listen", "http", "urls", "credentials", "ca_file", "cert_file", "key_file", "account"];
    let lines = text.lines().filter_map(|line| line.trim().split_once(": "));
    lines
        .filter(|(name, _)| NAMED.contains(name))
        .map(|(name, value)| Shown::Setting {
            name: name.to_owned(),
            value: value.trim_matches(['"', '[', ']']).to_owned(),
        })
        .collect()
}

fn token(claims: Claims, secret: bool) -> Shown {
    let rights = |way, mean: fn(&str) -> String| {
        subjects(&claims.nats, way, "allow")
            .into_iter()
            .map(|subject| Right { meaning: mean(&subject), subject })
            .collect()
    };
    let list = claims.nats.get("allowed_connection_types").and_then(Value::as_array);
    let connections = list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let revoked = claims.nats.get("revocations").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    Shown::Token {
        of: claims.kind().to_owned(),
        publish: rights("pub", words::publish),
        subscribe: rights("sub", words::subscribe),
        signed: moment(claims.signed),
        ends: claims.ends.map(moment),
        ended: claims.ends.is_some_and(|ends| ends <= now()),
        name: claims.name,
        subject: claims.subject,
        issuer: claims.issuer,
        secret,
        connections,
        revoked,
    }
}

/// A user's patterns: `way` is `pub` or `sub`, `list` is `allow` or `deny`.
pub(crate) fn subjects(nats: &Value, way: &str, list: &str) -> Vec<String> {
    let patterns = nats.get(way).and_then(|way| way.get(list)).and_then(Value::as_array);
    patterns.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A time as people read it, to the minute.
pub(crate) fn moment(seconds: i64) -> String {
    let Ok(time) = OffsetDateTime::from_unix_timestamp(seconds) else { return "beyond all time".to_owned() };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(moment(1_900_000_000), "2030-03-17 17:46 UTC");
        assert_eq!(moment(i64::MAX), "beyond all time");
    }
}
