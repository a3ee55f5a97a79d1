//! From what Git says to what this host should run: code, configuration and secrets become an identity.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_manifest::{ConfigValue, Snapshot, WasmComponent};
use dunlin_placement::{Demand, Desired};
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

impl Resolved {
    /// The identity of `spec` with this in its slot.
    pub(crate) fn identity(&self, spec: &WasmComponent) -> String {
        dunlin_manifest::identity(spec, &self.image.digest, &self.config)
    }
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
        let Some(secrets) = &self.secrets else {
            if let Some(key) = spec
                .config
                .iter()
                .find_map(|(key, value)| matches!(value, ConfigValue::Secret(_)).then_some(key))
            {
                return Err(format!(
                    "config {key} needs a secret: name a directory of secrets with --secrets"
                ));
            }
            let config = dunlin_source::resolve_config(component, spec, &SecretFiles::new(""));
            return Ok(Resolved { image, config: config.unwrap_or_default() });
        };
        let config = dunlin_source::resolve_config(component, spec, secrets)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        Ok(Resolved { image, config })
    }

    /// The identity that `component` has with what this host can read now. Blocks: it reads files.
    pub(crate) fn identity(&self, component: &str, spec: &WasmComponent) -> Result<String, String> {
        Ok(self.resolve(component, spec)?.identity(spec))
    }

    /// What this host wants of a whole snapshot. Blocks: it reads files.
    ///
    /// A component that cannot be resolved keeps its place with an identity of its own, and fails when it starts, where
    /// the reason is told.
    pub(crate) fn desired(&self, revision: &str, snapshot: &Snapshot) -> Desired {
        let demand = |(name, object): (&String, &dunlin_manifest::Object<WasmComponent>)| {
            let identity = self.identity(name, &object.spec);
            let identity = identity
                .unwrap_or_else(|_| dunlin_manifest::identity(&object.spec, "unresolved", &BTreeMap::new()));
            (name.clone(), Demand::of(name, &object.spec, identity))
        };
        Desired {
            revision: revision.to_owned(),
            digest: snapshot.digest(),
            components: snapshot.components.iter().map(demand).collect(),
            before: BTreeMap::new(),
        }
    }
}

/// How often files that stand in for images, and secrets, are looked at again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(1);
