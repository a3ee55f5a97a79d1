//! What kstatus makes of conditions: the library by which `kubectl`, Flux and Argo CD tell whether an object is done.

use serde::{Deserialize, Serialize};

use super::{ComponentCondition, Truth};

/// The results of kstatus that a component can have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kstatus {
    /// It is as asked.
    Current,
    /// It is on its way.
    #[default]
    InProgress,
    /// It needs a person.
    Failed,
}

impl Kstatus {
    /// The result for an object with these conditions, whose newest revision was observed: the first of `Reconciling` and
    /// `Stalled` that is true decides, else `Ready`.
    #[must_use]
    pub fn of(conditions: &[ComponentCondition]) -> Self {
        let holds = conditions.iter().filter(|condition| condition.status == Truth::True);
        for condition in holds {
            match condition.kind.as_str() {
                "Reconciling" => return Self::InProgress,
                "Stalled" => return Self::Failed,
                _ => {}
            }
        }
        match conditions.iter().find(|condition| condition.kind == "Ready").map(|ready| ready.status) {
            Some(Truth::False | Truth::Unknown) => Self::InProgress,
            Some(Truth::True) | None => Self::Current,
        }
    }
}
