//! A store at the end of a link: open on this host, or on another that has the provider open.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use dunlin_lattice::{Ending, Executed, Request};
use dunlin_providers::keyvalue::{Context, Error, KeyValue, Page, Swap};
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use crate::calls::{Calls, Names, Underway};
use crate::directory::Directory;
use crate::metrics::CallMeter;
use crate::spans;
use crate::stores::Stores;
use crate::wire::keyvalue::{Operation, Outcome, decode_outcome};
use crate::wire::{pack, unpack};

/// One component's link to one provider.
pub(super) struct LinkedStore {
    pub(super) calls: Arc<Calls>,
    pub(super) stores: Arc<Stores>,
    pub(super) directory: Arc<ArcSwap<Directory>>,
    pub(super) component: String,
    pub(super) link: String,
    pub(super) provider: String,
    pub(super) meter: CallMeter,
}

impl LinkedStore {
    fn here(&self) -> Option<Arc<dyn KeyValue>> {
        self.stores.get(&self.provider)
    }

    /// Notes that an operation begins.
    fn note(&self, function: &str, context: &Context) -> Underway<'_> {
        let names = Names {
            component: &self.component,
            link: &self.link,
            target: &self.provider,
            function,
            traceparent: context.traceparent.as_deref(),
        };
        self.calls.begin(Some(&self.meter), names)
    }

    /// Begins an operation on the store that is open here.
    fn begin<'a>(
        &'a self,
        function: &str,
        bucket: &str,
        context: &'a Context,
    ) -> (Cow<'a, Context>, Here<'a>) {
        let underway = self.note(function, context).stays_here();
        let deadline = context.deadline;
        let (context, span) = spans::provider(&self.provider, function, bucket, context);
        (context, Here { underway, span, deadline })
    }

    /// Does an operation where the provider is open.
    async fn perform(&self, context: &Context, operation: Operation) -> Result<Outcome, Error> {
        let replicas = self.directory.load().provider(&self.provider).to_vec();
        let (function, safety) = operation.function();
        if replicas.is_empty() {
            self.note(function, context).ends(Ending::NotExecuted);
            return Err(Error::NotExecuted(format!(
                "no host that is seen has provider {:?} open",
                self.provider
            )));
        }
        let (values, body) = pack(operation.encode());
        let request = Request {
            target: self.provider.clone(),
            function: function.to_owned(),
            from_component: self.component.clone(),
            link: self.link.clone(),
            values,
            body,
            deadline: context.deadline,
            safety,
            traceparent: context.traceparent.clone(),
        };
        let reply = self.calls.call(&self.meter, &replicas, request).await.map_err(|error| {
            let text = format!("provider {:?}: {error}", self.provider);
            match error.executed() {
                Executed::No => Error::NotExecuted(text),
                Executed::Unknown | Executed::Yes => Error::Unknown(text),
            }
        })?;
        let broken = |error| Error::Unknown(format!("the answer of the provider's host broke off: {error}"));
        let values = unpack(reply.values, reply.body).await.map_err(broken)?;
        decode_outcome(values)
            .map_err(|_| Error::Unknown("the provider's host answered something else".into()))?
    }
}

/// An operation on the store that is open here, while it is under way.
struct Here<'a> {
    underway: Underway<'a>,
    span: Span,
    deadline: Instant,
}

impl Here<'_> {
    /// Does it, unless it is too late: as with a call over the lattice, nothing is executed after its deadline,
    /// whatever the store thinks of deadlines.
    async fn end<T>(mut self, operation: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
        let result = if Instant::now() < self.deadline {
            operation.instrument(self.span.clone()).await
        } else {
            Err(Error::NotExecuted("the deadline had passed".to_owned()))
        };
        let ending = match &result {
            Err(Error::NotExecuted(_)) => Ending::NotExecuted,
            Err(Error::Unknown(_)) => Ending::Unknown,
            // An error of the store is an answer too.
            Ok(_) | Err(_) => Ending::Answered,
        };
        self.span.record("outcome", ending.word());
        self.underway.ends(ending);
        result
    }
}

