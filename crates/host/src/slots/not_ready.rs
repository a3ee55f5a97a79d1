//! Why slots are not ready: what their readiness paths answered last, for whoever asks what is waited for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::status::Condition;

/// The last answers of readiness paths that are not 2xx, by component.
#[derive(Debug, Default)]
pub(crate) struct NotReady {
    answers: Mutex<BTreeMap<String, String>>,
}

impl NotReady {
    /// Remembers what a component answered.
    pub(crate) fn note(&self, component: &str, answer: String) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(component.to_owned(), answer);
    }

    /// Forgets it: the component is ready, or gone.
    pub(crate) fn clear(&self, component: &str) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(component);
    }

    /// All of them, as conditions of this host.
    pub(crate) fn conditions(&self, host: &dunlin_manifest::HostId) -> Vec<Condition> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let condition = |(component, answer): (&String, &String)| Condition {
            object: format!("component/{component}"),
            reason: "NotReady".into(),
            message: format!("{host}: {answer}"),
        };
        answers.iter().map(condition).collect()
    }
}
