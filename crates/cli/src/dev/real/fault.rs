//! What can be done to the parts of the ground: `hub`, `leaf/SITE`, `link/SITE`, `provider/NAME`.

use anyhow::Result;

use super::child::Process;
use super::link::{Link, Weather};
use super::server::Server;
use super::{Ground, HUB};

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

impl Fault {
    /// What `dunlin kill` and the like ask for.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "kill" => Self::Kill,
            "revive" => Self::Revive,
            "freeze" => Self::Freeze,
            "thaw" => Self::Thaw,
            _ => return None,
        })
    }

    /// What has been done once it is done.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Kill => "killed",
            Self::Revive => "revived",
            Self::Freeze => "frozen",
            Self::Thaw => "thawed",
        }
    }
}

impl Ground {
    /// The names of all parts.
    pub(crate) fn parts(&self) -> Vec<String> {
        let leaves = self.leaves.keys().map(|site| format!("leaf/{site}"));
        let links = self.links.keys().map(|site| format!("link/{site}"));
        let redis = self.redis.iter().map(|redis| format!("provider/{}", redis.provider));
        std::iter::once(HUB.to_owned()).chain(leaves).chain(links).chain(redis).collect()
    }

    /// The processes of all parts that run, by name.
    pub(crate) fn processes(&self) -> Vec<(String, u32)> {
        let hub = std::iter::once((HUB.to_owned(), &self.hub));
        let leaves = self.leaves.iter().map(|(site, leaf)| (format!("leaf/{site}"), leaf));
        let redis = self.redis.iter().map(|redis| (format!("provider/{}", redis.provider), &redis.server));
        let servers = hub.chain(leaves).chain(redis);
        servers.filter_map(|(name, server)| Some((name, server.process.as_ref()?.id()))).collect()
    }

    /// Does it to the part of this name; `false` if there is none.
    ///
    /// # Errors
    /// A process does not start again.
    pub(crate) async fn suffer(&mut self, name: &str, fault: Fault) -> Result<bool> {
        if let Some(link) = name.strip_prefix("link/").and_then(|site| self.links.get(site)) {
            weather(link, fault);
            return Ok(true);
        }
        let Some(server) = self.server(name) else { return Ok(false) };
        match fault {
            Fault::Revive if server.process.is_none() => server.revive().await?,
            fault => harm(&mut server.process, fault),
        }
        Ok(true)
    }

    fn server(&mut self, name: &str) -> Option<&mut Server> {
        match name.split_once('/') {
            None => (name == HUB).then_some(&mut self.hub),
            Some(("leaf", site)) => self.leaves.get_mut(site),
            Some(("provider", provider)) => {
                let mut redis = self.redis.iter_mut();
                redis.find(|redis| redis.provider == provider).map(|redis| &mut redis.server)
            }
            Some(_) => None,
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
