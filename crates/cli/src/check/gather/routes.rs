//! Asks every site for every route, as a user's browser would.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use http::response::Parts;

use super::ask::{self, Question};
use crate::check::address::Address;
use crate::check::facts::{HostFacts, RouteAnswer, RouteFacts, Trouble};

/// A little more than requests get unless a manifest says otherwise.
const LIMIT: Duration = Duration::from_secs(6);
/// How much is read of what Dunlin says where no component answers.
const LARGEST: usize = 4 << 10;
/// The header that tells which host ran the component.
const SERVED_BY: &str = "dunlin-served-by";

/// Every route that the hosts know at every site, or `/` where no host says anything.
pub(super) async fn ask_all(sites: &[(String, Address)], hosts: &[HostFacts]) -> Vec<RouteFacts> {
    let answers = hosts.iter().filter_map(|host| host.answer.as_ref().ok());
    let components = answers.flat_map(|answer| answer.status.components.values());
    let mut routes: BTreeSet<String> = components.flat_map(|component| component.routes.clone()).collect();
    if routes.is_empty() {
        routes.insert("/".to_owned());
    }
    let questions = sites.iter().flat_map(|(site, address)| {
        routes.iter().map(move |route| async move {
            let answer = ask(address, route).await;
            RouteFacts { site: site.clone(), route: route.clone(), address: address.to_string(), answer }
        })
    });
    join_all(questions).await
}

async fn ask(address: &Address, route: &str) -> Result<RouteAnswer, Trouble> {
    let (host, path) = split(route);
    // What a component says is its own affair, and may never end.
    let own = |head: &Parts| !head.headers.contains_key(SERVED_BY) && !head.status.is_success();
    let question = Question { path, host, limit: LIMIT, body: own, most: LARGEST };
    let answer = ask::get(address, &question).await?;
    let served_by = answer.headers.get(SERVED_BY).and_then(|name| name.to_str().ok());
    let text = String::from_utf8_lossy(&answer.body);
    let text = text.lines().next().unwrap_or_default().chars().take(200).collect();
    Ok(RouteAnswer {
        status: answer.status.as_u16(),
        served_by: served_by.map(str::to_owned),
        took: answer.took,
        text,
    })
}

/// `shop.example/api` is the path `/api` of the host `shop.example`.
fn split(route: &str) -> (Option<&str>, &str) {
    match route.find('/') {
        Some(0) | None => (None, route),
        Some(slash) => {
            let (host, path) = route.split_at(slash);
            (Some(host), path)
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn routes_with_and_without_a_host() {
        assert_eq!(super::split("/"), (None, "/"));
        assert_eq!(super::split("shop.example/api"), (Some("shop.example"), "/api"));
    }
}
