//! A real Git server over HTTP or HTTPS: `git http-backend` behind a few lines of CGI, on loopback.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    Well,
    /// It closes every connection at once.
    Away,
    /// It takes requests and answers none of them.
    Silent,
}

/// A server; ends with the test.
#[derive(Debug)]
pub struct GitServer {
    address: SocketAddr,
    certificate: Option<PathBuf>,
    shared: Arc<Shared>,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    mood: Mutex<Mood>,
    requests: Mutex<usize>,
    login: Mutex<Option<String>>,
    ended: Mutex<bool>,
    tls: Option<Arc<ServerConfig>>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl GitServer {
    /// Serves the repositories in the directory `root` over HTTP.
    #[must_use]
    pub fn http(root: &Path) -> Self {
        Self::start(root, false)
    }

    /// Serves them over HTTPS, with a certificate that [`GitServer::certificate`] vouches for.
    #[must_use]
    pub fn https(root: &Path) -> Self {
        Self::start(root, true)
    }

    fn start(root: &Path, secure: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut certificate, mut tls) = (None, None);
        if secure {
            let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
            let path = folder.path().join("ca.crt");
            std::fs::write(&path, made.cert.pem()).unwrap();
            certificate = Some(path);
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
            tls = Some(Arc::new(config));
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            mood: Mutex::new(Mood::Well),
            requests: Mutex::new(0),
            login: Mutex::new(None),
            ended: Mutex::new(false),
            tls,
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if *serving.ended.lock().unwrap() {
                    return;
                }
                let serving = Arc::clone(&serving);
                // A client that goes away in the middle is none of the test's concern.
                std::thread::spawn(move || drop(serving.serve(stream)));
            }
        });
        Self { address, certificate, shared, _folder: folder }
    }

    /// The URL of the repository `name`.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/{name}", self.address)
    }

    /// The URL of the repository `name` with a login in it.
    #[must_use]
    pub fn url_with_login(&self, name: &str, login: &str) -> String {
        self.url(name).replacen("://", &format!("://{login}@"), 1)
    }

    /// The file with the certificate that has to be trusted.
    ///
    /// # Panics
    /// It serves without TLS.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        self.certificate.as_deref().expect("a server with TLS")
    }

    /// From now on only `name:password` is let in.
    pub fn require(&self, login: &str) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(login);
        *self.shared.login.lock().unwrap() = Some(format!("Basic {encoded}"));
    }

    /// Behaves like this from now on, to new connections.
    pub fn be(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// Requests that came so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        *self.shared.requests.lock().unwrap()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        *self.shared.ended.lock().unwrap() = true;
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        if *self.mood.lock().unwrap() == Mood::Away {
            return Ok(());
        }
        let mut stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(connection, stream))
            }
        };
        let request = Request::read(&mut stream)?;
        *self.requests.lock().unwrap() += 1;
        while *self.mood.lock().unwrap() == Mood::Silent {
            if *self.ended.lock().unwrap() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let login = self.login.lock().unwrap().clone();
        if login.is_some() && request.header("authorization") != login.as_deref() {
            let refused = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(refused.as_bytes())?;
            return stream.flush();
        }
        self.backend(&request, &mut stream)
    }

    fn backend(&self, request: &Request, stream: &mut dyn Stream) -> io::Result<()> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let mut command = Command::new("git");
        command.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1");
        command.env("REQUEST_METHOD", &request.method).env("PATH_INFO", path).env("QUERY_STRING", query);
        for (variable, header) in [
            ("CONTENT_TYPE", "content-type"),
            ("HTTP_CONTENT_ENCODING", "content-encoding"),
            ("GIT_PROTOCOL", "git-protocol"),
        ] {
            if let Some(value) = request.header(header) {
                command.env(variable, value);
            }
        }
        // The repository belongs to the test, whoever runs it.
        command
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*");
        command.env("CONTENT_LENGTH", request.body.len().to_string());
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(&request.body)?;
        }
        let mut output = Vec::new();
        if let Some(mut answer) = child.stdout.take() {
            answer.read_to_end(&mut output)?;
        }
        child.wait()?;
        let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(output.len());
        let headers = String::from_utf8_lossy(&output[..end]).into_owned();
        let body = output.get(end + 4..).unwrap_or_default();
        let status = headers.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
        let others = headers.lines().filter(|line| !line.starts_with("Status: "));
        let others: String = others.map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\n{others}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
        stream.write_all(body)?;
        stream.flush()
    }
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut dyn Stream) -> io::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < 1 << 16 {
            head.push(byte(stream)?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let mut request = Self { method, target, headers, body: Vec::new() };
        if request.header("transfer-encoding") == Some("chunked") {
            while let length @ 1.. = chunk(stream)? {
                request.take(stream, length)?;
                line(stream)?;
            }
            line(stream)?;
        } else if let Some(length) = request.header("content-length").and_then(|text| text.parse().ok()) {
            request.take(stream, length)?;
        }
        Ok(request)
    }

    fn take(&mut self, stream: &mut dyn Stream, length: usize) -> io::Result<()> {
        let begin = self.body.len();
        self.body.resize(begin + length, 0);
        stream.read_exact(&mut self.body[begin..])
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn byte(stream: &mut dyn Stream) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte).map(|()| byte[0])
}

fn line(stream: &mut dyn Stream) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.push(byte(stream)?);
    }
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

fn chunk(stream: &mut dyn Stream) -> io::Result<usize> {
    usize::from_str_radix(&line(stream)?, 16).map_err(io::Error::other)
}
