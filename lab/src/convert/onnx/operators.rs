//! What each operator makes of what it reads.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::rc::Rc;

use super::{Activation, Arithmetic, ImportError, Logit, Node, Numbers, Reading, Step, Symbol, Tensor, trees};

/// Domain of the operators that come from scikit-learn.
const ML: &str = "ai.onnx.ml";

/// A step as messages call it.
pub fn place(node: &Node<'_>) -> String {
    if node.name.is_empty() { node.operator.to_owned() } else { format!("{} {}", node.operator, node.name) }
}

/// The outputs of a step.
pub fn read<'g>(reading: &mut Reading<'g>, node: &Node<'g>) -> Result<Vec<Symbol>, ImportError> {
    let made = match (node.domain, node.operator) {
        ("" | "ai.onnx", operator) => match operator {
            "Constant" => constant(node)?,
            "Gemm" => gemm(reading, node)?,
            "MatMul" => mat_mul(reading, node)?,
            "Add" | "Sub" | "Mul" | "Div" => arithmetic(reading, node)?,
            "Relu" => activation(reading, node, Activation::Relu)?,
            "Tanh" => activation(reading, node, Activation::Tanh)?,
            "Sigmoid" => sigmoid(reading, node)?,
            "Gelu" => gelu(reading, node)?,
            "Erf" => erf(reading, node)?,
            "Softmax" => softmax(reading, node)?,
            "Concat" => concat(reading, node)?,
            "Transpose" => transpose(reading, node)?,
            "Cast" => cast(reading, node)?,
            "Identity" | "Flatten" | "Squeeze" | "Unsqueeze" | "Reshape" => same(reading, node)?,
            "ArgMax" => label(reading, node, &["axis", "keepdims", "select_last_index"])?,
            _ => return Err(ImportError::unsupported(format!("operator {operator}"))),
        },
        (ML, operator) => match operator {
            "Scaler" => scaler(reading, node)?,
            "LinearClassifier" => return linear_classifier(reading, node),
            "TreeEnsembleClassifier" => return trees::classifier(reading, node),
            "TreeEnsembleRegressor" => return trees::regressor(reading, node),
            "Normalizer" => normalizer(reading, node)?,
            "ZipMap" => zip_map(reading, node)?,
            "ArrayFeatureExtractor" => label(reading, node, &[])?,
            _ => return Err(ImportError::unsupported(format!("operator {ML}.{operator}"))),
        },
        (domain, operator) => return Err(ImportError::unsupported(format!("operator {domain}.{operator}"))),
    };
    Ok(vec![made])
}

impl<'g> Node<'g> {
    /// Refuses attributes that are not known.
    pub fn only(&self, known: &[&str]) -> Result<(), ImportError> {
        match self.attributes.keys().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => Err(ImportError::unsupported(format!("{} with attribute {name}", place(self)))),
        }
    }

    /// A whole number; a file leaves out the 0 of an attribute that is there.
    pub fn whole(&self, name: &str, otherwise: i64) -> i64 {
        self.attributes.get(name).map_or(otherwise, |attribute| attribute.number.unwrap_or(0))
    }

    fn float(&self, name: &str, otherwise: f32) -> f32 {
        self.attributes.get(name).map_or(otherwise, |attribute| attribute.float.unwrap_or(0.0))
    }

    /// A text.
    pub fn text(&self, name: &str, otherwise: &'g str) -> String {
        let text = self.attributes.get(name).and_then(|attribute| attribute.text);
        text.map_or_else(|| otherwise.to_owned(), |text| String::from_utf8_lossy(text).into_owned())
    }

    pub(super) fn floats(&self, name: &str) -> &[f32] {
        self.attributes.get(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub(super) fn wholes(&self, name: &str) -> &[i64] {
        self.attributes.get(name).map_or(&[], |attribute| &attribute.numbers)
    }
}

/// A row, where the step reads one.
pub fn row(reading: &Reading<'_>, node: &Node<'_>, index: usize) -> Result<usize, ImportError> {
    match reading.symbol(node, index)? {
        Symbol::Row(step) | Symbol::Chance(_, Some(step)) => Ok(*step),
        Symbol::Constant(_) => Err(ImportError::unsupported(format!("{} of constants", place(node)))),
        _ => Err(ImportError::unsupported(format!("{} of chances, labels or parts of a GELU", place(node)))),
    }
}

fn tensor<'r>(reading: &'r Reading<'_>, node: &Node<'_>, index: usize) -> Result<&'r Tensor, ImportError> {
    match reading.symbol(node, index)? {
        Symbol::Constant(tensor) => Ok(tensor),
        _ => Err(ImportError::unsupported_but(format!("{} of two computed values", place(node)), "one of them constant")),
    }
}

