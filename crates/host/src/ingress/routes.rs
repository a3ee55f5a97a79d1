//! Which component a request is for: hostname first, then the longest path. Pure; built anew for each desired
//! state, read on every request.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dunlin_manifest::{Remote, Snapshot};

use super::owner::Owner;

/// What a route leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The prefix, without a trailing slash; empty for all paths.
    path: String,
    /// The component that Git gives the route to now.
    pub(crate) component: Arc<Owner>,
    /// Whether another site may answer.
    pub(crate) remote: bool,
    /// Components that had the route before, newest first: they keep it until `component` has a ready slot.
    pub(crate) before: Vec<Arc<Owner>>,
}

/// All routes of a desired state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Routes {
    /// By lower-case hostname; the longest path first.
    named: HashMap<String, Vec<Route>>,
    /// For requests to any other hostname; the longest path first.
    any: Vec<Route>,
}

/// How many former owners of a route are remembered.
const REMEMBERED: usize = 4;

impl Routes {
    /// The routes that `snapshot` declares. Where `previous` gave a route to a component in `alive` (it still has
    /// a slot somewhere), that one keeps it until the new owner is ready; so does a route that nobody declares any more.
    pub(crate) fn build(snapshot: &Snapshot, previous: &Self, alive: &BTreeSet<String>) -> Self {
        let mut declared: BTreeMap<(Option<String>, String), Route> = BTreeMap::new();
        for (name, component) in &snapshot.components {
            let Some(http) = &component.spec.http else { continue };
            let path = http.path.trim_end_matches('/').to_owned();
            let route = Route {
                path: path.clone(),
                component: Owner::new(name),
                remote: http.remote == Remote::Allow,
                before: Vec::new(),
            };
            if http.hostnames.is_empty() {
                declared.insert((None, path), route);
                continue;
            }
            for hostname in &http.hostnames {
                declared.insert((Some(hostname.to_ascii_lowercase()), path.clone()), route.clone());
            }
        }
        for (hostname, old) in previous.all() {
            let key = (hostname.map(str::to_owned), old.path.clone());
            let owners = std::iter::once(&old.component).chain(&old.before);
            match declared.get_mut(&key) {
                Some(new) => {
                    let kept =
                        owners.filter(|owner| **owner != new.component && alive.contains(owner.name()));
                    new.before = kept.take(REMEMBERED).cloned().collect();
                }
                None if alive.contains(old.component.name())
                    && !snapshot.components.contains_key(old.component.name()) =>
                {
                    declared.insert(key, old.clone());
                }
                None => {}
            }
        }
        let mut routes = Self::default();
        for ((hostname, _), route) in declared.into_iter().rev() {
            match hostname {
                Some(hostname) => routes.named.entry(hostname).or_default().push(route),
                None => routes.any.push(route),
            }
        }
        let longest_first =
            |list: &mut Vec<Route>| list.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
        routes.named.values_mut().for_each(longest_first);
        longest_first(&mut routes.any);
        routes
    }

    /// The route of a request to `hostname` (a port is ignored) and `path`.
    pub(crate) fn find(&self, hostname: Option<&str>, path: &str) -> Option<&Route> {
        let in_list = |list: &'_ Vec<Route>| list.iter().position(|route| covers(&route.path, path));
        if !self.named.is_empty()
            && let Some(list) = hostname.map(without_port).and_then(|name| self.named(name))
            && let Some(index) = in_list(list)
        {
            return list.get(index);
        }
        self.any.get(in_list(&self.any)?)
    }

    fn named(&self, hostname: &str) -> Option<&Vec<Route>> {
        if hostname.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.named.get(&hostname.to_ascii_lowercase());
        }
        self.named.get(hostname)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Option<&str>, &Route)> {
        let named =
            self.named.iter().flat_map(|(name, list)| list.iter().map(|route| (Some(name.as_str()), route)));
        named.chain(self.any.iter().map(|route| (None, route)))
    }
}

/// Whether `prefix` covers `path` at a boundary: `/api` covers `/api` and `/api/1`, not `/apiary`.
fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `example.com` of `example.com:8080`, and `[::1]` of `[::1]:8080`.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(components: &[(&str, &str)]) -> Snapshot {
        let text: String = components
            .iter()
            .map(|(name, http)| {
                format!(
                    "---\napiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: {name} }}\n\
                     spec: {{ image: \"example.com/{name}:1\", sites: {{ a: {{}} }}, http: {http} }}\n"
                )
            })
            .collect();
        let lattice = "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: { name: l }\nspec: { sites: { a: {} } }\n";
        let reading = dunlin_manifest::read(&[dunlin_manifest::File {
            path: "test.yaml".into(),
            text: format!("{lattice}{text}"),
        }]);
        assert!(reading.mistakes.is_empty(), "{:?}", reading.mistakes);
        reading.snapshot
    }

    fn owner(routes: &Routes, hostname: &str, path: &str) -> Option<String> {
        routes.find(Some(hostname), path).map(|route| route.component.name().to_owned())
    }

    #[test]
    fn hostname_then_longest_path() {
        let routes = Routes::build(
            &snapshot(&[
                ("root", "{ path: / }"),
                ("api", "{ path: /api }"),
                ("shop", "{ path: /, hostnames: [shop.example] }"),
            ]),
            &Routes::default(),
            &BTreeSet::new(),
        );
        for (hostname, path, expected) in [
            ("x", "/", "root"),
            ("x", "/api", "api"),
            ("x", "/api/1", "api"),
            ("x", "/apiary", "root"),
            ("shop.example", "/api", "shop"),
            ("SHOP.example:8080", "/", "shop"),
            ("[::1]:8080", "/", "root"),
        ] {
            assert_eq!(owner(&routes, hostname, path).as_deref(), Some(expected), "{hostname}{path}");
        }
    }

    #[test]
    fn a_former_owner_is_remembered_while_it_lives() {
        let old = Routes::build(&snapshot(&[("a", "{ path: / }")]), &Routes::default(), &BTreeSet::new());
        let alive = BTreeSet::from(["a".to_owned()]);
        let new = Routes::build(&snapshot(&[("b", "{ path: / }")]), &old, &alive);
        let route = new.find(None, "/").unwrap();
        assert_eq!((route.component.name(), route.before.as_slice()), ("b", &[Owner::new("a")][..]));
        let later = Routes::build(&snapshot(&[("b", "{ path: / }")]), &new, &BTreeSet::new());
        assert!(later.find(None, "/").unwrap().before.is_empty());
        let gone = Routes::build(&snapshot(&[]), &old, &alive);
        assert_eq!(owner(&gone, "x", "/").as_deref(), Some("a"), "deleted, but it still serves");
        assert_eq!(owner(&Routes::build(&snapshot(&[]), &old, &BTreeSet::new()), "x", "/"), None);
    }
}
