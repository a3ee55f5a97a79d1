//! What can be done to the parts of the ground: `hub`, `leaf/SITE`, `link/SITE`, `provider/NAME`.

use anyhow::Result;

use super::Ground;
use super::child::Process;
use super::link::{Link, Weather};

/// Something that goes wrong, or is put right again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A process ends at once; a link resets all connections.
    Kill,
    /// A killed part starts again; a link carries again.
    Revive,
    /// A process stops where it stands; a link holds everything back.
    Freeze,
    /// It goes on.
    Thaw,
}

impl Ground {
    /// The names of all parts.
    pub(crate) fn parts(&self) -> Vec<String> {
        let leaves = self.leaves.keys().map(|site| format!("leaf/{site}"));
        let links = self.links.keys().map(|site| format!("link/{site}"));
        let redis = self.redis.iter().map(|redis| format!("provider/{}", redis.provider));
        std::iter::once("hub".to_owned()).chain(leaves).chain(links).chain(redis).collect()
    }

    /// The processes of all parts that run, by name.
    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        let named = self.parts().into_iter().filter_map(|name| {
            let process = match name.split_once('/') {
                Some(("leaf", site)) => self.leaves.get(site)?.process.as_ref(),
                Some(("provider", provider)) => {
                    self.redis.iter().find(|redis| redis.provider == provider)?.process.as_ref()
                }
                Some(_) => None,
                None => self.hub.process.as_ref(),
            };
            Some((name, process?.id()))
        });
        named.collect()
    }

    /// Does it to the part of this name; `false` if there is none.
    ///
    /// # Errors
    /// A process does not start again.
    pub(crate) async fn suffer(&mut self, name: &str, fault: Fault) -> Result<bool> {
        match name.split_once('/') {
            None if name == "hub" => {
                match fault {
                    Fault::Revive if self.hub.process.is_none() => self.hub.revive().await?,
                    fault => harm(&mut self.hub.process, fault),
                }
                Ok(true)
            }
            Some(("leaf", site)) => {
                let Some(leaf) = self.leaves.get_mut(site) else { return Ok(false) };
                match fault {
                    Fault::Revive if leaf.process.is_none() => leaf.revive().await?,
                    fault => harm(&mut leaf.process, fault),
                }
                Ok(true)
            }
            Some(("link", site)) => Ok(self.links.get(site).map(|link| weather(link, fault)).is_some()),
            Some(("provider", provider)) => {
                let found = self.redis.iter_mut().find(|redis| redis.provider == provider);
                let Some(redis) = found else { return Ok(false) };
                match fault {
                    Fault::Revive if redis.process.is_none() => redis.revive().await?,
                    fault => harm(&mut redis.process, fault),
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

fn harm(process: &mut Option<Process>, fault: Fault) {
    match fault {
        Fault::Kill => {
            if let Some(process) = process.take() {
                process.kill();
            }
        }
        Fault::Freeze => process.iter().for_each(Process::freeze),
        Fault::Revive | Fault::Thaw => process.iter().for_each(Process::thaw),
    }
}

fn weather(link: &Link, fault: Fault) {
    link.set(match fault {
        Fault::Kill => Weather::Cut,
        Fault::Freeze => Weather::Silent,
        Fault::Revive | Fault::Thaw => Weather::Fair,
    });
}
