//! What only the inside can arrange: failing disks, full queues, gone callers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::faults::Faults;
use super::*;

fn context() -> Context {
    Context { deadline: Instant::now() + Duration::from_secs(10), traceparent: None }
}

async fn open(directory: &tempfile::TempDir, options: Options) -> (Arc<EmbeddedStore>, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let opener = Opener {
        path: directory.path().join("store"),
        cache_bytes: 0,
        lock_wait: options.lock_wait,
        faults: Arc::clone(&faults),
    };
    (Arc::new(EmbeddedStore::open_with(opener, options).await.unwrap()), faults)
}

/// Tries `set` until it works.
async fn recover(store: &EmbeddedStore, key: &str) {
    let until = Instant::now() + Duration::from_secs(10);
    while let Err(error) = store.set(&context(), "b", key, Bytes::new()).await {
        assert!(Instant::now() < until, "still failing: {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_the_store_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let (store, faults) = open(&directory, Options::default()).await;
    store.set(&context(), "b", "before", Bytes::from_static(b"1")).await.unwrap();

    faults.full.store(true, Ordering::SeqCst);
    let error = store.set(&context(), "b", "during", Bytes::from_static(b"2")).await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_) | Error::NotExecuted(_)), "{error}");
    let error = store.set(&context(), "b", "after", Bytes::new()).await.unwrap_err();
    assert!(matches!(error, Error::NotExecuted(_)), "{error}");

    faults.full.store(false, Ordering::SeqCst);
    recover(&store, "again").await;
    assert_eq!(store.get(&context(), "b", "before").await.unwrap().as_deref(), Some(&b"1"[..]));
    assert!(!store.exists(&context(), "b", "after").await.unwrap());
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_is_tried_again_without_any_write() {
    let directory = tempfile::tempdir().unwrap();
    let (store, faults) = open(&directory, Options::default()).await;
    store.set(&context(), "b", "k", Bytes::from_static(b"1")).await.unwrap();
    faults.unreadable.store(true, Ordering::SeqCst);
    let error = store.get(&context(), "b", "k").await.unwrap_err();
    assert!(matches!(error, Error::Other(_)), "{error}");
    faults.unreadable.store(false, Ordering::SeqCst);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match store.get(&context(), "b", "k").await {
            Ok(value) => break assert_eq!(value.as_deref(), Some(&b"1"[..])),
            Err(error) => assert!(Instant::now() < until, "still failing: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Holds the writer up by holding the only write transaction.
struct HeldUp(Arc<AtomicBool>, std::thread::JoinHandle<()>);

impl HeldUp {
    fn begin(store: &EmbeddedStore) -> Self {
        let (shared, release) = (Arc::clone(&store.shared), Arc::new(AtomicBool::new(false)));
        let (held, holding) = std::sync::mpsc::channel();
        let released = Arc::clone(&release);
        let thread = std::thread::spawn(move || {
            let hold = |database: &redb::Database| {
                let transaction = database.begin_write().unwrap();
                held.send(()).unwrap();
                while !released.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                transaction.abort().unwrap();
                Ok(())
            };
            shared.with(hold).unwrap();
        });
        holding.recv().unwrap();
        Self(release, thread)
    }

    fn release(self) {
        self.0.store(true, Ordering::SeqCst);
        self.1.join().unwrap();
    }
}

#[tokio::test]
async fn what_finds_no_room_is_not_executed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory, Options { waiting_writes: 4, ..Options::default() }).await;
    let held = HeldUp::begin(&store);
    let write = |number: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.set(&context(), "b", &number.to_string(), Bytes::new()).await })
    };
    let mut writes: Vec<_> = (0..100).map(write).collect();
    // Some are with the writer, some wait; the others are refused while it is held up.
    let mut refused = Vec::new();
    while refused.len() < 50 {
        let (result, index, rest) = futures_first(writes).await;
        writes = rest;
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::NotExecuted(reason) if reason.contains("busy")), "{error}");
        refused.push(index);
    }
    held.release();
    let mut done = 0;
    for write in writes {
        done += usize::from(write.await.unwrap().is_ok());
    }
    assert!(done >= 4, "{done}");
    assert_eq!(store.list_keys(&context(), "b", None).await.unwrap().keys.len(), done);
}

