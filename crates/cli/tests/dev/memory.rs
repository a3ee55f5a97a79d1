//! How much memory the processes of a world take, as Linux tells.

use crate::world::World;

/// Resident memory of every process at some moment, from which on the most is kept.
pub struct Memory(Vec<(String, u64, u64)>);

impl Memory {
    /// Looks now.
    pub fn before(world: &World) -> Self {
        let mut processes: Vec<_> = world.processes().into_iter().collect();
        processes.push(("dunlin dev".to_owned(), world.id()));
        let look = |(name, id): (String, u64)| {
            // 5 resets the highest resident memory to the present one.
            std::fs::write(format!("/proc/{id}/clear_refs"), "5").unwrap();
            let now = kilobytes(id, "VmRSS:");
            (name, id, now)
        };
        Self(processes.into_iter().map(look).collect())
    }

    /// Prints how much more each process had at most since then, in MiB, and gives the largest figure.
    pub fn growth(&self, what: &str) -> u64 {
        let grown = |(name, id, before): &(String, u64, u64)| {
            let most = kilobytes(*id, "VmHWM:");
            let grown = most.saturating_sub(*before) / 1024;
            eprintln!("{what}: {name:>14} {:>4} MiB, at most {grown} MiB more", before / 1024);
            grown
        };
        self.0.iter().map(grown).max().unwrap_or(0)
    }
}

fn kilobytes(process: u64, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
