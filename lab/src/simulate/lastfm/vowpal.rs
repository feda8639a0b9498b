//! Beside Vowpal Wabbit: the same world, the same pilot and the same features, through its Python package behind a pipe.
//!
//! Vowpal Wabbit learns from all listeners together, on a server that sees every row; the core learns on each device alone. Both start from the
//! same pilot, one pass over what its uniform pages earned, and go on learning from what they show themselves.
//!
//! - *Features.* A device like the core's stands beside each listener and makes the rows of [`pilot::columns`]; what it would show is not
//!   shown. Zeros are left out of the text, names are numbers, so that no two columns share a weight.
//! - *Pages.* A contextual bandit of Vowpal Wabbit picks one card. A page is filled as its users fill one: place after place among the
//!   cards that are left, the first card of a shelf among those of all shelves that are left, cards behind it among its own; as long as
//!   the place is visible by the policy's chances, renewed over what is left, further down by falling chance. `ccb` picks a card for each of
//!   as many slots as there are visible places; shelves stand in the order of their first pick.
//! - *Learning.* Every card that was seen teaches; cost is minus the reward. Where it was drawn, the example holds the cards that were left and
//!   the chance that it had among them; further down, where nothing was drawn, that card alone with chance 1. `ccb` learns from its picks that
//!   were seen in one example, and from the other cards alone.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ears_only::bundle::{BundleSettings, PolicyKind, PolicySettings};
use ears_only::ranker::RankedPage;
use ears_world::chance::{Draw, Key};
use serde::Serialize;

use super::constants::{VISIBLE_CARDS, VISIBLE_SHELVES};
use super::device::{Core, Device};
use super::home::{CandidateShelf, Home};
use super::listener::{Listener, Look, PlacedShelf, Visit, base_logit};
use super::opponents::{Moment, Policy, Popularity, Random};
use super::{Data, TRUTH_SEED, World, middle, pilot, visits};
use crate::arguments::{Long, Seeds};
use crate::error::LabError;
use crate::interval::relative_difference;
use crate::simulate::units::each;
use crate::table::Comparison;

/// Scores of cards, the larger the better, and for slots also what fills each, as card and chance.
type Answer = (Vec<f64>, Vec<(usize, f64)>);

/// A way to run Vowpal Wabbit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// How reports call it.
    pub name: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// How a page is made of what it says.
    draws: Draws,
}

/// How a page is made of what Vowpal Wabbit says of its cards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draws {
    /// By the chances that it gives.
    Chances,
    /// By its costs, with a chance of any card at each place: the rule of its `--epsilon`, whose chances tie all cards but one.
    Epsilon(f64),
    /// By its slots.
    Slots,
}

/// The settings that run.
pub const SETTINGS: [Setting; 5] = [
    Setting { name: "mtr, squarecb", arguments: &["--cb_explore_adf", "--cb_type", "mtr", "--squarecb"], draws: Draws::Chances },
    Setting {
        name: "mtr, squarecb, gamma 1000",
        arguments: &["--cb_explore_adf", "--cb_type", "mtr", "--squarecb", "--gamma_scale", "1000"],
        draws: Draws::Chances,
    },
    Setting { name: "dr, epsilon 0.05", arguments: &["--cb_adf", "--cb_type", "dr"], draws: Draws::Epsilon(0.05) },
    Setting { name: "mtr, epsilon 0.05", arguments: &["--cb_adf", "--cb_type", "mtr"], draws: Draws::Epsilon(0.05) },
    Setting {
        name: "ccb, epsilon 0.05",
        arguments: &["--ccb_explore_adf", "--cb_type", "mtr", "--epsilon", "0.05"],
        draws: Draws::Slots,
    },
];

