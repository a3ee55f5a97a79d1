//! The task behind [`super::Promises`]: answers questions, and brings answers to those who asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::frames::{self, Frame};
use super::{Ask, Promising, Shared};
use crate::bus::{BusError, Message, Subscription};

/// How long to wait before subscribing is tried again.
const AGAIN: Duration = Duration::from_millis(250);

pub(super) async fn run(shared: Arc<Shared>, promising: Arc<dyn Promising>, listening: watch::Sender<bool>) {
    loop {
        match subscribe(&shared).await {
            Ok((mut promises, mut replies)) => {
                listening.send_replace(true);
                serve(&shared, &*promising, &mut promises, &mut replies).await;
                listening.send_replace(false);
            }
            Err(BusError::Disconnected) => {}
            Err(error) => tracing::warn!(%error, "promises cannot be listened to"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn subscribe(shared: &Shared) -> Result<(Subscription, Subscription), BusError> {
    let replies = shared.subjects.replies_to(&shared.me, &shared.token);
    let replies = shared.connection.subscribe(&replies).await?;
    let promises = shared.connection.subscribe(&shared.subjects.promises_to(&shared.me)).await?;
    Ok((promises, replies))
}

/// Until the connection is closed.
async fn serve(
    shared: &Shared,
    promising: &dyn Promising,
    promises: &mut Subscription,
    replies: &mut Subscription,
) {
    loop {
        tokio::select! {
            biased;
            message = replies.next() => match message {
                Some(message) => nobody_there(shared, &message),
                None => return,
            },
            message = promises.next() => match message {
                Some(message) => handle(shared, promising, message).await,
                None => return,
            },
        }
    }
}

/// The bus says that the host that was asked does not listen.
fn nobody_there(shared: &Shared, message: &Message) {
    let id = shared
        .subjects
        .parse_reply(&message.subject)
        .and_then(|reply| u64::from_str_radix(&reply.id, 16).ok());
    match id {
        // May come after the answer is no longer awaited; that is nobody's fault.
        Some(id) if message.no_responders => drop(shared.settle(id, None, false)),
        _ => refuse(shared, message, "only the bus answers here"),
    }
}

async fn handle(shared: &Shared, promising: &dyn Promising, message: Message) {
    let read = frames::read(&shared.subjects, &shared.me, &message.subject, message.payload.clone());
    match read {
        Ok((from, Frame::Ask { id, component })) => {
            let ask = Ask { from, component, id };
            let yes = promising.will_you_stay(&ask);
            shared.send(&ask.from, &Frame::Answer { id, yes }, None).await;
        }
        Ok((from, Frame::Done { id, component })) => promising.done(&Ask { from, component, id }),
        Ok((from, Frame::Answer { id, yes })) => {
            if !shared.settle(id, Some(&from), yes) {
                refuse(shared, &message, "an answer that nobody awaits of this host");
            }
        }
        Err(refused) => refuse(shared, &message, &refused.to_string()),
    }
}

fn refuse(shared: &Shared, message: &Message, reason: &str) {
    shared.refused.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(subject = %message.subject, reason, "refused a message about promises");
}
