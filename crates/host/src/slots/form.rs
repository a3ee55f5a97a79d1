//! What a demand was made of: a slot runs what its identity says and nothing else.

use std::sync::Arc;
use std::time::Duration;

use dunlin_agent::StartFailure;
use dunlin_manifest::{Snapshot, WasmComponent};
use dunlin_placement::{Demand, Desired};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::desired::{Resolved, Resolver};
use crate::trials::Trials;

/// How long what differs from a demand is waited with. Files and secrets are looked at every second, and the demand that
/// comes of it ends the start that waits.
const NEXT_DEMAND: Duration = Duration::from_secs(5);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// Where what is to start comes from.
pub(crate) struct Forms {
    pub(crate) resolver: Resolver,
    /// What demands are made of: it changes right before they do.
    pub(crate) snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What the source says, once it was read.
    pub(crate) desired: watch::Receiver<Option<Desired>>,
    pub(crate) trials: Arc<Trials>,
}

impl Forms {
    /// The form that `demand` means, with its code and secrets.
    ///
    /// Git, a secret or a local build may have changed since the demand was made. What there is now would then run
    /// under an identity that is not its own, untried by whatever tries new ones; so it waits for the next demand.
    ///
    /// # Errors
    /// Here: something is missing, or no other demand came.
    pub(super) async fn of(&self, demand: &Demand) -> Result<(WasmComponent, Resolved), StartFailure> {
        let name = demand.component.as_str();
        let give_up = Instant::now() + NEXT_DEMAND;
        loop {
            let git = self.spec(name);
            let git =
                git.ok_or_else(|| StartFailure::Here(format!("{name} is no longer in the manifests")))?;
            let spec = self.trials.form(name, &demand.identity, &git).unwrap_or(git);
            let resolved = self.resolve(name, &spec).await?;
            if resolved.identity(&spec) == demand.identity {
                return Ok((spec, resolved));
            }
            if Instant::now() >= give_up {
                // While the source cannot be read nobody makes other demands: a secret that was put right counts.
                if self.desired.borrow().is_none() {
                    return Ok((spec, resolved));
                }
                let reason = "the manifests, a secret or a local build changed meanwhile; what there is now is tried next";
                return Err(StartFailure::Here(reason.to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What Git says of a component.
    pub(super) fn spec(&self, name: &str) -> Option<WasmComponent> {
        self.snapshot.borrow().components.get(name).map(|object| object.spec.clone())
    }

    /// Its code and secrets as they are now.
    pub(super) async fn resolve(&self, name: &str, spec: &WasmComponent) -> Result<Resolved, StartFailure> {
        let (resolver, component, spec) = (self.resolver.clone(), name.to_owned(), spec.clone());
        let resolving = tokio::task::spawn_blocking(move || resolver.resolve(&component, &spec));
        let resolved = resolving.await.map_err(|error| StartFailure::Here(error.to_string()))?;
        resolved.map_err(StartFailure::Here)
    }
}

#[cfg(test)]
mod tests {
    use dunlin_manifest::{File, read};

    use super::*;
    use crate::images::{Code, Images};

    fn snapshot(requests: &str) -> Arc<Snapshot> {
        let text = format!(
            "apiVersion: dunlin.dev/v1alpha1\nkind: Lattice\nmetadata: {{ name: l }}\nspec: {{ sites: {{ a: {{}} }} }}\n---\n\
             apiVersion: dunlin.dev/v1alpha1\nkind: WasmComponent\nmetadata: {{ name: todo }}\n\
             spec: {{ image: \"example.com/todo:1\", sites: {{ a: {{}} }}, timeouts: {{ request: {requests} }} }}\n"
        );
        let reading = read(&[File { path: "all.yaml".into(), text }]);
        assert!(reading.mistakes.is_empty(), "{:?}", reading.mistakes);
        Arc::new(reading.snapshot)
    }

    struct Bench {
        folder: tempfile::TempDir,
        snapshot: watch::Sender<Arc<Snapshot>>,
        desired: watch::Sender<Option<Desired>>,
        forms: Forms,
    }

    impl Bench {
        fn new(now: Arc<Snapshot>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let code = folder.path().join("todo.wasm");
            std::fs::write(&code, "code").unwrap();
            let images = Images::new([("todo".to_owned(), Code::File(code))].into());
            let (snapshot, snapshots) = watch::channel(now);
            let (desired, all_desired) = watch::channel(None);
            let forms = Forms {
                resolver: Resolver { images, secrets: None },
                snapshot: snapshots,
                desired: all_desired,
                trials: Arc::new(Trials::load(folder.path().to_owned())),
            };
            Self { folder, snapshot, desired, forms }
        }

        fn demand(&self, snapshot: &Snapshot) -> Demand {
            self.forms.resolver.desired("r", snapshot).components.remove("todo").unwrap()
        }

        /// The request timeout of what a demand starts, in seconds.
        async fn starts(&self, demand: &Demand) -> Result<u64, String> {
            let form = self.forms.of(demand).await.map_err(|error| error.to_string());
            form.map(|(spec, _)| spec.timeouts.request.as_secs())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_runs_under_an_identity_that_is_not_its_own() {
        let (old, new) = (snapshot("1s"), snapshot("2s"));
        let bench = Bench::new(Arc::clone(&old));
        let (first, second) = (bench.demand(&old), bench.demand(&new));
        bench.desired.send_replace(Some(Desired::default()));
        assert_eq!(bench.starts(&first).await, Ok(1));
        bench.snapshot.send_replace(Arc::clone(&new));
        let failed = bench.starts(&first).await.unwrap_err();
        assert!(failed.contains("changed meanwhile"), "{failed}");
        assert_eq!(bench.starts(&second).await, Ok(2));

        // Taken back before the next demand came: the first one is right again.
        let waits = bench.starts(&first);
        let back = async {
            tokio::time::sleep(LOOK * 3).await;
            bench.snapshot.send_replace(old);
        };
        assert_eq!(tokio::join!(waits, back).0, Ok(1));

        bench.snapshot.send_replace(Arc::default());
        assert_eq!(bench.starts(&first).await, Err("todo is no longer in the manifests".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_right_counts_while_the_source_is_gone() {
        let past = snapshot("1s");
        let bench = Bench::new(Arc::clone(&past));
        let code = bench.folder.path().join("todo.wasm");
        std::fs::remove_file(&code).unwrap();
        let demand = bench.demand(&past);
        let failed = bench.starts(&demand).await.unwrap_err();
        assert!(failed.contains("cannot read"), "{failed}");
        std::fs::write(&code, "another code").unwrap();
        assert_eq!(bench.starts(&demand).await, Ok(1), "nobody can make another demand");
        bench.desired.send_replace(Some(Desired::default()));
        assert!(bench.starts(&demand).await.is_err(), "now somebody can");
    }
}
