//! Pages of keys out of SCAN, which knows neither order nor pages and may name a key twice.
//!
//! Each page is a pass over the whole database that keeps the smallest keys after the last one listed. SCAN names
//! every key that is there during a whole pass, so that a key which is there from the first page to the last is in
//! every pass, and on the one page that its place in the order says. Nothing is kept between pages, and a page needs
//! the memory of a page; it costs a look at every key of the database, in steps between which others are served.

use std::collections::BTreeSet;

use bytes::Bytes;
use redis_protocol::resp2::types::{BytesFrame, Resp2Frame};
use tokio::time::Instant;

use super::ask::{ask, strange};
use super::connection::{Connection, Request};
use super::keys;
use crate::keyvalue::limits::{PAGE_KEYS, PageBuilder};
use crate::keyvalue::{Error, Page};

/// How many keys Redis looks at in one step: about a millisecond in which it serves nobody else.
const STEP: &str = "4000";

/// The page of the keys after `after`.
///
/// One connection for a whole pass: a SCAN that goes on at another server, or at one that was started again, has
/// lost its place.
pub(super) async fn page(
    connection: &Connection,
    deadline: Instant,
    bucket: &str,
    after: Option<&str>,
) -> Result<Page, Error> {
    let prefix = keys::prefix(bucket);
    let pattern = Bytes::from(keys::pattern(&prefix));
    let word = |text: &'static str| Bytes::from_static(text.as_bytes());
    let mut smallest = BTreeSet::new();
    let mut cursor = word("0");
    loop {
        let words = vec![word("SCAN"), cursor, word("MATCH"), pattern.clone(), word("COUNT"), word(STEP)];
        let (next, names) = step(ask(connection, &Request::Plain(words), deadline).await?)?;
        for name in names {
            let Some(key) = name.as_bytes().and_then(|name| keys::key(&prefix, name)) else { continue };
            if after.is_none_or(|after| key > after) && !smallest.contains(key) {
                smallest.insert(key.to_owned());
                // One more than fits says that there is a next page.
                if smallest.len() > PAGE_KEYS + 1 {
                    smallest.pop_last();
                }
            }
        }
        if next.as_ref() == b"0" {
            break;
        }
        cursor = next;
    }
    let mut page = PageBuilder::default();
    let more = !smallest.iter().all(|key| page.push(key));
    Ok(page.finish(more))
}

/// The next cursor and the names of one step.
fn step(frame: BytesFrame) -> Result<(Bytes, Vec<BytesFrame>), Error> {
    match frame {
        BytesFrame::Array(mut parts) => match (parts.pop(), parts.pop()) {
            (Some(BytesFrame::Array(names)), Some(BytesFrame::BulkString(next))) => Ok((next, names)),
            _ => Err(strange(&BytesFrame::Array(parts))),
        },
        other => Err(strange(&other)),
    }
}
