//! `dunlin dev` as a user starts it: a process of its own, on free ports, in a directory of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::get;

/// A guest that `cargo xtask guests` built.
pub fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("DUNLIN_GUESTS").map(PathBuf::from).unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("guests")
    });
    let file = folder.join(format!("{name}.wasm"));
    assert!(file.is_file(), "{} is missing: run `cargo xtask guests`", file.display());
    file
}

/// A running `dunlin dev`; ends with the test.
pub struct World {
    child: Child,
    /// Its directory of manifests.
    pub manifests: PathBuf,
    /// What it printed so far, line by line.
    printed: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

/// Another command while it runs; ends with the test.
pub struct Following {
    child: Child,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Following {
    /// What it printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.printed.lock().unwrap().clone()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// Collects what a process prints, line by line.
fn read(child: &mut Child) -> Arc<Mutex<Vec<String>>> {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let (lines, output) = (Arc::clone(&printed), child.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
    printed
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

impl World {
    /// Starts it with the manifests that `write` puts into its directory.
    pub fn start(manifests: &[(&str, String)], wasm: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("manifests");
        std::fs::create_dir(&directory).unwrap();
        for (name, text) in manifests {
            std::fs::write(directory.join(name), text).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.arg("dev").arg(&directory).args(arguments);
        Self::launch(command, wasm, directory, folder)
    }

    /// Starts it with `arguments` alone, in a directory of its own.
    pub fn with(wasm: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.arg("dev").args(arguments).current_dir(folder.path());
        let directory = folder.path().to_owned();
        Self::launch(command, wasm, directory, folder)
    }

    /// Starts it with the Git repository at `url`.
    pub fn follow(url: &str, wasm: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::with(wasm, &[&["--git", url], arguments].concat())
    }

    fn launch(
        mut command: Command,
        wasm: &[(&str, &str)],
        manifests: PathBuf,
        folder: tempfile::TempDir,
    ) -> Self {
        command.args(["--port", "0"]);
        for (component, name) in wasm {
            command.arg("--wasm").arg(format!("{component}={}", guest(name).display()));
        }
        command.env("XDG_RUNTIME_DIR", folder.path()).env("TMPDIR", folder.path());
        command.env("DUNLIN_NATS_SERVER", dunlin_testkit::nats_server());
        command.env("DUNLIN_REDIS_SERVER", dunlin_testkit::redis_server());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let printed = read(&mut child);
        let world = Self { child, manifests, printed, folder };
        world.wait_for("its announcement", || world.announced().map(drop));
        world
    }

    /// The todo application, as the repository has it.
    pub fn todo(arguments: &[&str]) -> Self {
        let files = todo_manifests();
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        let world = Self::start(&files, &[("todo", "todo")], arguments);
        world.wait_for("todo to be ready", || {
            let status = world.status()?;
            let expected = if arguments.contains(&"--sites") { 2 } else { 3 };
            // As every host sees it, so that each knows where to send a request on to.
            let hosts = world.announced()?["hosts"].as_array()?.clone();
            let sees = |host: &Value| {
                let answer = get(&format!("http://{}/v1/status", host[1].as_str()?)).ok()?;
                (ready(&answer.json(), "todo") >= expected).then_some(())
            };
            (ready(&status, "todo") >= expected && hosts.iter().all(|host| sees(host).is_some()))
                .then_some(())
        });
        world
    }

    /// What it says of itself to other commands, once it does.
    pub fn announced(&self) -> Option<Value> {
        let file = self.folder.path().join("dunlin").join(format!("dev-{}.json", self.child.id()));
        serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
    }

    /// Where a site answers, such as `http://127.0.0.1:8082`.
    pub fn site(&self, name: &str) -> String {
        let announced = self.announced().unwrap();
        let sites = announced["sites"].as_array().unwrap().clone();
        let site = sites.iter().find(|site| site[0] == name).unwrap_or_else(|| panic!("no site {name}"));
        format!("http://{}", site[1].as_str().unwrap())
    }

    /// The processes of a `--real` world, by the name of the host or server.
    pub fn processes(&self) -> std::collections::BTreeMap<String, u64> {
        let announced = self.announced().unwrap();
        let processes = announced["processes"].as_array().unwrap().clone();
        processes
            .iter()
            .map(|entry| (entry[0].as_str().unwrap().to_owned(), entry[1].as_u64().unwrap()))
            .collect()
    }

    /// The number of its own process.
    pub fn id(&self) -> u64 {
        u64::from(self.child.id())
    }

    /// Where a host's admin port is.
    pub fn admin(&self, host: &str) -> String {
        let announced = self.announced().unwrap();
        let hosts = announced["hosts"].as_array().unwrap().clone();
        let found =
            hosts.iter().find(|entry| entry[0]["host"] == host).unwrap_or_else(|| panic!("no host {host}"));
        format!("http://{}", found[1].as_str().unwrap())
    }

    /// Where a host's own ingress is.
    pub fn http(&self, host: &str) -> String {
        let announced = self.announced().unwrap();
        let hosts = announced["hosts"].as_array().unwrap().clone();
        let found =
            hosts.iter().find(|entry| entry[0]["host"] == host).unwrap_or_else(|| panic!("no host {host}"));
        format!("http://{}", found[2].as_str().unwrap())
    }

    /// Runs another command of `dunlin` against this one.
    pub fn dunlin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.args(arguments).env("XDG_RUNTIME_DIR", self.folder.path()).output().unwrap()
    }

    /// Begins another command of `dunlin` that goes on.
    pub fn begin(&self, arguments: &[&str]) -> Following {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.args(arguments).env("XDG_RUNTIME_DIR", self.folder.path()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = read(&mut child);
        Following { child, printed }
    }

    /// Runs another command, which must succeed, and gives what it printed.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.dunlin(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// What `dunlin status --output json` says, if it answers.
    pub fn status(&self) -> Option<Value> {
        let output = self.dunlin(&["status", "--output", "json"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    /// What it printed so far.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().join("\n")
    }

    /// Replaces a manifest.
    pub fn edit(&self, name: &str, change: impl Fn(String) -> String) {
        let path = self.manifests.join(name);
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
    }

    /// Waits, at most half a minute, until `found` gives something.
    pub fn wait_for<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(value) = found() {
                return value;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "waited in vain for {what}; printed:\n{}\nstatus: {:#}",
                self.printed(),
                self.status().unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits for the process to end; gives its exit code and the files it left in its temporary directory.
    pub fn ended(mut self) -> (Option<i32>, Vec<String>) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait().unwrap() {
                let left = std::fs::read_dir(self.folder.path()).unwrap();
                let left = left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
                let announcements = std::fs::read_dir(self.folder.path().join("dunlin")).unwrap().count();
                assert_eq!(announcements, 0, "the announcement is left");
                return (
                    status.code(),
                    left.filter(|name| name != "manifests" && name != "dunlin").collect(),
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end; printed:\n{}", self.printed());
    }
}

/// The manifests of the todo application, by name.
pub fn todo_manifests() -> Vec<(String, String)> {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/todo/manifests");
    let paths = std::fs::read_dir(manifests).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

/// Ready slots of a component over all sites.
pub fn ready(status: &Value, component: &str) -> u64 {
    let sites = status["components"][component]["sites"].as_object().cloned().unwrap_or_default();
    sites.values().filter_map(|count| count["ready"].as_u64()).sum()
}

/// Ready slots of a component in one site.
pub fn ready_in(status: &Value, component: &str, site: &str) -> u64 {
    status["components"][component]["sites"][site]["ready"].as_u64().unwrap_or(0)
}
