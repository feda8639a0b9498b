//! What the inputs of a head mean, so that what was learned survives a new model where it still says the same.

use sha2::{Digest, Sha256};

use super::{Body, HeadState, RewardModel};
use crate::features::FeatureSchema;

/// How much of a head's state another model could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of it: the model is the same.
    Whole,
    /// The weights of the inputs that mean the same.
    Some,
    /// Nothing.
    Nothing,
}

/// Meaning of weights that make the whole score.
const ALONE: &str = "alone";

/// What a model that came in a bundle is known by; nothing for another.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shipped {
    /// Fingerprint of the model; 0 for one that did not come in a bundle.
    pub(crate) model: u64,
    /// Fingerprint of the columns of a row.
    pub(crate) row: u64,
    /// What each input means, as far as that can outlive the model: the first ones, 0 for what cannot.
    pub(crate) meanings: Vec<u64>,
}

/// First 64 bits of a SHA-256 hash, the one that the core has for its seeds and checksums.
#[derive(Clone)]
struct Print(Sha256);

impl Print {
    fn of(kind: &str) -> Self {
        Self(Sha256::new()).text(kind)
    }

    fn text(self, text: &str) -> Self {
        Self(self.word(text.len() as u64).0.chain_update(text))
    }

    fn word(self, word: u64) -> Self {
        Self(self.0.chain_update(word.to_le_bytes()))
    }

    fn numbers(self, numbers: &[f64]) -> Self {
        numbers.iter().fold(self.word(numbers.len() as u64), |print, number| print.word(number.to_bits()))
    }

    fn singles(self, numbers: &[f32]) -> Self {
        numbers.iter().fold(self.word(numbers.len() as u64), |print, number| print.word(number.to_bits().into()))
    }

    /// Never 0.
    fn value(self) -> u64 {
        let hash = self.0.finalize();
        hash.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte)) | 1
    }
}

impl Body {
    fn print(&self, print: Print) -> Print {
        let print = print.text(self.kind());
        match self {
            Self::Plain => print,
            Self::Linear(linear) => {
                let print = print.numbers(&[linear.intercept()]).numbers(linear.weights());
                linear.crosses().iter().fold(print, |print, (a, b, w)| print.word((*a).into()).word((*b).into()).numbers(&[*w]))
            }
            Self::Factorization(machine) => {
                let print = print.numbers(&[machine.intercept()]).numbers(machine.weights());
                let of = |print: Print, (rank, factors): (usize, &[f32])| print.word(rank as u64).singles(factors);
                machine.third().into_iter().fold(of(print, machine.factors()), of)
            }
            Self::Trees(trees) => {
                let print = print.numbers(&[trees.intercept()]).numbers(trees.leaves());
                trees.to_words().iter().flatten().fold(print, |print, word| print.word((*word).into()))
            }
            Self::Network(network) => network.layers().iter().fold(print, |print, layer| {
                print.word(layer.inputs as u64).word(layer.activation as u64).singles(&layer.weights).singles(&layer.bias)
            }),
        }
    }
}

impl RewardModel {
    /// Marks the model as shipped: its head's state then says what it was learned with.
    pub(crate) fn shipped(mut self, schema: &FeatureSchema) -> Self {
        let plain = self.body == Body::Plain;
        let start = Print::of(if plain { ALONE } else { "beside a body" });
        let columns: Vec<Print> = schema
            .columns()
            .iter()
            .map(|column| {
                let print = start.clone().text(&column.name).word(column.source as u64);
                if plain { print } else { print.singles(&[column.mean, column.scale]) }
            })
            .collect();
        // The margin, hidden units and leaves mean nothing outside their model.
        let mut meanings = vec![start.clone().value()];
        if !plain {
            meanings.push(0);
        }
        if matches!(self.body, Body::Plain | Body::Linear(_) | Body::Factorization(_)) {
            meanings.extend(columns.iter().map(|print| print.clone().value()));
        }
        if let Body::Linear(linear) = &self.body {
            let of = |column: &u16| columns[usize::from(*column)].clone().value();
            meanings.extend(linear.crosses().iter().map(|(a, b, _)| start.clone().word(of(a)).word(of(b)).value()));
        }
        let model = columns.into_iter().fold(self.body.print(start), |print, column| print.word(column.value())).value();
        let row =
            schema.columns().iter().fold(Print::of("row"), |print, column| print.text(&column.name).word(column.source as u64));
        self.shipped = Shipped { model, row: row.value(), meanings };
        self
    }

    /// The learned numbers.
    pub(crate) fn state(&self) -> HeadState {
        let mut state = self.head.state();
        state.shipped = self.shipped.clone();
        state
    }

    /// Whether a row that was written under the columns `names` still is one.
    pub(crate) fn reads_rows_of(&self, state: &HeadState, names: &[String], schema: &FeatureSchema) -> bool {
        let both = state.shipped.model != 0 && self.shipped.model != 0;
        let own = schema.columns().iter().map(|column| &column.name);
        if both { state.shipped.row == self.shipped.row } else { own.eq(names.iter()) }
    }

    /// Takes the learned numbers of a model with the columns `names`: all of them when it is the same model; else those of the bias and the
    /// columns that mean the same, if there is such a column. The rest starts from the prior.
    pub(crate) fn take_state(&mut self, state: &HeadState, names: &[String], schema: &FeatureSchema) -> Kept {
        let own: Vec<&str> = schema.columns().iter().map(|column| column.name.as_str()).collect();
        let old = &state.shipped;
        let same = old.model == self.shipped.model && (old.model != 0 || own.iter().eq(names.iter()));
        let was_plain = old.model == 0 || old.meanings.first() == Some(&Print::of(ALONE).value());
        let mut taken = None;
        if same {
            taken = self.head.with_state(state, None);
        } else if state.at.is_empty() && self.head.width() > 0 {
            let from: Vec<Option<usize>> = if old.model != 0 && self.shipped.model != 0 {
                let find = |meaning: &u64| old.meanings.iter().position(|old| old == meaning && *old != 0);
                let known = self.shipped.meanings.iter().map(find);
                known.chain(std::iter::repeat(None)).take(self.head.width()).collect()
            } else if self.body == Body::Plain && was_plain {
                // A model that was not shipped knows names only.
                let find = |own: &&str| names.iter().position(|name| name == own).map(|at| at + 1);
                std::iter::once(Some(0)).chain(own.iter().map(find)).collect()
            } else {
                Vec::new()
            };
            let fits = from.iter().flatten().all(|old| *old < state.width);
            if fits && from.iter().skip(1).any(Option::is_some) {
                taken = self.head.with_state(state, Some(&from));
            }
        }
        let kept = if same { Kept::Whole } else { Kept::Some };
        let Some(head) = taken else {
            self.restart();
            return Kept::Nothing;
        };
        self.head = head;
        kept
    }
}
