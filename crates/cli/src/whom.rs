//! Which hosts a command asks: those of the `dunlin dev` that runs here, or those that are named by their admin ports.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::net::TcpStream;

use crate::check::Address;
use crate::discovery;

/// How long a name may take to lead to something that answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom to ask.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Whom {
    /// A host's admin port, `HOST:PORT`, of hosts that no `dunlin dev` here runs; several with commas, or repeated.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = parse)]
    admin: Vec<Address>,
    /// The `dunlin dev` to ask, where several run.
    #[arg(long, value_name = "NUMBER", conflicts_with = "admin", value_parser = discovery::parse_process)]
    process: Option<u32>,
}

/// The hosts.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    /// Their admin ports.
    pub(crate) admin: Vec<SocketAddr>,
    /// What to call all of them.
    pub(crate) words: String,
    /// The directory of manifests that they follow, as far as that is known here; else empty.
    pub(crate) directory: PathBuf,
    /// The working tree of the repository that they follow, where it is known here.
    pub(crate) tree: Option<PathBuf>,
    /// The branch that they follow there, if it is named.
    pub(crate) branch: Option<String>,
    /// What to do if none of them answers.
    pub(crate) remedy: &'static str,
}

fn parse(text: &str) -> Result<Address, String> {
    match Address::http(text)? {
        secure if secure.tls => Err("admin ports speak HTTP without TLS; expected HOST:PORT".to_owned()),
        plain => Ok(plain),
    }
}

impl Whom {
    /// The `dunlin dev` of this process, or the only one.
    pub(crate) fn dev(process: Option<u32>) -> Self {
        Self { admin: Vec::new(), process }
    }

    /// Looks for them.
    ///
    /// # Errors
    /// None is named and no `dunlin dev` runs, or a name leads nowhere.
    pub(crate) async fn find(&self) -> Result<Hosts> {
        if self.admin.is_empty() {
            let running = discovery::find(self.process)?;
            return Ok(Hosts {
                admin: running.hosts.iter().map(|(_, admin, _)| *admin).collect(),
                words: format!("`dunlin dev` (process {})", running.process),
                directory: running.directory,
                branch: running.git.as_ref().and_then(|git| git.branch.clone()),
                tree: running.git.and_then(|git| git.tree),
                remedy: "are all of them killed? try `dunlin revive SITE`",
            });
        }
        let mut admin = futures::future::try_join_all(self.admin.iter().map(reach)).await?;
        // Two names may be of one host, which is asked once.
        admin.sort();
        admin.dedup();
        let names: Vec<_> = self.admin.iter().map(ToString::to_string).collect();
        Ok(Hosts {
            admin,
            words: names.join(", "),
            directory: PathBuf::new(),
            tree: None,
            branch: None,
            remedy: "are these their admin ports (8081, unless they were told otherwise), and can they be reached from here?",
        })
    }
}

/// Where a host is: of several addresses of a name the one that answers, or else the first.
async fn reach(named: &Address) -> Result<SocketAddr> {
    let Address { host, port, .. } = named;
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok((address, *port).into());
    }
    let looking = async {
        let found = tokio::net::lookup_host((host.as_str(), *port)).await?;
        found.min().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let way = || format!("{host} leads nowhere; check the name, or give an IP address");
    let connecting = TcpStream::connect((host.as_str(), *port));
    if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, connecting).await
        && let Ok(address) = stream.peer_addr()
    {
        return Ok(address);
    }
    tokio::time::timeout(PATIENCE, looking)
        .await
        .map_err(|_| anyhow!("no answer within {} s", PATIENCE.as_secs()))
        .and_then(|found: std::io::Result<SocketAddr>| Ok(found?))
        .with_context(way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hosts_are_named_as_people_write_them() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let admin = [format!("localhost:{}", address.port()), address.to_string(), "[::1]:9".to_owned()];
        let whom = Whom { admin: admin.iter().map(|name| parse(name).unwrap()).collect(), process: None };
        let hosts = whom.find().await.unwrap();
        assert_eq!(hosts.admin, [address, "[::1]:9".parse().unwrap()], "one host is asked once");
        assert_eq!(hosts.words, admin.join(", "));
        assert_eq!(
            parse("https://a:1").unwrap_err(),
            "admin ports speak HTTP without TLS; expected HOST:PORT"
        );
        let nowhere = Whom { admin: vec![parse("nowhere.invalid:1").unwrap()], process: None };
        let error = nowhere.find().await.unwrap_err().to_string();
        assert!(error.contains("nowhere.invalid leads nowhere"), "{error}");
    }
}
