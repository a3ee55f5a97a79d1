//! What the tokens of operator, accounts and users claim, and the file that a user gets.

use std::collections::BTreeMap;

use dunlin_lattice::permissions::Permissions;
use serde_json::{Value, json};

use crate::creds;
use crate::error::Error;
use crate::key::{Key, Kind};
use crate::secret::Secret;
use crate::token::Claims;

/// Users of an account that are no longer let in: public key (or `*`) and the time; what was signed until then is void.
pub(crate) type Revoked = BTreeMap<String, i64>;

/// By which door a user may come in; each has the one that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The port for clients.
    Client,
    /// The port for leaf nodes.
    Leaf,
}

impl Door {
    const fn token(self) -> &'static str {
        match self {
            Self::Client => "STANDARD",
            Self::Leaf => "LEAFNODE",
        }
    }
}

/// The token of the operator, which it signs itself.
pub(crate) fn operator(lattice: &str, key: &Key, system_account: &str) -> Result<String, Error> {
    let nats = json!({ "system_account": system_account, "type": "operator", "version": 2 });
    Claims::new(&format!("operator of {lattice}"), key.public(), nats).sign(key)
}

/// The token of an account: as many connections and subscriptions as come, nothing stored, no tokens that go without
/// a key.
pub(crate) fn account(name: &str, public: &str, operator: &Key, revoked: &Revoked) -> Result<String, Error> {
    let mut nats = json!({
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "disallow_bearer": true, "conn": -1, "leaf": -1,
        },
        "default_permissions": { "pub": {}, "sub": {} },
        "authorization": {},
        "type": "account",
        "version": 2,
    });
    if let (Some(fields), false) = (nats.as_object_mut(), revoked.is_empty()) {
        fields.insert("revocations".to_owned(), json!(revoked));
    }
    Claims::new(name, public.to_owned(), nats).sign(operator)
}

/// What a user's token says besides names and times.
pub(crate) fn user_rights(permissions: &Permissions, door: Door) -> Value {
    json!({
        "pub": { "allow": permissions.publish },
        "sub": { "allow": permissions.subscribe },
        "subs": -1, "data": -1, "payload": -1,
        "allowed_connection_types": [door.token()],
        "type": "user",
        "version": 2,
    })
}

/// Makes a user: its key and token together, as one file's text (`.creds`).
pub(crate) fn user(name: &str, rights: Value, ends: Option<i64>, account: &Key) -> Result<Secret, Error> {
    let key = Key::generate(Kind::User);
    let mut claims = Claims::new(name, key.public(), rights);
    claims.ends = ends;
    Ok(creds::write(&claims.sign(account)?, &key.seed()?))
}
