//! The file that a user gets (`.creds`): its token and the seed of its key, in the form that all NATS clients read.

use crate::key::{Key, Kind};
use crate::secret::Secret;
use crate::token::Claims;

/// The text of the file.
pub(crate) fn write(token: &str, seed: &Secret) -> Secret {
    Secret::new(format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         ************************* IMPORTANT *************************\n\
         The seed printed below signs in the user's name: whoever reads it is the user. Keep it secret.\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        seed.expose()
    ))
}

/// Reads the file's text and checks that token and seed belong together.
///
/// # Errors
/// In words: what is wrong with it. No part of the seed is in them.
pub(crate) fn read(text: &Secret) -> Result<Claims, String> {
    let missing = |what| format!("there is no {what} in it; a .creds file has a user's token and its seed");
    let token = block(text.expose(), "NATS USER JWT").ok_or_else(|| missing("token"))?;
    let seed = block(text.expose(), "USER NKEY SEED").ok_or_else(|| missing("seed"))?;
    let claims = Claims::read(token)?;
    let seed = Secret::new(seed.to_owned());
    let key = Key::from_seed(Kind::User, &seed).map_err(|error| error.to_string())?;
    if claims.kind() != "user" || key.public() != claims.subject {
        return Err("its seed is not that of the token's user".to_owned());
    }
    Ok(claims)
}

/// What stands between the lines `BEGIN label` and `END label`.
pub(crate) fn block<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("BEGIN {label}-----"))?;
    let (inside, _) = rest.split_once("------END")?;
    Some(inside.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_and_seed_belong_together() {
        let (account, user, other) =
            (Key::generate(Kind::Account), Key::generate(Kind::User), Key::generate(Kind::User));
        let nats = serde_json::json!({ "type": "user" });
        let token = Claims::new("me", user.public(), nats).sign(&account).unwrap();
        assert_eq!(read(&write(&token, &user.seed().unwrap())).unwrap().name, "me");
        let mixed = write(&token, &other.seed().unwrap());
        assert_eq!(read(&mixed).unwrap_err(), "its seed is not that of the token's user");
        let empty = read(&Secret::new("hello".to_owned())).unwrap_err();
        assert_eq!(empty, "there is no token in it; a .creds file has a user's token and its seed");
    }
}