/// An outcome of another kind than the operation has: the other host does not keep to the protocol.
fn wrong<T>() -> Result<T, Error> {
    Err(Error::Unknown("the provider's host answered a different operation".to_owned()))
}

#[async_trait]
impl KeyValue for LinkedStore {
    async fn get(&self, context: &Context, bucket: &str, key: &str) -> Result<Option<Bytes>, Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-get", bucket, context);
            return here.end(store.get(&context, bucket, key)).await;
        }
        let operation = Operation::Get { bucket: bucket.to_owned(), key: key.to_owned() };
        if let Outcome::Value(value) = self.perform(context, operation).await? { Ok(value) } else { wrong() }
    }

    async fn set(&self, context: &Context, bucket: &str, key: &str, value: Bytes) -> Result<(), Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-set", bucket, context);
            return here.end(store.set(&context, bucket, key, value)).await;
        }
        let operation = Operation::Set { bucket: bucket.to_owned(), key: key.to_owned(), value };
        self.perform(context, operation).await.map(drop)
    }

    async fn delete(&self, context: &Context, bucket: &str, key: &str) -> Result<(), Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-delete", bucket, context);
            return here.end(store.delete(&context, bucket, key)).await;
        }
        let operation = Operation::Delete { bucket: bucket.to_owned(), key: key.to_owned() };
        self.perform(context, operation).await.map(drop)
    }

    async fn exists(&self, context: &Context, bucket: &str, key: &str) -> Result<bool, Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-exists", bucket, context);
            return here.end(store.exists(&context, bucket, key)).await;
        }
        let operation = Operation::Exists { bucket: bucket.to_owned(), key: key.to_owned() };
        if let Outcome::There(there) = self.perform(context, operation).await? { Ok(there) } else { wrong() }
    }

    async fn list_keys(&self, context: &Context, bucket: &str, cursor: Option<&str>) -> Result<Page, Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-list-keys", bucket, context);
            return here.end(store.list_keys(&context, bucket, cursor)).await;
        }
        let operation = Operation::ListKeys { bucket: bucket.to_owned(), cursor: cursor.map(str::to_owned) };
        if let Outcome::Page(page) = self.perform(context, operation).await? { Ok(page) } else { wrong() }
    }

    async fn increment(&self, context: &Context, bucket: &str, key: &str, delta: i64) -> Result<i64, Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-increment", bucket, context);
            return here.end(store.increment(&context, bucket, key, delta)).await;
        }
        let operation = Operation::Increment { bucket: bucket.to_owned(), key: key.to_owned(), delta };
        if let Outcome::Sum(sum) = self.perform(context, operation).await? { Ok(sum) } else { wrong() }
    }

    async fn compare_and_swap(
        &self,
        context: &Context,
        bucket: &str,
        key: &str,
        expected: Option<&Bytes>,
        new: Bytes,
    ) -> Result<Swap, Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-compare-and-swap", bucket, context);
            return here.end(store.compare_and_swap(&context, bucket, key, expected, new)).await;
        }
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let operation = Operation::CompareAndSwap { bucket, key, expected: expected.cloned(), new };
        if let Outcome::Swap(swap) = self.perform(context, operation).await? { Ok(swap) } else { wrong() }
    }

    async fn get_many(
        &self,
        context: &Context,
        bucket: &str,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-get-many", bucket, context);
            return here.end(store.get_many(&context, bucket, keys)).await;
        }
        let operation = Operation::GetMany { bucket: bucket.to_owned(), keys: keys.to_vec() };
        match self.perform(context, operation).await? {
            Outcome::Values(values) if values.len() == keys.len() => Ok(values),
            _ => wrong(),
        }
    }

    async fn set_many(
        &self,
        context: &Context,
        bucket: &str,
        pairs: &[(String, Bytes)],
    ) -> Result<(), Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-set-many", bucket, context);
            return here.end(store.set_many(&context, bucket, pairs)).await;
        }
        let operation = Operation::SetMany { bucket: bucket.to_owned(), pairs: pairs.to_vec() };
        self.perform(context, operation).await.map(drop)
    }

    async fn delete_many(&self, context: &Context, bucket: &str, keys: &[String]) -> Result<(), Error> {
        if let Some(store) = self.here() {
            let (context, here) = self.begin("keyvalue-delete-many", bucket, context);
            return here.end(store.delete_many(&context, bucket, keys)).await;
        }
        let operation = Operation::DeleteMany { bucket: bucket.to_owned(), keys: keys.to_vec() };
        self.perform(context, operation).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use dunlin_lattice::memory::Network;
    use dunlin_lattice::presence::PeerClock;
    use dunlin_lattice::{Answer, Incoming, Refusal, Serve};
    use dunlin_manifest::HostId;
    use dunlin_providers::keyvalue::{conformance, memory::MemoryStore};

    use super::*;
    use crate::directory::Replica;
    use crate::serve::perform;

    fn made() -> crate::Metrics {
        crate::Metrics::new().unwrap()
    }

    /// A host that has one store and lets everybody use it.
    struct Store(Arc<MemoryStore>);

    #[async_trait]
    impl Serve for Store {
        async fn serve(&self, call: Incoming) -> Result<Answer, Refusal> {
            perform(self.0.as_ref(), call, |_| Ok(())).await
        }
    }

    #[tokio::test]
    async fn a_store_at_another_host_is_as_good_as_one_here() {
        let network = Network::new(1);
        let (near, far) = (HostId::new("aws", "aws-1"), HostId::new("gcp", "gcp-1"));
        let clock = PeerClock::own(7, Instant::now());
        let here =
            Arc::new(Calls::connect(&near, "test", network.bus(&near).as_ref(), made(), 1).await.unwrap());
        let there = Calls::connect(&far, "test", network.bus(&far).as_ref(), made(), 1).await.unwrap();
        let replica = Replica { host: Arc::new(far), ready: true, last_beat: Instant::now(), clock };
        let directory = Arc::new(ArcSwap::from_pointee(Directory::with_provider("redis", vec![replica])));
        // A fresh store for each case; the former one's server ends when the next is started.
        let serving = tokio::sync::Mutex::new(None);
        conformance::run(async || {
            let server = there.serve(clock, Arc::new(Store(Arc::default()))).await;
            *serving.lock().await = Some(server);
            let stores = Stores::new(near.clone(), std::path::PathBuf::new(), false, None);
            Arc::new(LinkedStore {
                calls: Arc::clone(&here),
                stores: Arc::new(stores),
                directory: Arc::clone(&directory),
                component: "todo".to_owned(),
                link: "store".to_owned(),
                provider: "redis".to_owned(),
                meter: here.meter("redis"),
            }) as Arc<dyn KeyValue>
        })
        .await
        .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_late_is_not_executed_here_either() {
        let (network, me) = (Network::new(1), HostId::new("gcp", "gcp-1"));
        let calls = Calls::connect(&me, "test", network.bus(&me).as_ref(), made(), 1).await.unwrap();
        let meter = calls.meter("redis");
        let link = LinkedStore {
            calls: Arc::new(calls),
            stores: Arc::new(Stores::new(me, std::path::PathBuf::new(), false, None)),
            directory: Arc::default(),
            component: "todo".to_owned(),
            link: "store".to_owned(),
            provider: "redis".to_owned(),
            meter,
        };
        let context = Context { deadline: Instant::now(), traceparent: None };
        let mut executed = false;
        let (_, here) = link.begin("keyvalue-set", "todo", &context);
        let result = here.end(async {
            executed = true;
            Ok(())
        });
        let refused = result.await.unwrap_err();
        assert_eq!(refused, Error::NotExecuted("the deadline had passed".to_owned()));
        assert!(!executed);

        let context = Context { deadline: Instant::now() + std::time::Duration::from_millis(1), ..context };
        let (_, here) = link.begin("keyvalue-set", "todo", &context);
        assert_eq!(here.end(async { Ok(7) }).await, Ok(7));
    }
}
