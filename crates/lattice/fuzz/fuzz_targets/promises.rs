//! Questions and answers about promises: any bytes.
#![no_main]

use bytes::Bytes;
use dunlin_lattice::promises::read;
use dunlin_lattice::subjects::Subjects;
use dunlin_manifest::HostId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(subjects) = Subjects::new("todo") else { return };
    let (me, peer) = (HostId::new("gcp", "gcp-1"), HostId::new("aws", "aws-1"));
    if let Ok((from, _)) = read(&subjects, &me, &subjects.promise(&me, &peer), Bytes::copy_from_slice(data)) {
        assert_eq!(from, peer);
    }
});
