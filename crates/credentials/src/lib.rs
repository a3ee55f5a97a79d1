//! Who may speak on the lattice: operator, account, users, TLS authority, and the nats-server configurations that
//! enforce it.
//!
//! Everything lies in one directory ([`Credentials`]), sorted by who gets it: what is in `hub/` goes to the hub's
//! server, `leaf-aws/` to the leaf of the site `aws`, `hosts/aws/aws-1.creds` to that host; `keys/` goes nowhere.
//! What each user may do is not decided here but in [`dunlin_lattice::permissions`]; it is signed here.

mod account;
mod address;
mod authority;
mod configuration;
mod creds;
mod directory;
mod error;
mod facts;
mod files;
mod hub;
mod init;
mod key;
mod leaf;
mod lifetime;
mod names;
mod remote;
mod secret;
mod server;
mod show;
mod token;
mod users;

pub use address::HubUrl;
pub use directory::Credentials;
pub use error::Error;
pub use facts::{CertificateFacts, Span, UserFacts, moment};
pub use files::{Outcome, Written};
pub use hub::{HubFiles, HubOptions};
pub use init::{InitOptions, Initialised};
pub use leaf::{LeafFiles, LeafOptions};
pub use lifetime::Lifetime;
pub use remote::{ImportOptions, Imported};
pub use server::ServerOptions;
pub use show::{Right, Shown, show};
pub use users::UserOptions;