/// Vowpal Wabbit in a process of its own.
struct Process {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Process {
    fn start(python: &Path, script: &Path, arguments: &[&str]) -> Result<Self, LabError> {
        let mut command = Command::new(python);
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| LabError::file(python, "a Python with Vowpal Wabbit's package", error))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => Ok(Self { child, to, from: BufReader::new(from) }),
            _ => Err(LabError::failed("expected pipes to Vowpal Wabbit, found none")),
        }
    }

    fn say(&mut self, command: &str, lines: &[String]) -> Result<(), LabError> {
        let text = format!("{command}\n{}", lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>());
        let gone = |error: std::io::Error| LabError::failed(format!("Vowpal Wabbit: expected a process that listens, {error}"));
        self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()).map_err(gone)
    }

    fn ask(&mut self, command: &str, lines: &[String]) -> Result<String, LabError> {
        self.say(command, lines)?;
        let mut answer = String::new();
        match self.from.read_line(&mut answer) {
            Ok(read) if read > 0 => Ok(answer.trim_end().to_owned()),
            _ => Err(LabError::failed("Vowpal Wabbit: expected an answer, found the end of the process")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A card that was drawn: its number on the page, the cards that were left, and its chance among them.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    card: usize,
    left: Vec<usize>,
    chance: f64,
    /// Which of the draws it was, as they were drawn: slots are drawn in another order than their cards stand.
    number: usize,
}

/// One page that was shown: its cards in the page's order, the text of each, and what was drawn.
struct Open {
    cards: Vec<u32>,
    lines: Vec<String>,
    drawn: Vec<Drawn>,
}

/// Vowpal Wabbit as a policy of the world.
struct Vowpal<'a> {
    home: &'a Home,
    seed: u64,
    model: BundleSettings,
    setting: Setting,
    /// Shows the device's uniform pages in place of its own, and learns.
    pilot: bool,
    process: Process,
    devices: Vec<Option<Device<'a>>>,
    open: Vec<Option<Open>>,
}

impl<'a> Vowpal<'a> {
    fn new(home: &'a Home, seed: u64, listeners: usize, setting: Setting, process: Process, pilot: bool) -> Self {
        // The devices make rows and count what was seen; their pages are drawn uniformly.
        let policy = PolicySettings { kind: PolicyKind::Uniform, ..PolicySettings::default() };
        let model = BundleSettings {
            version: Some("pilot".into()),
            columns: Some(pilot::columns()),
            policy,
            ..BundleSettings::default()
        };
        let (devices, open) = ((0..listeners).map(|_| None).collect(), (0..listeners).map(|_| None).collect());
        Self { home, seed, model, setting, pilot, process, devices, open }
    }

    /// Chances of the cards from what the process says, or its slots; the larger the better.
    fn asked(&mut self, lines: &[String]) -> Result<Answer, LabError> {
        let wrong = |answer: &str| {
            LabError::failed(format!("Vowpal Wabbit: expected numbers, found {}", &answer[..answer.len().min(80)]))
        };
        if self.setting.draws != Draws::Slots {
            let answer = self.process.ask(&format!("predict {}", lines.len()), lines)?;
            let numbers: Option<Vec<f64>> = answer.split(' ').map(|number| number.parse().ok()).collect();
            let numbers = numbers.filter(|numbers| numbers.len() == lines.len()).ok_or_else(|| wrong(&answer))?;
            return Ok((numbers, Vec::new()));
        }
        let all = slots(lines, &[]);
        let answer = self.process.ask(&format!("predict {}", all.len()), &all)?;
        let mut first = vec![0.0; lines.len()];
        let mut picks = Vec::new();
        for (number, slot) in answer.split(';').enumerate() {
            for (place, pair) in slot.split(' ').enumerate() {
                let pair = pair.split_once(':').and_then(|(a, p)| Some((a.parse::<usize>().ok()?, p.parse::<f64>().ok()?)));
                let (action, chance) = pair.filter(|(action, _)| *action < lines.len()).ok_or_else(|| wrong(&answer))?;
                if number == 0 {
                    first[action] = chance;
                }
                if place == 0 {
                    picks.push((action, chance));
                }
            }
        }
        Ok((first, picks))
    }

    /// Picks one of `left` for a visible place: its place in the list, and its chance.
    fn pick(&self, scores: &[f64], left: &[usize], key: Key) -> (usize, f64) {
        let n = left.len() as f64;
        let chances: Vec<f64> = match self.setting.draws {
            Draws::Epsilon(epsilon) => {
                let best = (0..left.len()).fold(0, |best, at| if scores[left[at]] < scores[left[best]] { at } else { best });
                (0..left.len()).map(|at| epsilon / n + if at == best { 1.0 - epsilon } else { 0.0 }).collect()
            }
            _ => {
                let total: f64 = left.iter().map(|card| scores[*card]).sum();
                left.iter().map(|card| if total > 0.0 { scores[*card] / total } else { 1.0 / n }).collect()
            }
        };
        let mut u = key.unit();
        for (at, chance) in chances.iter().enumerate() {
            u -= chance;
            if u < 0.0 {
                return (at, *chance);
            }
        }
        (left.len() - 1, chances[left.len() - 1])
    }

    /// The page in the order to show, and what was drawn.
    fn order(&self, page: &[CandidateShelf], scores: &[f64], picks: &[(usize, f64)], key: Key) -> (Vec<PlacedShelf>, Vec<Drawn>) {
        let flat: Vec<u32> = page.iter().flat_map(|shelf| shelf.cards.iter().copied()).collect();
        let shelf_of: Vec<usize> = page.iter().enumerate().flat_map(|(at, shelf)| shelf.cards.iter().map(move |_| at)).collect();
        // What to put at a place that nobody sees at first.
        let rank = |card: &usize| match self.setting.draws {
            Draws::Epsilon(_) => scores[*card],
            _ => -scores[*card],
        };
        let best = |left: &[usize]| left.iter().copied().fold(left[0], |a, b| if rank(&b) < rank(&a) { b } else { a });
        let mut rest: Vec<usize> = (0..page.len()).collect();
        let (mut placed, mut drawn) = (Vec::with_capacity(page.len()), Vec::new());
        let mut waiting: Vec<(usize, (usize, f64))> = picks.iter().copied().enumerate().collect();
        while !rest.is_empty() {
            let shelves = placed.len();
            let mut own: Option<usize> = None;
            let mut cards = Vec::new();
            let key = key.with(shelves as u64);
            loop {
                let left: Vec<usize> = (0..flat.len())
                    .filter(|card| {
                        own.map_or(rest.contains(&shelf_of[*card]), |own| shelf_of[*card] == own) && !cards.contains(card)
                    })
                    .collect();
                if left.is_empty() {
                    break;
                }
                let seen = shelves < VISIBLE_SHELVES && cards.len() < VISIBLE_CARDS;
                let card = if self.setting.draws == Draws::Slots {
                    // Picks first, as they came.
                    match waiting.iter().position(|(_, (action, _))| left.contains(action)) {
                        Some(at) => {
                            let (number, (card, chance)) = waiting.remove(at);
                            drawn.push(Drawn { card, left: Vec::new(), chance, number });
                            card
                        }
                        None => best(&left),
                    }
                } else if seen {
                    let (at, chance) = self.pick(scores, &left, key.with(cards.len() as u64));
                    let card = left[at];
                    drawn.push(Drawn { card, left, chance, number: drawn.len() });
                    card
                } else {
                    best(&left)
                };
                own = Some(shelf_of[card]);
                cards.push(card);
            }
            let Some(own) = own else { break };
            rest.retain(|shelf| *shelf != own);
            placed.push(PlacedShelf { shelf: own, cards: cards.into_iter().map(|card| flat[card]).collect() });
        }
        (placed, drawn)
    }

    /// What the core drew of a page, with the chances that it says: a uniform page's first card of a shelf is drawn shelf first, so that cards
    /// of shorter shelves have larger chances.
    fn told(page: &[CandidateShelf], placed: &[PlacedShelf], ranked: &RankedPage) -> Vec<Drawn> {
        let flat: Vec<(usize, u32)> =
            page.iter().enumerate().flat_map(|(shelf, of)| of.cards.iter().map(move |card| (shelf, *card))).collect();
        let mut drawn: Vec<Drawn> = Vec::new();
        for (place, shelf) in placed.iter().enumerate().take(VISIBLE_SHELVES) {
            for (at, card) in shelf.cards.iter().enumerate().take(VISIBLE_CARDS) {
                let is_left = |(of, card): &(usize, u32)| {
                    if at == 0 {
                        !placed[..place].iter().any(|p| p.shelf == *of)
                    } else {
                        *of == shelf.shelf && !shelf.cards[..at].contains(card)
                    }
                };
                let left: Vec<usize> = (0..flat.len()).filter(|card| is_left(&flat[*card])).collect();
                let (Some(of), Some(card)) =
                    (ranked.shelves.get(place), flat.iter().position(|(of, other)| *of == shelf.shelf && other == card))
                else {
                    continue;
                };
                let own = ranked.cards[of.cards.clone()].get(at).map_or(1.0, |card| card.propensity);
                let chance = if at == 0 { of.propensity * own } else { own };
                let number = drawn.len();
                drawn.push(Drawn { card, left, chance, number });
            }
        }
        drawn
    }

    /// Teaches the process one of some cards with its cost and chance.
    fn teach(&mut self, lines: &[String], left: &[usize], card: usize, cost: f64, chance: f64) -> Result<(), LabError> {
        let label = format!("0:{cost}:{chance} ");
        let lines: Vec<String> = left
            .iter()
            .map(|other| if *other == card { format!("{label}{}", lines[*other]) } else { lines[*other].clone() })
            .collect();
        self.process.say(&format!("learn {}", lines.len()), &lines)
    }
}

/// What came of each slot, as card, cost and chance; nothing where its card was not seen.
fn outcomes(drawn: &[Drawn], cost_of: impl Fn(usize) -> Option<f64>) -> Vec<Option<(usize, f64, f64)>> {
    let mut outcomes = vec![None; drawn.iter().map(|drawn| drawn.number + 1).max().unwrap_or(0)];
    for drawn in drawn {
        outcomes[drawn.number] = cost_of(drawn.card).map(|cost| (drawn.card, cost, drawn.chance));
    }
    outcomes
}

/// The lines of a conditional bandit: a slot for each visible place, as far as there are cards, with labels where there are outcomes (action,
/// cost, chance).
fn slots(lines: &[String], outcomes: &[Option<(usize, f64, f64)>]) -> Vec<String> {
    let mut all = vec!["ccb shared |".to_owned()];
    all.extend(lines.iter().map(|line| format!("ccb action {line}")));
    all.extend((0..lines.len().min(VISIBLE_SHELVES * VISIBLE_CARDS)).map(|slot| match outcomes.get(slot) {
        Some(Some((action, cost, chance))) => format!("ccb slot {action}:{cost}:{chance} |"),
        _ => "ccb slot |".to_owned(),
    }));
    all
}

/// The text of a row.
fn line(row: &[f32]) -> String {
    let cells = row.iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(column, x)| format!(" {column}:{x}"));
    format!("|{}", cells.collect::<String>())
}

