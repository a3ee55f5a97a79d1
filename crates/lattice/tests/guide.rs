//! The table of subjects in the guide says what the code says: `UPDATE_EXPECT=1` writes it anew.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use dunlin_lattice::permissions::{Permissions, SERVER_LINKS};
use dunlin_lattice::subjects::{Announcement, Subjects};
use dunlin_manifest::HostId;

const BEGIN: &str = "<!-- subjects: written by crates/lattice/tests/guide.rs -->\n";
const END: &str = "<!-- end of subjects -->";

/// Whether a pattern with wildcards covers a subject.
fn covers(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(word), Some(token)) if word == token => {}
            _ => return false,
        }
    }
}

/// Who may do something, given the patterns that each may do it with: everybody if a host may that has no part in it.
fn whom(subject: &str, of: impl Fn(&str) -> Vec<String>) -> String {
    let may = |who: &str| of(who).iter().any(|pattern| covers(pattern, subject));
    let mut words: Vec<&str> = if may("gcp-2") {
        vec!["any host"]
    } else {
        ["gcp-1", "aws-1"].into_iter().filter(|who| may(who)).collect()
    };
    if may("viewer") {
        words.push("viewers");
    }
    if words.is_empty() { "nobody".to_owned() } else { words.join(", ") }
}

fn table() -> String {
    let subjects = Subjects::new("todo").unwrap();
    let (from, to) = (HostId::new("gcp", "gcp-1"), HostId::new("aws", "aws-1"));
    let permissions = |who: &str| match who {
        "viewer" => Permissions::viewer(&subjects, "me").unwrap(),
        "aws-1" => Permissions::host(&subjects, &to),
        who => Permissions::host(&subjects, &HostId::new("gcp", who)),
    };
    let rows = [
        (subjects.announcement(Announcement::Beat, &from), "I am here; each second"),
        (
            subjects.announcement(Announcement::State, &from),
            "I am here, and this is what I run; on change, and every 25 to 35 s",
        ),
        (subjects.announcement(Announcement::Goodbye, &from), "I stop"),
        (subjects.state_ask(&to, &from), "tell me your state"),
        (subjects.promise(&to, &from), "will you stay? Yes, no, done"),
        (subjects.call(&to, &from, "todo", "http"), "a call of the component `todo`"),
        (subjects.reply(&from, "CONNECTION", "ID"), "the answer to a call of `gcp/gcp-1`"),
        (subjects.nudge(&from), "I have seen this commit in the repository"),
        (subjects.trace(&from, "todo"), "a call passed here: metadata, while somebody watches"),
        (subjects.watch("me"), "tell of your calls for a while"),
        (SERVER_LINKS.to_owned(), "is my server linked to the hub? Its own server answers"),
    ];
    let mut table =
        "| subject | what it says | published by | heard by |\n| --- | --- | --- | --- |\n".to_owned();
    for (subject, what) in rows {
        let publish = whom(&subject, |who| permissions(who).publish);
        let subscribe = whom(&subject, |who| permissions(who).subscribe);
        table.push_str(&format!("| `{subject}` | {what} | {publish} | {subscribe} |\n"));
    }
    table
}

#[test]
fn the_table_of_subjects_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/nats.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{BEGIN:?} is missing"));
    let (written, after) = rest.split_once(END).unwrap_or_else(|| panic!("{END:?} is missing"));
    let table = format!("\n{}\n", table());
    if written != table && std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&page, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(written, table, "docs/guide/nats.md is stale: run this with UPDATE_EXPECT=1");
}
