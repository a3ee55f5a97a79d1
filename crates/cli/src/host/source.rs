//! Of the settings of `dunlin host`, those that say what it follows: a directory or a Git repository, never both.

use std::path::{Path, PathBuf};

use dunlin_host::SourceChoice;
use dunlin_source::{GitSettings, GitUrl, check_branch, read_path};

use crate::host::settings::Reader;

/// Settings that mean nothing without `git`.
const ONLY_WITH_GIT: [&str; 3] = ["branch", "path", "git-config"];

/// Reads them; mistakes are noted.
pub(super) fn read(reader: &mut Reader<'_>) -> SourceChoice {
    match (reader.text("manifests"), reader.text("git")) {
        (None, None) => {
            reader.mistakes.push(
                "a source is needed: give --manifests DIRECTORY or --git URL, DUNLIN_MANIFESTS or DUNLIN_GIT, or a line \
                 in --config"
                    .to_owned(),
            );
            SourceChoice::Directory(PathBuf::new())
        }
        (Some(directory), None) => {
            for name in ONLY_WITH_GIT {
                if let Some(given) = reader.gathered.get(name) {
                    reader.mistakes.push(format!(
                        "{name} ({}): only with git; give --git URL, or leave it out",
                        given.origin
                    ));
                }
            }
            SourceChoice::Directory(directory.into())
        }
        (Some(directory), Some(_)) => {
            let origin =
                |name| reader.gathered.get(name).map(|given| given.origin.to_string()).unwrap_or_default();
            let text = format!(
                "manifests ({}) and git ({}): a host follows one source; leave one of them out",
                origin("manifests"),
                origin("git")
            );
            reader.mistakes.push(text);
            SourceChoice::Directory(directory.into())
        }
        (None, Some(url)) => {
            let Some(url) = url_of(reader, &url) else { return SourceChoice::Directory(PathBuf::new()) };
            let state = reader.text("state").unwrap_or_default();
            let mut settings = GitSettings::new(url, Path::new(&state).join("git"));
            settings.interval = reader.duration("interval");
            settings.configuration = configuration(reader);
            if let Some(branch) = reader.text("branch") {
                reader.mistakes.extend(check_branch(&branch).err().map(|wrong| format!("branch: {wrong}")));
                settings.branch = Some(branch);
            }
            match read_path(&reader.text("path").unwrap_or_default()) {
                Ok(path) => settings.path = path,
                Err(wrong) => reader.mistakes.push(format!("path: {wrong}")),
            }
            SourceChoice::Git(Box::new(settings))
        }
    }
}

/// What was given is not repeated: it may be the rest of a secret with a comma in it.
fn configuration(reader: &mut Reader<'_>) -> Vec<String> {
    let Some(given) = reader.gathered.get("git-config") else { return Vec::new() };
    for (index, _) in given.values.iter().enumerate().filter(|(_, setting)| !setting.contains('=')) {
        reader.mistakes.push(format!(
            "git-config ({}): number {} has no `=`; expected KEY=VALUE (a value with a comma goes into the file of \
             --config, in a list)",
            given.origin,
            index + 1
        ));
    }
    given.values.clone()
}

/// What was given is not repeated: there may be a password in it.
fn url_of(reader: &mut Reader<'_>, text: &str) -> Option<GitUrl> {
    match GitUrl::parse(text) {
        Ok(url) => Some(url),
        Err(error) => {
            let origin = reader.gathered.get("git").map(|given| given.origin.to_string()).unwrap_or_default();
            reader.mistakes.push(format!("git ({origin}): {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::host::gather::{Gathered, gather};
    use crate::host::settings::{self, Settings};
    use dunlin_host::SourceChoice;

    fn read(flags: &[(&'static str, &str)]) -> Result<Settings, String> {
        let needed = [("lattice", "todo"), ("site", "gcp"), ("host", "h"), ("nats", "nats://localhost")];
        let flags =
            needed.iter().chain(flags).map(|(name, value)| (*name, vec![(*value).to_owned()])).collect();
        settings::read(&gather(&flags, |_| None, &Gathered::new()), None)
    }

    #[test]
    fn a_repository_is_a_source() {
        let flags = [
            ("git", "https://me:pw@host/app.git"),
            ("branch", "live"),
            ("path", "deploy/"),
            ("interval", "1m"),
        ];
        let settings = read(&flags).unwrap();
        let SourceChoice::Git(git) = &settings.source else { panic!("{settings:?}") };
        assert_eq!(git.to_string(), "branch live of https://host/app.git, directory deploy");
        assert_eq!((git.interval.as_secs(), git.clone.to_str()), (60, Some("/var/lib/dunlin/git")));
        assert!(!format!("{settings:?}").contains("pw"));
    }

    #[test]
    fn mistakes_say_what_to_do_and_repeat_no_secret() {
        let said = |flags: &[(&'static str, &str)]| read(flags).unwrap_err();
        let all = [
            said(&[]),
            said(&[("git", "/app"), ("manifests", "m")]),
            said(&[("manifests", "m"), ("branch", "main")]),
            said(&[("git", "ftp://me:pw@host/app")]),
            said(&[
                ("git", "/app"),
                ("branch", "a b"),
                ("path", "../x"),
                ("git-config", "x"),
                ("interval", "often"),
            ]),
        ]
        .join("\n");
        expect![[r#"
            a source is needed: give --manifests DIRECTORY or --git URL, DUNLIN_MANIFESTS or DUNLIN_GIT, or a line in --config
            manifests (flag) and git (flag): a host follows one source; leave one of them out
            branch (flag): only with git; give --git URL, or leave it out
            git (flag): ftp:// is not fetched from; allowed are https, http, ssh and file
            interval: found "often" (flag); expected a duration, such as 500ms or 30s
              git-config (flag): number 1 has no `=`; expected KEY=VALUE (a value with a comma goes into the file of --config, in a list)
              branch: "a b" cannot be a branch; give its name as `git branch` shows it, such as main
              path: "../x" leads out of the repository; give a directory in it, such as deploy/production"#]]
        .assert_eq(&all);
    }
}
