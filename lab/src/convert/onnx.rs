//! ONNX graphs: multilayer perceptrons as PyTorch and skl2onnx write them, logistic regressions and boosted trees of scikit-learn.
//!
//! A graph has one input of 32-bit numbers, [rows, columns]. Every operator must be known. Which output is the margin is told by what it
//! is made of: a sigmoid, a softmax over two classes, a classifier's probabilities, or a plain number, which then is the log-odds.

use std::collections::BTreeMap;
use std::rc::Rc;

use ears_only::model::body::Activation;

use super::Imported;
use super::error::ImportError;
use super::network::{Arithmetic, Step, Tape};

mod operators;
mod proto;
mod trees;
mod wire;

use proto::{Graph, Node, Numbers, Port, Tensor};
pub use trees::Ensemble;

/// Reads a model.
///
/// # Errors
/// What is wrong or not supported, and where.
pub fn from_bytes(bytes: &[u8]) -> Result<Imported, ImportError> {
    let graph = proto::model(bytes)?;
    let input = input(&graph)?;
    let mut reading = Reading { tape: Tape::new(columns(input)?)?, values: BTreeMap::new(), ensembles: Vec::new(), made: 0 };
    for (name, tensor) in &graph.constants {
        reading.values.insert(name, Symbol::Constant(Rc::clone(tensor)));
    }
    reading.values.insert(input.name, Symbol::Row(0));
    for node in &graph.nodes {
        reading.take(node)?;
    }
    reading.finish(&graph.outputs)
}

/// The one input that is no constant.
fn input<'g, 'b>(graph: &'g Graph<'b>) -> Result<&'g Port<'b>, ImportError> {
    let mut open = graph.inputs.iter().filter(|port| !graph.constants.contains_key(port.name));
    match (open.next(), open.next()) {
        (Some(input), None) => Ok(input),
        (None, _) => Err(ImportError::broken("ONNX", "an input", "none")),
        (Some(_), Some(second)) => Err(ImportError::unsupported_but(format!("a second input, {}", second.name), "one")),
    }
}

fn columns(input: &Port<'_>) -> Result<usize, ImportError> {
    let place = format!("input {}", input.name);
    if input.data_type != 1 {
        return Err(ImportError::unsupported_but(format!("{place} of {}", proto::type_name(input.data_type)), "FLOAT"));
    }
    match input.shape.as_slice() {
        [_, Some(columns)] => usize::try_from(*columns).map_err(|_| ImportError::broken(place, "1 or more columns", columns)),
        shape => Err(ImportError::broken(place, "a shape [rows, columns] with a fixed number of columns", format!("{shape:?}"))),
    }
}

/// What a name of the graph stands for.
#[derive(Clone, Debug)]
enum Symbol {
    Constant(Rc<Tensor>),
    /// A step of the tape, for each row.
    Row(usize),
    /// erf of step / sqrt 2, and that plus 1: parts of a GELU written out.
    Erf(usize),
    ErfPlusOne(usize),
    /// 2 GELU, and GELU / x.
    TwiceGelu(usize),
    Gate(usize),
    /// Something whose sigmoid is the chance of the second class; the step is that sigmoid, where the graph has it as a row.
    Chance(Logit, Option<usize>),
    /// 1 minus it.
    Complement(Logit),
    /// Both, the second class last.
    Chances(Logit),
    /// A sum of trees.
    Ensemble(usize),
    /// A label, or what it is made of.
    Label,
}

/// The log-odds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Logit {
    Step(usize),
    Ensemble(usize),
}

struct Reading<'g> {
    tape: Tape,
    values: BTreeMap<&'g str, Symbol>,
    ensembles: Vec<Ensemble>,
    /// Numbers in constants that steps have made.
    made: usize,
}

/// Most numbers in constants that steps make; several times what the device takes.
const MAX_MADE: usize = 4_000_000;

