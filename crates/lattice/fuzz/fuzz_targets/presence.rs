//! Announcements of hosts: any bytes on any of their subjects, and a table that takes in whatever was read.
#![no_main]

use bytes::Bytes;
use dunlin_lattice::presence::{Announced, Table, read};
use dunlin_lattice::subjects::{Announcement, Subjects};
use dunlin_manifest::HostId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (Some(subjects), Some((kind, payload))) = (Subjects::new("todo"), data.split_first()) else { return };
    let kind = match kind % 3 {
        0 => Announcement::Beat,
        1 => Announcement::State,
        _ => Announcement::Goodbye,
    };
    let subject = subjects.announcement(kind, &HostId::new("aws", "aws-1"));
    let now = std::time::Instant::now().into();
    let mut table = Table::new(now);
    match read(&subjects, &subject, Bytes::copy_from_slice(payload)) {
        Ok((from, Announced::Beat { beat, body })) => {
            let _ = table.beat(&from, &beat, body, now);
        }
        Ok((from, Announced::Goodbye { incarnation })) => {
            table.goodbye(&from, incarnation);
        }
        Err(_) => assert!(table.is_empty()),
    }
});
