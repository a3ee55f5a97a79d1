//! Who listens to what: a tree of subject tokens that is copied along one path when a subscription comes or goes,
//! so that publishers read it without waiting for anybody.

use std::collections::HashMap;
use std::sync::Arc;

use super::shared::Listener;

/// One token deep in the tree; the root stands before the first token.
#[derive(Debug, Clone, Default)]
pub(super) struct Interest {
    named: HashMap<Box<str>, Arc<Interest>>,
    any: Option<Arc<Interest>>,
    /// Patterns that end in `>` here.
    rest: Vec<Arc<Listener>>,
    /// Patterns that end here.
    here: Vec<Arc<Listener>>,
}

impl Interest {
    /// Adds a listener at its pattern.
    pub(super) fn add(&mut self, listener: &Arc<Listener>) {
        let pattern = Arc::clone(&listener.pattern);
        self.slot(pattern.split('.'), &mut |listeners| listeners.push(Arc::clone(listener)));
    }

    /// Removes those listeners of a pattern that `gone` names, and the branches that become empty.
    pub(super) fn remove(&mut self, pattern: &str, gone: &dyn Fn(&Listener) -> bool) {
        self.prune(pattern.split('.'), gone);
    }

    /// Shows every listener whose pattern matches, always in the same order.
    pub(super) fn visit(&self, subject: &str, found: &mut dyn FnMut(&Arc<Listener>)) {
        match subject.split_once('.') {
            Some((token, rest)) => {
                self.next(token).for_each(|next| next.visit(rest, found));
            }
            None => self.next(subject).for_each(|next| next.here.iter().for_each(&mut *found)),
        }
        self.rest.iter().for_each(found);
    }

    /// How many listeners there are.
    pub(super) fn count(&self) -> usize {
        let below = self.named.values().chain(&self.any).map(|next| next.count()).sum::<usize>();
        below + self.rest.len() + self.here.len()
    }

    fn next(&self, token: &str) -> impl Iterator<Item = &Arc<Interest>> {
        self.named.get(token).into_iter().chain(&self.any)
    }

    fn slot<'p>(
        &mut self,
        mut tokens: impl Iterator<Item = &'p str>,
        change: &mut dyn FnMut(&mut Vec<Arc<Listener>>),
    ) {
        match tokens.next() {
            None => change(&mut self.here),
            Some(">") => change(&mut self.rest),
            Some("*") => Arc::make_mut(self.any.get_or_insert_default()).slot(tokens, change),
            Some(name) => {
                Arc::make_mut(self.named.entry(name.into()).or_default()).slot(tokens, change);
            }
        }
    }

    fn prune<'p>(&mut self, mut tokens: impl Iterator<Item = &'p str>, gone: &dyn Fn(&Listener) -> bool) {
        match tokens.next() {
            None => self.here.retain(|listener| !gone(listener)),
            Some(">") => self.rest.retain(|listener| !gone(listener)),
            Some("*") => {
                if let Some(next) = &mut self.any {
                    Arc::make_mut(next).prune(tokens, gone);
                }
                self.any.take_if(|next| next.empty());
            }
            Some(name) => {
                if let Some(next) = self.named.get_mut(name) {
                    let next = Arc::make_mut(next);
                    next.prune(tokens, gone);
                    if next.empty() {
                        self.named.remove(name);
                    }
                }
            }
        }
    }

    fn empty(&self) -> bool {
        self.named.is_empty() && self.any.is_none() && self.rest.is_empty() && self.here.is_empty()
    }
}