fn floats<'t>(node: &Node<'_>, tensor: &'t Tensor) -> Result<&'t [f32], ImportError> {
    match &tensor.numbers {
        Numbers::Floats(numbers) => Ok(numbers),
        _ => Err(ImportError::broken(place(node), "constants of FLOAT", "others")),
    }
}

fn constant(node: &Node<'_>) -> Result<Symbol, ImportError> {
    let (name, attribute) = match node.attributes.first_key_value() {
        Some(first) if node.attributes.len() == 1 => first,
        _ => return Err(ImportError::broken(place(node), "one attribute", node.attributes.len())),
    };
    Ok(Symbol::Constant(Rc::new(match (*name, &attribute.tensor) {
        ("value", Some(tensor)) => return Ok(Symbol::Constant(Rc::clone(tensor))),
        ("value_float", _) => Tensor { shape: Vec::new(), numbers: Numbers::Floats(vec![attribute.float.unwrap_or_default()]) },
        ("value_floats", _) => Tensor { shape: vec![attribute.floats.len()], numbers: Numbers::Floats(attribute.floats.clone()) },
        ("value_int", _) => Tensor { shape: Vec::new(), numbers: Numbers::Whole(vec![attribute.number.unwrap_or_default()]) },
        ("value_ints", _) => Tensor { shape: vec![attribute.numbers.len()], numbers: Numbers::Whole(attribute.numbers.clone()) },
        (other, _) => return Err(ImportError::unsupported(format!("{} with attribute {other}", place(node)))),
    })))
}

/// Weights as outputs x inputs, from a tensor [inputs, outputs] or, `transposed`, [outputs, inputs].
fn weights(node: &Node<'_>, tensor: &Tensor, inputs: usize, transposed: bool) -> Result<Vec<f32>, ImportError> {
    let &[first, second] = tensor.shape.as_slice() else {
        return Err(ImportError::broken(place(node), "weights of two dimensions", format!("{:?}", tensor.shape)));
    };
    let (rows, columns) = if transposed { (second, first) } else { (first, second) };
    if rows != inputs || columns == 0 {
        return Err(ImportError::broken(place(node), format!("weights for {inputs} inputs"), format!("{:?}", tensor.shape)));
    }
    let numbers = floats(node, tensor)?;
    Ok(if transposed { numbers.to_vec() } else { transpose_of(numbers, first, second) })
}

fn transpose_of(numbers: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| numbers.get(row * columns + column).copied().unwrap_or(f32::NAN)))
        .collect()
}

/// One constant, or one for each of `width` values of a row; nothing when it would spread over more.
fn spread(node: &Node<'_>, tensor: &Tensor, width: usize) -> Result<Vec<f32>, ImportError> {
    let numbers = floats(node, tensor)?;
    let flat = tensor.shape.len() <= 2 && (tensor.shape.len() < 2 || tensor.shape.first() == Some(&1));
    if flat && (numbers.len() == 1 || numbers.len() == width) {
        Ok(numbers.to_vec())
    } else {
        let expected = format!("a constant of shape [], [{width}] or [1, {width}]");
        Err(ImportError::broken(place(node), expected, format!("{:?}", tensor.shape)))
    }
}

fn gemm(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["alpha", "beta", "transA", "transB"])?;
    for name in ["alpha", "beta"] {
        let factor = node.float(name, 1.0);
        if factor != 1.0 {
            return Err(ImportError::unsupported_but(format!("{} with {name} {factor}", place(node)), "1"));
        }
    }
    if node.whole("transA", 0) != 0 {
        return Err(ImportError::unsupported(format!("{} with transA", place(node))));
    }
    let from = row(reading, node, 0)?;
    let weights = weights(node, tensor(reading, node, 1)?, reading.tape.width(from), node.whole("transB", 0) != 0)?;
    let mut bias = Vec::new();
    if node.inputs.get(2).is_some_and(|name| !name.is_empty()) {
        let outputs = weights.len() / reading.tape.width(from).max(1);
        bias = spread(node, tensor(reading, node, 2)?, outputs)?;
        if bias.len() == 1 {
            bias = vec![bias[0]; outputs];
        }
    }
    reading.tape.dense(&place(node), from, weights, bias).map(Symbol::Row)
}

