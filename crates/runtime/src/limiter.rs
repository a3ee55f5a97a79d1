//! Holds an instance to its memory. wasmtime asks it before every growth.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::ResourceLimiter;

use crate::limits::Limits;

/// Memories and tables of one instance; components made of several modules have several.
const MEMORIES: usize = 32;
const TABLES: usize = 64;
const CORE_INSTANCES: usize = 64;

/// The account of one instance, and its share in that of the component.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: u64,
    most_memory: u64,
    elements: u64,
    most_elements: u64,
    /// Memory of all instances of the component.
    total: Arc<AtomicU64>,
    most_total: u64,
    /// Whether a growth was refused; tells a memory bomb from any other trap.
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, total: Arc<AtomicU64>) -> Self {
        Self {
            memory: 0,
            most_memory: limits.memory,
            elements: 0,
            most_elements: limits.table_elements,
            total,
            most_total: limits.memory_total,
            refused: false,
        }
    }

    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, more: u64) -> bool {
        let fits = self.memory.saturating_add(more) <= self.most_memory;
        // Taken first and given back if it was too much, so that two instances cannot both take the last of it.
        let allowed = fits && {
            let before = self.total.fetch_add(more, Ordering::Relaxed);
            let fits = before.saturating_add(more) <= self.most_total;
            if !fits {
                self.total.fetch_sub(more, Ordering::Relaxed);
            }
            fits
        };
        if allowed {
            self.memory += more;
        } else {
            self.refused = true;
        }
        allowed
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.total.fetch_sub(self.memory, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.elements + desired.saturating_sub(current) as u64;
        if elements > self.most_elements {
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_and_all_of_them_are_bounded() {
        let total = Arc::new(AtomicU64::new(0));
        let limits = Limits { memory: 100, memory_total: 150, ..Limits::default() };
        let mut first = Limiter::new(&limits, Arc::clone(&total));
        assert!(first.memory_growing(0, 60, None).unwrap());
        assert!(first.memory_growing(60, 100, None).unwrap());
        assert!(!first.memory_growing(100, 101, None).unwrap());
        let mut second = Limiter::new(&limits, Arc::clone(&total));
        assert!(!second.memory_growing(0, 51, None).unwrap());
        assert!(second.refused());
        drop(first);
        assert!(second.memory_growing(0, 51, None).unwrap());
        drop(second);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn tables_are_bounded_together() {
        let limits = Limits { table_elements: 10, ..Limits::default() };
        let mut limiter = Limiter::new(&limits, Arc::default());
        assert!(limiter.table_growing(0, 6, None).unwrap());
        assert!(!limiter.table_growing(0, 5, None).unwrap());
        assert!(limiter.table_growing(0, 4, None).unwrap());
    }
}
