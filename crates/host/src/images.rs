//! Where the code of components comes from: files and bytes put in an image's place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Code by component name.
#[derive(Debug, Clone, Default)]
pub struct Images {
    local: Arc<BTreeMap<String, Code>>,
    /// Files as they were read last, so that looking again costs nothing while they stay the same.
    read: Arc<Mutex<BTreeMap<PathBuf, (Stamp, Image)>>>,
}

/// What tells one state of a file from another without reading it.
type Stamp = (u64, Option<SystemTime>);

/// A local build in an image's place.
#[derive(Debug, Clone)]
pub enum Code {
    /// Read whenever it is needed, so that a new build is taken up with the next change of state.
    File(PathBuf),
    /// Part of this program.
    Bytes(&'static [u8]),
}

/// Code and the digest of exactly these bytes.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) code: Bytes,
    /// `sha256:` and 64 hexadecimal digits, as OCI writes digests.
    pub(crate) digest: String,
}

/// Why there is no code for a component.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ImageError {
    /// Nothing was put in the image's place, and registries are not read in this version yet.
    #[error(
        "no code for component {component:?}: images are not pulled in this version yet (found {image}); \
         give a local build with --wasm {component}=FILE"
    )]
    NotLocal {
        /// The component.
        component: String,
        /// Its image in the manifest.
        image: String,
    },
    /// The file is not there or cannot be read.
    #[error("cannot read {path}: {reason}; build it, or give another file with --wasm")]
    Unreadable {
        /// The file.
        path: String,
        /// In the words of the operating system.
        reason: String,
    },
}

/// More than any sensible component; a directory of videos given by mistake should not be read into memory.
const LARGEST_FILE: u64 = 256 << 20;

impl Images {
    /// Code by component name; a component that is not named has none.
    #[must_use]
    pub fn new(local: BTreeMap<String, Code>) -> Self {
        Self { local: Arc::new(local), read: Arc::default() }
    }

    /// The code of `component`, whose manifest names `image`. Blocks: it reads files.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub(crate) fn read(&self, component: &str, image: &str) -> Result<Image, ImageError> {
        match self.local.get(component) {
            Some(Code::Bytes(bytes)) => Ok(Image::new(Bytes::from_static(bytes))),
            Some(Code::File(path)) => self
                .read_file(path)
                .map_err(|reason| ImageError::Unreadable { path: path.display().to_string(), reason }),
            None => Err(ImageError::NotLocal { component: component.to_owned(), image: image.to_owned() }),
        }
    }

    fn read_file(&self, path: &Path) -> Result<Image, String> {
        let data = std::fs::metadata(path).map_err(|error| error.to_string())?;
        let stamp = (data.len(), data.modified().ok());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, image)) = read.get(path)
            && *known == stamp
        {
            return Ok(image.clone());
        }
        if data.len() > LARGEST_FILE {
            return Err(format!("{} bytes are more than a component may have ({LARGEST_FILE})", data.len()));
        }
        let image = Image::new(std::fs::read(path).map_err(|error| error.to_string())?.into());
        read.insert(path.to_owned(), (stamp, image.clone()));
        Ok(image)
    }
}

impl Image {
    fn new(code: Bytes) -> Self {
        let digest = format!("sha256:{}", hexadecimal(&Sha256::digest(&code)));
        Self { code, digest }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_and_what_to_do() {
        let images = Images::new([("a".to_owned(), Code::File("no-such.wasm".into()))].into());
        let error = images.read("a", "example.com/a:1").unwrap_err().to_string();
        assert!(error.contains("cannot read no-such.wasm") && error.contains("--wasm"), "{error}");
        let error = images.read("b", "example.com/b:1").unwrap_err().to_string();
        assert!(error.contains("--wasm b=FILE"), "{error}");
    }
}