impl Policy for Vowpal<'_> {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        let number = moment.listener.number() as usize;
        if self.devices[number].is_none() {
            let device = Device::new(self.home, self.model.clone(), self.seed, number as u32, moment.visit.at)?;
            self.devices[number] = Some(device);
        }
        let Some(device) = &mut self.devices[number] else { return Ok(Vec::new()) };
        let rows = device.rows(moment.page, moment.visit.at)?;
        let ranked = device.rank_whole(moment.page, moment.visit.at)?;
        let lines: Vec<String> = rows.iter().map(|row| line(row)).collect();
        let cards: Vec<u32> = moment.page.iter().flat_map(|shelf| shelf.cards.iter().copied()).collect();
        let (placed, drawn) = if self.pilot {
            let placed = Device::placed(&cards, &ranked);
            let drawn = Self::told(moment.page, &placed, &ranked);
            (placed, drawn)
        } else {
            let (scores, picks) = self.asked(&lines)?;
            let key = Key::new(self.seed, Draw::Candidates).with(u64::MAX - 1).with(number as u64);
            let key = key.with(u64::from(moment.visit.day)).with(u64::from(moment.visit.number));
            self.order(moment.page, &scores, &picks, key)
        };
        self.open[number] = Some(Open { cards, lines, drawn });
        Ok(placed)
    }

    fn observe(&mut self, listener: u32, _: Visit, _: &[CandidateShelf], looks: &[Look]) -> Result<(), LabError> {
        if let Some(device) = &mut self.devices[listener as usize] {
            device.observe(looks)?;
        }
        let Some(open) = self.open[listener as usize].take() else { return Ok(()) };
        let is_slots = self.setting.draws == Draws::Slots;
        let look_at = |card: usize| looks.iter().find(|look| look.card == open.cards[card]);
        if is_slots {
            let lines = slots(&open.lines, &outcomes(&open.drawn, |card| look_at(card).map(cost)));
            self.process.say(&format!("learn {}", lines.len()), &lines)?;
        }
        for look in looks {
            let Some(card) = open.cards.iter().position(|card| *card == look.card) else { continue };
            match open.drawn.iter().find(|drawn| drawn.card == card) {
                Some(_) if is_slots => (),
                Some(drawn) => self.teach(&open.lines, &drawn.left, card, cost(look), drawn.chance)?,
                None if is_slots => {
                    let lines = slots(&open.lines[card..=card], &[Some((0, cost(look), 1.0))]);
                    self.process.say(&format!("learn {}", lines.len()), &lines)?;
                }
                None => self.teach(&open.lines, &[card], card, cost(look), 1.0)?,
            }
        }
        Ok(())
    }
}

