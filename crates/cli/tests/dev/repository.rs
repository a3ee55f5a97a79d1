//! A Git repository of manifests, as a developer has it.

use dunlin_manifest::Replicas;
use dunlin_testkit::{GitRepository, GitServer};

/// A repository with one branch, `main`, and its working tree.
pub struct Repository {
    repository: GitRepository,
}

impl Repository {
    /// With these files as its first commit.
    pub fn new(files: &[(String, String)]) -> Self {
        let repository = GitRepository::new();
        files.iter().for_each(|(name, text)| repository.write(name, text));
        repository.commit("the first commit");
        Self { repository }
    }

    /// The path that hosts may follow.
    pub fn path(&self) -> String {
        self.repository.path().display().to_string()
    }

    /// The same over HTTP.
    pub fn serve(&self) -> (GitServer, String) {
        let server = GitServer::http(self.repository.parent());
        let url = server.url("app");
        (server, url)
    }

    /// Replaces a file, without a commit.
    pub fn edit(&self, name: &str, change: impl Fn(String) -> String) {
        let text = std::fs::read_to_string(self.repository.path().join(name)).unwrap_or_default();
        self.repository.write(name, change(text));
    }

    /// Commits everything as it is in the working tree; gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.repository.commit(message)
    }

    /// Commits other numbers of replicas for a component that has one file to itself.
    pub fn moves(&self, file: &str, component: &str, sites: &[(&str, u32)]) -> String {
        let count = |(site, replicas): &(&str, u32)| ((*site).to_owned(), Replicas::Count(*replicas));
        let sites: Vec<_> = sites.iter().map(count).collect();
        self.edit(file, |text| dunlin_manifest::set_replicas(&text, component, &sites).unwrap());
        self.commit(&format!("{component}: {sites:?}"))
    }

    /// Runs `git` in the working tree, which must succeed; gives what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.repository.git(arguments)
    }
}
