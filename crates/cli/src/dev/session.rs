//! One run of `dunlin dev` from start to end: start everything, show it, follow keys and orders, stop everything.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail};
use dunlin_host::server::Server;
use dunlin_host::status::Status;
use dunlin_manifest::Replicas;
use dunlin_providers::logging::escape;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::change::moving;
use crate::dev::conditions::{Conditions, News};
use crate::dev::following::Following;
use crate::dev::keys::Keys;
use crate::dev::log::Log;
use crate::dev::moving::Moving;
use crate::dev::orders::{self, Order};
use crate::dev::plan::Plan;
use crate::dev::real::Fault;
use crate::dev::repository::Repository;
use crate::dev::screen::{self, Screen};
use crate::dev::signals::Signals;
use crate::dev::world::World;
use crate::discovery::{Announcement, Running};
use crate::printer::{BAD, BOLD, DIM, GOOD, styled};
use crate::words::counted;
use crate::{logs, status};

/// Everything that one `dunlin dev` holds; dropping it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Session {
    world: World,
    screen: Screen,
    keys: Keys,
    orders: mpsc::Receiver<Order>,
    control: Server,
    token: String,
    announcement: Announcement,
    conditions: Conditions,
    signals: Signals,
    /// A signal came before the table was shown.
    ended: bool,
    following: Option<Following>,
    /// A move that a key began.
    moving: Option<Moving>,
    log: Log,
}

/// How often hosts are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long the first components may take before the table is shown without them.
const FIRST_READY: Duration = Duration::from_secs(20);

impl Session {
    /// Starts all hosts and waits, for a while, until what should run is ready.
    ///
    /// # Errors
    /// A port is taken, a host cannot start.
    pub(crate) async fn start(plan: Plan, signals: Signals, log: Log) -> Result<Self> {
        let mut screen = Screen::new();
        screen.set_live(format!("  starting {} …", counted(plan.sites.len() * plan.hosts, "host")));
        let token = format!("{:032x}", rand::random::<u128>());
        let (control, orders) = orders::listen(token.clone()).await?;
        let mut world = World::prepare(plan).await?;
        // Written before the hosts start: where it cannot be, nothing has to be undone.
        let announcement = Announcement::write(&running(&world, &control, &token))?;
        if let Err(error) = world.revive_all().await {
            world.stop().await;
            return Err(error);
        }
        announcement.update(&running(&world, &control, &token))?;
        let keys = Keys::listen();
        let conditions = Conditions::default();
        let mut session = Self {
            world,
            screen,
            keys,
            orders,
            control,
            token,
            announcement,
            conditions,
            signals,
            ended: false,
            following: None,
            moving: None,
            log,
        };
        session.wait_until_ready().await;
        Ok(session)
    }

    /// Shows the table and follows keys, orders and signals until one of them says to end.
    /// What goes wrong meanwhile is shown, and it goes on.
    pub(crate) async fn run(mut self) {
        if !self.ended {
            self.show_table();
        }
        let mut tick = tokio::time::interval(TICK);
        while !self.ended {
            tokio::select! {
                _ = tick.tick() => self.look(),
                Some(order) = self.orders.recv() => self.follow(order).await,
                key = self.keys.next() => {
                    if key == 'q' {
                        break;
                    }
                    self.press(key).await;
                }
                entry = Following::next(&mut self.following) => self.screen.line(logs::render(&entry)),
                line = self.log.next() => {
                    self.screen.line(format!("  {}", styled(DIM, screen::cut(&escape(&line), 2))));
                }
                () = self.signals.next() => break,
            }
        }
        self.screen.clear_live();
        self.screen.line(styled(DIM, "  stopping …"));
        let Self { world, announcement, keys, .. } = self;
        drop((announcement, keys));
        world.stop().await;
    }

