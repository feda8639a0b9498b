//! The arguments of `ears-lab train`.

use std::path::PathBuf;

use super::network::Activation;
use super::objective::Objective;
use super::{Settings, fitted, html, train};
use crate::arguments::Long;
use crate::error::LabError;
use crate::noisy::Channel;
use crate::noisy::channel::epsilon_of;
use crate::progress;
use crate::train::log::Log;
use crate::validate::gate::Gate;

/// Trains a reward model on a log and writes it as a bundle.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The log: a table of text, see the documentation of training.
    log: PathBuf,
    /// Which model: linear, fm, trees, oblivious or network.
    #[arg(long)]
    body: String,
    /// Where the bundle goes.
    #[arg(short, long)]
    output: PathBuf,
    /// Name of the bundle.
    #[arg(long, default_value = "home")]
    name: String,
    /// Version of the bundle; appears in every decision. Default: the body and the seed.
    #[arg(long)]
    version: Option<String>,
    /// Place of the bundle in its channel.
    #[arg(long, default_value_t = 1)]
    sequence: u64,
    /// A model in JSON whose policy and feedback the bundle takes.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// How rows count: naive, ips, snips, mtr or dr; or poem or banditnet, which train the ranking.
    #[arg(long, default_value = "ips")]
    objective: String,
    /// Largest inverse propensity that counts.
    #[arg(long, default_value_t = 100.0)]
    clip: f64,
    /// For poem: standard errors that a value loses; for banditnet: its multiplier, in values of the start. Default: the best of 0, 0.5 and 1.
    #[arg(long)]
    penalty: Option<f64>,
    /// Share of the listeners that judge.
    #[arg(long, default_value_t = 0.2)]
    judge: f64,
    /// Draws who judges, the first parameters and the order of the rows.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is kept are the trees or passes done so far, until the bundle is written, which has the same bytes.
    #[command(flatten)]
    long: Long,
    /// Strength of the ridge.
    #[arg(long)]
    ridge: Option<f64>,
    /// Size of a step, or share of each tree.
    #[arg(long)]
    rate: Option<f64>,
    /// Most trees.
    #[arg(long)]
    trees: Option<usize>,
    /// Most splits on the way to a leaf.
    #[arg(long)]
    depth: Option<usize>,
    /// For trees: grow the best leaf first, up to this number.
    #[arg(long)]
    leaves: Option<usize>,
    /// For networks: widths of the hidden layers.
    #[arg(long, value_delimiter = ',')]
    hidden: Vec<usize>,
    /// For networks: relu, tanh, sigmoid or gelu.
    #[arg(long)]
    activation: Option<String>,
    /// For factorization machines: factors of a column.
    #[arg(long)]
    rank: Option<usize>,
    /// For factorization machines: factors of a column for triples.
    #[arg(long)]
    third: Option<usize>,
    /// For linear: the rewards are bits of released records, randomised at this epsilon; the likelihood undoes it.
    #[arg(long)]
    noisy: Option<f64>,
    /// For linear: names of two columns whose product is an input of its own, as A:B.
    #[arg(long, value_delimiter = ',')]
    cross: Vec<String>,
    /// Most passes over the rows.
    #[arg(long)]
    epochs: Option<usize>,
    /// Where the report goes as one HTML page.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Validation before training: always of the log by itself, and more when asked for.
    #[command(flatten)]
    gate: Gate,
}

/// Puts an argument in place of a default.
fn set<T: Copy>(target: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *target = given;
    }
}

