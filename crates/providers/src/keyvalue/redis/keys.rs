//! Where a key of a bucket is in Redis: `bucket:key`, as people name keys by hand.
//!
//! In the bucket's name `:` and `%` are written `%3A` and `%25`, so that no two buckets meet; the key stands as it is.

use crate::keyvalue::limits::KEY_BYTES;

/// What all keys of a bucket begin with, in Redis.
pub(super) fn prefix(bucket: &str) -> String {
    let mut prefix = bucket.replace('%', "%25").replace(':', "%3A");
    prefix.push(':');
    prefix
}

/// A key's name in Redis.
pub(super) fn name(bucket: &str, key: &str) -> String {
    prefix(bucket) + key
}

/// The pattern that matches what begins with `prefix` and nothing else.
pub(super) fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('*');
    pattern
}

/// The key that a name in Redis stands for, if it is one that a component could ask for.
pub(super) fn key<'a>(prefix: &str, name: &'a [u8]) -> Option<&'a str> {
    let key = name.strip_prefix(prefix.as_bytes())?;
    std::str::from_utf8(key).ok().filter(|key| key.len() <= KEY_BYTES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_two_places_meet() {
        let mut places = BTreeMap::new();
        for bucket in ["a", "a:", "a:b", "a%", "a%3A", "a%253A", "%", ":", "::", "ä", "a*"] {
            for key in ["", ":", "b", ":b", "b:", "3A:b", "%3A:b", "::"] {
                let name = name(bucket, key);
                assert_eq!(super::key(&prefix(bucket), name.as_bytes()), Some(key));
                assert_eq!(places.insert(name, (bucket, key)), None);
            }
        }
        assert_eq!(name("todo", "item:1"), "todo:item:1");
        assert_eq!(pattern(&prefix("a*[x]\\?")), r"a\*\[x\]\\\?:*");
    }

    #[test]
    fn what_nobody_could_ask_for_is_no_key() {
        assert_eq!(key("a:", b"a:\xff"), None);
        assert_eq!(key("a:", b"b:x"), None);
        assert_eq!(key("a:", format!("a:{}", "k".repeat(KEY_BYTES + 1)).as_bytes()), None);
    }
}
