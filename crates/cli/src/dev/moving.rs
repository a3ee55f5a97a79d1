//! A move that a key of `dunlin dev` began: whether it is over, by what a host says. Pure.

use dunlin_host::status::{Kstatus, Status};
use tokio::time::Instant;

/// What was asked for, and when.
#[derive(Debug)]
pub(crate) struct Moving {
    component: String,
    /// Replicas by site.
    asked: Vec<(String, u32)>,
    begun: Instant,
}

impl Moving {
    pub(crate) fn new(component: &str, asked: Vec<(String, u32)>, begun: Instant) -> Self {
        Self { component: component.to_owned(), asked, begun }
    }

    /// How it ended, once it has: everything is as asked, and nothing is left where nothing is asked for.
    pub(crate) fn ended(&self, status: &Status, now: Instant) -> Option<String> {
        let component = status.components.get(&self.component)?;
        let is_so = |(site, asked): &(String, u32)| {
            let count = component.sites.get(site).copied().unwrap_or_default();
            count.wanted == *asked && count.ready == *asked
        };
        let over = component.result == Kstatus::Current && self.asked.iter().all(is_so);
        let took = now.saturating_duration_since(self.begun).as_secs_f64();
        over.then(|| format!("{} moved in {took:.1} s", self.component))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dunlin_host::status::{ComponentStatus, Count};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_the_old_have_left_as_well() {
        let begun = Instant::now();
        let moving = Moving::new("todo", vec![("gcp".into(), 0), ("aws".into(), 2)], begun);
        let ended = |gcp: (u32, u32), aws: (u32, u32), result| {
            let count = |(wanted, ready)| Count { wanted, ready };
            let sites = [("gcp".to_owned(), count(gcp)), ("aws".to_owned(), count(aws))].into();
            let mut status = Status::default();
            let component = ComponentStatus { sites, result, ..ComponentStatus::default() };
            status.components.insert("todo".into(), component);
            moving.ended(&status, begun + Duration::from_millis(600))
        };
        assert_eq!(ended((2, 2), (1, 1), Kstatus::Current), None, "not read yet");
        assert_eq!(ended((0, 2), (2, 1), Kstatus::InProgress), None, "the new starts");
        assert_eq!(ended((0, 1), (2, 2), Kstatus::Current), None, "one of the old is there");
        assert_eq!(ended((0, 0), (2, 2), Kstatus::Current).as_deref(), Some("todo moved in 0.6 s"));
        assert_eq!(moving.ended(&Status::default(), begun), None);
    }
}
