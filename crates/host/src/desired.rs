//! From what Git says to what this host should run: code, configuration and secrets become an identity.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::{ConfigValue, Snapshot, WasmComponent};
use dunlin_placement::{Demand, Desired, Replicas, SiteDemand};
use dunlin_source::SecretFiles;

use crate::images::{Image, Images};

/// What a component needs to start, or why it cannot.
pub(crate) type Resolution = Result<Resolved, String>;

/// Everything that goes into a slot.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) image: Image,
    pub(crate) config: BTreeMap<String, String>,
}

/// Where code and secrets come from on this host.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    pub(crate) images: Images,
    pub(crate) secrets: Option<SecretFiles>,
}

impl Resolver {
    /// Reads what `component` needs. Blocks: it reads files.
    pub(crate) fn resolve(&self, component: &str, spec: &WasmComponent) -> Resolution {
        let image = self.images.read(component, &spec.image).map_err(|error| error.to_string())?;
        let config = spec.config.iter().map(|(key, value)| Ok((key.clone(), self.value(component, key, value)?)));
        Ok(Resolved { image, config: config.collect::<Result<_, String>>()? })
    }

    fn value(&self, component: &str, key: &str, value: &ConfigValue) -> Result<String, String> {
        match value {
            ConfigValue::Value(value) => Ok(value.clone()),
            ConfigValue::Secret(reference) => {
                let secrets = self.secrets.as_ref().ok_or_else(|| {
                    format!("config {key:?} needs the secret {:?}: name a directory of secrets with --secrets", reference.name)
                })?;
                let consumer = format!("component/{component}");
                secrets.read(&reference.name, &reference.key, &consumer).map_err(|error| format!("config {key:?}: {error}"))
            }
        }
    }

    /// What this host wants of a whole snapshot. Blocks: it reads files.
    ///
    /// A component that cannot be resolved keeps its place with an identity of its own, and fails when it starts, where
    /// the reason is told.
    pub(crate) fn desired(&self, revision: &str, snapshot: &Snapshot) -> Desired {
        let demand = |(name, object): (&String, &dunlin_manifest::Object<WasmComponent>)| {
            let identity = match self.resolve(name, &object.spec) {
                Ok(resolved) => dunlin_manifest::identity(&object.spec, &resolved.image.digest, &resolved.config),
                Err(_) => dunlin_manifest::identity(&object.spec, "unresolved", &BTreeMap::new()),
            };
            (name.clone(), demand(name, &object.spec, identity))
        };
        Desired {
            revision: revision.to_owned(),
            digest: snapshot.digest(),
            components: snapshot.components.iter().map(demand).collect(),
        }
    }
}

fn demand(name: &str, spec: &WasmComponent, identity: String) -> Demand {
    let site = |(site, placement): (&String, &dunlin_manifest::SitePlacement)| {
        let replicas = match placement.replicas {
            dunlin_manifest::Replicas::All => Replicas::All,
            dunlin_manifest::Replicas::Count(count) => Replicas::Count(count),
        };
        (site.clone(), SiteDemand { replicas, host_labels: placement.host_labels.clone() })
    };
    Demand {
        component: name.to_owned(),
        identity,
        sites: spec.sites.iter().map(site).collect(),
        memory: spec.resources.limits.memory,
        suspend: spec.suspend,
        request_timeout: spec.timeouts.request,
    }
}

/// How often files that stand in for images, and secrets, are looked at again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(1);
