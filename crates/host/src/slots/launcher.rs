//! Starts components: reads their code, compiles, binds their links, asks each link once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dunlin_agent::StartFailure;
use dunlin_manifest::{HostId, LinkTarget, WasmComponent};
use dunlin_placement::Demand;
use dunlin_providers::logging::{LogBuffer, Origin};
use dunlin_runtime::{Bindings, CodeFrom, CompileError, Egress, Engine, KeyValueBinding, Limits};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Forms, HostSlot, NotReady};
use crate::desired::Resolved;
use crate::events::{EventLog, What};
use crate::links::{Links, bucket};
use crate::remember::Identities;

/// Makes slots on this host.
pub(crate) struct Launcher {
    pub(crate) id: HostId,
    pub(crate) engine: Engine,
    pub(crate) forms: Forms,
    pub(crate) links: Arc<Links>,
    pub(crate) log: Arc<LogBuffer>,
    pub(crate) not_ready: Arc<NotReady>,
    pub(crate) events: Arc<EventLog>,
    /// What ran here, from before a restart too.
    pub(crate) ran: watch::Receiver<Identities>,
}

/// How long a link may take to answer for the first time; its other end may be starting as well.
const FIRST_ANSWER: Duration = Duration::from_secs(8);
/// How long to wait before a link is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

#[async_trait]
impl dunlin_agent::Launcher for Launcher {
    type Slot = HostSlot;

    async fn start(&self, demand: &Demand) -> Result<Arc<HostSlot>, StartFailure> {
        let name = demand.component.as_str();
        let (spec, resolved) = self.forms.of(demand).await?;
        let begun = Instant::now();
        let obtained = self.engine.obtain(resolved.image.code.clone()).await;
        let (compiled, from) = obtained.map_err(compile_failure)?;
        self.events.note(name, &demand.identity, compiled_in_words(begun.elapsed(), from));
        let bindings = self.bind(name, &spec, &resolved)?;
        let stores: Vec<_> = bindings.keyvalue.values().cloned().collect();
        let workload = self.engine.prepare(&compiled, bindings, limits(&spec)).map_err(everywhere)?;
        if workload.serves_http().is_none() && (spec.http.is_some() || spec.readiness.is_some()) {
            return Err(everywhere(dunlin_runtime::HandleError::NotHttp));
        }
        // What ran here is not held up after a restart by what may be gone for a while: only its readiness path counts.
        if self.ran.borrow().get(name) != Some(&demand.identity) {
            for store in stores {
                first_answer(&store).await?;
            }
        }
        let readiness = spec.readiness.map(|readiness| readiness.path);
        Ok(Arc::new(HostSlot::start(name, workload, readiness, spec.timeouts.request, &self.not_ready)))
    }

    /// Compiled code stays in the engine's cache, on disk; instances and links are for the start.
    async fn prepare(&self, demand: &Demand) -> Result<(), StartFailure> {
        let name = demand.component.as_str();
        let spec =
            self.forms.spec(name).ok_or_else(|| here(format!("{name} is no longer in the manifests")))?;
        let resolved = self.forms.resolve(name, &spec).await?;
        self.engine.compile(resolved.image.code.clone()).await.map_err(compile_failure)?;
        tracing::info!(component = name, "compiled ahead, in case another site is lost");
        Ok(())
    }
}

impl Launcher {
    /// What each import leads to. Links of other kinds than the import needs are refused by the runtime.
    fn bind(&self, name: &str, spec: &WasmComponent, resolved: &Resolved) -> Result<Bindings, StartFailure> {
        let origin = Origin {
            component: name.into(),
            site: self.id.site.as_str().into(),
            host: self.id.host.as_str().into(),
        };
        let mut bindings = Bindings {
            config: resolved.config.clone(),
            log: Some(self.log.sink(origin)),
            ..Bindings::default()
        };
        for (link_name, link) in &spec.links {
            match &link.target {
                LinkTarget::Provider(provider) => {
                    let store = self.links.store(name, link_name, provider);
                    let bucket = Some(bucket(name, link).to_owned());
                    let binding = KeyValueBinding { store, bucket, timeout: Some(link.timeout) };
                    bindings.keyvalue.insert(link.import.clone(), binding);
                }
                LinkTarget::Component(target) => {
                    let invoke = self.links.component(name, link_name, target, link);
                    bindings.components.insert(link.import.clone(), invoke);
                }
                LinkTarget::Egress(egress) => {
                    let egress = Egress::new(&egress.hosts, link.timeout);
                    bindings.egress =
                        Some(egress.map_err(|error| everywhere(format!("link {link_name:?}: {error}")))?);
                }
            }
        }
        Ok(bindings)
    }
}

fn limits(spec: &WasmComponent) -> Limits {
    Limits {
        memory: spec.resources.limits.memory,
        request_body: spec.resources.limits.request_body,
        max_concurrency: spec.max_concurrency,
        body_idle: spec.timeouts.request,
        ..Limits::default()
    }
}

/// Every link answers once before a slot is ready: a key that nobody sets is asked for.
async fn first_answer(binding: &KeyValueBinding) -> Result<(), StartFailure> {
    let give_up = Instant::now() + FIRST_ANSWER;
    let bucket = binding.bucket.as_deref().unwrap_or_default();
    loop {
        let timeout = binding.timeout.unwrap_or(FIRST_ANSWER);
        let context = dunlin_providers::keyvalue::Context {
            deadline: (Instant::now() + timeout).min(give_up),
            traceparent: None,
        };
        match binding.store.exists(&context, bucket, "dunlin-link-check").await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() + ASK_AGAIN >= give_up => {
                return Err(here(format!("a link does not answer: {error}")));
            }
            Err(_) => tokio::time::sleep(ASK_AGAIN).await,
        }
    }
}

fn compiled_in_words(took: Duration, from: CodeFrom) -> What {
    let from = match from {
        CodeFrom::Compiler => "compiler",
        CodeFrom::Cache => "cache",
        CodeFrom::Memory => "memory",
    };
    What::Compiled { took: u64::try_from(took.as_millis()).unwrap_or(u64::MAX), from: from.into() }
}

/// What other hosts would meet as well, and what only this one may.
fn compile_failure(error: CompileError) -> StartFailure {
    match error {
        CompileError::Failed(_) => here(error),
        _ => everywhere(error),
    }
}

fn here(reason: impl std::fmt::Display) -> StartFailure {
    StartFailure::Here(reason.to_string())
}

fn everywhere(reason: impl std::fmt::Display) -> StartFailure {
    StartFailure::Everywhere(reason.to_string())
}
