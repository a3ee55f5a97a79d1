//! What lies on disk: secrets are their owner's alone, nothing is overwritten, git leaves all of it alone.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dunlin_credentials::{Credentials, InitOptions, UserOptions};

use crate::world::{id, init, leaf};

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.clone());
        if path.is_dir() {
            walk(&path, found);
        }
    }
}

#[test]
fn all_of_it_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (credentials, _, _) = init(folder.path());
    let _server = leaf(&credentials, "aws");
    credentials.host(&id("aws/aws-1"), UserOptions::default()).unwrap();
    credentials.viewer("me", UserOptions::default()).unwrap();
    let mut found = vec![credentials.directory().to_owned()];
    walk(credentials.directory(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    for path in &found {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
    }
    let ignored = std::fs::read_to_string(credentials.directory().join(".gitignore")).unwrap();
    assert_eq!(ignored, "*\n");
}

#[test]
fn what_is_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (credentials, _, _) = init(folder.path());
    let _server = leaf(&credentials, "aws");
    let host = credentials.host(&id("aws/aws-1"), UserOptions::default()).unwrap().path;
    let before = std::fs::read_to_string(&host).unwrap();
    credentials.host(&id("aws/aws-1"), UserOptions::default()).unwrap();
    assert_eq!(std::fs::read_to_string(&host).unwrap(), before);
    credentials.host(&id("aws/aws-1"), UserOptions { replace: true, ..UserOptions::default() }).unwrap();
    assert_ne!(std::fs::read_to_string(&host).unwrap(), before);

    let hub = "tls://other.example.com:7422".parse().unwrap();
    let error = Credentials::init(credentials.directory(), &InitOptions::new("todo", hub)).unwrap_err();
    assert!(error.to_string().contains("hub"), "{error}");
    let error = credentials.host(&id("eu/eu-1"), UserOptions::default()).unwrap_err().to_string();
    assert!(error.contains("unknown site \"eu\"") && error.contains("credentials leaf eu"), "{error}");
    assert!(!format!("{credentials:?}").contains("SU"), "a seed in Debug output");
}
