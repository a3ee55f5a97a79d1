//! The settings of `dunlin host` as values of their types; every mistake is reported at once, with its origin.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use dunlin_host::SourceChoice;
use dunlin_manifest::{HostId, is_dns_label, parse_bytes, parse_duration};

use crate::host::gather::Gathered;
use crate::host::source;
use crate::host::table::variable;

/// What a host is told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) lattice: String,
    pub(crate) id: HostId,
    pub(crate) source: SourceChoice,
    pub(crate) nats: Vec<String>,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) authority: Option<PathBuf>,
    pub(crate) connections: usize,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) state: PathBuf,
    pub(crate) secrets: Option<PathBuf>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) memory: u64,
    pub(crate) weight: u32,
    pub(crate) holds_data: bool,
    pub(crate) grace: Duration,
    pub(crate) linger: Duration,
    pub(crate) wasm: BTreeMap<String, String>,
    pub(crate) provider_urls: BTreeMap<String, String>,
    pub(crate) stand_ins: bool,
    pub(crate) addresses: Option<PathBuf>,
    pub(crate) with_parent: bool,
}

/// Reads what was gathered.
///
/// # Errors
/// All mistakes, one a line.
pub(crate) fn read(gathered: &Gathered, machine: Option<String>) -> Result<Settings, String> {
    let mut reader = Reader { gathered, mistakes: Vec::new() };
    let settings = Settings {
        lattice: reader.label("lattice", None),
        id: HostId::new(reader.label("site", None), reader.label("host", machine)),
        source: source::read(&mut reader),
        nats: reader.list("nats"),
        credentials: reader.text("credentials").map(PathBuf::from),
        authority: reader.text("authority").map(PathBuf::from),
        connections: reader.number("connections", 1..=64),
        listen: reader.parsed("listen", "an address and port, such as 0.0.0.0:8080"),
        admin: reader.parsed("admin", "an address and port, such as 0.0.0.0:8081"),
        state: reader.needed("state").into(),
        secrets: reader.text("secrets").map(PathBuf::from),
        labels: reader.pairs("labels"),
        memory: reader.read("memory", "bytes, such as 512Mi or 4Gi", parse_bytes).unwrap_or_default(),
        weight: u32::try_from(reader.number("weight", 1..=10_000)).unwrap_or(1),
        holds_data: reader.parsed("holds-data", "true or false"),
        grace: reader.duration("grace"),
        linger: reader.duration("linger"),
        wasm: reader.pairs("wasm"),
        provider_urls: reader.pairs("provider-url"),
        stand_ins: reader.parsed("stand-ins", "true or false"),
        addresses: reader.text("addresses").map(PathBuf::from),
        with_parent: reader.parsed("with-parent", "true or false"),
    };
    if settings.nats.is_empty() && !reader.mistakes.iter().any(|mistake| mistake.starts_with("nats")) {
        reader.missing("nats");
    }
    if reader.mistakes.is_empty() { Ok(settings) } else { Err(reader.mistakes.join("\n  ")) }
}