impl Arguments {
    /// The model's settings; `log` knows the names of the columns.
    fn model(&self, log: &Log) -> Result<fitted::Settings, LabError> {
        let mut model = fitted::Settings::from_name(&self.body, self.seed)?;
        let unused = |names: &[(&str, bool)]| match names.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(LabError::unreadable(format!("expected no --{name} for the body {}, found one", self.body))),
            None => Ok(()),
        };
        let of_trees = [("trees", self.trees.is_some()), ("depth", self.depth.is_some()), ("leaves", self.leaves.is_some())];
        let of_networks = [("hidden", !self.hidden.is_empty()), ("activation", self.activation.is_some())];
        let of_machines = [("rank", self.rank.is_some()), ("third", self.third.is_some())];
        let crosses = [("cross", !self.cross.is_empty()), ("noisy", self.noisy.is_some())];
        let epochs = [("epochs", self.epochs.is_some())];
        match &mut model {
            fitted::Settings::Linear(settings) => {
                unused(&[&of_trees[..], &of_networks, &of_machines, &epochs, &[("rate", self.rate.is_some())]].concat())?;
                set(&mut settings.ridge, self.ridge);
                settings.channel = self.noisy.map(|epsilon| Channel::bit(epsilon_of(epsilon)?)).transpose()?;
                settings.crosses = self.cross.iter().map(|pair| cross(log, pair)).collect::<Result<_, _>>()?;
            }
            fitted::Settings::Factorization(settings) => {
                unused(&[&of_trees[..], &of_networks, &crosses].concat())?;
                set(&mut settings.rank, self.rank);
                set(&mut settings.third, self.third);
                set(&mut settings.descent.ridge, self.ridge);
                set(&mut settings.descent.rate, self.rate);
                set(&mut settings.descent.epochs, self.epochs);
            }
            fitted::Settings::Trees(settings) => {
                unused(&[&of_networks[..], &of_machines, &crosses, &epochs].concat())?;
                if let Some(leaves) = self.leaves {
                    if settings.shape == super::trees::Shape::Oblivious {
                        return Err(LabError::unreadable("expected no --leaves for oblivious trees, found one"));
                    }
                    settings.shape = super::trees::Shape::Leaves;
                    settings.leaves = leaves;
                }
                set(&mut settings.trees, self.trees);
                set(&mut settings.depth, self.depth);
                set(&mut settings.ridge, self.ridge);
                set(&mut settings.rate, self.rate);
            }
            fitted::Settings::Network(settings) => {
                unused(&[&of_trees[..], &of_machines, &crosses].concat())?;
                if !self.hidden.is_empty() {
                    settings.hidden.clone_from(&self.hidden);
                }
                if let Some(name) = &self.activation {
                    settings.activation = Activation::from_name(name)?;
                }
                set(&mut settings.descent.ridge, self.ridge);
                set(&mut settings.descent.rate, self.rate);
                set(&mut settings.descent.epochs, self.epochs);
            }
        }
        Ok(model)
    }

    /// Trains, writes the bundle, and prints or writes the report.
    ///
    /// # Errors
    /// When an argument is wrong, the log cannot be read, or training fails.
    pub fn run(&self) -> Result<(), LabError> {
        let log = Log::read(&self.log)?;
        // Several rows of such a log share a decision.
        self.gate.pass(std::slice::from_ref(&self.log), false, &mut |line| eprintln!("ears-lab: {line}"))?;
        let settings = Settings {
            model: self.model(&log)?,
            objective: Objective::from_name(&self.objective)?,
            clip: self.clip,
            penalty: self.penalty,
            judge: self.judge,
            seed: self.seed,
            threads: self.long.threads.count(),
            keep: self.long.partial.partial.clone().map(|file| (file, self.long.partial.resume)),
        };
        let bar = progress::bar("trees or passes at most");
        let trained = train(&log, &settings, &mut |done, all| progress::show(&bar, done as u64, all as u64))?;
        bar.finish_and_clear();
        let version = self.version.clone().unwrap_or_else(|| format!("{}-{}", self.body, self.seed));
        let mut draft = trained.draft(&self.name, &version);
        draft.sequence = self.sequence;
        if let Some(path) = &self.policy {
            let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable model", error))?;
            let mut model: serde_json::Value =
                serde_json::from_str(&text).map_err(|error| LabError::file(path, "JSON", error))?;
            for (part, target) in [("policy", &mut draft.policy), ("feedback", &mut draft.feedback)] {
                if !model[part].is_null() {
                    *target = model[part].take();
                }
            }
        }
        let bytes = draft.write()?;
        std::fs::write(&self.output, &bytes).map_err(|error| LabError::file(&self.output, "a writable file", error))?;
        if let Some(partial) = &self.long.partial.partial {
            // Nothing is left to go on with; a leftover would only be read by a later --resume of the same training.
            let _ = std::fs::remove_file(partial);
        }
        if let Some(target) = &self.html {
            std::fs::write(target, html::page(&trained.report))
                .map_err(|error| LabError::file(target, "a file that can be written", error))?;
        }
        self.long.output.finish(&trained.report, &trained.report.table())
    }
}

/// The columns that `A:B` names.
fn cross(log: &Log, pair: &str) -> Result<(u16, u16), LabError> {
    let place = |name: &str| log.columns.iter().position(|column| column.name == name).map(|at| at as u16);
    let found = pair.split_once(':').and_then(|(a, b)| Some((place(a)?, place(b)?)));
    found.ok_or_else(|| LabError::unreadable(format!("expected a cross of two columns of the log as A:B, found {pair}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Whole {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn model(line: &str) -> Result<fitted::Settings, String> {
        let log = Log::parse(&b"a,b,reward\n1,2,0\n"[..], std::path::Path::new("log.csv")).unwrap();
        let words = ["train", "log.csv", "-o", "x.bundle", "--body"].into_iter().chain(line.split(' '));
        let whole = Whole::try_parse_from(words).map_err(|error| error.to_string())?;
        whole.arguments.model(&log).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_reach_the_model_they_belong_to() {
        let Ok(fitted::Settings::Linear(linear)) = model("linear --ridge 3 --cross a:b,b:b") else { panic!("linear") };
        assert_eq!((linear.ridge, linear.crosses), (3.0, vec![(0, 1), (1, 1)]));
        let Ok(fitted::Settings::Trees(trees)) = model("trees --trees 7 --depth 3 --leaves 5 --rate 0.2") else {
            panic!("trees")
        };
        assert_eq!((trees.trees, trees.depth, trees.leaves, trees.rate), (7, 3, 5, 0.2));
        assert_eq!(trees.shape, super::super::trees::Shape::Leaves);
        let Ok(fitted::Settings::Network(network)) = model("network --hidden 8,4 --activation gelu --epochs 3 --seed 9") else {
            panic!("network")
        };
        assert_eq!(
            (network.hidden, network.activation, network.descent.epochs, network.descent.seed),
            (vec![8, 4], Activation::Gelu, 3, 9)
        );
        let Ok(fitted::Settings::Factorization(machine)) = model("fm --rank 4 --third 2") else { panic!("fm") };
        assert_eq!((machine.rank, machine.third), (4, 2));
    }

    #[test]
    fn arguments_that_mean_nothing_are_refused() {
        for wrong in [
            "linear --trees 3",
            "fm --hidden 8",
            "trees --rank 3",
            "network --depth 3",
            "oblivious --leaves 4",
            "linear --cross a:z",
            "linear --noisy 3",
            "fm --noisy 1",
            "svm",
        ] {
            assert!(model(wrong).unwrap_err().starts_with("expected"), "{wrong}");
        }
    }
}
