//! Credentials for HTTPS, from the user's own credential helpers: whatever `git credential` knows.

use std::io::{self, Read, Write};
use std::process::Command;
use std::sync::Arc;

use gix::credentials::helper::{Action, NextAction};
use gix::credentials::protocol::{Context, ContextOptions, Outcome};
use gix::error::{ErrorExt, message};
use gix::sec::identity::Account;

use super::bound::{Bound, Counted};
use super::program::{self, Program};

/// Does what the connection asks for: finds credentials, keeps good ones and forgets bad ones.
pub(super) fn ask(
    action: Action,
    configuration: &[String],
    bound: &Arc<Bound>,
) -> gix::Result<Option<Outcome>> {
    let (word, input) = match &action {
        Action::Get(context) => ("fill", context.to_bstring()),
        Action::Store(payload) => ("approve", payload.clone()),
        Action::Erase(payload) => ("reject", payload.clone()),
    };
    let output = run(word, &input, configuration, bound)
        .map_err(|error| message!("git credential {word}: {error}").raise());
    if !action.expects_output() {
        // Whether a helper keeps what it gave does not decide whether it was good.
        return Ok(None);
    }
    let context = Context::from_bytes(&output?, ContextOptions::default())?;
    let (Some(username), Some(password)) = (context.username.clone(), context.password.clone()) else {
        return Ok(None);
    };
    let identity = Account { username, password, oauth_refresh_token: context.oauth_refresh_token.clone() };
    Ok(Some(Outcome { identity, next: NextAction::from(context) }))
}

fn run(word: &str, input: &[u8], configuration: &[String], bound: &Arc<Bound>) -> io::Result<Vec<u8>> {
    let there = std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.trim().parse().ok());
    let mut command = Command::new("git");
    command.args(["credential", word]).envs(variables(configuration, there.unwrap_or(0)));
    let Program { input: mut writer, output, complaints } =
        program::start(command, bound).map_err(missing)?;
    // A helper that ends before it has read everything has its reasons, which it says.
    let _ = writer.write_all(input).and_then(|()| writer.write_all(b"\n"));
    drop(writer);
    let mut answer = Vec::new();
    Counted::new(output, bound).take(1 << 16).read_to_end(&mut answer)?;
    bound.release();
    if answer.is_empty() && word == "fill" {
        return Err(io::Error::other(complaints.words()));
    }
    Ok(answer)
}

/// Configuration as variables, after as many as are there already. Not as arguments: there may be secrets in it, and
/// everybody on the machine sees those.
fn variables(configuration: &[String], there: usize) -> Vec<(String, String)> {
    let mut variables = vec![("GIT_CONFIG_COUNT".to_owned(), (there + configuration.len()).to_string())];
    for (number, setting) in (there..).zip(configuration) {
        // To git, a key alone is a switch that is on.
        let (key, value) = setting.split_once('=').unwrap_or((setting, "true"));
        variables.push((format!("GIT_CONFIG_KEY_{number}"), key.to_owned()));
        variables.push((format!("GIT_CONFIG_VALUE_{number}"), value.to_owned()));
    }
    variables
}

/// Says which program is missing.
pub(super) fn missing(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotFound {
        return io::Error::new(error.kind(), "the program git is not installed");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_goes_by_variables_beside_those_that_are_there() {
        let told = |there| {
            let configuration = ["http.extraHeader=A: b=c".to_owned(), "core.quiet".to_owned()];
            let variables = variables(&configuration, there);
            variables.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")
        };
        let expected = "GIT_CONFIG_COUNT=2\nGIT_CONFIG_KEY_0=http.extraHeader\nGIT_CONFIG_VALUE_0=A: b=c\n\
                        GIT_CONFIG_KEY_1=core.quiet\nGIT_CONFIG_VALUE_1=true";
        assert_eq!(told(0), expected);
        let expected = "GIT_CONFIG_COUNT=5\nGIT_CONFIG_KEY_3=http.extraHeader\nGIT_CONFIG_VALUE_3=A: b=c\n\
                        GIT_CONFIG_KEY_4=core.quiet\nGIT_CONFIG_VALUE_4=true";
        assert_eq!(told(3), expected);
    }
}
