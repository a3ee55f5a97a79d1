//! Nudges: any bytes.
#![no_main]

use bytes::Bytes;
use dunlin_lattice::nudge::read;
use dunlin_lattice::subjects::Subjects;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(subjects) = Subjects::new("todo") else { return };
    if let Ok((from, commit)) = read(&subjects, "todo.nudge.gcp.gcp-1", Bytes::copy_from_slice(data)) {
        assert_eq!(from.to_string(), "gcp/gcp-1");
        assert!(commit.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
});