/// Minus the reward.
fn cost(look: &Look) -> f64 {
    if look.is_stream() { -1.0 } else { 0.0 }
}

/// Runs the Last.fm world beside Vowpal Wabbit.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Directory that holds the data of the world, at any depth.
    #[arg(long)]
    data: PathBuf,
    /// A Python with Vowpal Wabbit's package.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// The script that puts it behind a pipe.
    #[arg(long)]
    script: PathBuf,
    #[command(flatten)]
    seeds: Seeds,
    /// Listeners of each run, and of its pilot.
    #[arg(long, default_value_t = 50)]
    listeners: u32,
    /// Days of each run, and of its pilot.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Names of the settings to run. Default: all.
    #[arg(long)]
    setting: Vec<String>,
    #[command(flatten)]
    long: Long,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Version of Vowpal Wabbit.
    pub version: String,
    /// The runs.
    pub seeds: Vec<u64>,
    /// Pages of each run, the same for all policies.
    pub pages: Vec<u64>,
    /// Streams by policy and run.
    pub streams: std::collections::BTreeMap<String, Vec<u64>>,
    /// The core over each of the others.
    pub comparisons: Vec<Comparison>,
    /// The setting of Vowpal Wabbit with most streams.
    pub best: String,
}

/// Plays the visits of some days and counts pages and streams.
fn count(world: &World<'_>, days: u32, policy: &mut (dyn Policy + '_)) -> Result<[u64; 2], LabError> {
    let base = base_logit(world, middle());
    let mut listeners: Vec<Listener<'_>> =
        (0..world.halves.run.len() as u32).map(|number| Listener::new(world, middle(), base, number)).collect();
    let mut streams = 0;
    let mut pages = Pages { policy, pages: 0 };
    visits(world, &mut listeners, &mut pages, 0..days, &mut |_, _, look| streams += u64::from(look.is_stream()))?;
    Ok([pages.pages, streams])
}

