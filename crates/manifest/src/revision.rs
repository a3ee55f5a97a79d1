//! Revisions: what desired state was read from, as a name that people are shown.

/// Digits that name a commit for people, and that are enough to name one.
pub const ENOUGH_DIGITS: usize = 7;

/// Whether a revision is a commit's full id: 40 or 64 of `0-9` and `a-f`. That of a directory is not.
#[must_use]
pub fn is_commit(revision: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    [40, 64].contains(&revision.len()) && revision.bytes().all(digit)
}

/// The digits of a commit that people are shown; of any other revision, all of it.
#[must_use]
pub fn short_revision(revision: &str) -> &str {
    if is_commit(revision) { &revision[..ENOUGH_DIGITS] } else { revision }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_ids_are_commits_and_are_shortened() {
        let (sha1, sha256) = ("3f2a91c0".repeat(5), "3f2a91c0".repeat(8));
        for (revision, shown) in [
            (sha1.as_str(), "3f2a91c"),
            (&sha256, "3f2a91c"),
            ("dir-0123456789ab", "dir-0123456789ab"),
            ("", ""),
            ("3f2a91c", "3f2a91c"),
        ] {
            assert_eq!(short_revision(revision), shown);
        }
        for none in
            [&sha1.to_uppercase(), &format!("{sha1}0"), &sha1[1..], &"../".repeat(20), &"é".repeat(20)]
        {
            assert!(!is_commit(none), "{none}");
            assert_eq!(short_revision(none), none);
        }
    }
}
