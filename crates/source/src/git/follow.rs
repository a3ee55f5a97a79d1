//! From look to look, and from what was seen to what is in force.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_manifest::{Snapshot, is_commit};
use notify::RecommendedWatcher;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Nudges;
use super::judge::{InForce, judge};
use super::local;
use super::look::{Look, Looking, Question, Seen};
use super::schedule::{Purpose, Schedule};
use super::settings::GitSettings;
use super::trouble::Trouble;
use crate::settle::{last_good_state, publish, report, understand, unreadable};
use crate::{Condition, LastGood, SourceError, State};

/// How long a host that has a last good state waits for its first look before it goes on with that.
const FIRST: Duration = Duration::from_secs(2);
/// A branch that moves on this machine is written to in several steps.
const QUIET: Duration = Duration::from_millis(20);
/// The longest between two looks at a repository on this machine that cannot be read.
const NEAR: Duration = Duration::from_secs(5);

/// What a source knows between two looks.
pub(super) struct Follower {
    settings: Arc<GitSettings>,
    schedule: Schedule,
    nudges: Option<Nudges>,
    /// The state that follows from the head judged last, as if the repository had never failed since.
    judged: State,
    /// The id of that head.
    known: Option<String>,
    /// The commit that a nudge told of last: there is no need to tell of it again.
    told: Option<String>,
    turn: Arc<Mutex<()>>,
    changed: Arc<Notify>,
    watching: Option<RecommendedWatcher>,
}

impl Follower {
    pub(super) async fn start(
        settings: Arc<GitSettings>,
        nudges: Option<Nudges>,
        last_good: Option<LastGood>,
    ) -> Result<watch::Receiver<State>, SourceError> {
        let past = last_good.map(last_good_state);
        let longest = settings.url.local().map(|_| NEAR);
        let mut follower = Self {
            schedule: Schedule::new(settings.interval, longest, Instant::now()),
            nudges,
            judged: past.clone().unwrap_or_else(nothing),
            known: None,
            told: None,
            turn: Arc::default(),
            changed: Arc::default(),
            watching: None,
            settings,
        };
        let mut looking = follower.begin();
        let (state, looking) = match past {
            None => match looking.wait().await {
                Ok(looked) => (follower.looked(&looking.purpose, Ok(looked)).unwrap_or_else(nothing), None),
                Err(Trouble { reason, remedy }) => {
                    return Err(SourceError::Repository {
                        what: follower.settings.fetching(),
                        reason,
                        remedy,
                    });
                }
            },
            Some(past) => match timeout(FIRST, looking.wait()).await {
                Ok(looked) => (follower.looked(&looking.purpose, looked).unwrap_or(past), None),
                // It goes on; meanwhile the host may start what it ran.
                Err(_) => (past, Some(looking)),
            },
        };
        report(&state);
        let (sender, receiver) = watch::channel(state);
        tokio::spawn(follower.run(sender, looking));
        Ok(receiver)
    }

    async fn run(mut self, sender: watch::Sender<State>, mut looking: Option<Looking>) {
        loop {
            if looking.is_none() {
                tokio::select! {
                    () = sleep_until(self.schedule.due()) => looking = Some(self.begin()),
                    commit = heard(&mut self.nudges) => self.heard(commit),
                    () = self.changed.notified() => {
                        sleep(QUIET).await;
                        self.schedule.changed(Instant::now());
                    }
                    () = sender.closed() => return,
                }
            }
            if let Some(mut look) = looking.take() {
                tokio::select! {
                    looked = look.wait() => {
                        if let Some(state) = self.looked(&look.purpose, looked) {
                            publish(&sender, state);
                        }
                    }
                    () = sender.closed() => return,
                }
            }
        }
    }

    fn begin(&mut self) -> Looking {
        if self.watching.is_none()
            && let Some(path) = self.settings.url.local()
        {
            self.watching = local::watch(&path, &self.changed);
        }
        let question = Question {
            purpose: self.schedule.begin(Instant::now()),
            known: self.known.clone(),
            in_force: Some(self.judged.revision.clone()),
        };
        Looking::begin(Arc::clone(&self.settings), question, Arc::clone(&self.turn))
    }

    fn heard(&mut self, commit: Option<String>) {
        let Some(commit) = commit.filter(|commit| is_commit(commit)) else { return };
        if self.known.as_ref() != Some(&commit) {
            self.schedule.nudged(&commit, Instant::now(), rand::random());
            self.told = Some(commit);
        }
    }

    /// The state that follows from a look; none from one that did not reach the repository because it had no need to.
    fn looked(&mut self, purpose: &Purpose, looked: Result<(Look, bool), Trouble>) -> Option<State> {
        let (worked, found) = (looked.is_ok(), looked.as_ref().is_ok_and(|(_, found)| *found));
        let trouble = match looked {
            Ok((Look::Here, _)) => {
                if let Purpose::Nudge(commit) = purpose {
                    self.schedule.was_here(commit);
                }
                return None;
            }
            Ok((Look::Same, _)) => None,
            Ok((Look::New(seen), _)) => {
                self.judge(*seen);
                None
            }
            Err(trouble) => Some(trouble),
        };
        self.schedule.looked(purpose, worked, found, Instant::now(), rand::random());
        let state = self.judged.clone();
        Some(match trouble {
            None => state,
            Some(Trouble { reason, remedy }) => {
                // A repository that was taken away and put back is another one for whoever watched it.
                self.watching = None;
                unreadable(state, format!("cannot {}: {reason}; {remedy}", self.settings.fetching()))
            }
        })
    }

    fn judge(&mut self, seen: Seen) {
        let Seen { commit, listing, descends } = seen;
        let (_, reading) = understand(listing);
        let before = &self.judged;
        let in_force = InForce { revision: &before.revision, snapshot: &before.snapshot };
        self.judged = match judge(in_force, &commit.id, descends, reading) {
            Ok(state) => State { commit: Some(commit.clone()), ..state },
            Err(why) => held(before, why),
        };
        self.known = Some(commit.id.clone());
        if let Some(nudges) = self.nudges.as_ref().filter(|_| self.told.as_ref() != Some(&commit.id)) {
            nudges.seen.send_replace(Some(commit.id));
        }
    }
}

/// What is in force stays so because the head may not follow it, as `why` says.
fn held(before: &State, why: Condition) -> State {
    let mut conditions = before.conditions.clone();
    conditions.retain(|condition| !matches!(condition, Condition::HeldOrder { .. } | Condition::HeldEmpty));
    conditions.push(why);
    State { conditions, read: true, ..before.clone() }
}

/// The next commit that another host tells of; never, if nobody can.
async fn heard(nudges: &mut Option<Nudges>) -> Option<String> {
    if let Some(nudges) = nudges
        && nudges.heard.changed().await.is_ok()
    {
        return nudges.heard.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// What is in force where nothing is.
fn nothing() -> State {
    State {
        revision: String::new(),
        commit: None,
        snapshot: Arc::<Snapshot>::default(),
        mistakes: Arc::default(),
        conditions: Vec::new(),
        read: false,
    }
}
