//! The clone on disk: kept, thrown away when it is damaged, and never in anybody's way.

use std::fs;
use std::path::Path;

use crate::common::{Host, image, image_is, last_good, repository, wait};

fn files_in(path: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.path().is_dir() { files.extend(files_in(&entry.path())) } else { files.push(entry.path()) }
    }
    files
}

#[tokio::test]
async fn whatever_is_damaged_in_the_clone_it_is_made_anew() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("objects", |clone| fs::remove_dir_all(clone.join("objects")).unwrap()),
        ("packs", |clone| {
            for file in files_in(&clone.join("objects/pack")) {
                fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                let length = fs::metadata(&file).unwrap().len();
                fs::write(&file, vec![0x5a; usize::try_from(length).unwrap()]).unwrap();
            }
        }),
        ("refs", |clone| {
            for file in files_in(&clone.join("refs")) {
                fs::write(file, "ref: nonsense\0").unwrap();
            }
        }),
        ("configuration", |clone| fs::write(clone.join("config"), "[core\nnonsense").unwrap()),
        ("head", |clone| fs::remove_file(clone.join("HEAD")).unwrap()),
        ("all", |clone| {
            fs::remove_dir_all(clone).unwrap();
            fs::write(clone, "a file").unwrap();
        }),
    ];
    for (what, damage) in damages {
        let repository = repository();
        let host = Host::of_path(&repository.path());
        let past = last_good(&host.start().await.borrow());
        damage(&host.clone());
        // While it stands still, after a restart, and with a commit to fetch.
        let mut receiver = host.try_start(Some(past)).await.unwrap();
        let state = wait(&mut receiver, |state| state.read).await;
        assert_eq!((image(&state), &state.conditions[..]), (Some("one"), &[][..]), "{what}");
        damage(&host.clone());
        image_is(&repository, "two");
        let state = wait(&mut receiver, |state| image(state) == Some("two")).await;
        assert_eq!(state.conditions, [], "{what}");
    }
}

#[tokio::test]
async fn many_packs_make_a_new_clone() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    let packs = host.clone().join("objects/pack");
    for number in 0..1000 {
        fs::write(packs.join(format!("tmp_pack_{number}")), "left behind").unwrap();
    }
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
    assert!(fs::read_dir(&packs).unwrap().count() < 10);
    assert!(!host.clone().with_extension("new").exists());
    image_is(&repository, "three");
    wait(&mut receiver, |state| image(state) == Some("three")).await;
}

#[tokio::test]
async fn locks_that_a_killed_host_left_are_broken() {
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let mut receiver = host.start().await;
    for name in ["refs/dunlin/head.lock", "packed-refs.lock", "HEAD.lock", "config.lock"] {
        let lock = fs::File::create(host.clone().join(name)).unwrap();
        lock.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    }
    image_is(&repository, "two");
    wait(&mut receiver, |state| image(state) == Some("two")).await;
    assert!(!host.clone().join("refs/dunlin/head.lock").exists());
}

#[tokio::test]
async fn another_repository_in_the_same_clone_is_no_trouble() {
    let (one, other) = (repository(), repository());
    image_is(&other, "other");
    let mut host = Host::of_path(&one.path());
    assert_eq!(image(&host.start().await.borrow()), Some("one"));
    host.settings.url = Host::of_path(&other.path()).settings.url;
    assert_eq!(image(&host.start().await.borrow()), Some("other"));
}

#[tokio::test]
async fn the_clone_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let repository = repository();
    let host = Host::of_path(&repository.path());
    let _receiver = host.start().await;
    assert_eq!(fs::metadata(host.clone()).unwrap().permissions().mode() & 0o777, 0o700);
}