fn mat_mul(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&[])?;
    let from = row(reading, node, 0)?;
    let weights = weights(node, tensor(reading, node, 1)?, reading.tape.width(from), false)?;
    reading.tape.dense(&place(node), from, weights, Vec::new()).map(Symbol::Row)
}

/// Whether a constant is one number close to `wanted`, as the erf form of a GELU has it.
fn is_about(tensor: &Tensor, wanted: f32) -> bool {
    matches!(&tensor.numbers, Numbers::Floats(numbers) if numbers.len() == 1 && (numbers[0] - wanted).abs() <= 2e-7 * wanted.abs())
}

fn arithmetic(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&[])?;
    if node.inputs.len() != 2 {
        return Err(ImportError::broken(place(node), "two inputs", node.inputs.len()));
    }
    let (left, right) = (reading.symbol(node, 0)?.clone(), reading.symbol(node, 1)?.clone());
    if let Some(symbol) = part_of_gelu(reading, node.operator, &left, &right)? {
        return Ok(symbol);
    }
    if let (Symbol::Constant(one), Symbol::Chance(logit, _)) = (&left, &right)
        && node.operator == "Sub"
        && is_about(one, 1.0)
    {
        return Ok(Symbol::Complement(*logit));
    }
    let (index, constant_first) = if matches!(left, Symbol::Constant(_)) { (1, true) } else { (0, false) };
    let from = row(reading, node, index)?;
    let arithmetic = match (node.operator, constant_first) {
        ("Add", _) => Arithmetic::Add,
        ("Mul", _) => Arithmetic::Multiply,
        ("Sub", false) => Arithmetic::Subtract,
        ("Sub", true) => Arithmetic::SubtractFrom,
        ("Div", false) => Arithmetic::Divide,
        _ => return Err(ImportError::unsupported(format!("{} by a computed value", place(node)))),
    };
    let constants = spread(node, tensor(reading, node, 1 - index)?, reading.tape.width(from))?;
    reading.tape.elementwise(&place(node), from, arithmetic, constants).map(Symbol::Row)
}

/// The steps of x / 2 (1 + erf(x / sqrt 2)), in the orders that exporters write them in.
fn part_of_gelu(reading: &mut Reading<'_>, operator: &str, left: &Symbol, right: &Symbol) -> Result<Option<Symbol>, ImportError> {
    let pair = if matches!(left, Symbol::Constant(_)) { (right, left) } else { (left, right) };
    match (operator, pair) {
        ("Add", (Symbol::Erf(x), Symbol::Constant(one))) if is_about(one, 1.0) => return Ok(Some(Symbol::ErfPlusOne(*x))),
        ("Mul", (Symbol::ErfPlusOne(x), Symbol::Constant(half))) if is_about(half, 0.5) => return Ok(Some(Symbol::Gate(*x))),
        _ => {}
    }
    let whole = match (operator, left, right) {
        ("Mul", Symbol::TwiceGelu(x), Symbol::Constant(half)) | ("Mul", Symbol::Constant(half), Symbol::TwiceGelu(x))
            if is_about(half, 0.5) =>
        {
            *x
        }
        ("Mul", Symbol::Row(row), part) | ("Mul", part, Symbol::Row(row)) => match part {
            Symbol::Gate(x) if x == row => *x,
            Symbol::ErfPlusOne(x) if x == row => return Ok(Some(Symbol::TwiceGelu(*x))),
            // The half was multiplied into x before.
            Symbol::ErfPlusOne(x) if scaled_from(reading, *row, 0.5, 2.0) == Some(*x) => *x,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    reading.tape.apply(whole, Activation::Gelu).map(|step| Some(Symbol::Row(step)))
}

/// The step that `row` is `factor` times of, or the `divisor`th part of.
fn scaled_from(reading: &Reading<'_>, row: usize, factor: f32, divisor: f32) -> Option<usize> {
    let about = |constants: &[f32], wanted: f32| constants.iter().all(|constant| (constant - wanted).abs() <= 2e-7 * wanted);
    match reading.tape.steps().get(row) {
        Some((Step::Elementwise { from, arithmetic: Arithmetic::Multiply, constants }, _)) if about(constants, factor) => {
            Some(*from)
        }
        Some((Step::Elementwise { from, arithmetic: Arithmetic::Divide, constants }, _)) if about(constants, divisor) => {
            Some(*from)
        }
        _ => None,
    }
}

fn erf(reading: &Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    let from = row(reading, node, 0)?;
    let x = scaled_from(reading, from, FRAC_1_SQRT_2, SQRT_2);
    x.map(Symbol::Erf).ok_or_else(|| ImportError::unsupported_but("operator Erf outside a GELU", "x / 2 (1 + erf(x / sqrt 2))"))
}

fn activation(reading: &mut Reading<'_>, node: &Node<'_>, activation: Activation) -> Result<Symbol, ImportError> {
    node.only(&[])?;
    let from = row(reading, node, 0)?;
    reading.tape.apply(from, activation).map(Symbol::Row)
}

fn gelu(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["approximate"])?;
    let approximate = node.text("approximate", "none");
    if approximate != "none" {
        return Err(ImportError::unsupported_but(format!("{} with approximate {approximate}", place(node)), "none"));
    }
    let from = row(reading, node, 0)?;
    reading.tape.apply(from, Activation::Gelu).map(Symbol::Row)
}

fn sigmoid(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&[])?;
    if let Symbol::Ensemble(ensemble) = reading.symbol(node, 0)? {
        return Ok(Symbol::Chance(Logit::Ensemble(*ensemble), None));
    }
    let from = row(reading, node, 0)?;
    let step = reading.tape.apply(from, Activation::Sigmoid)?;
    // One value may be the chance itself or a layer of one unit: what follows tells.
    Ok(if reading.tape.width(from) == 1 { Symbol::Chance(Logit::Step(from), Some(step)) } else { Symbol::Row(step) })
}

