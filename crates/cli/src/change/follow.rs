//! Whether the lattice that runs here will see a change, asked before it is made: what hosts do not follow is not worth
//! waiting for. Pure but for the names of directories.

use std::path::Path;

use super::publish::Extent;
use crate::discovery::Running;
use crate::printer::WrongInput;

/// Refuses a change of the manifests in `directory` that no host would see, whose working tree is at `top`.
///
/// # Errors
/// Wrong input: how far it has to go instead.
pub(super) fn check(
    running: &Running,
    directory: &Path,
    top: Option<&Path>,
    extent: Extent,
) -> Result<(), WrongInput> {
    let same = |one: &Path, other: &Path| {
        one.canonicalize().ok().is_some_and(|one| Some(one) == other.canonicalize().ok())
    };
    // Where a push arrives, and who brings it where hosts look, is not known here.
    if extent.pushes() {
        return Ok(());
    }
    match &running.git {
        None if same(&running.directory, directory) => Ok(()),
        None => {
            let (followed, named) = (running.directory.display(), directory.display());
            let way = format!("leave --directory out, or name {followed}");
            Err(WrongInput(format!("--watch would see nothing: hosts follow {followed}, not {named}; {way}")))
        }
        Some(git) => {
            let here = git.tree.as_deref().zip(top).is_some_and(|(tree, top)| same(tree, top));
            if here && extent.commits() {
                return Ok(());
            }
            let way = if here { "use --commit or --push" } else { "use --push, or leave --watch out" };
            let text = format!(
                "--watch would see nothing: hosts follow the commits of {}, and this makes none there",
                git.url
            );
            Err(WrongInput(format!("{text}; {way}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::discovery::Git;

    #[test]
    fn what_hosts_do_not_follow_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["app/live", "clone/live"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let running = |git: Option<Option<&str>>| Running {
            process: 1,
            directory: at("app/live"),
            git: git.map(|tree| Git {
                url: "https://host/app.git".into(),
                branch: None,
                path: "live".into(),
                tree: tree.map(at),
            }),
            control: ([127, 0, 0, 1], 1).into(),
            token: String::new(),
            sites: Vec::new(),
            hosts: Vec::new(),
            processes: Vec::new(),
            viewers: Vec::new(),
        };
        let mut told = Vec::new();
        for (name, running) in [
            ("directory", running(None)),
            ("local", running(Some(Some("app")))),
            ("remote", running(Some(None))),
        ] {
            for top in ["app", "clone"] {
                for extent in [Extent::WRITE, Extent::COMMIT, Extent::PUSH] {
                    let said = check(&running, &at(top).join("live"), Some(&at(top)), extent);
                    let said = said.err().map_or_else(|| "goes".to_owned(), |error| error.to_string());
                    told.push(
                        format!("{name} {top}: {said}").replace(&folder.path().display().to_string(), ""),
                    );
                }
            }
        }
        expect![[r#"
            directory app: goes
            directory app: goes
            directory app: goes
            directory clone: --watch would see nothing: hosts follow /app/live, not /clone/live; leave --directory out, or name /app/live
            directory clone: --watch would see nothing: hosts follow /app/live, not /clone/live; leave --directory out, or name /app/live
            directory clone: goes
            local app: --watch would see nothing: hosts follow the commits of https://host/app.git, and this makes none there; use --commit or --push
            local app: goes
            local app: goes
            local clone: --watch would see nothing: hosts follow the commits of https://host/app.git, and this makes none there; use --push, or leave --watch out
            local clone: --watch would see nothing: hosts follow the commits of https://host/app.git, and this makes none there; use --push, or leave --watch out
            local clone: goes
            remote app: --watch would see nothing: hosts follow the commits of https://host/app.git, and this makes none there; use --push, or leave --watch out
            remote app: --watch would see nothing: hosts follow the commits of https://host/app.git, and this makes none there; use --push, or leave --watch out
            remote app: goes
            remote clone: --watch would see nothing: hosts follow the commits of https://host/app.git, and this makes none there; use --push, or leave --watch out
            remote clone: --watch would see nothing: hosts follow the commits of https://host/app.git, and this makes none there; use --push, or leave --watch out
            remote clone: goes"#]].assert_eq(&told.join("\n"));
    }
}
