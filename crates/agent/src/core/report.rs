//! What a host says of itself: its state, and its conditions in words.

use std::sync::Arc;

use dunlin_placement::{Demand, HostView, Standing, stand_in};

use super::Core;
use crate::state::{FailoverReport, HostState, STATE_VERSION};

impl Core {
    /// What this host says of itself; providers and details are the shell's to add.
    pub(crate) fn report(&self) -> HostState {
        HostState {
            version: STATE_VERSION,
            confirmed: self.standing == Standing::Confirmed,
            draining: self.drain.is_some(),
            revision: self.desired.as_ref().map(|desired| desired.revision.clone()),
            digest: self.desired.as_ref().map(|desired| desired.digest.clone()),
            labels: Arc::clone(&self.settings.labels),
            memory_capacity: self.settings.memory_capacity,
            weight: self.settings.weight,
            slots: self.slots.iter().map(|(name, slot)| (name.clone(), slot.report(self.started))).collect(),
            conditions: self.conditions.clone(),
            aborted: self.aborted.clone(),
            failovers: self.failover_reports(),
            ..HostState::default()
        }
    }

    /// Says which homes of a component this host's site stands in for, or should if it could.
    pub(super) fn report_failover(&mut self, demand: &Demand, hosts: &[HostView]) {
        let me = &self.settings.me;
        let Some(failover) = demand.failover.as_ref().filter(|failover| failover.to.contains(&me.site))
        else {
            return;
        };
        let mut messages = Vec::new();
        for home in self.failovers.of(&demand.component) {
            let until = match self.failovers.since(&demand.component, home) {
                Some((_, true)) => format!("{home} is ready again, and has to be for"),
                _ => format!("until {home} is ready again for"),
            };
            let back = failover.back.as_secs_f64();
            match stand_in(demand, home, hosts, Some(me)) {
                Some(site) if *site == me.site => messages.push(format!(
                    "{site} stands in for {home}, which was silent or draining for {} s; {until} {back} s; if \
                     {home} is only cut off, both run",
                    failover.after.as_secs_f64()
                )),
                Some(_) => {}
                None => messages.push(format!(
                    "{home} was silent or draining for {} s, and no site of {} can stand in; {until} {back} s",
                    failover.after.as_secs_f64(),
                    failover.to.join(", ")
                )),
            }
        }
        messages.iter().for_each(|message| self.condition(Some(&demand.component), "FailedOver", message));
    }

    fn failover_reports(&self) -> Vec<FailoverReport> {
        let report = |(component, from): (String, String)| {
            let (since, ready) = self.failovers.since(&component, &from)?;
            let since = since.saturating_duration_since(self.started).as_millis();
            let since_ms = u64::try_from(since).unwrap_or(u64::MAX);
            Some(FailoverReport { component, from, since_ms, ready })
        };
        self.failovers.homes().into_iter().filter_map(report).collect()
    }
}
