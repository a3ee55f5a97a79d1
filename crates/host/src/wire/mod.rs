//! What crosses the lattice, in the lattice's calls: requests of HTTP, operations on stores.

pub(crate) mod http;
pub(crate) mod keyvalue;

use bytes::Bytes;
use dunlin_lattice::{Body, BodyBroken};

/// Values up to this length travel in the message itself, which has room for about 1 MiB; longer ones are streamed.
const INLINE: usize = 256 << 10;

/// More than the largest batch of a store, with room for keys.
const LARGEST: usize = 48 << 20;

/// Puts encoded values where there is room for them.
pub(crate) fn pack(values: Bytes) -> (Bytes, Body) {
    if values.len() <= INLINE { (values, Body::Empty) } else { (Bytes::new(), Body::Whole(values)) }
}

/// Takes encoded values from where [`pack`] put them.
///
/// # Errors
/// The stream that carried them broke.
pub(crate) async fn unpack(values: Bytes, body: Body) -> Result<Bytes, BodyBroken> {
    match body {
        Body::Empty => Ok(values),
        body => body.collect(LARGEST).await,
    }
}
