//! `ears-lab`: subcommands only; each calls one function of the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ears_lab::error::{EXIT_FAILED, EXIT_UNREADABLE, LabError};
use ears_lab::evaluate::{self, sample};
use ears_lab::logs::command as logs;
use ears_lab::simulate::{self, confounded, families, lastfm, votes};
use ears_lab::{bundle, convert, golden, propensities, replay, validate};

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
    CheckPropensities(propensities::command::Arguments),
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
    Simulate(simulate::command::Arguments),
    /// Trains a reward model on a log and writes it as a bundle.
    Train(Box<ears_lab::train::command::Arguments>),
    Score(ears_lab::score::command::Arguments),
    /// Trains every body on an exploring policy's log of the demo world, and runs their bundles beside each other.
    Families(families::Arguments),
    /// Trains bodies naively and counterfactually on the log of a ranker that knew more than they do, and runs them on other devices.
    Confounded(confounded::Arguments),
    /// Runs the Last.fm world beside Vowpal Wabbit, with the same pilot and features.
    BesideVw(lastfm::vowpal::Arguments),
    /// Compares the trainers with those of the field: writes the splits for them, and what ours make of these.
    TrainReference(ears_lab::train::reference::Arguments),
    Evaluate(evaluate::command::Arguments),
    CheckEstimates(evaluate::protocol::command::Arguments),
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
        /// A table to train from, with features and all candidates of each decision.
        #[arg(long, conflicts_with_all = ["timing", "pages"])]
        training: bool,
        /// The log that is written: Parquet, with --training CSV.
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
    Replay(replay::command::Arguments),
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
        Command::CheckPropensities(arguments) => arguments.run(),
        Command::Inspect { file, json } => inspect(&file, json),
        Command::CheckModels(arguments) => arguments.run(),
        Command::Convert(arguments) => arguments.run(),
        Command::SimulateVotes(arguments) => arguments.run(),
        Command::Simulate(arguments) => arguments.run(),
        Command::Families(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::BesideVw(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Confounded(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::TrainReference(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Train(arguments) => arguments.run().map(|_| ExitCode::SUCCESS),
        Command::Score(arguments) => arguments.run().map(|()| ExitCode::SUCCESS),
        Command::Evaluate(arguments) => arguments.run(),
        Command::CheckEstimates(arguments) => arguments.run(),
        Command::SampleLog { rows, seed, timing, pages, training, output } => sample::write(
            rows,
            seed,
            match (timing, pages, training) {
                (true, ..) => sample::Kind::Timing,
                (_, true, _) => sample::Kind::Pages,
                (.., true) => sample::Kind::Training,
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
        Command::Replay(arguments) => arguments.run(),
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
