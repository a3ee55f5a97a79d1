//! The language of nats-server's configuration: what ours say, in which order, and why.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::address::HubUrl;
use crate::names::TRUST;
use crate::server::ServerOptions;

/// The files of a server's certificate, as the server will find them.
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Where a leaf finds its hub.
pub(crate) struct Remote {
    pub(crate) hub: Vec<HubUrl>,
    pub(crate) credentials: PathBuf,
    /// The authority that signed the hub's certificate; the system's own authorities without it.
    pub(crate) authority: Option<PathBuf>,
    /// Our account, in which the hub's messages appear.
    pub(crate) account: String,
    /// Whether addresses that the hub tells of itself are left alone.
    pub(crate) named_only: bool,
}

/// Whom the servers trust. A file of its own, so that it can be renewed without touching what people edited.
pub(crate) fn trust(operator: &str, system: (&str, &str), account: (&str, &str)) -> String {
    let mut text = head("Whom this server trusts; written anew by `dunlin credentials`. Not secret.");
    let _ = write!(
        text,
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload {{\n",
        quoted(operator),
        system.0
    );
    for (public, token) in [system, account] {
        let _ = writeln!(text, "  {public}: {}", quoted(token));
    }
    text.push_str("}\n");
    text
}

/// The hub: leaves come in at `leaves`, clients at the server's own port.
pub(crate) fn hub(lattice: &str, server: &ServerOptions, leaves: std::net::SocketAddr, tls: &Tls) -> String {
    let mut text = head(&format!("The hub of the lattice {lattice}. Not secret; the key it names is."));
    common(&mut text, server, tls);
    let _ = write!(
        text,
        "\nleafnodes {{\n  listen: {}\n  # Leaves come by the address that they were given, not by this server's own.\n  \
         no_advertise: true\n{}}}\n",
        quoted(&leaves.to_string()),
        indent(&server_tls(tls))
    );
    text
}

/// A leaf: hosts of the site connect here; it connects to the hub.
pub(crate) fn leaf(lattice: &str, site: &str, server: &ServerOptions, tls: &Tls, remote: &Remote) -> String {
    let mut text = head(&format!(
        "The leaf of the site {site} of the lattice {lattice}. Not secret; the key and the credentials it names are."
    ));
    common(&mut text, server, tls);
    let urls: Vec<_> = remote.hub.iter().map(|url| quoted(&url.to_string())).collect();
    // Naming TLS here makes it required, whatever the other end says of itself.
    let authority = remote.authority.as_ref().map_or_else(
        || "    # The authorities that this machine trusts.\n    min_version: \"1.2\"\n".to_owned(),
        |file| format!("    ca_file: {}\n    min_version: \"1.3\"\n", path(file)),
    );
    let named = if remote.named_only { "    ignore_discovered_servers: true\n" } else { "" };
    let _ = write!(
        text,
        "\nleafnodes {{\n  reconnect: \"1s\"\n  remotes: [{{\n    urls: [{}]\n{named}    credentials: {}\n    account: {}\n    \
         tls {{\n{}      timeout: 5\n    }}\n  }}]\n}}\n",
        urls.join(", "),
        path(&remote.credentials),
        remote.account,
        indent(&authority)
    );
    text
}

fn head(about: &str) -> String {
    format!("# {about}\n\n")
}

fn common(text: &mut String, server: &ServerOptions, tls: &Tls) {
    let _ = writeln!(text, "listen: {}", quoted(&server.listen.to_string()));
    if let Some(monitor) = server.monitor {
        let _ = writeln!(text, "http: {}", quoted(&monitor.to_string()));
    }
    let _ = write!(
        text,
        "{}\n# Operator and accounts; found beside this file.\ninclude {}\n\n\
         # A peer that is silent for some 6 s, or does not take what it is sent within 2 s, is cut off.\n\
         ping_interval: \"2s\"\nping_max: 2\nwrite_deadline: \"2s\"\n\n\
         # 1 MiB; hosts send larger bodies in pieces.\nmax_payload: 1048576\nmax_connections: 10000\n\
         max_subscriptions: 100000\n",
        server_tls(tls),
        quoted(TRUST)
    );
}

fn server_tls(tls: &Tls) -> String {
    format!(
        "tls {{\n  cert_file: {}\n  key_file: {}\n  min_version: \"1.3\"\n  timeout: 5\n}}\n",
        path(&tls.certificate),
        path(&tls.key)
    )
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A string that means itself, with no variables and no escapes but our own.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