fn softmax(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["axis"])?;
    let axis = node.whole("axis", -1);
    let from = row(reading, node, 0)?;
    if reading.tape.width(from) != 2 || !matches!(axis, 1 | -1) {
        let what = format!("{} over {} values on axis {axis}", place(node), reading.tape.width(from));
        return Err(ImportError::unsupported_but(what, "two classes on axis 1"));
    }
    Ok(Symbol::Chances(Logit::Step(reading.tape.difference(from)?)))
}

fn concat(reading: &Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["axis"])?;
    if let [_, _] = node.inputs.as_slice()
        && let (Symbol::Complement(first), Symbol::Chance(second, _)) = (reading.symbol(node, 0)?, reading.symbol(node, 1)?)
        && first == second
        && matches!(node.whole("axis", 0), 1 | -1)
    {
        return Ok(Symbol::Chances(*first));
    }
    Err(ImportError::unsupported_but(place(node), "the chances of two classes, first and second"))
}

fn transpose(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["perm"])?;
    let tensor = tensor(reading, node, 0)?;
    let &[rows, columns] = tensor.shape.as_slice() else {
        return Err(ImportError::unsupported_but(format!("{} of {:?}", place(node), tensor.shape), "two dimensions"));
    };
    if !matches!(node.wholes("perm"), [] | [1, 0]) {
        return Err(ImportError::unsupported_but(format!("{} with perm {:?}", place(node), node.wholes("perm")), "[1, 0]"));
    }
    let numbers = Numbers::Floats(transpose_of(floats(node, tensor)?, rows, columns));
    reading.constant(Tensor { shape: vec![columns, rows], numbers })
}

fn cast(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["to", "saturate", "round_mode"])?;
    let to = node.whole("to", 0);
    match (reading.symbol(node, 0)?, to) {
        (Symbol::Label, _) => Ok(Symbol::Label),
        (Symbol::Constant(tensor), 1) => match &tensor.numbers {
            Numbers::Whole(numbers) => {
                let numbers = Numbers::Floats(numbers.iter().map(|number| *number as f32).collect());
                let shape = tensor.shape.clone();
                reading.constant(Tensor { shape, numbers })
            }
            _ => Ok(Symbol::Constant(Rc::clone(tensor))),
        },
        (symbol, 1) => Ok(symbol.clone()),
        // What is left of labels: chances compared or rounded.
        _ => Err(ImportError::unsupported_but(format!("{} to {}", place(node), super::proto::type_name(to)), "FLOAT")),
    }
}