/// The first of `tasks` to end, its place, and the others.
async fn futures_first<T>(
    mut tasks: Vec<tokio::task::JoinHandle<T>>,
) -> (T, usize, Vec<tokio::task::JoinHandle<T>>) {
    let (result, index) = std::future::poll_fn(|context| {
        for (index, task) in tasks.iter_mut().enumerate() {
            if let std::task::Poll::Ready(result) = std::pin::Pin::new(task).poll(context) {
                return std::task::Poll::Ready((result.unwrap(), index));
            }
        }
        std::task::Poll::Pending
    })
    .await;
    drop(tasks.remove(index));
    (result, index, tasks)
}

#[tokio::test]
async fn a_budget_of_bytes_bounds_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory, Options { waiting_bytes: 4096, ..Options::default() }).await;
    let error = store.set(&context(), "b", "k", Bytes::from(vec![0; 8192])).await.unwrap_err();
    assert!(matches!(&error, Error::NotExecuted(_)), "{error}");
    store.set(&context(), "b", "k", Bytes::from(vec![0; 1024])).await.unwrap();
}

#[tokio::test]
async fn a_write_that_waited_too_long_or_lost_its_caller_is_withdrawn() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory, Options::default()).await;
    let held = HeldUp::begin(&store);
    // The writer is stuck before it takes these out of their slots.
    let soon = Context { deadline: Instant::now() + Duration::from_millis(50), traceparent: None };
    let error = store.set(&soon, "b", "late", Bytes::new()).await.unwrap_err();
    assert!(matches!(&error, Error::NotExecuted(_)), "{error}");
    let (key, value, far) = ("gone", Bytes::new(), context());
    let gone = tokio::time::timeout(Duration::from_millis(50), store.set(&far, "b", key, value)).await;
    assert!(gone.is_err());
    held.release();
    store.set(&context(), "b", "then", Bytes::new()).await.unwrap();
    assert_eq!(store.list_keys(&context(), "b", None).await.unwrap().keys, ["then"]);
}

#[tokio::test]
async fn closing_finishes_what_waits_and_frees_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { lock_wait: Duration::ZERO, ..Options::default() };
    let (store, _) = open(&directory, options.clone()).await;
    let held = HeldUp::begin(&store);
    let writing = Arc::clone(&store);
    let write = tokio::spawn(async move { writing.set(&context(), "b", "k", Bytes::new()).await });
    let begun = async {
        while store.writer.waiting_bytes(&Options::default()) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), begun).await.unwrap();
    let closing = Arc::clone(&store);
    let close = tokio::spawn(async move { closing.close().await });
    held.release();
    close.await.unwrap();
    write.await.unwrap().unwrap();
    assert!(matches!(store.set(&context(), "b", "l", Bytes::new()).await, Err(Error::NotExecuted(_))));
    assert!(matches!(store.get(&context(), "b", "k").await, Err(Error::NotExecuted(_))));
    let (again, _) = open(&directory, options).await;
    assert!(again.exists(&context(), "b", "k").await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_share_syncs() {
    let directory = tempfile::tempdir().unwrap();
    let (store, faults) = open(&directory, Options::default()).await;
    let before = faults.syncs.load(Ordering::SeqCst);
    let held = HeldUp::begin(&store);
    let write = |number: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.set(&context(), "b", &number.to_string(), Bytes::new()).await })
    };
    let writes: Vec<_> = (0..200).map(write).collect();
    let queued = async {
        while store.writer.waiting_bytes(&Options::default()) < 199 * 1024 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), queued).await.unwrap();
    held.release();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    let syncs = faults.syncs.load(Ordering::SeqCst) - before;
    // The one it was held up with, and all others: two transactions, two syncs each.
    assert!(syncs <= 4, "{syncs}");
}
