//! A credential as people read it.

use std::fmt;

use super::{Right, Shown};

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token {
                of,
                name,
                subject,
                issuer,
                signed,
                ends,
                ended,
                secret,
                connections,
                publish,
                subscribe,
                revoked,
            } => {
                writeln!(formatter, "{of} {name:?}{}", if *secret { ", with its seed: secret" } else { "" })?;
                writeln!(formatter, "  key      {subject}")?;
                let by = if issuer == subject { "itself" } else { issuer };
                writeln!(formatter, "  signed   {signed} by {by}")?;
                let ends = ends.as_deref().unwrap_or("never");
                write!(formatter, "  ends     {ends}{}", if *ended { ": it is over" } else { "" })?;
                if *revoked > 0 {
                    write!(formatter, "\n  revoked  {revoked} of its users")?;
                }
                if of == "user" {
                    let by = match connections.as_slice() {
                        [] => "in every way".to_owned(),
                        ways => ways.iter().map(|way| door(way)).collect::<Vec<_>>().join(", "),
                    };
                    write!(formatter, "\n  connects {by}")?;
                    rights(formatter, "may say", publish)?;
                    rights(formatter, "hears", subscribe)?;
                }
                Ok(())
            }
            Self::Certificate { name, names, issuer, authority, begins, ends, ended } => {
                let kind = if *authority { "TLS authority" } else { "certificate" };
                writeln!(formatter, "{kind} {name:?}")?;
                if !names.is_empty() {
                    writeln!(formatter, "  names    {}", names.join(", "))?;
                }
                let by = if issuer == name { "itself" } else { issuer };
                writeln!(formatter, "  signed   {begins} by {by}")?;
                write!(formatter, "  ends     {ends}{}", if *ended { ": it is over" } else { "" })
            }
            Self::Seed { of, public } => {
                write!(formatter, "seed of the {of} key {public}: secret, not shown")
            }
            Self::PrivateKey => formatter.write_str("private key of a certificate: secret, not shown"),
            Self::Setting { name, value } => write!(formatter, "{name:<12} {value}"),
        }
    }
}

/// How a way to connect is called in a token, and what it is.
fn door(way: &str) -> String {
    match way {
        "STANDARD" => "as a client".to_owned(),
        "LEAFNODE" => "as a leaf".to_owned(),
        other => other.to_owned(),
    }
}

fn rights(formatter: &mut fmt::Formatter<'_>, what: &str, rights: &[Right]) -> fmt::Result {
    if rights.is_empty() {
        return write!(formatter, "\n  {what}: everything");
    }
    write!(formatter, "\n  {what}:")?;
    let width = rights.iter().map(|right| right.subject.len()).max().unwrap_or(0);
    for Right { subject, meaning } in rights {
        write!(formatter, "\n    {}", format!("{subject:<width$}  {meaning}").trim_end())?;
    }
    Ok(())
}
