//! Every setting of `dunlin host`, once: flags, environment, file, help and the reference page are made of this table.

/// How many values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// `true` or `false`; as a flag it stands alone.
    Switch,
    /// Exactly one.
    One,
    /// Any number, separated by commas or given several times.
    Many,
}

/// One setting: `--name`, `DUNLIN_NAME`, `name = …`.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    /// What stands for its value in help.
    pub(crate) value: &'static str,
    pub(crate) default: Option<&'static str>,
    pub(crate) about: &'static str,
}

impl Setting {
    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        variable(self.name)
    }
}

/// The environment variable of the setting of this name.
pub(crate) fn variable(name: &str) -> String {
    format!("DUNLIN_{}", name.to_uppercase().replace('-', "_"))
}

const fn one(
    name: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting { name, takes: Takes::One, value, default, about }
}

const fn many(name: &'static str, value: &'static str, about: &'static str) -> Setting {
    Setting { name, takes: Takes::Many, value, default: None, about }
}

const fn switch(name: &'static str, about: &'static str) -> Setting {
    Setting { name, takes: Takes::Switch, value: "", default: Some("false"), about }
}

/// All of them, in the order in which people ask for them.
pub(crate) const SETTINGS: &[Setting] = &[
    one("lattice", "NAME", None, "The lattice that it belongs to. Needed."),
    one("site", "NAME", None, "The site that it is in, as the Lattice names it. Needed."),
    one("host", "NAME", None, "Its own name in the site; without it, the machine's host name."),
    one("manifests", "DIRECTORY", None, "The directory of manifests to follow. This or git is needed."),
    one(
        "git",
        "URL",
        None,
        "The Git repository of manifests to follow: a URL (https, ssh, file) or a path. Needed without manifests.",
    ),
    one(
        "branch",
        "NAME",
        None,
        "With git, the branch to follow; without it, the repository's default branch.",
    ),
    one(
        "path",
        "DIRECTORY",
        None,
        "With git, the directory of the manifests in the repository; without it, all of it.",
    ),
    one(
        "interval",
        "DURATION",
        Some("15s"),
        "With git, how often it is looked at for new commits; the others tell when one host has seen one.",
    ),
    many(
        "git-config",
        "KEY=VALUE,…",
        "With git, Git configuration beside the user's own, such as http.sslCAInfo=/etc/dunlin/ca.crt.",
    ),
    many("nats", "URL,…", "The NATS servers of its site, such as tls://nats:4222. Needed."),
    one("credentials", "FILE", None, "Its user's credentials (`dunlin credentials host`)."),
    one(
        "authority",
        "FILE",
        None,
        "The certificate authority that the NATS servers' certificates come from, as PEM; without it, the system's.",
    ),
    one(
        "connections",
        "COUNT",
        Some("2"),
        "Connections to NATS that calls leave on; one connection is one core's work.",
    ),
    one("listen", "ADDRESS", Some("0.0.0.0:8080"), "Where requests come in."),
    one(
        "admin",
        "ADDRESS",
        Some("0.0.0.0:8081"),
        "Where health, metrics, status and logs are; it only reads.",
    ),
    one(
        "state",
        "DIRECTORY",
        Some("/var/lib/dunlin"),
        "What outlives the process: last good state, embedded stores, compiled code. One host's own.",
    ),
    one(
        "secrets",
        "DIRECTORY",
        None,
        "Secrets as files, DIRECTORY/<secret>/<key>, usable by those that DIRECTORY/<secret>/.for names.",
    ),
    many("labels", "KEY=VALUE,…", "Labels that `hostLabels` in manifests select by."),
    one("memory", "BYTES", Some("4Gi"), "Memory declared for components."),
    one("weight", "NUMBER", Some("100"), "Its share of slots relative to other hosts of the site."),
    switch(
        "holds-data",
        "It holds the data of embedded and memory stores whose manifest names no host. One host of a site.",
    ),
    one(
        "grace",
        "DURATION",
        Some("25s"),
        "How long a drain may take after SIGTERM; a second signal ends it at once.",
    ),
    one(
        "linger",
        "DURATION",
        Some("5s"),
        "How long it still accepts while draining, until whoever spreads the load has noticed.",
    ),
    one(
        "log",
        "FILTER",
        Some("info,async_nats=warn"),
        "What it logs to standard error: a level, or `dunlin_lattice=debug,info`.",
    ),
    one("log-format", "FORMAT", Some("text"), "`text` for people, `json` for machines."),
    many("wasm", "COMPONENT=FILE,…", "Puts a local build in the place of a component's image (development)."),
    many(
        "provider-url",
        "PROVIDER=URL,…",
        "Reaches a provider here instead of at its manifest's url (development).",
    ),
    switch("stand-ins", "An embedded store stands in for Redis (development)."),
    one(
        "addresses",
        "FILE",
        None,
        "Writes the addresses that it listens on to this file, as JSON, once it does; useful with port 0.",
    ),
    switch("with-parent", "Ends when the process that started it ends."),
];

/// The reference page of all settings.
#[cfg(test)]
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Settings of `dunlin host`\n\n\
         Generated from `crates/cli/src/host/table.rs`; a test fails when it is stale.\n\n\
         Each setting can be a flag, an environment variable, or a line of the file that `--config` (or\n\
         `DUNLIN_CONFIG`) names, in that order of precedence. The file is TOML: `site = \"gcp\"`,\n\
         `nats = [\"tls://nats:4222\"]`, `labels = { zone = \"a\" }`. `dunlin host --explain` prints every setting\n\
         with its value and where that comes from, and starts nothing.\n\n\
         | setting | variable | value | default | what it is |\n| --- | --- | --- | --- | --- |\n",
    );
    for setting in SETTINGS {
        let value = if setting.takes == Takes::Switch { "true or false" } else { setting.value };
        let default = setting.default.map(|default| format!("`{default}`")).unwrap_or_default();
        page.push_str(&format!(
            "| `{}` | `{}` | {value} | {default} | {} |\n",
            setting.name,
            setting.variable(),
            setting.about
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_current() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/host.md");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&file, page()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(written == page(), "docs/reference/host.md is stale: run this test with UPDATE_EXPECT=1");
    }
}