/// Counts what passes through.
struct Pages<'a> {
    policy: &'a mut (dyn Policy + 'a),
    pages: u64,
}

impl Policy for Pages<'_> {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        self.pages += 1;
        self.policy.place(moment)
    }

    fn observe(&mut self, listener: u32, visit: Visit, page: &[CandidateShelf], looks: &[Look]) -> Result<(), LabError> {
        self.policy.observe(listener, visit, page, looks)
    }
}

/// The other policies.
const OTHERS: [&str; 3] = ["ears", "popularity", "random"];

impl Arguments {
    /// Runs, and prints or writes the report.
    ///
    /// # Errors
    /// When there is nothing to run, Vowpal Wabbit does not answer, the core refuses something, or a file cannot be written.
    pub fn run(&self) -> Result<(), LabError> {
        let data = Data::read(&self.data)?;
        let settings: Vec<Setting> =
            SETTINGS.into_iter().filter(|s| self.setting.is_empty() || self.setting.iter().any(|name| name == s.name)).collect();
        let seeds = self.seeds.all(10);
        if seeds.is_empty() || self.days == 0 || settings.is_empty() {
            let names = SETTINGS.map(|setting| setting.name).join("; ");
            return Err(LabError::unreadable(format!("expected at least one seed, one day and one setting of {names}")));
        }
        let truth = super::Truth::new(&data.counts, TRUTH_SEED);
        let units = self.long.partial.units()?;
        let names: Vec<&str> = OTHERS.into_iter().chain(settings.iter().map(|setting| setting.name)).collect();
        let jobs: Vec<(u64, &str)> = seeds.iter().flat_map(|seed| names.iter().map(move |name| (*seed, *name))).collect();
        let threads = self.long.threads.count();
        let bar = crate::progress::bar("runs");
        let done = std::sync::atomic::AtomicU64::new(0);
        let size = pilot::Size { listeners: self.listeners, days: self.days };
        let counted = each(&jobs, threads, |&(seed, name)| {
            let unit = format!("{name}, seed {seed}, {} listeners, {} days", self.listeners, self.days);
            let counted: [u64; 2] = units.unit(&unit, || {
                let world = World::new(&data, &truth, self.listeners, seed);
                match name {
                    "ears" => {
                        let model = pilot::bundle(&data, &truth, &world, middle(), PolicySettings::default(), size)?;
                        count(&world, self.days, &mut Core::new(&world.home, model, seed, world.halves.run.len()))
                    }
                    "popularity" => count(&world, self.days, &mut Popularity::new(&world)),
                    "random" => count(&world, self.days, &mut Random { seed }),
                    _ => {
                        let setting = settings.iter().find(|setting| setting.name == name).copied();
                        self.beside(&data, &truth, &world, setting.unwrap_or(SETTINGS[0]), size)
                    }
                }
            })?;
            crate::progress::show(&bar, 1 + done.fetch_add(1, std::sync::atomic::Ordering::Relaxed), jobs.len() as u64);
            Ok(counted)
        })?;
        bar.finish_and_clear();
        let of = |name: &str| -> Vec<[u64; 2]> {
            jobs.iter().zip(&counted).filter(|((_, job), _)| *job == name).map(|(_, counted)| *counted).collect()
        };
        let streams = |name: &str| -> Vec<f64> { of(name).iter().map(|counted| counted[1] as f64).collect() };
        let ears = streams("ears");
        let compare = |name: &&str| Comparison::new("ears", name, relative_difference(&ears, &streams(name)));
        let total = |name: &str| of(name).iter().map(|counted| counted[1]).sum::<u64>();
        let best = settings.iter().map(|setting| setting.name).reduce(|a, b| if total(b) > total(a) { b } else { a });
        let report = Report {
            format: 1,
            version: Process::start(&self.python, &self.script, &[])?.ask("version", &[])?,
            seeds,
            pages: of("ears").iter().map(|counted| counted[0]).collect(),
            streams: names.iter().map(|name| ((*name).to_owned(), of(name).iter().map(|c| c[1]).collect())).collect(),
            comparisons: names.iter().skip(1).map(compare).collect(),
            best: best.unwrap_or_default().to_owned(),
        };
        self.long.output.finish(&report, &report.table())
    }

