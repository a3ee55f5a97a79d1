//! A leaf that does not keep to what it was told: speaks the leaf protocol to the hub itself, over TLS.
//!
//! A real leaf holds itself to the permissions that the hub tells it, so it cannot show what the hub does about one
//! that does not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPair;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub struct RawLeaf {
    stream: BufReader<TlsStream<TcpStream>>,
    pub said: String,
}

impl RawLeaf {
    /// Connects with a user's credentials. `hub` claims that it is the leaf that is the hub of the two.
    pub async fn connect(port: u16, creds: &Path, authority: &Path, hub: bool) -> Self {
        let plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut plain = BufReader::new(plain);
        let mut info = String::new();
        plain.read_line(&mut info).await.unwrap();
        let nonce = info.split("\"nonce\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, plain.into_inner()).await.unwrap();

        let text = std::fs::read_to_string(creds).unwrap();
        let token = text.lines().find(|line| line.starts_with("eyJ")).unwrap();
        let seed = text.lines().find(|line| line.starts_with("SU")).unwrap();
        let signature = KeyPair::from_seed(seed).unwrap().sign(nonce.as_bytes()).unwrap();
        let connect = format!(
            "CONNECT {{\"jwt\":\"{token}\",\"sig\":\"{}\",\"version\":\"2.14.9\",\"name\":\"raw\",\
             \"server_id\":\"NRAW\",\"headers\":true,\"is_hub\":{hub}}}\r\nPING\r\n",
            BASE64URL_NOPAD.encode(&signature)
        );
        let mut leaf = Self { stream: BufReader::new(stream), said: String::new() };
        leaf.send(&connect).await;
        leaf
    }

    pub async fn send(&mut self, text: &str) {
        // The server may have closed it already; what it said tells.
        let _ = self.stream.write_all(text.as_bytes()).await;
        let _ = self.stream.flush().await;
    }

    pub async fn publish(&mut self, subject: &str) {
        self.send(&format!("LMSG {subject} 6\r\nforged\r\n")).await;
    }

    pub async fn subscribe(&mut self, pattern: &str) {
        self.send(&format!("LS+ {pattern}\r\n")).await;
    }

    /// Reads until it hears `word`, the connection ends, or nothing comes for a while; whether it heard it.
    pub async fn hears(&mut self, word: &str) -> bool {
        let mut chunk = [0; 4096];
        while !self.said.contains(word) {
            let read = tokio::time::timeout(Duration::from_secs(1), self.stream.read(&mut chunk));
            let Ok(Ok(size @ 1..)) = read.await else { return false };
            self.said.push_str(&String::from_utf8_lossy(&chunk[..size]));
            if self.said.contains("PING\r\n") {
                self.said = self.said.replace("PING\r\n", "");
                self.send("PONG\r\n").await;
            }
        }
        true
    }
}
