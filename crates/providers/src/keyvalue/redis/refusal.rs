//! What a server's error means: whether anything was executed, and in which words to say it.

use crate::keyvalue::Error;
use crate::keyvalue::limits::{BATCH_BYTES, VALUE_BYTES};

/// An error of the server: its code, the first word, and the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal<'a> {
    pub(super) code: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Refusal<'a> {
    /// Splits what the server said. What it repeats of a command is dropped: that may be a value or a password.
    pub(super) fn new(said: &'a str) -> Self {
        let said = said.split(", with args beginning").next().unwrap_or_default();
        let said = said.split(" with args beginning").next().unwrap_or_default();
        let (code, text) = said.split_once(' ').unwrap_or((said, ""));
        // Where the script is named, it is one of ours.
        Self { code, text: text.split(" script: ").next().unwrap_or_default() }
    }

    /// The script is not there (any more), and nothing was executed.
    pub(super) fn is_unknown_script(&self) -> bool {
        self.code == "NOSCRIPT"
    }

    /// The clocks say that the deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        self.code == "LATE"
    }

    /// Says something about the server, not the command: it should be looked at anew.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(self.code, "READONLY" | "LOADING" | "MASTERDOWN" | "NOAUTH" | "MOVED" | "CLUSTERDOWN")
    }

    /// The server's state in words, if that is what it tells.
    pub(super) fn words(&self) -> Option<&'static str> {
        Some(match self.code {
            "READONLY" => "it is a read-only replica: the URL must lead to the server that takes writes",
            "LOADING" => "it is still loading its data",
            "MASTERDOWN" => "it is a replica that has lost its master",
            "OOM" => "it is out of memory (maxmemory)",
            "BUSY" => "it is busy with somebody's script",
            "MISCONF" => "it cannot save its data on disk, and therefore takes no writes",
            "NOREPLICAS" => "it has too few replicas to take writes (min-replicas-to-write)",
            "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" | "TRYAGAIN" => {
                "it belongs to a Redis cluster, which spreads keys over servers and is not supported"
            }
            "NOAUTH" => "it asks for a password: name a secret with the keys username and password",
            "WRONGPASS" => "it refuses the user or the password of the secret",
            "NOPERM" => "the user of the secret may not do this",
            _ => return None,
        })
    }

    /// What an operation ends with.
    pub(super) fn error(&self) -> Error {
        match (self.code, self.words()) {
            ("LATE", _) => Error::NotExecuted("the deadline passed before Redis began".into()),
            ("NOPERM", _) => Error::AccessDenied(format!("Redis: {}", self.text)),
            // The same, where a script met it.
            ("ERR", _) if self.text.starts_with("The user executing the script") => {
                Error::AccessDenied(format!("Redis: {}", self.text))
            }
            ("LONG", _) => Error::Other(too_long(self.text)),
            ("LARGE", _) => Error::Other(format!(
                "the batch is too large: at most {BATCH_BYTES} bytes are allowed; ask for fewer keys at once"
            )),
            ("WRONGTYPE", _) => Error::Other(
                "at this key Redis holds no string but something else, and it is unchanged".into(),
            ),
            ("ERR", _) if self.text.contains("would overflow") => {
                Error::Other("the counter would leave the range of 64 bits, and is unchanged".into())
            }
            ("ERR", _) if self.text.contains("not an integer") => Error::Other(
                "the value is not a counter: it must be a decimal 64-bit integer, and is unchanged".into(),
            ),
            (code, Some(words)) => Error::NotExecuted(format!("Redis refused: {words} ({code})")),
            (code, None) => Error::Other(format!("Redis refused: {code} {}", self.text)),
        }
    }
}

/// A value of another program, longer than ours may be.
pub(super) fn too_long(found: impl std::fmt::Display) -> String {
    format!("the value in Redis is too long: {found} bytes, at most {VALUE_BYTES} are allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_not_executed() {
        for said in [
            "READONLY You can't write against a read only replica. script: 1f2e, on @user_script:1.",
            "LOADING Redis is loading the dataset in memory",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "NOAUTH Authentication required.",
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "MOVED 3999 127.0.0.1:6381",
            "LATE the deadline passed before the command began",
        ] {
            let error = Refusal::new(said).error();
            assert!(matches!(error, Error::NotExecuted(_)), "{said}: {error:?}");
        }
    }

    #[test]
    fn says_whose_fault_it_is() {
        let error = Refusal::new("NOPERM this user has no permissions to run the 'evalsha' command").error();
        assert!(matches!(&error, Error::AccessDenied(reason) if reason.contains("evalsha")), "{error}");
        let said = "ERR The user executing the script can't run this command or subcommand";
        assert!(matches!(Refusal::new(said).error(), Error::AccessDenied(_)));
        for said in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR value is not an integer or out of range",
            "ERR increment or decrement would overflow",
            "LONG 9000000",
            "LARGE",
            "ERR something new",
        ] {
            assert!(matches!(Refusal::new(said).error(), Error::Other(_)), "{said}");
        }
    }

    #[test]
    fn repeats_no_password() {
        let said =
            "ERR unknown command `HELLO`, with args beginning with: `2`, `AUTH`, `default`, `hunter2`, ";
        assert_eq!(Refusal::new(said), Refusal { code: "ERR", text: "unknown command `HELLO`" });
        let said = "ERR unknown command 'HELLO' with args beginning with: 'hunter2'";
        assert_eq!(Refusal::new(said).text, "unknown command 'HELLO'");
    }
}
