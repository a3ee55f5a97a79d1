//! A file whose changes are held back until its content has proved sound.
//!
//! The database library repairs a file while it opens it and only then finds out whether it can be repaired. Here a
//! file that is refused stays as it was, byte for byte: what opening changes is kept in memory and, when all is
//! well, done in the same order, with the same syncs between.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// Memory for changes before opening fails; a repair writes a few pages.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// One step towards the file.
#[derive(Debug)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Length(u64),
    Sync,
}

#[derive(Debug, Default)]
struct Changes {
    list: Vec<Change>,
    bytes: usize,
}

/// The file, shared by the library and whoever opens it.
#[derive(Debug)]
pub(super) struct HeldFile<B>(Arc<Inner<B>>);

#[derive(Debug)]
struct Inner<B> {
    file: B,
    holding: AtomicBool,
    changes: Mutex<Changes>,
}

impl<B> Clone for HeldFile<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: StorageBackend> HeldFile<B> {
    pub(super) fn new(file: B) -> Self {
        let inner = Inner { file, holding: AtomicBool::new(true), changes: Mutex::default() };
        Self(Arc::new(inner))
    }

    /// Does what was held back, and holds nothing back any more.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut changes = self.changes();
        for change in std::mem::take(&mut *changes).list {
            match change {
                Change::Write { offset, data } => self.0.file.write(offset, &data)?,
                Change::Length(length) => self.0.file.set_len(length)?,
                Change::Sync => self.0.file.sync_data()?,
            }
        }
        self.0.holding.store(false, Ordering::Release);
        Ok(())
    }

    /// Holds `change` back; gives it back if nothing is held back any more.
    fn hold(&self, change: Change) -> io::Result<Option<Change>> {
        if !self.0.holding.load(Ordering::Acquire) {
            return Ok(Some(change));
        }
        let mut changes = self.changes();
        if let Change::Write { data, .. } = &change {
            changes.bytes += data.len();
            if changes.bytes > MOST_BYTES {
                return Err(io::Error::other("opening the file would change too much of it"));
            }
        }
        changes.list.push(change);
        Ok(None)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.0.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// The length of a file that had `length`.
    fn length(&self, length: u64) -> u64 {
        self.list.iter().fold(length, |length, change| match change {
            Change::Write { offset, data } => length.max(offset.saturating_add(data.len() as u64)),
            Change::Length(length) => *length,
            Change::Sync => length,
        })
    }

    /// Turns what the file had at `start` into what it would have.
    fn apply(&self, start: u64, out: &mut [u8]) {
        // Offset in `out` of an offset in the file.
        let within = |offset: u64, most: usize| {
            usize::try_from(offset.saturating_sub(start)).map_or(most, |offset| offset.min(most))
        };
        for change in &self.list {
            match change {
                Change::Write { offset, data } => {
                    let begin = within(*offset, out.len());
                    let end = within(offset.saturating_add(data.len() as u64), out.len());
                    if begin < end {
                        let skip = usize::try_from(start.saturating_sub(*offset)).unwrap_or(data.len());
                        out[begin..end].copy_from_slice(&data[skip..skip + (end - begin)]);
                    }
                }
                Change::Length(length) => {
                    let begin = within(*length, out.len());
                    out[begin..].fill(0);
                }
                Change::Sync => {}
            }
        }
    }
}

impl<B: StorageBackend> StorageBackend for HeldFile<B> {
    fn len(&self) -> io::Result<u64> {
        let length = self.0.file.len()?;
        if !self.0.holding.load(Ordering::Acquire) {
            return Ok(length);
        }
        Ok(self.changes().length(length))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if !self.0.holding.load(Ordering::Acquire) {
            return self.0.file.read(offset, out);
        }
        let changes = self.changes();
        let length = self.0.file.len()?;
        if offset.saturating_add(out.len() as u64) > changes.length(length) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it says"));
        }
        let there = length.saturating_sub(offset);
        let there = usize::try_from(there).map_or(out.len(), |there| there.min(out.len()));
        if there > 0 {
            self.0.file.read(offset, &mut out[..there])?;
        }
        out[there..].fill(0);
        changes.apply(offset, out);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.hold(Change::Length(length))?.map_or(Ok(()), |_| self.0.file.set_len(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.hold(Change::Sync)?.map_or(Ok(()), |_| self.0.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.0.holding.load(Ordering::Acquire) {
            return self.0.file.write(offset, data);
        }
        self.hold(Change::Write { offset, data: data.to_vec() })?
            .map_or(Ok(()), |_| self.0.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.0.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Write(u64, Vec<u8>),
        Length(u64),
        Read(u64, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..60_u64, proptest::collection::vec(any::<u8>(), 0..20))
                .prop_map(|(at, data)| Step::Write(at, data)),
            (0..80_u64).prop_map(Step::Length),
            (0..80_u64, 0..40_usize).prop_map(|(at, length)| Step::Read(at, length)),
        ];
        proptest::collection::vec(step, 0..30)
    }

    /// What a plain file holds. A write never begins after the end here; the library makes room first.
    #[derive(Default, Clone)]
    struct Plain(Vec<u8>);

    impl Plain {
        fn write(&mut self, at: usize, data: &[u8]) {
            let end = (at + data.len()).max(self.0.len());
            self.0.resize(end, 0);
            self.0[at..at + data.len()].copy_from_slice(data);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn reads_as_if_nothing_were_held_back(before in steps(), held in steps()) {
            let file = InMemoryBackend::new();
            let mut plain = Plain::default();
            let run = |file: &dyn StorageBackend, plain: &mut Plain, steps: &[Step]| {
                for step in steps {
                    match step {
                        Step::Write(at, data) => {
                            let end = (at + data.len() as u64).max(plain.0.len() as u64);
                            file.set_len(end).unwrap();
                            file.write(*at, data).unwrap();
                            plain.write(*at as usize, data);
                        }
                        Step::Length(length) => {
                            file.set_len(*length).unwrap();
                            plain.0.resize(*length as usize, 0);
                        }
                        Step::Read(at, length) => {
                            let mut out = vec![0xaa; *length];
                            let expected = plain.0.get(*at as usize..*at as usize + length);
                            match expected {
                                Some(expected) => {
                                    file.read(*at, &mut out).unwrap();
                                    assert_eq!(out, expected);
                                }
                                None => assert!(file.read(*at, &mut out).is_err()),
                            }
                        }
                    }
                    assert_eq!(file.len().unwrap(), plain.0.len() as u64);
                }
            };
            let writes = |step: &Step| !matches!(step, Step::Read(..));
            let before: Vec<Step> = before.into_iter().filter(writes).collect();
            run(&file, &mut plain, &before);
            let untouched = plain.clone();

            let file = HeldFile::new(file);
            run(&file, &mut plain, &held);
            // Beneath, nothing has happened yet; then all of it.
            prop_assert_eq!(file.0.file.len().unwrap(), untouched.0.len() as u64);
            let mut beneath = vec![0; untouched.0.len()];
            file.0.file.read(0, &mut beneath).unwrap();
            prop_assert_eq!(beneath, untouched.0);
            file.release().unwrap();
            let mut beneath = vec![0; plain.0.len()];
            file.0.file.read(0, &mut beneath).unwrap();
            prop_assert_eq!(&beneath, &plain.0);
            run(&file, &mut plain, &held);
        }
    }
}
