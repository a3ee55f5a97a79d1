//! `dunlin host --explain`: every setting, its value, and where that comes from.

use dunlin_source::GitUrl;

use crate::host::gather::Gathered;
use crate::host::table::SETTINGS;
use crate::printer::{BOLD, DIM, styled, table};

/// The table, as lines.
pub(crate) fn explain(gathered: &Gathered, machine: Option<&str>) -> Vec<String> {
    let head = ["SETTING", "VALUE", "FROM", "WHAT IT IS"].map(|cell| styled(BOLD, cell));
    let mut rows = vec![head.to_vec()];
    for setting in SETTINGS {
        let (value, from) = match gathered.get(setting.name) {
            // There may be a password in it.
            Some(given) if setting.name == "git" => {
                let shown = given.values.last().and_then(|url| GitUrl::parse(url).ok());
                (shown.map(|url| url.to_string()).unwrap_or_default(), given.origin.to_string())
            }
            Some(given) => (given.values.join(","), given.origin.to_string()),
            None if setting.name == "host" => {
                (machine.unwrap_or_default().to_owned(), "the machine's name".to_owned())
            }
            None => (styled(DIM, "-"), String::new()),
        };
        rows.push(vec![setting.name.to_owned(), value, from, styled(DIM, setting.about)]);
    }
    table(&rows)
}
