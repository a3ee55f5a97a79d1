//! What kept a repository from being read, in words, with what to do next.

use super::bound::{GitLimits, Stopped};

/// Why a look failed, and what to do. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) reason: String,
    pub(super) remedy: String,
}

/// Words of servers, `ssh`, `git` and the library, and what to do when they say so. The first that fits counts.
const REMEDIES: [(&[&str], &str); 12] = [
    (
        &["host key verification failed", "remote host identification has changed"],
        "check the server's key and put it into known_hosts of the user that the host runs as (ssh-keyscan)",
    ),
    (
        &["permission denied (publickey", "permission denied, please try again"],
        "give the user that the host runs as an SSH key that may read it",
    ),
    (&["clear text"], "use https: credentials are not sent over http"),
    (
        &["terminal prompts disabled", "could not read username", "could not read password"],
        "let one of Git's credential helpers know the repository (git credential approve), or give the URL a token",
    ),
    (
        &["status 401", "status 403", "authentication failed", "were not accepted"],
        "give credentials that may read it: by one of Git's credential helpers, or in the URL",
    ),
    (
        &["dubious ownership"],
        "let the user that the host runs as own it, or add it to safe.directory in Git's configuration",
    ),
    (
        &[
            "does not appear to be a git repository",
            "repository not found",
            "status 404",
            "not found: did you run",
        ],
        "check the URL, and that the repository is still there",
    ),
    (
        &["certificate", "unknownissuer"],
        "trust its authority: on this machine, or by http.sslCAInfo in Git's configuration",
    ),
    (&["is not installed"], "install git, or give a URL that does not need it"),
    (
        &["could not resolve", "name or service not known", "dns error", "failed to lookup"],
        "check the URL and the network",
    ),
    (
        &["connection refused", "connect", "unreachable", "timed out", "reset", "broken pipe"],
        "check that the server runs and can be reached",
    ),
    (&["no space left", "read-only file system"], "make room where the host keeps its state"),
];

impl Trouble {
    pub(super) fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { reason: reason.into(), remedy: remedy.into() }
    }

    /// Of an error in words; what to do follows from them.
    pub(super) fn of(reason: String) -> Self {
        let lower = reason.to_lowercase();
        let fits = |(words, _): &&(&[&str], &str)| words.iter().any(|word| lower.contains(word));
        let remedy = REMEDIES.iter().find(fits).map_or("it is tried again", |(_, remedy)| remedy);
        Self::new(reason.trim_end().trim_end_matches('.'), remedy)
    }

    /// Of a look that was stopped.
    pub(super) fn stopped(why: Stopped, limits: GitLimits) -> Self {
        match why {
            Stopped::Late => Self::new(
                format!("it took more than {} s", limits.time.as_secs()),
                "check the server and the network",
            ),
            Stopped::Silent => Self::new(
                format!("nothing came for {} s", limits.silence.as_secs()),
                "check that the server answers",
            ),
            Stopped::Large => Self::new(
                format!("more than {} came, which is the most that is fetched", size(limits.bytes)),
                "keep manifests in a repository of their own, apart from what is large",
            ),
            Stopped::Unwanted => Self::new("it was given up", "it is tried again"),
        }
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

/// What the library says around the cause, which says nothing of it.
const NOISE: [&str; 3] = [
    "Transport handshake failed",
    "An IO error occurred when talking to the server",
    "Failed to write the received pack",
];

/// An error of the library with everything that it was caused by, each said once.
pub(super) fn words(error: &gix::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in error.iter_errors() {
        let said = cause.to_string();
        let said = said.trim().trim_end_matches('.').to_owned();
        if !said.is_empty() && !words.iter().any(|word| word.contains(&said)) {
            words.push(said);
        }
    }
    if words.iter().any(|word| !NOISE.contains(&word.as_str())) {
        words.retain(|word| !NOISE.contains(&word.as_str()));
    }
    words.join(": ").chars().filter(|char| !char.is_control()).take(600).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_said_leads_to_what_to_do() {
        for (said, remedy) in [
            ("Host key verification failed.", "check the server's key"),
            ("git@host: Permission denied (publickey).", "give the user"),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", "let one of Git's"),
            ("Credentials provided for \"https://h\" were not accepted by the remote", "give credentials"),
            ("fatal: '/srv/x' does not appear to be a git repository", "check the URL"),
            ("ssh: Could not resolve hostname h: Name or service not known", "check the URL and the network"),
            ("ssh: connect to host h port 22: Connection refused", "check that the server runs"),
            ("Received HTTP status 404", "check the URL"),
            ("invalid peer certificate: UnknownIssuer", "trust its authority"),
            ("the program git is not installed", "install git"),
            ("something else", "it is tried again"),
        ] {
            let trouble = Trouble::of(said.to_owned());
            assert!(trouble.remedy.starts_with(remedy), "{said}: {}", trouble.remedy);
        }
    }

    #[test]
    fn a_stopped_look_says_which_bound_it_met() {
        let limits =
            GitLimits { time: Duration::from_secs(300), silence: Duration::from_secs(20), bytes: 512 << 20 };
        let said = |why| Trouble::stopped(why, limits).reason;
        assert_eq!(said(Stopped::Late), "it took more than 300 s");
        assert_eq!(said(Stopped::Silent), "nothing came for 20 s");
        assert_eq!(said(Stopped::Large), "more than 512 MiB came, which is the most that is fetched");
    }
}
