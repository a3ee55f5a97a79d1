//! Where the objects that run were read, by the names that another reading of the same manifests gives its files: hosts
//! name them from a repository's top, or as `dunlin dev` was told the directory. What a broken file held back is known by
//! its name alone. Pure.

use std::path::{Component, Path, PathBuf};

use dunlin_manifest::{Origin, Snapshot};

use crate::discovery::Running;

/// Names the files of `snapshot`, which is what `running` follows, as a reading of `root` names them.
pub(super) fn rename(snapshot: &mut Snapshot, running: &Running, root: &Path) {
    let followed = running.git.as_ref().map_or(running.directory.as_path(), |git| Path::new(&git.path));
    let rename =
        |origin: &mut Origin| origin.file = root.join(within(&origin.file, followed)).display().to_string();
    snapshot.lattice.iter_mut().for_each(|object| rename(&mut object.origin));
    snapshot.components.values_mut().for_each(|object| rename(&mut object.origin));
    snapshot.providers.values_mut().for_each(|object| rename(&mut object.origin));
}

/// The file within the directory that is followed. Its name begins with the end of that directory's, as much of it as was
/// typed.
fn within(file: &str, followed: &Path) -> PathBuf {
    let parts = |path: &Path| {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>()
    };
    let (file, followed) = (parts(Path::new(file)), parts(followed));
    let rests = (0..=followed.len()).filter_map(|start| file.strip_prefix(followed.get(start..)?));
    rests.into_iter().next().unwrap_or(&file).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_within_what_is_followed() {
        for (file, followed, expected) in [
            ("deploy/todo.yaml", "deploy", "todo.yaml"),
            ("deploy/live/todo.yaml", "deploy/", "live/todo.yaml"),
            ("todo.yaml", "", "todo.yaml"),
            ("live/todo.yaml", "", "live/todo.yaml"),
            ("/srv/app/live/todo.yaml", "/srv/app/live", "todo.yaml"),
            ("app/live/todo.yaml", "/srv/app/live", "todo.yaml"),
            ("./live/deep/todo.yaml", "/srv/app/live", "deep/todo.yaml"),
            ("../live/todo.yaml", "/srv/other/../live", "todo.yaml"),
            ("./todo.yaml", "/srv/app/live", "todo.yaml"),
        ] {
            assert_eq!(within(file, Path::new(followed)), Path::new(expected), "{file} in {followed}");
        }
    }
}