    /// One setting on one run: the pilot, then the run.
    fn beside(
        &self,
        data: &Data,
        truth: &super::Truth,
        world: &World<'_>,
        setting: Setting,
        size: pilot::Size,
    ) -> Result<[u64; 2], LabError> {
        let others = pilot::world(data, truth, world, size)?;
        let process = Process::start(&self.python, &self.script, setting.arguments)?;
        let mut vowpal = Vowpal::new(&others.home, others.seed, others.halves.run.len(), setting, process, true);
        count(&others, size.days, &mut vowpal)?;
        let process = vowpal.process;
        let mut vowpal = Vowpal::new(&world.home, world.seed, world.halves.run.len(), setting, process, false);
        count(world, self.days, &mut vowpal)
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let pages = self.pages.iter().sum::<u64>().max(1) as f64;
        let mut text = format!(
            "{} runs of the Last.fm Home world beside Vowpal Wabbit {}\n\nstreams a page\n",
            self.seeds.len(),
            self.version
        );
        for (name, streams) in &self.streams {
            text.push_str(&format!("  {name:<26} {:>8.4}\n", streams.iter().sum::<u64>() as f64 / pages));
        }
        text.push_str("\nrelative difference, paired 95 % interval over runs\n");
        for comparison in &self.comparisons {
            text.push_str(&format!("  {}\n", comparison.line()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::clock::Timestamp;

    fn vowpal(home: &Home, setting: Setting) -> Vowpal<'_> {
        // A process that answers nothing: only orders are asked.
        let process = Process::start(Path::new("cat"), Path::new("-"), &[]).unwrap();
        Vowpal::new(home, 5, 1, setting, process, false)
    }

    fn page() -> Vec<CandidateShelf> {
        let shelf =
            |number: u32| CandidateShelf { id: format!("s{number}"), kind: 0, cards: (4 * number..4 * number + 4).collect() };
        (0..3).map(shelf).collect()
    }

    fn home() -> Home {
        let known: Vec<Vec<(u32, u32)>> = (0..30u32).map(|u| (0..20).map(|a| ((a * 7 + u) % 40, 1 + a % 5)).collect()).collect();
        Home::new(&known, &[0, 1], 40, 3)
    }

    #[test]
    fn pages_hold_every_card_once_and_visible_places_have_their_chances() {
        let home = home();
        let scores: Vec<f64> = (0..12).map(|card| f64::from(card + 1) / 78.0).collect();
        for setting in SETTINGS {
            let vowpal = vowpal(&home, setting);
            let picks: Vec<(usize, f64)> =
                if setting.draws == Draws::Slots { vec![(9, 0.5), (2, 0.4), (8, 0.3)] } else { Vec::new() };
            for draw in 0..50 {
                let (placed, drawn) = vowpal.order(&page(), &scores, &picks, Key::new(draw, Draw::Play));
                let mut all: Vec<u32> = placed.iter().flat_map(|shelf| shelf.cards.clone()).collect();
                assert!(placed.iter().all(|shelf| shelf.cards.iter().all(|card| *card as usize / 4 == shelf.shelf)));
                all.sort_unstable();
                assert_eq!(all, (0..12).collect::<Vec<u32>>(), "{}", setting.name);
                if setting.draws == Draws::Slots {
                    assert_eq!((placed[0].shelf, &placed[0].cards[..2], placed[1].cards[0]), (2, &[9, 8][..], 2));
                    // Each slot is taught its own pick with its own chance, wherever the card stands; the card of the last was not seen.
                    let seen = outcomes(&drawn, |card| (card != 8).then_some(-1.0));
                    assert_eq!(seen, [Some((9, -1.0, 0.5)), Some((2, -1.0, 0.4)), None]);
                    let all = outcomes(&drawn, |card| Some(card as f64));
                    assert_eq!(all, picks.iter().map(|(card, chance)| Some((*card, *card as f64, *chance))).collect::<Vec<_>>());
                } else {
                    assert_eq!(drawn.len(), VISIBLE_SHELVES * VISIBLE_CARDS);
                    assert!(
                        drawn.iter().all(|drawn| drawn.chance > 0.0 && drawn.chance <= 1.0 && drawn.left.contains(&drawn.card))
                    );
                    assert_eq!(drawn[..4].iter().map(|drawn| drawn.left.len()).collect::<Vec<_>>(), [12, 3, 2, 8]);
                }
            }
        }
    }

    /// 10,000 draws; the bound of 4.5 standard errors on each of 12 cards gives a false alarm once in ten thousand.
    #[test]
    fn the_first_card_is_drawn_by_the_chances_it_is_said_to_have() {
        let home = home();
        let scores: Vec<f64> = (0..12).map(|card| f64::from(card + 1) / 78.0).collect();
        for setting in [SETTINGS[0], SETTINGS[2]] {
            let vowpal = vowpal(&home, setting);
            let mut found = [0.0; 12];
            let mut said = [0.0; 12];
            for draw in 0..10_000 {
                let (placed, drawn) = vowpal.order(&page(), &scores, &[], Key::new(draw, Draw::Play));
                found[placed[0].cards[0] as usize] += 1e-4;
                said[drawn[0].card] = drawn[0].chance;
            }
            for (found, said) in found.iter().zip(said) {
                assert!((found - said).abs() < 4.5 * (said.max(1e-4) / 10_000.0f64).sqrt(), "{}: {found} {said}", setting.name);
            }
        }
    }

    #[test]
    fn a_uniform_page_is_taught_with_the_chances_that_it_was_drawn_by() {
        let home = home();
        let policy = PolicySettings { kind: PolicyKind::Uniform, ..PolicySettings::default() };
        let model = BundleSettings { columns: Some(pilot::columns()), policy, ..BundleSettings::default() };
        let at = Timestamp::clamped(1_800_000_000_000);
        let shelf = |id: &str, cards: std::ops::Range<u32>| CandidateShelf { id: id.into(), kind: 0, cards: cards.collect() };
        let page = [shelf("a", 0..2), shelf("b", 2..5), shelf("c", 5..12)];
        let mut tops = std::collections::BTreeSet::new();
        for seed in 0..30 {
            let mut device = Device::new(&home, model.clone(), seed, 0, at).unwrap();
            let ranked = device.rank_whole(&page, at).unwrap();
            let placed = Device::placed(&(0..12).collect::<Vec<u32>>(), &ranked);
            let drawn = Vowpal::told(&page, &placed, &ranked);
            let size = |place: usize| page[placed[place].shelf].cards.len();
            let (first, second) = (size(0).min(VISIBLE_CARDS), size(1).min(VISIBLE_CARDS));
            assert_eq!(drawn.len(), first + second);
            let mut at = 0;
            for (place, count) in [first, second].into_iter().enumerate() {
                for card in 0..count {
                    let (n, Drawn { left, chance, .. }) = (size(place), &drawn[at]);
                    let (want, among) = if card == 0 {
                        (1.0 / ((3 - place) * n) as f64, 12 - placed[..place].iter().map(|p| p.cards.len()).sum::<usize>())
                    } else {
                        (1.0 / (n - card) as f64, n - card)
                    };
                    assert!((chance - want).abs() < 1e-12, "{chance} {want}");
                    assert_eq!((left.len(), drawn[at].card as u32, drawn[at].number), (among, placed[place].cards[card], at));
                    assert!(left.contains(&drawn[at].card));
                    at += 1;
                }
            }
            tops.insert(placed[0].shelf);
        }
        assert_eq!(tops.len(), 3);
    }

    #[test]
    fn the_text_of_a_row_leaves_out_zeros() {
        assert_eq!(line(&[0.0, 1.5, 0.0, -0.25]), "| 1:1.5 3:-0.25");
        let slots = slots(&["| 0:1".into(), "| 1:2".into()], &[Some((1, -1.0, 0.5)), None]);
        assert_eq!(slots, ["ccb shared |", "ccb action | 0:1", "ccb action | 1:2", "ccb slot 1:-1:0.5 |", "ccb slot |"]);
    }
}