/// Steps that change the shape of a batch and none of its numbers.
fn same(reading: &Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["axis", "axes", "allowzero"])?;
    let symbol = reading.symbol(node, 0)?.clone();
    let width = match &symbol {
        Symbol::Label => return Ok(Symbol::Label),
        Symbol::Row(step) => reading.tape.width(*step),
        Symbol::Chance(..) | Symbol::Ensemble(_) => 1,
        Symbol::Chances(_) => 2,
        _ if node.operator == "Identity" => return Ok(symbol),
        _ => return Err(ImportError::unsupported(place(node))),
    };
    let wanted = match node.operator {
        "Identity" => return Ok(symbol),
        "Flatten" => {
            return if node.whole("axis", 1) == 1 {
                Ok(symbol)
            } else {
                Err(ImportError::unsupported(format!("{} with axis", place(node))))
            };
        }
        // Axes as an attribute in old files, as an input since.
        "Squeeze" | "Unsqueeze" if node.inputs.len() < 2 => node.wholes("axes"),
        _ => match &tensor(reading, node, 1)?.numbers {
            Numbers::Whole(numbers) => numbers.as_slice(),
            _ => return Err(ImportError::broken(place(node), "whole numbers", "others")),
        },
    };
    let fits = match (node.operator, wanted) {
        ("Squeeze" | "Unsqueeze", [1 | -1]) => width == 1,
        ("Reshape", [-1 | 0, columns]) => usize::try_from(*columns) == Ok(width),
        ("Reshape", [-1]) => width == 1,
        _ => false,
    };
    if fits { Ok(symbol) } else { Err(ImportError::unsupported(format!("{} of {width} values to {wanted:?}", place(node)))) }
}

/// Labels are not computed, only followed to their output.
fn label(reading: &Reading<'_>, node: &Node<'_>, known: &[&str]) -> Result<Symbol, ImportError> {
    node.only(known)?;
    for index in 0..node.inputs.len() {
        match reading.symbol(node, index)? {
            Symbol::Chances(_) | Symbol::Label | Symbol::Constant(_) => {}
            _ => return Err(ImportError::unsupported_but(place(node), "labels from the chances of two classes")),
        }
    }
    Ok(Symbol::Label)
}

fn scaler(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["offset", "scale"])?;
    let from = row(reading, node, 0)?;
    let at = reading.tape.elementwise(&place(node), from, Arithmetic::Subtract, node.floats("offset").to_vec())?;
    reading.tape.elementwise(&place(node), at, Arithmetic::Multiply, node.floats("scale").to_vec()).map(Symbol::Row)
}

fn linear_classifier(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Vec<Symbol>, ImportError> {
    node.only(&["coefficients", "intercepts", "multi_class", "post_transform", "classlabels_ints", "classlabels_strings"])?;
    let from = row(reading, node, 0)?;
    let post = node.text("post_transform", "NONE");
    let (coefficients, intercepts) = (node.floats("coefficients"), node.floats("intercepts"));
    let width = reading.tape.width(from);
    let symmetric = |numbers: &[f32], half: usize| numbers.iter().zip(numbers.iter().skip(half)).all(|(a, b)| *a == -*b);
    match (post.as_str(), intercepts.len()) {
        // Both classes are written out, one as the negative of the other.
        ("LOGISTIC", 2) if coefficients.len() == 2 * width && symmetric(coefficients, width) && symmetric(intercepts, 1) => {
            let step = reading.tape.dense(&place(node), from, coefficients[width..].to_vec(), intercepts[1..].to_vec())?;
            Ok(vec![Symbol::Label, Symbol::Chances(Logit::Step(step))])
        }
        ("SOFTMAX", 2) if coefficients.len() == 2 * width => {
            let step = reading.tape.dense(&place(node), from, coefficients.to_vec(), intercepts.to_vec())?;
            Ok(vec![Symbol::Label, Symbol::Chances(Logit::Step(reading.tape.difference(step)?))])
        }
        (post, classes) => Err(ImportError::unsupported_but(
            format!("{} with post_transform {post} and {classes} intercepts", place(node)),
            "LOGISTIC or SOFTMAX over two classes",
        )),
    }
}

/// Chances that add up to 1 do so already.
fn normalizer(reading: &Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["norm"])?;
    match (reading.symbol(node, 0)?, node.text("norm", "MAX").as_str()) {
        (Symbol::Chances(logit), "L1") => Ok(Symbol::Chances(*logit)),
        (_, norm) => Err(ImportError::unsupported_but(format!("{} with norm {norm}", place(node)), "L1 of two chances")),
    }
}

fn zip_map(reading: &Reading<'_>, node: &Node<'_>) -> Result<Symbol, ImportError> {
    node.only(&["classlabels_int64s", "classlabels_ints", "classlabels_strings"])?;
    match reading.symbol(node, 0)? {
        Symbol::Chances(logit) => Ok(Symbol::Chances(*logit)),
        _ => Err(ImportError::unsupported_but(place(node), "the chances of two classes")),
    }
}
