//! HTTP for fetching: the library's own client with our TLS, and with every byte of its answers counted.

use std::path::Path;
use std::sync::{Arc, Mutex};

use gix::protocol::transport::client::blocking_io::http::reqwest as backend;
use gix::protocol::transport::client::blocking_io::http::{
    GetResponse, Http, Options, PostBodyDataKind, PostResponse,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::bound::{Bound, Counted};

/// The client, with its answers under a bound.
pub(super) struct Bounded {
    client: backend::Remote,
    bound: Arc<Bound>,
}

impl Bounded {
    pub(super) fn new(bound: &Arc<Bound>) -> Self {
        Self { client: backend::Remote::default(), bound: Arc::clone(bound) }
    }
}

impl Http for Bounded {
    type Headers = <backend::Remote as Http>::Headers;
    type ResponseBody = Counted<<backend::Remote as Http>::ResponseBody>;
    type PostBody = <backend::Remote as Http>::PostBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<Self::Headers, Self::ResponseBody>> {
        let GetResponse { headers, body } = self.client.get(url, base_url, headers)?;
        Ok(GetResponse { headers, body: Counted::new(body, &self.bound) })
    }

    fn post(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>> {
        let PostResponse { post_body, headers, body } = self.client.post(url, base_url, headers, body)?;
        Ok(PostResponse { post_body, headers, body: Counted::new(body, &self.bound) })
    }

    fn configure(&mut self, config: &dyn std::any::Any) -> gix::Result {
        self.client.configure(config)
    }

    fn redirected_base_url(&self) -> Option<String> {
        self.client.redirected_base_url()
    }
}

/// Adds to what Git's configuration says of HTTP the TLS and the times that we want.
///
/// # Errors
/// Certificates that `http.sslCAInfo` names cannot be read.
pub(super) fn configure(
    options: &mut Options,
    configuration: &[String],
    bound: &Bound,
) -> Result<(), String> {
    // For Git a variable (GIT_SSL_CAINFO) comes before what it is told; both are the user's, so both count.
    let told = configuration.iter().filter_map(|setting| setting.split_once('='));
    let told =
        told.filter(|(key, _)| key.eq_ignore_ascii_case("http.sslCAInfo")).map(|(_, path)| Path::new(path));
    let tls = tls(options.ssl_ca_info.as_deref().into_iter().chain(told))?;
    let silence = bound.limits().silence;
    let client = move |builder: reqwest::blocking::ClientBuilder| {
        // The time is for an answer to begin and for each piece of it.
        Ok(builder.tls_backend_preconfigured(tls.clone()).timeout(silence).connect_timeout(silence))
    };
    let backend = backend::Options { configure_client: Some(Box::new(client)), configure_request: None };
    options.backend = Some(Arc::new(Mutex::new(backend)));
    Ok(())
}

fn tls<'a>(authorities: impl Iterator<Item = &'a Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for path in authorities {
        let wrong = |error| format!("the certificates in {} (http.sslCAInfo): {error}", path.display());
        let certificates =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        roots.add_parsable_certificates(certificates.map_err(|error| wrong(error.to_string()))?);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
