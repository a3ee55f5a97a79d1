//! What a host says at its admin port, and which time it has.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dunlin_manifest::HostId;

use super::ask::{self, Question};
use crate::check::address::Address;
use crate::check::facts::{HostAnswer, HostFacts, Trouble};

/// How long a host may take to say how it is.
const LIMIT: Duration = Duration::from_secs(3);
const LARGEST: usize = 64 << 20;

/// Asks the host at `address`, which should be `id`.
pub(super) async fn ask(id: Option<HostId>, address: &Address) -> HostFacts {
    HostFacts { id, address: address.to_string(), answer: status(address).await }
}

async fn status(address: &Address) -> Result<HostAnswer, Trouble> {
    let question = Question { path: "/v1/status", host: None, limit: LIMIT, body: |_| true, most: LARGEST };
    let answer = ask::get(address, &question).await?;
    // The clock is read back to the middle of question and answer, so that half the way there is all that can be wrong.
    let here = milliseconds(answer.at - answer.took / 2);
    if !answer.status.is_success() {
        return Err(Trouble::Other(format!("answers {} where the status should be", answer.status)));
    }
    let status = serde_json::from_slice(&answer.body);
    let status = status.map_err(|_| {
        Trouble::Other("answers, but not as a host's admin port does: another port?".to_owned())
    })?;
    Ok(HostAnswer { status, took: answer.took, here })
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
