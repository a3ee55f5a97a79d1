//! Where the bus is and who we are to it: what users write, and the same read and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_nats::rustls::pki_types::CertificateDer;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::{ConnectOptions, ServerAddr};

use super::NatsError;

/// Which servers to connect to, and as whom.
#[derive(Clone, Default)]
pub struct NatsSettings {
    /// `nats://host:4222` or `tls://host:4222`, at least one; in development also with `user:password@` or `token@`.
    /// Any of them is as good as the others, so of a site's leaf servers name all, and of other sites' none.
    pub servers: Vec<String>,
    /// A `.creds` file, as `nsc` writes it. Read again at each connect, so that it may be replaced while we run.
    pub credentials: Option<PathBuf>,
    /// The certificates in PEM that sign the servers' own; without it those that the system trusts. Read again at
    /// each connect.
    pub authority: Option<PathBuf>,
    /// Shown with the purpose of each connection where the server lists them: `dunlin todo aws/aws-1`.
    pub name: String,
}

impl std::fmt::Debug for NatsSettings {
    /// Without the secrets that a URL may hold.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(|server| without_secrets(server)).collect();
        formatter
            .debug_struct("NatsSettings")
            .field("servers", &servers)
            .field("credentials", &self.credentials)
            .field("authority", &self.authority)
            .field("name", &self.name)
            .finish()
    }
}

/// The settings, checked.
pub(super) struct Target {
    pub(super) servers: Vec<Server>,
    credentials: Option<PathBuf>,
    authority: Option<PathBuf>,
    pub(super) name: String,
}

/// One server.
pub(super) struct Server {
    pub(super) address: ServerAddr,
    /// How it is called in logs: its URL without secrets.
    pub(super) shown: Arc<str>,
}

impl Target {
    /// Reads the settings and every file that they name, to find what is wrong before anything starts.
    pub(super) fn new(settings: NatsSettings) -> Result<Self, NatsError> {
        let NatsSettings { servers, credentials, authority, name } = settings;
        if servers.is_empty() {
            return Err(NatsError::NoServer);
        }
        let servers = servers.iter().map(|url| Server::new(url)).collect::<Result<_, _>>()?;
        if let Some(path) = &credentials {
            add_credentials(ConnectOptions::new(), path, &read(path)?)?;
        }
        if let Some(path) = &authority {
            check_authority(path, &read(path)?)?;
        }
        Ok(Self { servers, credentials, authority, name })
    }

    /// Who we are to `server`, with the files as they are now.
    pub(super) async fn identity(&self, server: &Server) -> Result<ConnectOptions, NatsError> {
        let mut options = ConnectOptions::new();
        if let Some(user) = server.address.username() {
            let user = decoded(user);
            options = match server.address.password() {
                Some(password) => options.user_and_password(user, decoded(password)),
                None => options.token(user),
            };
        }
        if let Some(path) = &self.credentials {
            let text = tokio::fs::read_to_string(path).await.map_err(|error| unreadable(path, &error))?;
            options = add_credentials(options, path, &text)?;
        }
        if let Some(path) = &self.authority {
            options = options.add_root_certificates(path.clone());
        }
        Ok(options)
    }
}

impl Server {
    fn new(url: &str) -> Result<Self, NatsError> {
        let bad =
            |reason: &str| NatsError::BadServer { url: without_secrets(url), reason: reason.to_owned() };
        if url.split_once("://").is_some_and(|(scheme, _)| scheme != "nats" && scheme != "tls") {
            return Err(bad("only nats:// and tls:// are supported"));
        }
        let address: ServerAddr = url.parse().map_err(|error: std::io::Error| bad(&error.to_string()))?;
        let host = address.host();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        if !matches!(address.clone().into_inner().path(), "" | "/") {
            return Err(bad("a server's URL ends after the port"));
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let shown = format!("{}://{host}:{}", address.scheme(), address.port()).into();
        Ok(Self { address, shown })
    }
}

fn read(path: &Path) -> Result<String, NatsError> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> NatsError {
    NatsError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

fn add_credentials(options: ConnectOptions, path: &Path, text: &str) -> Result<ConnectOptions, NatsError> {
    options
        .credentials(text)
        .map_err(|error| NatsError::BadCredentials { path: path.to_owned(), reason: error.to_string() })
}

fn check_authority(path: &Path, text: &str) -> Result<(), NatsError> {
    let bad = |reason: String| NatsError::BadAuthority { path: path.to_owned(), reason };
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(error.to_string()))?;
    if certificates.is_empty() { Err(bad("it holds no certificate".to_owned())) } else { Ok(()) }
}

fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let shown = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { shown.to_owned() } else { format!("{scheme}://{shown}") }
}

/// Undoes percent-encoding, which a URL needs for some letters of a password.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code =
            text_of(after).filter(|_| *first == b'%').and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes.get(..2)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(servers: &[&str]) -> String {
        let servers = servers.iter().map(|server| (*server).to_owned()).collect();
        let target = Target::new(NatsSettings { servers, ..NatsSettings::default() });
        target.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn says_what_is_wrong_with_a_server() {
        assert_eq!(error(&["nats://127.0.0.1:4222", "tls://leaf.example", "leaf:4222", "nats://[::1]/"]), "");
        assert!(error(&[]).contains("no server"));
        for (url, reason) in [
            ("http://leaf:4222", "only nats:// and tls://"),
            ("nats://", "it names no host"),
            ("nats://leaf:port", "invalid port number"),
            ("nats://leaf:4222/here", "ends after the port"),
        ] {
            assert!(error(&[url]).contains(reason), "{url}: {}", error(&[url]));
        }
        let secret = error(&["ws://me:hunter2@leaf"]);
        assert!(secret.contains("ws://leaf") && !secret.contains("hunter2"), "{secret}");
    }

    #[test]
    fn says_which_file_is_wrong() {
        let other = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&other, "of another kind\n").unwrap();
        let here = other.path().to_owned();
        let servers = vec!["nats://leaf".to_owned()];
        for (credentials, authority, says) in [
            (Some("/nowhere/me.creds".into()), None, "cannot read /nowhere/me.creds"),
            (Some(here.clone()), None, "is no credentials file"),
            (None, Some("/nowhere/ca.pem".into()), "cannot read /nowhere/ca.pem"),
            (None, Some(here), "it holds no certificate"),
        ] {
            let settings =
                NatsSettings { servers: servers.clone(), credentials, authority, ..NatsSettings::default() };
            let error = Target::new(settings).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn secrets_are_decoded_and_not_shown() {
        assert_eq!(decoded("a%40b%2Fc%zz%4"), "a@b/c%zz%4");
        let servers = vec!["nats://me:hunter2@leaf:4222".to_owned()];
        let settings = NatsSettings { servers, ..NatsSettings::default() };
        assert!(!format!("{settings:?}").contains("hunter2"));
        let target = Target::new(settings).unwrap();
        assert_eq!(&*target.servers[0].shown, "nats://leaf:4222");
    }
}
