//! Whether the head of a branch may follow what is in force: pure.

use dunlin_manifest::{ENOUGH_DIGITS, is_commit};

/// A head that is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// Its full id.
    pub(super) id: &'a str,
    /// Whether the revision in force is among its ancestors; not, if the repository does not know that one.
    pub(super) descends: bool,
    /// What its own `Lattice.spec.replaces` says.
    pub(super) replaces: Option<&'a str>,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It comes into force.
    Apply,
    /// What is in force stays so.
    Hold,
}

/// Judges `head`. Nothing in force, or something that was no commit, stands in nobody's way.
pub(super) fn order(in_force: Option<&str>, head: Head<'_>) -> Order {
    let Some(in_force) = in_force.filter(|revision| is_commit(revision)) else { return Order::Apply };
    let replaces = head.replaces.is_some_and(|named| names(named, in_force));
    if in_force == head.id || head.descends || replaces { Order::Apply } else { Order::Hold }
}

/// Whether `named` is the commit `id`, or enough of its beginning.
fn names(named: &str, id: &str) -> bool {
    named.len() >= ENOUGH_DIGITS && id.starts_with(&named.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn a_head_follows_what_is_in_force_or_says_what_it_replaces() {
        let head = |descends, replaces| Head { id: B, descends, replaces };
        for (in_force, head, expected) in [
            (None, head(false, None), Order::Apply),
            (Some("dir-0123456789ab"), head(false, None), Order::Apply),
            (Some(""), head(false, None), Order::Apply),
            (Some(B), head(false, None), Order::Apply),
            (Some(A), head(true, None), Order::Apply),
            (Some(A), head(false, None), Order::Hold),
            (Some(A), head(false, Some(A)), Order::Apply),
            (Some(A), head(false, Some("aaaaaaa")), Order::Apply),
            (Some(A), head(false, Some("AAAAAAA")), Order::Apply),
            (Some(A), head(false, Some("aaaaaa")), Order::Hold),
            (Some(A), head(false, Some("")), Order::Hold),
            (Some(A), head(false, Some(B)), Order::Hold),
            (Some(A), head(true, Some(B)), Order::Apply),
        ] {
            assert_eq!(order(in_force, head), expected, "{in_force:?} {head:?}");
        }
    }

    proptest! {
        /// Whatever a head says of itself: without being a descendant it has to name what is in force.
        #[test]
        fn nothing_replaces_what_it_does_not_name(
            in_force in "[0-9a-f]{40}", id in "[0-9a-f]{40}", replaces in proptest::option::of("[0-9a-fA-F]{0,44}"),
        ) {
            let head = Head { id: &id, descends: false, replaces: replaces.as_deref() };
            let named = replaces.as_deref().is_some_and(|named| {
                named.len() >= 7 && in_force.starts_with(&named.to_lowercase())
            });
            let apply = order(Some(&in_force), head) == Order::Apply;
            prop_assert_eq!(apply, named || id == in_force);
            prop_assert_eq!(order(Some(&in_force), Head { descends: true, ..head }), Order::Apply);
            prop_assert_eq!(order(None, head), Order::Apply);
        }
    }
}
