//! What kind of name comes next on a command line. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, Command};

/// A kind of name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// None that is known here.
    #[default]
    Nothing,
    /// Components.
    Components,
    /// Sites, each with a `=` behind it.
    Changes,
    /// Sites, hosts, and with `--real` servers.
    Parts,
    /// Sites with a NATS server, and `hub`.
    Servers,
    /// Running `dunlin dev`.
    Processes,
}

/// What is wanted, and of whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    /// What is named already.
    pub(super) named: Vec<String>,
    /// The `dunlin dev` that is named.
    pub(super) process: Option<u32>,
    /// The directory of manifests that is named.
    pub(super) directory: Option<PathBuf>,
}

/// What comes after `words`, a line that may begin before `dunlin`.
pub(super) fn wanted(root: &Command, words: &[String]) -> Wanted {
    let Some(words) = rejoined(words) else { return Wanted::default() };
    let program = |word: &String| word.rsplit('/').next() == Some(root.get_name());
    let begin = words.iter().rposition(program).map_or(0, |program| program + 1);
    let (mut command, mut path) = (root, Vec::new());
    let (mut named, mut options) = (Vec::new(), BTreeMap::new());
    let mut pending: Option<&Arg> = None;
    for word in words.into_iter().skip(begin) {
        if let Some(option) = pending.take() {
            options.insert(option.get_id().to_string(), word);
        } else if word.starts_with('-') {
            let (name, value) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            match (option(command, name), value) {
                (Some(option), Some(value)) => {
                    options.insert(option.get_id().to_string(), value.to_owned());
                }
                (found, _) => pending = found,
            }
        } else if let Some(below) = command.find_subcommand(&word).filter(|_| named.is_empty()) {
            command = below;
            path.push(below.get_name());
        } else {
            named.push(word);
        }
    }
    let kind = match pending.map(|option| option.get_id().as_str()) {
        Some("process") => Kind::Processes,
        Some("component") => Kind::Components,
        Some(_) => Kind::Nothing,
        None => argument(&path, named.len()),
    };
    let process = options.get("process").and_then(|process| process.parse().ok());
    Wanted { kind, named, process, directory: options.remove("directory").map(PathBuf::from) }
}

/// The kind of a command's argument after so many others.
fn argument(path: &[&str], before: usize) -> Kind {
    match (path, before) {
        (["move"], 0) => Kind::Components,
        (["move"], _) => Kind::Changes,
        (["rollout" | "pin"], _) => Kind::Components,
        (["history" | "logs" | "trace" | "rollback" | "promote"], 0) => Kind::Components,
        (["kill" | "revive" | "freeze" | "thaw"], 0) => Kind::Parts,
        (["nats", "env"], 0) => Kind::Servers,
        _ => Kind::Nothing,
    }
}

/// The option of this name that takes a value.
fn option<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let named = |arg: &&Arg| match (name.strip_prefix("--"), name.strip_prefix('-')) {
        (Some(long), _) => arg.get_long() == Some(long),
        // Of several letters in one word, the last one takes the value.
        (None, Some(letters)) => arg.get_short().is_some_and(|short| letters.ends_with(short)),
        (None, None) => false,
    };
    command.get_arguments().find(named).filter(|arg| arg.get_action().takes_values())
}

/// The words as they were typed: bash takes `gcp=0` apart. `None` while what stands behind a `=` is typed.
fn rejoined(words: &[String]) -> Option<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    let mut open = false;
    for word in words {
        match all.last_mut() {
            Some(last) if word == "=" || open => last.push_str(word),
            _ => all.push(word.clone()),
        }
        open = word == "=";
    }
    (!open).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next() {
        let check = |line: &str, kind: Kind| {
            let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            let found = wanted(&crate::command(), &words);
            assert_eq!(found.kind, kind, "{line}");
            found
        };
        check("dunlin", Kind::Nothing);
        check("dunlin move", Kind::Components);
        check("make && /usr/bin/dunlin move", Kind::Components);
        let found = check("dunlin move --directory app todo --process=7 gcp=0", Kind::Changes);
        assert_eq!((found.process, found.directory), (Some(7), Some("app".into())));
        assert_eq!(found.named, ["todo", "gcp=0"]);
        assert_eq!(check("dunlin move todo gcp = 0", Kind::Changes).named, ["todo", "gcp=0"]);
        check("dunlin move todo gcp =", Kind::Nothing);
        check("dunlin move todo gcp=0 --message", Kind::Nothing);
        check("dunlin move todo gcp=0 --commit", Kind::Changes);
        check("dunlin move todo gcp=0 -m", Kind::Nothing);
        check("dunlin status --process", Kind::Processes);
        check("dunlin status", Kind::Nothing);
        check("dunlin calls --component", Kind::Components);
        check("dunlin logs -f", Kind::Components);
        check("dunlin logs -f todo", Kind::Nothing);
        check("dunlin rollout todo", Kind::Components);
        check("dunlin kill", Kind::Parts);
        check("dunlin nats env", Kind::Servers);
    }
}
