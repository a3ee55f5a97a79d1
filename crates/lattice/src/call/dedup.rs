//! Every call id is executed once: what a host remembers of the calls it took, and for how long.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dunlin_manifest::HostId;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How long after its deadline a call is remembered. After that a repetition is refused for its deadline.
const GRACE: Duration = Duration::from_secs(10);
/// How many repetitions of a running call are answered with it.
const REPEATS: usize = 4;
const SHARDS: usize = 16;

/// The calls of the recent past, by id. Locks are held for one lookup.
pub(crate) struct Dedup {
    shards: [Mutex<Shard>; SHARDS],
    remembered: usize,
    kept: usize,
}

#[derive(Default)]
struct Shard {
    calls: HashMap<u128, Call>,
    expiry: BinaryHeap<Reverse<(Instant, u128)>>,
    /// Answers in the order they were given, with their sizes; the oldest are dropped first.
    answers: VecDeque<(u128, usize)>,
    bytes: usize,
}

struct Call {
    from: HostId,
    state: State,
}

enum State {
    Running { abort: Option<AbortHandle>, repeats: Vec<Arc<str>> },
    Answered(Bytes),
    Gone,
}

/// What a call is to this host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// New: it is now registered as running.
    New,
    /// New, and its deadline has passed; nothing was registered.
    Late,
    /// It runs; its answer will go to this reply subject as well.
    Running,
    /// It was answered with this frame.
    Answered(Bytes),
    /// It was executed, and its answer is no longer here.
    Gone,
    /// New, and no further id can be remembered.
    Full,
    /// The id belongs to a call of another host.
    Foreign,
}

impl Dedup {
    /// Remembers `remembered` ids and `kept` bytes of answers.
    pub(crate) fn new(remembered: usize, kept: usize) -> Self {
        Self { shards: Default::default(), remembered: remembered.div_ceil(SHARDS), kept: kept / SHARDS }
    }

    pub(crate) fn begin(
        &self,
        id: u128,
        from: &HostId,
        reply: &Arc<str>,
        deadline: Instant,
        now: Instant,
    ) -> Seen {
        let mut shard = self.shard(id);
        shard.expire(now);
        if let Some(call) = shard.calls.get_mut(&id) {
            return call.again(from, reply);
        }
        if now >= deadline {
            return Seen::Late;
        }
        if shard.calls.len() >= self.remembered {
            return Seen::Full;
        }
        let state = State::Running { abort: None, repeats: vec![Arc::clone(reply)] };
        shard.calls.insert(id, Call { from: from.clone(), state });
        shard.expiry.push(Reverse((deadline + GRACE, id)));
        Seen::New
    }

    /// Lets [`Dedup::cancel`] stop it; nothing if it has ended already.
    pub(crate) fn runs_as(&self, id: u128, handle: AbortHandle) {
        if let Some(Call { state: State::Running { abort, .. }, .. }) = self.shard(id).calls.get_mut(&id) {
            *abort = Some(handle);
        }
    }

    /// Ends a running call with the frame that answered it, if that can be sent again. Returns all reply subjects
    /// that wait for it, the first call's included.
    pub(crate) fn finish(&self, id: u128, answer: Option<Bytes>) -> Vec<Arc<str>> {
        let mut shard = self.shard(id);
        let Some(call) = shard.calls.get_mut(&id) else { return Vec::new() };
        let kept = answer.filter(|answer| answer.len() <= self.kept);
        let size = kept.as_ref().map(Bytes::len);
        let state = kept.map_or(State::Gone, State::Answered);
        let former = std::mem::replace(&mut call.state, state);
        if let Some(size) = size {
            shard.answers.push_back((id, size));
            shard.bytes += size;
            while shard.bytes > self.kept {
                shard.forget_oldest_answer();
            }
        }
        match former {
            State::Running { repeats, .. } => repeats,
            State::Answered(_) | State::Gone => Vec::new(),
        }
    }

    /// Stops a running call of `from`.
    pub(crate) fn cancel(&self, id: u128, from: &HostId) {
        let abort = match self.shard(id).calls.get_mut(&id) {
            Some(Call { from: of, state: State::Running { abort, .. } }) if of == from => abort.take(),
            _ => None,
        };
        // Outside the lock: what is dropped with the task comes back here.
        if let Some(abort) = abort {
            abort.abort();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().calls.len()).sum()
    }

