//! The order in which hosts come for a component: weighted rendezvous hashing.
//!
//! Every host has a score for every component that depends on nothing else, so a host that comes or goes moves
//! only the slots that it gains or had. All hosts of a lattice must compute the same, whatever their processor and
//! version: the logarithm is `libm`'s, and golden vectors freeze the outcome. A change here is a new [`RANK_VERSION`].

use std::cmp::Ordering;

use dunlin_manifest::HostId;
use sha2::{Digest, Sha256};

/// Numbers the order that this code computes. A site uses the lowest that its live hosts show.
pub const RANK_VERSION: u32 = 1;

/// The score of a host for a component; the highest comes first. A host of weight 2 wins twice as often as one of
/// weight 1; weight 0 comes last everywhere.
#[must_use]
pub fn score(component: &str, host: &HostId, weight: u32) -> f64 {
    let mut hash = Sha256::new();
    // None of the parts can contain a NUL, so no two keys run into each other.
    for part in ["dunlin rank 1", component, &host.site, &host.host] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let mut first = [0_u8; 8];
    first.copy_from_slice(&digest[..8]);
    // 52 bits and a half: strictly between 0 and 1, and exact in a double.
    let bits = u64::from_be_bytes(first) >> 12;
    #[allow(clippy::cast_precision_loss)]
    let uniform = (bits as f64 + 0.5) / (1_u64 << 52) as f64;
    -f64::from(weight) / libm::log(uniform)
}

/// Whether the first host comes before the second for this component; a total order over all sites.
#[must_use]
pub fn before(component: &str, first: (&HostId, u32), second: (&HostId, u32)) -> bool {
    compare((score(component, first.0, first.1), first.0), (score(component, second.0, second.1), second.0))
        == Ordering::Less
}

/// Hosts in order of rank, the first choice first.
#[must_use]
pub fn order<'a>(component: &str, hosts: impl IntoIterator<Item = (&'a HostId, u32)>) -> Vec<&'a HostId> {
    let mut scored: Vec<(f64, &HostId)> =
        hosts.into_iter().map(|(host, weight)| (score(component, host, weight), host)).collect();
    scored.sort_by(|first, second| compare(*first, *second));
    scored.into_iter().map(|(_, host)| host).collect()
}

/// Higher scores first; equal ones by name, so that the order is total.
fn compare(first: (f64, &HostId), second: (f64, &HostId)) -> Ordering {
    second.0.total_cmp(&first.0).then_with(|| first.1.cmp(second.1))
}
