//! What is waited for, where several hosts are waited for alike: said once, with their names. Pure.

use dunlin_host::status::Wait;

/// Hosts or sites of which the same is waited for.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// As they are written, such as `aws/aws-1`.
    pub(crate) of: Vec<&'a str>,
    /// The one of them that lasts for longest.
    pub(crate) wait: &'a Wait,
}

impl Group<'_> {
    /// For how long.
    pub(crate) fn age(&self) -> String {
        self.wait.age()
    }

    /// `aws-1 starts since 3 s`, or `aws-1, aws-2: starts since 3 s`.
    fn words(&self) -> String {
        if self.of.len() < 2 {
            return self.wait.to_string();
        }
        let name = |of: &&str| of.rsplit_once('/').map_or(*of, |(_, host)| host).to_owned();
        let names: Vec<_> = self.of.iter().map(name).collect();
        format!("{}: {} since {}", names.join(", "), self.wait.what, self.age())
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
            None => all.push(Group { of: vec![&wait.of], wait }),
        }
    }
    all
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
    }
}
