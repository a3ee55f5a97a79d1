//! What a provider needs, by its backend: an address in every site, or one host that holds the data.

use super::Checker;
use crate::tree::{Node, Value};
use crate::walk::join;

impl Checker<'_> {
    pub(super) fn provider(&mut self, index: usize, node: &Node) {
        self.sites(index, node);
        let backend = node.at(&["spec", "keyvalue"]).map(Node::entries).unwrap_or_default();
        let [backend] = backend else { return };
        let sites = node.at(&["spec", "sites"]).map(Node::entries).unwrap_or_default();
        let is_redis = match backend.key.as_str() {
            "redis" => true,
            "embedded" | "memory" => false,
            _ => return,
        };
        let shared = node.at(&["spec", "shared"]).map(|shared| &shared.value);
        if let Some(second) = sites.get(1) {
            let path = join("spec.sites", &second.key);
            if !is_redis {
                let found = format!(
                    "a second site for {}, which belongs to the host that holds the data",
                    backend.key
                );
                self.report(index, second.at, path, found, Some("exactly one site".into()), None);
            } else if !matches!(shared, Some(Value::Boolean(true))) {
                let hint = "write shared: true if all URLs reach the same data, or declare a second provider";
                self.report(
                    index,
                    second.at,
                    path,
                    "a second site without shared: true",
                    None,
                    Some(hint.into()),
                );
            }
        }
        for site in sites.iter().filter(|site| matches!(site.node.value, Value::Map(_))) {
            let path = join("spec.sites", &site.key);
            if is_redis && site.node.get("url").is_none() {
                let hint = "write { url: \"redis://HOST:6379\" }";
                self.report(
                    index,
                    site.node.start,
                    path.clone(),
                    "no url, which redis needs",
                    None,
                    Some(hint.into()),
                );
            }
            let wrong = if is_redis { "host" } else { "url" };
            if let Some(entry) = site.node.entry(wrong) {
                let found = format!("{wrong:?}, which {} has no use for", backend.key);
                self.report(index, entry.at, join(&path, wrong), found, None, Some("leave it out".into()));
            }
        }
    }
}
