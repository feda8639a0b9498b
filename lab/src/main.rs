//! `ears-lab`: subcommands only; each calls one function of the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ears_lab::error::{EXIT_FAILED, EXIT_UNREADABLE, LabError};
use ears_lab::evaluate::protocol::{self, PageWorld};
use ears_lab::evaluate::{command, sample};
use ears_lab::logs::command as logs;
use ears_lab::replay::{self, lastfm};
use ears_lab::simulate::kuairand::{self, PlayTimes};
use ears_lab::simulate::units::Units;
use ears_lab::simulate::votes;
use ears_lab::simulate::{self, Settings, carousel, lastfm as home, movielens, sanity};
use ears_lab::simulate::{confounded, families};
use ears_lab::{bundle, convert, golden, progress, propensities, table, validate};
use ears_only::bundle::{Bundle, BundleSettings, MAGIC};
use ears_only::settings::Value;
use ears_world::constants::{DAYS, LISTENERS};

/// Native tools around the on-device ranker.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Recomputes every golden file that the core knows; exit 0, 1 when one differs, 64 when one cannot be read.
    CheckGolden {
        /// Directory of golden files.
        directory: PathBuf,
        /// Directory of the data files that golden files name. Default: DIRECTORY/../data.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Tests stated propensities against what is drawn, for every policy that may log, in every world; exit 1 on an alarm.
    CheckPropensities {
        /// Directory that holds the data of the worlds, at any depth. Default: the demo world alone.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Pages of each policy in each world.
        #[arg(long, default_value_t = 100_000)]
        pages: u64,
        /// Threads; the result does not depend on it. Default: one for each processor.
        #[arg(long)]
        threads: Option<usize>,
        /// Where the report goes as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Checks a bundle as a device does and prints what it holds; exit 0, 64 when it cannot be read or is refused.
    Inspect {
        /// The bundle.
        file: PathBuf,
        /// Prints the header as JSON in place of words.
        #[arg(long)]
        json: bool,
    },
    /// Recomputes every model of a folder, and damages its files: each must be refused or agree with its own evaluator.
    CheckModels(convert::command::CheckModels),
    /// Makes a bundle of a model of XGBoost, LightGBM, PyTorch or scikit-learn.
    Convert(convert::command::Convert),
    /// Measures the votes of simulated devices, and what a server learns from their noisy bits.
    SimulateVotes(votes::command::SimulateVotes),
    /// Runs the shipped core for simulated listeners, against baselines and the best possible.
    Simulate {
        /// Which world: demo, or lastfm, movielens, kuairand or carousel with --data.
        #[arg(long, default_value = "demo")]
        world: String,
        /// Directory that holds the data of the world, at any depth.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Number of runs, each with listeners of its own.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// Seed of the first run; the others follow.
        #[arg(long, default_value_t = 1)]
        first_seed: u64,
        /// Listeners of each run. Default: as the world has them.
        #[arg(long)]
        listeners: Option<u32>,
        /// Days of each run, two visits each. Default: as the world has them.
        #[arg(long)]
        days: Option<u32>,
        /// For carousel: rounds of each run.
        #[arg(long, default_value_t = carousel::ROUNDS)]
        rounds: u32,
        /// For carousel: visitors of each round.
        #[arg(long, default_value_t = carousel::VISITORS)]
        visitors: u32,
        /// For carousel: names of the policies to run. Default: all.
        #[arg(long, value_delimiter = ',')]
        policies: Vec<String>,
        /// For lastfm: the middle of the grid only.
        #[arg(long)]
        middle: bool,
        /// For lastfm: the price of exploring at three rates, and what it buys.
        #[arg(long)]
        explore: bool,
        /// For lastfm: does an estimate from the log of an exploring policy order candidate policies as the world does?
        #[arg(long, conflicts_with = "explore")]
        sanity: bool,
        /// A model for the core as JSON, or for demo a bundle, in place of the built-in one.
        #[arg(long)]
        model: Option<PathBuf>,
        /// For demo: writes what the core's devices showed and saw as a log to train from, and compares nothing.
        #[arg(long)]
        log: Option<PathBuf>,
        /// Threads; the result does not depend on it. Default: one for each processor.
        #[arg(long)]
        threads: Option<usize>,
        /// Keeps finished units of a long run in this file, one JSON object a line.
        #[arg(long)]
        partial: Option<PathBuf>,
        /// Goes on with the units that the file has already.
        #[arg(long, requires = "partial")]
        resume: bool,
        /// Where the report goes as JSON; - for standard output, in place of the table.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Trains a reward model on a log and writes it as a bundle.
    Train(ears_lab::train::command::Arguments),
    /// Trains every body on an exploring policy's log of the demo world, and runs their bundles beside each other.
    Families(families::Arguments),
    /// Trains bodies naively and counterfactually on the log of a ranker that knew more than they do, and runs them on other devices.
    Confounded(confounded::Arguments),
    /// Runs the Last.fm world beside Vowpal Wabbit, with the same pilot and features.
    BesideVw(home::vowpal::Arguments),
    /// Compares the trainers with those of the field: writes the splits for them, and what ours make of these.
    TrainReference(ears_lab::train::reference::Arguments),
    /// What other policies would have earned on logged decisions; exit 1 when rows are bad or no policy can be judged.
    Evaluate {
        /// Log files (Parquet, `decisions` schema 1; see docs/logs.md).
        #[arg(required = true)]
        logs: Vec<PathBuf>,
        /// Policy to judge: logging, uniform, scored:NAME (columns of the log) or table:FILE. May be given again.
        #[arg(long = "policy", required = true)]
        policies: Vec<String>,
        /// Estimators. Default: IPS, SNIPS, DR and SwitchDR(10), the last two where there is a reward model; with --slates all that there are.
        #[arg(long, value_delimiter = ',')]
        estimators: Vec<String>,
        /// Judge whole pages: the rows of a decision together, top down.
        #[arg(long)]
        slates: bool,
        /// With --slates: the policies draw each position independently of the others, so that IIPS and the pseudo-inverse apply.
        #[arg(long, requires = "slates")]
        independent_positions: bool,
        /// Reward model: none, logged (columns of the log), ridge (fitted here, cross-fitted), or auto for the best there is.
        #[arg(long, default_value = "auto")]
        model: String,
        /// Columns whose values are reported apart.
        #[arg(long, value_delimiter = ',')]
        slice: Vec<String>,
        /// Largest weight that is possible, for intervals that hold for any number of rows.
        #[arg(long)]
        largest_weight: Option<f64>,
        /// Least and largest possible reward.
        #[arg(long, num_args = 2, value_names = ["LEAST", "LARGEST"], default_values_t = [0.0, 1.0], allow_negative_numbers = true)]
        rewards: Vec<f64>,
        /// Leave bad rows out, counted, in place of stopping.
        #[arg(long)]
        skip_bad: bool,
        /// Allow several logging policies in one log.
        #[arg(long)]
        mixed_policies: bool,
        /// Normal intervals only: no sums of blocks for bootstrap and likelihood.
        #[arg(long)]
        fast: bool,
        /// Threads; the result does not depend on it. Default: one for each processor.
        #[arg(long)]
        threads: Option<usize>,
        /// Where the report goes as JSON; - for standard output, in place of the table.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Where the report goes as one HTML page.
        #[arg(long)]
        html: Option<PathBuf>,
        /// Validation before anything is judged, when one of these is given.
        #[command(flatten)]
        gate: validate::gate::Gate,
    },
    /// How good are the estimates? Many logs of worlds that know the truth, eight target policies each.
    CheckEstimates {
        /// Directory that holds the data of the worlds, at any depth.
        #[arg(long)]
        data: PathBuf,
        /// The world: carousel or home.
        #[arg(long)]
        world: String,
        /// Logs.
        #[arg(long, default_value_t = 20)]
        logs: u64,
        /// Pages of each log.
        #[arg(long, default_value_t = 20_000)]
        pages: usize,
        /// Threads; the result does not depend on it. Default: one for each processor.
        #[arg(long)]
        threads: Option<usize>,
        /// Keeps finished logs in this file, one JSON object a line.
        #[arg(long)]
        partial: Option<PathBuf>,
        /// Goes on with the logs that the file has already.
        #[arg(long, requires = "partial")]
        resume: bool,
        /// Where the report goes as JSON; - for standard output, in place of the table.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Writes a log of a small world with a known truth, to try `evaluate` on.
    SampleLog {
        /// Decisions.
        #[arg(long, default_value_t = 20_000)]
        rows: u64,
        /// Draws them.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// For timing: 20 slices, two scored policies, no ids, not compressed.
        #[arg(long)]
        timing: bool,
        /// Pages of three cards each, in place of single cards.
        #[arg(long, conflicts_with = "timing")]
        pages: bool,
        /// The log that is written (Parquet).
        #[arg(long)]
        output: PathBuf,
    },
    /// Turns another system's log into ours.
    Import {
        /// vw (dsjson), obp (bandit_feedback as JSON) or csv.
        #[arg(long)]
        from: String,
        /// The file; unpacked when its name ends in .gz.
        input: PathBuf,
        /// Which column is which, as JSON: needed for csv.
        #[arg(long)]
        mapping: Option<PathBuf>,
        /// The log that is written (Parquet).
        #[arg(long)]
        output: PathBuf,
        /// Leave bad rows out, counted, in place of failing.
        #[arg(long)]
        skip_bad: bool,
    },
    /// Turns one of our logs into another system's.
    Export {
        /// vw (dsjson), obp (bandit_feedback as JSON) or csv.
        #[arg(long)]
        to: String,
        /// The log.
        input: PathBuf,
        /// The file that is written.
        #[arg(long)]
        output: PathBuf,
    },
    /// Hides half of the artists of real listeners and counts how many of them the ranked page brings back.
    Replay {
        /// Directory that holds the Last.fm 2K play counts, at any depth.
        #[arg(long)]
        data: PathBuf,
        /// Number of test listeners, or "all".
        #[arg(long, default_value = "500")]
        listeners: String,
        /// Draws listeners, halves and pages.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// A model for the core as JSON, in place of the built-in one.
        #[arg(long)]
        model: Option<PathBuf>,
        /// Where the report goes as JSON; - for standard output, in place of the table.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Takes records from devices, checks them, and releases them in cells that are big enough.
    Collect(ears_lab::collect::command::Collect),
    /// What released records say, noise undone: an estimate with its interval for each probe, arm and question.
    EstimateProbes(ears_lab::collect::command::EstimateProbes),
    /// Trains a model from one noisy bit for each device and week, in the demo world, beside the same loop without noise.
    TrainProbes(ears_lab::evolution::Arguments),
    /// Measures bias and coverage of the estimators for noisy records, in a world that knows the truth.
    CheckNoise(ears_lab::noisy::command::CheckArguments),
    /// What a listener discloses by several records, and what a crowd hides of one.
    Disclosure(ears_lab::disclosure::Arguments),
    Keygen(ears_lab::publish::command::Keygen),
    Sign(ears_lab::publish::command::Sign),
    Publish(ears_lab::publish::command::Publish),
    /// Says what is wrong with a data set; exit 0 nothing, 1 warnings, 2 errors, 64 when it cannot be read.
    Validate(validate::command::Arguments),
    /// Compares and converts schemas of data sets.
    #[command(subcommand)]
    Schema(validate::command::SchemaCommand),
    /// Measures how often `validate` finds a missing tier, and how often it takes chance for a fault; exit 1 when not as promised.
    CheckValidate(validate::command::CheckArguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wrong = error.use_stderr();
            // Nothing is left to say when even this cannot be printed.
            let _ = error.print();
            return if wrong { ExitCode::from(EXIT_UNREADABLE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match arguments.command {
        Command::CheckGolden { directory, data } => check_golden(&directory, data.as_deref()),
        Command::CheckPropensities { data, pages, threads, json } => {
            check_propensities(data.as_deref(), pages, threads.unwrap_or_else(processors), json.as_deref())
        }
        Command::Inspect { file, json } => inspect(&file, json),
        Command::CheckModels(arguments) => arguments.run(),
        Command::Convert(arguments) => arguments.run(),
        Command::SimulateVotes(arguments) => arguments.run(),
        Command::Simulate {
            world,
            data,
            seeds,
            first_seed,
            listeners,
            days,
            rounds,
            visitors,
            policies,
            middle,
            explore,
            sanity,
            model,
            log,
            threads,
            partial,
            resume,
            json,
        } => simulate(&Simulation {
            world,
            data,
            seeds: (first_seed..first_seed.saturating_add(seeds)).collect(),
            listeners,
            days,
            rounds,
            visitors,
            policies,
            middle,
            explore,
            sanity,
            model,
            threads: threads.unwrap_or_else(processors),
            log,
            partial,
            resume,
            json,
        }),
        Command::Families(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::BesideVw(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Confounded(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::TrainReference(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Train(arguments) => arguments.run().map(|_| ExitCode::SUCCESS),
        Command::Evaluate {
            logs: files,
            policies,
            estimators,
            slates,
            independent_positions,
            model,
            slice,
            largest_weight,
            rewards,
            skip_bad,
            mixed_policies,
            fast,
            threads,
            json,
            html,
            gate,
        } => command::evaluate(
            &files,
            &command::Evaluation {
                policies,
                estimators,
                slates,
                independent: independent_positions,
                model,
                slices: slice,
                largest_weight,
                rewards,
                skip_bad,
                mixed: mixed_policies,
                fast,
                threads,
                gate,
            },
            json.as_deref(),
            html.as_deref(),
        ),
        Command::CheckEstimates { data, world, logs, pages, threads, partial, resume, json } => {
            let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
            check_estimates(
                &data,
                &world,
                protocol::Settings { logs, pages, threads },
                (partial.as_deref(), resume),
                json.as_deref(),
            )
        }
        Command::SampleLog { rows, seed, timing, pages, output } => sample::write(
            rows,
            seed,
            match (timing, pages) {
                (true, _) => sample::Kind::Timing,
                (_, true) => sample::Kind::Pages,
                _ => sample::Kind::Decisions,
            },
            &output,
        )
        .map(|rows| {
            println!("{}: {rows} rows", output.display());
            ExitCode::SUCCESS
        }),
        Command::Import { from, input, mapping, output, skip_bad } => {
            logs::import(&from, &input, mapping.as_deref(), &output, skip_bad)
        }
        Command::Export { to, input, output } => logs::export(&to, &input, &output),
        Command::Validate(arguments) => validate::command::validate(&arguments),
        Command::Schema(command) => validate::command::schemas(&command),
        Command::CheckValidate(arguments) => validate::command::check(&arguments),
        Command::Replay { data, listeners, seed, model, json } => replay(&data, &listeners, json.as_deref(), |listeners| {
            Ok(replay::Settings { listeners, seed, model: read_model(model.as_deref())? })
        }),
        Command::Collect(arguments) => arguments.run(),
        Command::EstimateProbes(arguments) => arguments.run(),
        Command::TrainProbes(arguments) => arguments.run(),
        Command::CheckNoise(arguments) => arguments.run(),
        Command::Disclosure(arguments) => arguments.run(),
        Command::Keygen(keygen) => keygen.run().map(told),
        Command::Sign(sign) => sign.run().map(told),
        Command::Publish(publish) => publish.run().map(told),
    };
    done.unwrap_or_else(|error| {
        eprintln!("ears-lab: {error}");
        ExitCode::from(error.exit())
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn check_propensities(data: Option<&Path>, pages: u64, threads: usize, json: Option<&Path>) -> Result<ExitCode, LabError> {
    let bar = progress::bar("policies");
    let report = propensities::report::run(data, pages, threads, &|done, all| progress::show(&bar, done, all))?;
    bar.finish_and_clear();
    if let Some(target) = json {
        table::write_json(&report, target)?;
    }
    print!("{}", report.table());
    Ok(if report.passes() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}
/// Says what was done.
fn told(text: String) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

fn check_golden(directory: &Path, data: Option<&Path>) -> Result<ExitCode, LabError> {
    if let Some(missing) = data.filter(|data| !data.is_dir()) {
        return Err(LabError::file(missing, "a directory of data files", "none"));
    }
    let mut exit = 0;
    let beside = directory.join("../data");
    for finding in golden::check_directory(directory, data.unwrap_or(&beside))? {
        match finding {
            Ok(file) => {
                println!("{}", file.line());
                if file.failed() {
                    exit = exit.max(EXIT_FAILED);
                }
            }
            Err(error) => {
                eprintln!("ears-lab: {error}");
                exit = exit.max(error.exit());
            }
        }
    }
    Ok(ExitCode::from(exit))
}

fn inspect(file: &Path, json: bool) -> Result<ExitCode, LabError> {
    let (bytes, opened) = bundle::read_file(file)?;
    if json {
        println!("{:#}", opened.header);
    } else {
        print!("{}", bundle::inspect(&bytes, &opened));
    }
    Ok(ExitCode::SUCCESS)
}

/// The bundle or model in a file, or the built-in one.
fn read_bundle(path: Option<&Path>) -> Result<Bundle, LabError> {
    match path.map(|path| (path, std::fs::read(path))) {
        Some((path, Ok(bytes))) if bytes.starts_with(&MAGIC) => Ok(bundle::read_file(path)?.1.bundle),
        _ => Ok(Bundle::new(read_model(path)?)?),
    }
}

/// The model in a file, or the built-in one.
fn read_model(path: Option<&Path>) -> Result<BundleSettings, LabError> {
    let Some(path) = path else { return Ok(BundleSettings::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable model", error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| LabError::file(path, "JSON", error))?;
    BundleSettings::read(&value).map_err(|error| LabError::file(path, "a model", error))
}

fn replay(
    data: &Path,
    listeners: &str,
    json: Option<&Path>,
    settings: impl FnOnce(Option<usize>) -> Result<replay::Settings, LabError>,
) -> Result<ExitCode, LabError> {
    let listeners = match listeners {
        "all" => None,
        number => Some(
            number.parse().map_err(|_| LabError::unreadable(format!("expected a number of listeners or all, got {number}")))?,
        ),
    };
    let settings = settings(listeners)?;
    let counts = lastfm::read(data)?;
    let bar = progress::bar("listeners");
    let report = replay::run(&counts, &settings, &mut |done, all| progress::show(&bar, done, all))?;
    bar.finish_and_clear();
    if json != Some(Path::new("-")) {
        print!("{}", report.table());
    }
    if let Some(target) = json {
        table::write_json(&report, target)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check_estimates(
    data: &Path,
    world: &str,
    settings: protocol::Settings,
    (partial, resume): (Option<&Path>, bool),
    json: Option<&Path>,
) -> Result<ExitCode, LabError> {
    let kept = partial.map_or_else(|| Ok(Units::nowhere()), |file| Units::open(file, resume))?;
    let bar = progress::bar("logs");
    let run = |world: &dyn PageWorld| protocol::run(world, settings, &kept, &|done, all| progress::show(&bar, done, all));
    let report = match world {
        "carousel" => run(&protocol::carousel::Carousel::new(&carousel::world::World::read(data)?))?,
        "home" => {
            run(&protocol::home::Home::new(&home::Data { counts: lastfm::read(data)?, play_times: PlayTimes::read(data)? })?)?
        }
        other => return Err(LabError::unreadable(format!("expected a world carousel or home, got {other}"))),
    };
    bar.finish_and_clear();
    if json != Some(Path::new("-")) {
        print!("{}", report.table());
    }
    if let Some(target) = json {
        table::write_json(&report, target)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The arguments of `simulate`.
struct Simulation {
    world: String,
    data: Option<PathBuf>,
    seeds: Vec<u64>,
    listeners: Option<u32>,
    days: Option<u32>,
    rounds: u32,
    visitors: u32,
    policies: Vec<String>,
    middle: bool,
    explore: bool,
    sanity: bool,
    model: Option<PathBuf>,
    log: Option<PathBuf>,
    threads: usize,
    partial: Option<PathBuf>,
    resume: bool,
    json: Option<PathBuf>,
}

impl Simulation {
    fn data(&self) -> Result<&Path, LabError> {
        let missing = || LabError::unreadable(format!("the world {} needs --data DIR, got none", self.world));
        self.data.as_deref().ok_or_else(missing)
    }

    fn units(&self) -> Result<Units, LabError> {
        self.partial.as_deref().map_or_else(|| Ok(Units::nowhere()), |file| Units::open(file, self.resume))
    }

    /// Prints the table, and writes the report where it was asked for.
    fn show<T: serde::Serialize>(&self, report: &T, table: &str) -> Result<ExitCode, LabError> {
        if self.json.as_deref() != Some(Path::new("-")) {
            print!("{table}");
        }
        if let Some(target) = &self.json {
            table::write_json(report, target)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn simulate(asked: &Simulation) -> Result<ExitCode, LabError> {
    let demo = asked.world == "demo";
    let model = read_model(asked.model.as_deref().filter(|_| !demo))?;
    let bar = progress::bar("runs");
    let show = |done, all| progress::show(&bar, done, all);
    match asked.world.as_str() {
        "demo" => {
            let settings = Settings {
                seeds: asked.seeds.clone(),
                listeners: asked.listeners.unwrap_or(LISTENERS),
                days: asked.days.unwrap_or(DAYS),
                bundle: read_bundle(asked.model.as_deref())?,
                threads: asked.threads,
            };
            if let Some(file) = &asked.log {
                let (log, undrawn) = simulate::logged::run(&settings, &show)?;
                bar.finish_and_clear();
                log.write(file)?;
                println!("{} cards seen at drawn places; {undrawn} at other places left out", log.rows());
                return Ok(ExitCode::SUCCESS);
            }
            let report = simulate::run(&settings, &show)?;
            bar.finish_and_clear();
            asked.show(&report, &report.table())
        }
        "lastfm" => {
            let data = asked.data()?;
            let data = home::Data { counts: lastfm::read(data)?, play_times: PlayTimes::read(data)? };
            if asked.explore {
                let settings = home::explore::Settings {
                    seeds: asked.seeds.clone(),
                    listeners: asked.listeners.unwrap_or(home::explore::LISTENERS),
                    model,
                    threads: asked.threads,
                };
                let report = home::explore::run(&data, &settings, &asked.units()?, &show)?;
                bar.finish_and_clear();
                return asked.show(&report, &report.table());
            }
            if asked.sanity {
                let settings = sanity::Settings {
                    seeds: asked.seeds.clone(),
                    listeners: asked.listeners.unwrap_or(sanity::LISTENERS),
                    model,
                    threads: asked.threads,
                };
                let report = sanity::run(&data, &settings, &asked.units()?, &show)?;
                bar.finish_and_clear();
                return asked.show(&report, &report.table());
            }
            let settings = home::Settings {
                seeds: asked.seeds.clone(),
                listeners: asked.listeners.unwrap_or(home::constants::LISTENERS),
                days: asked.days.unwrap_or(home::constants::DAYS),
                model,
                grid: if asked.middle { None } else { Some(asked.listeners.unwrap_or(home::GRID_LISTENERS)) },
                pilot: home::pilot::SIZE,
                threads: asked.threads,
            };
            let report = home::run(&data, &settings, &asked.units()?, &show)?;
            bar.finish_and_clear();
            asked.show(&report, &report.table())
        }
        "movielens" => {
            let settings = movielens::Settings {
                seeds: asked.seeds.clone(),
                listeners: asked.listeners.map(|listeners| listeners as usize),
                model,
                threads: asked.threads,
            };
            let report = movielens::run(&movielens::Data::read(asked.data()?)?, &settings, &asked.units()?, &show)?;
            bar.finish_and_clear();
            asked.show(&report, &report.table())
        }
        "kuairand" => {
            let data = kuairand::replay::Data::read(asked.data()?)?;
            let report = kuairand::replay::run(&data, &model, asked.threads, &show)?;
            bar.finish_and_clear();
            asked.show(&report, &report.table())
        }
        "carousel" => {
            let settings = carousel::Settings {
                seeds: asked.seeds.clone(),
                rounds: asked.rounds,
                visitors: asked.visitors,
                policies: asked.policies.clone(),
                threads: asked.threads,
            };
            let report = carousel::run(&carousel::world::World::read(asked.data()?)?, &settings, &asked.units()?, &show)?;
            bar.finish_and_clear();
            asked.show(&report, &report.table())
        }
        other => {
            Err(LabError::unreadable(format!("expected the world demo, lastfm, movielens, kuairand or carousel, got {other}")))
        }
    }
}
