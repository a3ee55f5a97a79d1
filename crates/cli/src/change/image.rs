//! What a registry says an image's tag means now.

use anyhow::{Context, Result, anyhow};
use docker_credential::{CredentialRetrievalError, DockerCredential};
use dunlin_manifest::ImageReference;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use crate::git::short;

/// How long one registry may take to answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Asks for the digest of an image: `sha256:…`.
///
/// Credentials are those of the user's `docker login`, helpers included. A registry on this machine is asked without TLS.
///
/// # Errors
/// What the registry said, and what to do about it.
pub(crate) async fn digest(image: &ImageReference) -> Result<String> {
    let name = Name::of(image);
    let reference: Reference = name.text.parse().with_context(|| format!("{} is no image", name.text))?;
    let protocol = if name.here { ClientProtocol::Http } else { ClientProtocol::Https };
    // Another part of this process may have chosen one already, which is as good.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let config = ClientConfig {
        protocol,
        read_timeout: Some(PATIENCE),
        connect_timeout: Some(PATIENCE),
        ..ClientConfig::default()
    };
    let client = Client::try_from(config).map_err(|error| anyhow!("cannot ask registries: {error}"))?;
    let (credentials, whose) = credentials(reference.resolve_registry())?;
    client.fetch_manifest_digest(&reference, &credentials).await.map_err(|error| {
        let registry = reference.resolve_registry();
        anyhow!(cause(&error)).context(format!(
            "{registry} does not say what {} is{}",
            name.text,
            hint(&error, registry, whose)
        ))
    })
}

/// What a registry said, in a line.
fn cause(error: &oci_client::errors::OciDistributionError) -> String {
    let oci_client::errors::OciDistributionError::ServerError { code, url, message } = error else {
        return error.to_string();
    };
    let status =
        http::StatusCode::from_u16(*code).map_or_else(|_| code.to_string(), |status| status.to_string());
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let message: String = message.chars().take(200).collect();
    let said = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{url} answers {status}{said}")
}

fn hint(error: &oci_client::errors::OciDistributionError, registry: &str, logged_in: bool) -> String {
    use oci_client::errors::OciDistributionError as Error;
    match error {
        Error::AuthenticationFailure(_) | Error::UnauthorizedError { .. } if logged_in => {
            format!(": the credentials of `docker login {registry}` do not suffice")
        }
        Error::AuthenticationFailure(_) | Error::UnauthorizedError { .. } => {
            format!(": it wants to know who asks; `docker login {registry}`")
        }
        Error::ImageManifestNotFoundError(_) => ": it has no such repository or tag".to_owned(),
        Error::RegistryError { envelope, .. } => {
            use oci_client::errors::OciErrorCode as Code;
            let says = |codes: &[Code]| envelope.errors.iter().any(|error| codes.contains(&error.code));
            if says(&[Code::ManifestUnknown, Code::NameUnknown, Code::NotFound]) {
                ": it has no such repository or tag".to_owned()
            } else if says(&[Code::Unauthorized, Code::Denied]) {
                format!(": it does not let these credentials read it; `docker login {registry}`")
            } else if says(&[Code::Toomanyrequests]) {
                ": it was asked too often; wait a while".to_owned()
            } else {
                String::new()
            }
        }
        Error::ServerError { code: 404, .. } => ": it has no such repository or tag".to_owned(),
        Error::ServerError { code: 401 | 403, .. } => {
            format!(": it does not let these credentials read it; `docker login {registry}`")
        }
        Error::ServerError { code: 429, .. } => ": it was asked too often; wait a while".to_owned(),
        Error::ServerError { code: 500.., .. } => ": it is in trouble; try again later".to_owned(),
        Error::RequestError(error) if error.is_connect() => ": it cannot be reached".to_owned(),
        _ => String::new(),
    }
}

/// What is asked for.
struct Name {
    text: String,
    /// Whether the registry is on this machine.
    here: bool,
}

impl Name {
    fn of(image: &ImageReference) -> Self {
        let tag = image.tag.as_deref().unwrap_or("latest");
        let registry = image.registry.as_str();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        Self { text: format!("{registry}/{}:{tag}", image.repository), here }
    }
}

/// The user's credentials for a registry, and whether there are any.
fn credentials(registry: &str) -> Result<(RegistryAuth, bool)> {
    match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok((RegistryAuth::Basic(user, password), true)),
        Ok(DockerCredential::IdentityToken(token)) => Ok((RegistryAuth::Bearer(token), true)),
        Err(
            CredentialRetrievalError::NoCredentialConfigured
            | CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::ConfigReadError,
        ) => Ok((RegistryAuth::Anonymous, false)),
        Err(error) => Err(anyhow!(error.to_string()).context(format!(
            "the credentials of `docker login` for {registry} cannot be read; `docker logout {registry}` does without"
        ))),
    }
}

/// An image as it fits into a line: its tag and the first digits of its digest.
pub(crate) fn in_short(image: &str) -> String {
    let Some(parsed) = ImageReference::parse(image) else { return image.to_owned() };
    let digits = parsed.digest.as_deref().and_then(|digest| digest.strip_prefix("sha256:")).map(short);
    match (parsed.tag, digits) {
        (Some(tag), Some(digits)) => format!("{tag} ({digits})"),
        (Some(tag), None) => tag,
        (None, Some(digits)) => digits.to_owned(),
        (None, None) => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use oci_client::errors::OciDistributionError::ServerError;

    use super::*;

    #[test]
    fn what_a_registry_says_without_words_of_its_own() {
        let said = |code, message: &str| {
            let (url, message) = ("https://host/v2/todo/manifests/1".to_owned(), message.to_owned());
            let error = ServerError { code, url, message };
            format!("{}{}", cause(&error), hint(&error, "host", false))
        };
        let url = "https://host/v2/todo/manifests/1 answers";
        for (code, message, expected) in [
            (404, "", " 404 Not Found: it has no such repository or tag"),
            (403, "", " 403 Forbidden: it does not let these credentials read it; `docker login host`"),
            (
                503,
                "<html>\n  down",
                " 503 Service Unavailable: <html> down: it is in trouble; try again later",
            ),
            (418, "no", " 418 I'm a teapot: no"),
        ] {
            assert_eq!(said(code, message), format!("{url}{expected}"));
        }
    }
}