impl<'g> Reading<'g> {
    fn take(&mut self, node: &Node<'g>) -> Result<(), ImportError> {
        let made = operators::read(self, node)?;
        if made.len() < node.outputs.len() {
            let place = operators::place(node);
            return Err(ImportError::unsupported_but(format!("{place} with {} outputs", node.outputs.len()), made.len()));
        }
        for (name, symbol) in node.outputs.iter().zip(made) {
            if !name.is_empty() && self.values.insert(name, symbol).is_some() {
                return Err(ImportError::broken(operators::place(node), "an output with a name of its own", name));
            }
        }
        Ok(())
    }

    /// A constant made of others.
    fn constant(&mut self, tensor: Tensor) -> Result<Symbol, ImportError> {
        self.made += tensor.shape.iter().product::<usize>();
        if self.made > MAX_MADE {
            return Err(ImportError::broken("ONNX", format!("at most {MAX_MADE} numbers in constants that steps make"), "more"));
        }
        Ok(Symbol::Constant(Rc::new(tensor)))
    }

    fn symbol(&self, node: &Node<'_>, index: usize) -> Result<&Symbol, ImportError> {
        let name = node.inputs.get(index).copied().unwrap_or_default();
        let known = self.values.get(name);
        known.ok_or_else(|| ImportError::broken(operators::place(node), "inputs made before", format!("\"{name}\"")))
    }

    /// The log-odds that an output stands for; nothing for labels.
    fn logit(&self, output: &Port<'_>) -> Result<Option<Logit>, ImportError> {
        let name = output.name;
        match self.values.get(name) {
            Some(Symbol::Label) => Ok(None),
            Some(Symbol::Chance(logit, _) | Symbol::Chances(logit)) => Ok(Some(*logit)),
            Some(Symbol::Row(step)) if self.tape.width(*step) == 1 => Ok(Some(Logit::Step(*step))),
            Some(Symbol::Row(step)) => Err(ImportError::unsupported_but(
                format!("output {name} of {} values", self.tape.width(*step)),
                "the log-odds or a chance",
            )),
            Some(Symbol::Ensemble(ensemble)) => Ok(Some(Logit::Ensemble(*ensemble))),
            Some(Symbol::Complement(_)) => {
                Err(ImportError::unsupported_but(format!("output {name}, the chance of the first class,"), "that of the second"))
            }
            Some(_) => Err(ImportError::unsupported_but(format!("output {name}"), "the log-odds or a chance")),
            None => Err(ImportError::broken("ONNX", format!("an output {name} that is made"), "none")),
        }
    }

    fn finish(mut self, outputs: &[Port<'_>]) -> Result<Imported, ImportError> {
        let mut found: Option<(Logit, &str)> = None;
        let mut plain = None;
        for output in outputs {
            let Some(logit) = self.logit(output)? else { continue };
            match found {
                Some((before, name)) if before != logit => {
                    return Err(ImportError::unsupported_but(
                        format!("an output {} beside {name} that is made of other sums", output.name),
                        "one model in a graph",
                    ));
                }
                _ => found = Some((logit, output.name)),
            }
            if matches!(self.values.get(output.name), Some(Symbol::Row(_) | Symbol::Ensemble(_))) {
                plain = plain.or(Some(output.name));
            } else {
                plain = Some("");
            }
        }
        let Some((logit, _)) = found else {
            return Err(ImportError::broken("ONNX", "an output that is the log-odds or a chance", "none"));
        };
        let note = plain
            .filter(|name| !name.is_empty())
            .map(|name| format!("output {name} has no sigmoid behind it: it is taken as the log-odds"));
        Ok(match logit {
            Logit::Step(step) => {
                if let Some(note) = note {
                    self.tape.note(note);
                }
                Imported::Network(self.tape.ending_at(step)?)
            }
            Logit::Ensemble(index) => {
                let mut ensemble = self.ensembles.swap_remove(index);
                ensemble.notes.extend(note);
                Imported::OnnxTrees(ensemble)
            }
        })
    }
}
