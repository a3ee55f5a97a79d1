//! What is waited for, where several hosts are waited for alike: said once, with their names. Pure.

use dunlin_host::status::Wait;

/// Hosts or sites of which the same is waited for.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// As they are written, such as `aws/aws-1`.
    pub(crate) of: Vec<&'a str>,
    /// In words; a reason that was told of others is not told again.
    pub(crate) what: String,
    /// The one of them that lasts for longest.
    wait: &'a Wait,
}

impl Group<'_> {
    /// For how long.
    pub(crate) fn age(&self) -> String {
        self.wait.age()
    }

    /// `aws-1 starts since 3 s`, or `aws-1, aws-2: starts since 3 s`.
    fn words(&self) -> String {
        let names: Vec<_> = self.of.iter().map(|of| short(of)).collect();
        let colon = if names.len() > 1 { ":" } else { "" };
        format!("{}{colon} {} since {}", names.join(", "), self.what, self.age())
    }
}

/// The same in the order in which it comes.
pub(crate) fn groups(waits: &[Wait]) -> Vec<Group<'_>> {
    let mut all: Vec<Group<'_>> = Vec::new();
    for wait in waits {
        let same = |group: &&mut Group<'_>| (&group.wait.kind, &group.wait.what) == (&wait.kind, &wait.what);
        match all.iter_mut().find(same) {
            Some(group) => {
                group.of.push(&wait.of);
                if wait.since > group.wait.since {
                    group.wait = wait;
                }
            }
            None => all.push(Group { of: vec![&wait.of], what: wait.what.clone(), wait }),
        }
    }
    // `failed: no disk` and `failed 2 times: no disk` have one reason.
    let mut told: Vec<(&str, &str)> = Vec::new();
    for group in &mut all {
        let Some((what, reason)) = group.wait.what.split_once(": ") else { continue };
        match told.iter().find(|(known, _)| *known == reason) {
            Some((_, of)) => group.what = format!("{what}: as on {}", short(of)),
            None => told.extend(group.of.first().map(|of| (reason, *of))),
        }
    }
    all
}

/// A host without its site, which its name mostly says.
fn short(of: &str) -> &str {
    of.rsplit_once('/').map_or(of, |(_, host)| host)
}

/// All of it in one line.
pub(crate) fn in_words(waits: &[Wait]) -> String {
    groups(waits).iter().map(Group::words).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once() {
        let wait = |of: &str, what: &str, since| Wait {
            of: of.into(),
            kind: "Starting".into(),
            what: what.into(),
            since,
        };
        let waits = [
            wait("aws/aws-1", "starts", 3000),
            wait("gcp/gcp-1", "still follows 1", 1000),
            wait("aws/aws-2", "starts", 4000),
        ];
        assert_eq!(in_words(&waits), "aws-1, aws-2: starts since 4 s; gcp-1 still follows 1 since 1 s");
        assert_eq!(in_words(&[]), "");
        let waits = [
            wait("aws/aws-1", "failed 2 times: no disk: full", 3000),
            wait("aws/aws-2", "failed 2 times: no disk: full", 4000),
            wait("gcp/gcp-1", "update failed: no disk: full", 1000),
            wait("gcp/gcp-2", "failed: no secret", 1000),
        ];
        assert_eq!(
            in_words(&waits),
            "aws-1, aws-2: failed 2 times: no disk: full since 4 s; gcp-1 update failed: as on aws-1 since 1 s; \
             gcp-2 failed: no secret since 1 s"
        );
    }
}
