//! `dunlin host`: the process that runs in production. One host, until it is told to end.

mod explain;
mod gather;
mod run;
mod settings;
mod source;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use self::gather::Gathered;
use self::table::{SETTINGS, Takes};
use crate::printer::{self, WrongInput};

/// The flags that were given; the other settings come from elsewhere.
pub(crate) struct Options {
    flags: BTreeMap<&'static str, Vec<String>>,
    config: Option<PathBuf>,
    explain: bool,
}

const EXAMPLES: &str = "Examples:\n  \
    dunlin host --lattice todo --site gcp --manifests /etc/dunlin/manifests \\\n      \
        --nats tls://nats:4222 --credentials /etc/dunlin/gcp-1.creds --authority /etc/dunlin/ca.crt\n  \
    dunlin host --lattice todo --site gcp --git https://git.example.com/team/todo.git --path deploy --nats …\n  \
    DUNLIN_SITE=gcp dunlin host --config host.toml\n  \
    dunlin host --config host.toml --explain      every setting with its value and where that comes from\n\n\
    Each setting may also be an environment variable (DUNLIN_ and its name in capitals) or a line of the file that\n\
    --config or DUNLIN_CONFIG names. SIGTERM drains and ends; a second one ends at once.";

impl Args for Options {
    fn augment_args(command: Command) -> Command {
        let command =
            command
                .after_help(EXAMPLES)
                .arg(
                    Arg::new("config")
                        .long("config")
                        .value_name("FILE")
                        .env("DUNLIN_CONFIG")
                        .help("Settings as TOML."),
                )
                .arg(Arg::new("explain").long("explain").action(ArgAction::SetTrue).help(
                    "Prints every setting with its value and where it comes from, and starts nothing.",
                ));
        SETTINGS.iter().fold(command, |command, setting| {
            let help = match setting.default {
                Some(default) if setting.takes != Takes::Switch => {
                    format!("{} [default: {default}]", setting.about)
                }
                _ => setting.about.to_owned(),
            };
            let argument = Arg::new(setting.name).long(setting.name).help(help);
            command.arg(match setting.takes {
                Takes::Switch => argument
                    .value_name("BOOL")
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true"),
                Takes::One => argument.value_name(setting.value),
                Takes::Many => {
                    argument.value_name(setting.value).action(ArgAction::Append).value_delimiter(',')
                }
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |name: &str| Some(matches.get_many::<String>(name)?.cloned().collect::<Vec<_>>());
        Ok(Self {
            flags: SETTINGS.iter().filter_map(|setting| Some((setting.name, given(setting.name)?))).collect(),
            config: matches.get_one::<String>("config").map(PathBuf::from),
            explain: matches.get_flag("explain"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Runs a host until SIGTERM or Ctrl-C.
///
/// # Errors
/// Wrong settings, or a host that cannot start.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let gathered = gather(&options)?;
    let machine = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let machine = machine.split('.').next().map(str::to_owned).filter(|name| !name.is_empty());
    if options.explain {
        explain::explain(&gathered, machine.as_deref()).iter().for_each(printer::line);
    }
    let settings = settings::read(&gathered, machine)
        .map_err(|mistakes| WrongInput(format!("the settings are not right:\n  {mistakes}")))?;
    if options.explain {
        return Ok(ExitCode::SUCCESS);
    }
    let word =
        |name: &str| gathered.get(name).and_then(|given| given.values.last()).cloned().unwrap_or_default();
    printer::log_as_told(&word("log"), &word("log-format"))?;
    run::run(settings).await
}

fn gather(options: &Options) -> Result<Gathered> {
    let file = match &options.config {
        None => Gathered::new(),
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the settings in {name}"))
                .map_err(|error| WrongInput(format!("{error:#}")))?;
            gather::read_file(&name, &text).map_err(WrongInput)?
        }
    };
    Ok(gather::gather(&options.flags, |variable| std::env::var(variable).ok(), &file))
}