pub(super) struct Reader<'a> {
    pub(super) gathered: &'a Gathered,
    pub(super) mistakes: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.gathered.get(name).and_then(|given| given.values.last()).cloned()
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.gathered.get(name).map(|given| given.values.clone()).unwrap_or_default()
    }

    pub(super) fn missing(&mut self, name: &str) {
        let variable = variable(name);
        self.mistakes.push(format!("{name} is needed: give --{name}, {variable} or a line in --config"));
    }

    pub(super) fn needed(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.missing(name);
            String::new()
        })
    }

    /// Reads a value; what is wrong with it is noted with its origin and what is `allowed`.
    fn read<T>(&mut self, name: &str, allowed: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.needed(name);
        let value = read(&text);
        if let (None, Some(given)) = (&value, self.gathered.get(name)) {
            self.mistakes.push(format!("{name}: found {text:?} ({}); expected {allowed}", given.origin));
        }
        value
    }

    fn label(&mut self, name: &str, otherwise: Option<String>) -> String {
        const ALLOWED: &str = "a DNS label: a-z, 0-9 and -";
        match otherwise.filter(|_| !self.gathered.contains_key(name)) {
            Some(machine) if is_dns_label(&machine) => machine,
            Some(machine) => {
                self.mistakes.push(format!(
                    "{name}: the machine is called {machine:?}, which is no DNS label; give --{name}"
                ));
                machine
            }
            None => {
                let label = self.read(name, ALLOWED, |text| is_dns_label(text).then(|| text.to_owned()));
                label.unwrap_or_default()
            }
        }
    }

    fn parsed<T: FromStr + Placeholder>(&mut self, name: &str, allowed: &str) -> T {
        self.read(name, allowed, |text| text.parse().ok()).unwrap_or_else(T::placeholder)
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<usize>) -> usize {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        let read = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        self.read(name, &allowed, read).unwrap_or_default()
    }

    pub(super) fn duration(&mut self, name: &str) -> Duration {
        self.read(name, "a duration, such as 500ms or 30s", parse_duration).unwrap_or_default()
    }

    fn pairs(&mut self, name: &str) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::new();
        let Some(given) = self.gathered.get(name) else { return pairs };
        for value in &given.values {
            match value.split_once('=') {
                Some((key, value)) => drop(pairs.insert(key.to_owned(), value.to_owned())),
                None => self
                    .mistakes
                    .push(format!("{name}: found {value:?} ({}); expected KEY=VALUE", given.origin)),
            }
        }
        pairs
    }
}

/// A value for the time until all mistakes are told.
trait Placeholder {
    fn placeholder() -> Self;
}

impl Placeholder for bool {
    fn placeholder() -> Self {
        false
    }
}

impl Placeholder for SocketAddr {
    fn placeholder() -> Self {
        Self::from(([0, 0, 0, 0], 0))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::host::gather::{gather, read_file};

    #[test]
    fn every_mistake_is_told_at_once_with_its_origin() {
        let file = read_file("h.toml", "memory = \"4Gb\"\nweight = 0\nlabels = [\"zone\"]\n").unwrap();
        let environment = |variable: &str| (variable == "DUNLIN_SITE").then(|| "G C P".to_owned());
        let flags = [("listen", vec!["8080".to_owned()])].into();
        let error = read(&gather(&flags, environment, &file), Some("my_machine".into())).unwrap_err();
        expect![[r#"
            lattice is needed: give --lattice, DUNLIN_LATTICE or a line in --config
              site: found "G C P" (environment DUNLIN_SITE); expected a DNS label: a-z, 0-9 and -
              host: the machine is called "my_machine", which is no DNS label; give --host
              a source is needed: give --manifests DIRECTORY or --git URL, DUNLIN_MANIFESTS or DUNLIN_GIT, or a line in --config
              listen: found "8080" (flag); expected an address and port, such as 0.0.0.0:8080
              labels: found "zone" (h.toml:3); expected KEY=VALUE
              memory: found "4Gb" (h.toml:1); expected bytes, such as 512Mi or 4Gi
              weight: found "0" (h.toml:2); expected a number from 1 to 10000
              nats is needed: give --nats, DUNLIN_NATS or a line in --config"#]]
        .assert_eq(&error);
    }

    #[test]
    fn a_few_flags_are_enough() {
        let flags = [
            ("lattice", vec!["todo".to_owned()]),
            ("site", vec!["gcp".to_owned()]),
            ("manifests", vec![".".to_owned()]),
            ("nats", vec!["nats://localhost".to_owned()]),
        ];
        let settings = read(&gather(&flags.into(), |_| None, &Gathered::new()), Some("m".into())).unwrap();
        assert_eq!(settings.id.to_string(), "gcp/m");
        assert_eq!((settings.memory, settings.weight, settings.connections), (4 << 30, 100, 2));
    }
}
