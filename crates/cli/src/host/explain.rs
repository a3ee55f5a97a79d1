//! `dunlin host --explain`: every setting, its value without what may be secret in it, and where that comes from.

use dunlin_source::GitUrl;

use crate::host::gather::Gathered;
use crate::host::table::SETTINGS;
use crate::printer::{BOLD, DIM, styled, table, without_credentials};

/// The table, as lines.
pub(crate) fn explain(gathered: &Gathered, machine: Option<&str>) -> Vec<String> {
    let head = ["SETTING", "VALUE", "FROM", "WHAT IT IS"].map(|cell| styled(BOLD, cell));
    let mut rows = vec![head.to_vec()];
    for setting in SETTINGS {
        let (value, from) = match gathered.get(setting.name) {
            Some(given) => (shown(setting.name, &given.values), given.origin.to_string()),
            None if setting.name == "host" => {
                (machine.unwrap_or_default().to_owned(), "the machine's name".to_owned())
            }
            None => (styled(DIM, "-"), String::new()),
        };
        rows.push(vec![setting.name.to_owned(), value, from, styled(DIM, setting.about)]);
    }
    table(&rows)
}

/// A setting's values as they may be shown: URLs hold passwords, and Git's configuration headers with tokens.
fn shown(name: &str, values: &[String]) -> String {
    let each = |show: fn(&String) -> String| values.iter().map(show).collect::<Vec<_>>().join(",");
    match name {
        "git" => {
            let url = values.last().and_then(|url| GitUrl::parse(url).ok());
            url.map(|url| url.to_string()).unwrap_or_default()
        }
        "git-config" => each(|setting| match setting.split_once('=') {
            Some((key, _)) => format!("{key}=…"),
            None => "…".to_owned(),
        }),
        "nats" | "provider-url" => each(|url| without_credentials(url)),
        _ => values.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for (name, values, expected) in [
            ("git", &["https://me:hunter2@host/app.git"][..], "https://host/app.git"),
            (
                "git-config",
                &["http.extraHeader=A: b=hunter2", "http.sslVerify=true"],
                "http.extraHeader=…,http.sslVerify=…",
            ),
            ("git-config", &["hunter2"], "…"),
            ("nats", &["nats://me:hunter2@a:4222", "tls://b:4222"], "nats://a:4222,tls://b:4222"),
            ("provider-url", &["redis=redis://:hunter2@r:6379"], "redis=redis://r:6379"),
            ("labels", &["zone=a"], "zone=a"),
        ] {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(shown(name, &values), expected);
        }
    }
}
