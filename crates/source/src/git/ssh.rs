//! How `ssh` is called: the user's own, with the user's keys, agent and known hosts, and never asking anything.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use gix::Repository;
use gix::protocol::transport::client::blocking_io::ssh::ProgramKind;
use gix::url::ArgumentSafety;

use super::trouble::{Trouble, words};

/// For OpenSSH: no questions, no endless waiting, and the newer protocol.
const OPTIONS: [&str; 5] = [
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "SendEnv=GIT_PROTOCOL",
];

/// The command that runs `git-upload-pack` where `url` leads, as Git would call it: by `GIT_SSH_COMMAND`,
/// `core.sshCommand`, `GIT_SSH`, or `ssh`.
pub(super) fn command(clone: &Repository, url: &gix::Url) -> Result<Command, Trouble> {
    let options = clone.ssh_connect_options().map_err(|error| Trouble::of(words(&error)))?;
    let program = options.ssh_command().to_owned();
    let kind = options.kind.unwrap_or_else(|| kind(&program));
    let mut arguments = Vec::<OsString>::new();
    match kind {
        ProgramKind::Ssh => arguments.extend(OPTIONS.iter().flat_map(|option| ["-o".into(), option.into()])),
        ProgramKind::Plink | ProgramKind::Putty | ProgramKind::TortoisePlink => {
            arguments.push("-batch".into())
        }
        ProgramKind::Simple => {}
    }
    match (url.port, kind) {
        (None, _) => {}
        (Some(port), ProgramKind::Ssh) => arguments.extend(["-p".into(), port.to_string().into()]),
        (Some(port), ProgramKind::Plink | ProgramKind::Putty | ProgramKind::TortoisePlink) => {
            arguments.extend(["-P".into(), port.to_string().into()]);
        }
        (Some(_), ProgramKind::Simple) => {
            return Err(Trouble::new(
                "the configured SSH program takes no port",
                "leave the port out, or set ssh.variant in Git's configuration",
            ));
        }
    }
    arguments.push(host(url)?.into());
    arguments.push(format!("git-upload-pack {}", quoted(&url.path.to_string())).into());
    let mut command = if options.disallow_shell || !has_shell_words(&program) {
        let mut command = Command::new(&program);
        command.args(arguments);
        command
    } else {
        // As Git does: the configured text is a piece of shell, and the arguments follow it.
        let mut text = program.clone();
        text.push(" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(text).arg(&program).args(arguments);
        command
    };
    command.env("GIT_PROTOCOL", "version=2");
    Ok(command)
}

/// `user@host`; nothing that `ssh` would take for an option.
fn host(url: &gix::Url) -> Result<String, Trouble> {
    let dangerous = || Trouble::new("its host looks like an option of ssh", "give another URL");
    match (url.user_as_argument(), url.host_as_argument()) {
        (ArgumentSafety::Usable(user), ArgumentSafety::Usable(host)) => Ok(format!("{user}@{host}")),
        (ArgumentSafety::Absent, ArgumentSafety::Usable(host)) => Ok(host.to_owned()),
        _ => Err(dangerous()),
    }
}

/// What the first word of the command is; whatever is not known is taken for OpenSSH under another name or in a
/// wrapper, which is what it nearly always is.
fn kind(program: &OsString) -> ProgramKind {
    let text = program.to_string_lossy();
    let first = text.split_whitespace().next().unwrap_or_default();
    match Path::new(first).file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase()).as_deref() {
        Some("plink") => ProgramKind::Plink,
        Some("putty") => ProgramKind::Putty,
        Some("tortoiseplink") => ProgramKind::TortoisePlink,
        _ => ProgramKind::Ssh,
    }
}

fn has_shell_words(program: &OsString) -> bool {
    program.to_string_lossy().contains(|char: char| !char.is_alphanumeric() && !"/._-+".contains(char))
}

/// The path as one word for the shell on the other side.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_one_word_and_the_host_no_option() {
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
        let url = |text: &str| gix::url::parse(text).unwrap();
        assert_eq!(host(&url("git@example.com:app")).unwrap(), "git@example.com");
        assert_eq!(host(&url("ssh://example.com/app")).unwrap(), "example.com");
        assert!(host(&url("ssh://-oProxyCommand=evil/app")).is_err());
    }

    #[test]
    fn programs_are_told_apart() {
        for (program, expected) in [
            ("ssh", ProgramKind::Ssh),
            ("/usr/bin/ssh -i /key", ProgramKind::Ssh),
            ("my-ssh-wrapper.sh", ProgramKind::Ssh),
            ("plink.exe", ProgramKind::Plink),
        ] {
            assert_eq!(kind(&program.into()), expected, "{program}");
        }
        assert!(has_shell_words(&"ssh -i key".into()) && !has_shell_words(&"/usr/bin/ssh".into()));
    }
}