    fn shard(&self, id: u128) -> MutexGuard<'_, Shard> {
        self.shards[(id as usize) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    fn again(&mut self, from: &HostId, reply: &Arc<str>) -> Seen {
        if self.from != *from {
            return Seen::Foreign;
        }
        match &mut self.state {
            State::Running { repeats, .. } => {
                if repeats.len() < REPEATS && !repeats.contains(reply) {
                    repeats.push(Arc::clone(reply));
                }
                Seen::Running
            }
            State::Answered(answer) => Seen::Answered(answer.clone()),
            State::Gone => Seen::Gone,
        }
    }
}

impl Shard {
    fn expire(&mut self, now: Instant) {
        while let Some(&Reverse((at, id))) = self.expiry.peek()
            && at <= now
        {
            self.expiry.pop();
            match self.calls.get(&id).map(|call| &call.state) {
                Some(State::Running { .. }) => self.expiry.push(Reverse((now + GRACE, id))),
                Some(State::Answered(_) | State::Gone) => {
                    self.calls.remove(&id);
                }
                None => {}
            }
        }
        while let Some(&(id, size)) = self.answers.front()
            && !self.calls.contains_key(&id)
        {
            self.answers.pop_front();
            self.bytes -= size;
        }
    }

    fn forget_oldest_answer(&mut self) {
        let Some((id, size)) = self.answers.pop_front() else {
            self.bytes = 0;
            return;
        };
        self.bytes -= size;
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = State::Gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> HostId {
        HostId::new("gcp", name)
    }

    #[tokio::test(start_paused = true)]
    async fn once_and_its_answer_again() {
        let (dedup, me, now) = (Dedup::new(1000, 1 << 20), host("gcp-1"), Instant::now());
        let deadline = now + Duration::from_secs(5);
        let [one, two]: [Arc<str>; 2] = ["r.1".into(), "r.2".into()];
        assert_eq!(dedup.begin(7, &me, &one, deadline, now), Seen::New);
        assert_eq!(dedup.begin(7, &me, &one, deadline, now), Seen::Running);
        assert_eq!(dedup.begin(7, &me, &two, deadline, now), Seen::Running);
        assert_eq!(dedup.begin(7, &host("gcp-2"), &two, deadline, now), Seen::Foreign);
        let answer = Bytes::from_static(b"answer");
        assert_eq!(dedup.finish(7, Some(answer.clone())), [one.clone(), two]);
        assert_eq!(dedup.begin(7, &me, &one, deadline, now), Seen::Answered(answer.clone()));
        // Even after the deadline: it was executed, and "deadline passed" would say that it was not.
        assert_eq!(dedup.begin(7, &me, &one, deadline, deadline), Seen::Answered(answer));
        assert_eq!(dedup.begin(8, &me, &one, deadline, deadline), Seen::Late);
        let later = deadline + GRACE;
        assert_eq!(dedup.begin(7, &me, &one, deadline, later), Seen::Late);
        assert_eq!(dedup.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn bounded_in_bytes_and_in_number() {
        let (dedup, me, now) = (Dedup::new(SHARDS * 4, SHARDS * 1000), host("gcp-1"), Instant::now());
        let deadline = now + Duration::from_secs(5);
        let reply: Arc<str> = "r".into();
        let id = |number: u128| number * SHARDS as u128; // All in one shard.
        for number in 0..4 {
            assert_eq!(dedup.begin(id(number), &me, &reply, deadline, now), Seen::New);
            dedup.finish(id(number), Some(Bytes::from(vec![0; 400])));
        }
        assert_eq!(dedup.begin(id(0), &me, &reply, deadline, now), Seen::Gone);
        assert!(matches!(dedup.begin(id(3), &me, &reply, deadline, now), Seen::Answered(_)));
        assert_eq!(dedup.begin(id(4), &me, &reply, deadline, now), Seen::Full);
        assert_eq!(dedup.begin(id(4), &me, &reply, deadline + GRACE * 2, deadline + GRACE), Seen::New);
    }
}