    async fn wait_until_ready(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < FIRST_READY {
            self.world.balance();
            let Some(status) = self.world.status() else { return };
            let (ready, wanted) = counts(&status);
            let seen: usize = status.sites.values().map(|site| site.hosts.len()).sum();
            let all_seen = seen == self.world.members().count();
            let troubled = status.conditions.iter().any(|condition| match condition.reason.as_str() {
                "Failed" | "Invalid" | "CannotOpen" | "NotReady" => true,
                // Until all have been seen there are too few hosts for anything.
                "Shortage" => all_seen,
                _ => false,
            });
            let seen = counted(seen, "host");
            self.screen.set_live(format!("  {seen} seen, {ready} of {wanted} slots ready …"));
            if (wanted > 0 && ready >= wanted && all_seen) || troubled {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.signals.next() => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn show_table(&mut self) {
        self.screen.clear_live();
        let sites: Vec<_> = self
            .world
            .sites
            .iter()
            .map(|site| {
                let hosts: Vec<_> = site.places.iter().map(|place| place.id.host.as_str()).collect();
                let address = styled(BOLD, format!("http://{}", site.balancer.address()));
                screen::labelled(&site.name, &format!("{address}    hosts {}", hosts.join(" ")))
            })
            .collect();
        let plan = self.world.plan();
        let mut lines = vec![String::new()];
        lines.extend(if sites.len() <= 2 { vec![sites.join("   ")] } else { sites });
        let stores = self.world.status().map(|status| stores(&status, &self.world)).unwrap_or_default();
        lines.push(format!(
            "{}{stores}     {} {}",
            screen::labelled("bus", &self.world.bus_in_words()),
            styled(DIM, "state"),
            plan.source_shown
        ));
        if let (Some(first), Some(last), Some(_)) =
            (self.world.sites.first(), self.world.sites.last(), plan.code.get("todo"))
        {
            let (read, write) = (first.balancer.address().port(), last.balancer.address().port());
            let text = format!(
                "curl --json '{{\"title\":\"hi\"}}' localhost:{write}/api && curl localhost:{read}/api"
            );
            lines.push(screen::labelled("try", &text));
        }
        lines.iter().for_each(|line| self.screen.line(line));
    }

    /// Looks at all hosts: new conditions are printed, the live line is refreshed.
    fn look(&mut self) {
        for ended in self.world.bury() {
            self.screen.line(format!(
                "  {} {ended} ended by itself; `dunlin revive {ended}` starts it again",
                styled(BAD, "!")
            ));
        }
        self.world.balance();
        if let Some(following) = &mut self.following {
            following.follow(self.world.members().map(|(_, member)| member.admin()));
        }
        if let Some(status) = self.world.status() {
            if let Some(ended) = self.moving.as_ref().and_then(|moving| moving.ended(&status, Instant::now()))
            {
                self.moving = None;
                self.screen.line(format!("  {} {ended}", styled(GOOD, "✓")));
            }
            let (mut new, mut over) = (Vec::new(), BTreeSet::new());
            for news in self.conditions.look(&status.conditions, Instant::now()) {
                match news {
                    News::New(condition) => new.push(condition),
                    News::Over(condition) => {
                        over.insert((condition.object, condition.reason));
                    }
                }
            }
            for condition in status::alike(&status, &new) {
                self.screen.line(format!("  {}", status::condition(&condition)));
            }
            for (object, reason) in over {
                self.screen.line(format!("  {} {object}  {reason}", styled(GOOD, "over")));
            }
        }
        let (requests, failed) = self.world.requests();
        let movable = self.movable().map(|(component, _)| component);
        self.screen.set_live(screen::live(self.keys.usable(), movable.as_deref(), requests, failed));
    }

    async fn press(&mut self, key: char) {
        let outcome = match key {
            'm' => self.move_component(),
            'k' => match self.next_site(true) {
                Some(site) => {
                    self.echo(&format!("dunlin kill {site}"));
                    self.world.kill(&site).await.map(drop)
                }
                None => Ok(()),
            },
            'r' => match self.next_site(false) {
                Some(site) => {
                    self.echo(&format!("dunlin revive {site}"));
                    self.world.revive(&site).await.map(drop)
                }
                None => Ok(()),
            },
            'l' => {
                self.toggle_logs();
                Ok(())
            }
            _ => Ok(()),
        };
        if outcome.is_err() {
            self.moving = None;
        }
        self.report(outcome.and_then(|()| self.announce()));
    }

    async fn follow(&mut self, order: Order) {
        let outcome = match order.fault {
            Fault::Kill => self.world.kill(&order.target).await,
            Fault::Revive => self.world.revive(&order.target).await,
            fault @ (Fault::Freeze | Fault::Thaw) => self.world.freeze(&order.target, fault).await,
        };
        let outcome = outcome.and_then(|names| self.announce().map(|()| names));
        let done = order.fault.done();
        let answer = outcome.map(|names| match names.as_slice() {
            [] => format!("nothing to do: {} is {done} already", order.target),
            names => format!("{done} {}", names.join(" ")),
        });
        if let Ok(text) = &answer {
            self.screen.line(format!("  {text}"));
        }
        // Whoever ordered may have gone; it is done all the same.
        let _ = order.answer.send(answer);
    }

    /// The component that `m` moves, with its replicas by site.
    fn movable(&self) -> Option<(String, Vec<(String, u32)>)> {
        let status = self.world.status()?;
        let names = self.world.sites.iter().map(|site| site.name.clone());
        let component =
            |name: &String| status.components.get(name).filter(|component| !component.routes.is_empty());
        let name = status.components.keys().find(|name| component(name).is_some())?;
        let counts = names.map(|site| {
            let wanted =
                component(name).and_then(|found| found.sites.get(&site)).map_or(0, |count| count.wanted);
            (site, wanted)
        });
        Some((name.clone(), counts.collect()))
    }

    /// Moves everything of the first routed component to the site after the first that has some of it.
    fn move_component(&mut self) -> Result<()> {
        let Some((component, counts)) = self.movable() else { return Ok(()) };
        let total: u32 = counts
            .iter()
            .map(|(_, wanted)| wanted)
            .sum::<u32>()
            .clamp(1, u32::try_from(self.world.plan().hosts)?);
        let from = counts.iter().position(|(_, wanted)| *wanted > 0).unwrap_or(0);
        let to = (from + 1) % counts.len();
        let changes: Vec<_> = counts
            .iter()
            .enumerate()
            .map(|(index, (site, _))| (site.clone(), if index == to { total } else { 0 }))
            .collect();
        self.moving = Some(Moving::new(&component, changes.clone(), Instant::now()));
        let words: Vec<_> = changes.iter().map(|(site, replicas)| format!("{site}={replicas}")).collect();
        let changes: Vec<_> =
            changes.into_iter().map(|(site, count)| (site, Replicas::Count(count))).collect();
        let plan = self.world.plan();
        let Some(repository) = plan.repository.clone() else {
            self.echo(&format!("dunlin move {component} {} --write", words.join(" ")));
            return moving::write(&self.world.plan().directory, &component, &changes);
        };
        let Some(directory) = repository.manifests() else {
            bail!(
                "cannot move from here: {} has no working tree here; commit and push it elsewhere",
                repository.url
            );
        };
        self.echo(&format!("dunlin move {component} {} --commit", words.join(" ")));
        moving::commit(&directory, &component, &changes)
    }

    /// The next site that has something to kill, or something to revive.
    fn next_site(&self, running: bool) -> Option<String> {
        let mut sites = self.world.sites.iter().rev();
        let site = sites.find(|site| site.places.iter().any(|place| place.member.is_some() == running));
        site.map(|site| site.name.clone())
    }

    fn toggle_logs(&mut self) {
        if self.following.take().is_some() {
            return;
        }
        self.echo("dunlin logs -f");
        self.following = Some(Following::start());
    }

    /// Every key prints the command that does the same.
    fn echo(&mut self, command: &str) {
        self.screen.line(format!("  {}", styled(DIM, format!("$ {command}"))));
    }

    fn report(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.screen.line(format!("  {error:#}"));
        }
    }

    fn announce(&self) -> Result<()> {
        self.announcement.update(&running(&self.world, &self.control, &self.token))
    }
}

fn running(world: &World, control: &Server, token: &str) -> Running {
    // An empty path, of a repository that is elsewhere, stays empty.
    let directory = &world.plan().directory;
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
    Running {
        process: std::process::id(),
        directory,
        git: world.plan().repository.as_ref().map(Repository::discovered),
        control: control.address(),
        token: token.to_owned(),
        sites: world.sites.iter().map(|site| (site.name.clone(), site.balancer.address())).collect(),
        processes: world.processes(),
        viewers: world.viewers(),
        hosts: world.members().map(|(id, member)| (id.clone(), member.admin(), member.http())).collect(),
    }
}

fn counts(status: &Status) -> (u32, u32) {
    let all = status.components.values().flat_map(|component| component.sites.values());
    all.fold((0, 0), |(ready, wanted), count| (ready + count.ready.min(count.wanted), wanted + count.wanted))
}

fn stores(status: &Status, world: &World) -> String {
    let data = world.plan().data.display();
    let mut text = String::new();
    for (name, provider) in &status.providers {
        let at: Vec<_> = provider.open_at.iter().filter_map(|host| host.rsplit('/').next()).collect();
        let place = match provider.backend.as_str() {
            _ if at.is_empty() => styled(BAD, "open nowhere"),
            "embedded store" => format!("at {} ({data})", at.join(" ")),
            _ => match world.redis_at(name) {
                Some(address) => format!("on {address} by {}", at.join(" ")),
                None => format!("at {}", at.join(" ")),
            },
        };
        text.push_str(&format!("     {} {} {place}", styled(DIM, name), provider.backend));
    }
    text
}
