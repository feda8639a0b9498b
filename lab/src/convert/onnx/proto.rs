//! The messages of ONNX that are read, with the tags of `onnx.proto3`.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::safetensors::half;
use super::ImportError;
use super::wire::{Value, fields};

/// Most steps and most constants of a graph; a model that fits on a device has far fewer.
const MAX_PARTS: usize = 10_000;

/// A graph, with everything in it borrowed from the file.
#[derive(Debug, Default)]
pub struct Graph<'b> {
    /// Steps in order.
    pub nodes: Vec<Node<'b>>,
    /// Constants by name.
    pub constants: BTreeMap<&'b str, Rc<Tensor>>,
    /// Inputs, constants among them in old files.
    pub inputs: Vec<Port<'b>>,
    /// Outputs.
    pub outputs: Vec<Port<'b>>,
}

/// A step.
#[derive(Debug, Default)]
pub struct Node<'b> {
    /// Names of what it reads; empty for an optional input left out.
    pub inputs: Vec<&'b str>,
    /// Names of what it makes.
    pub outputs: Vec<&'b str>,
    /// Its own name.
    pub name: &'b str,
    /// The operator.
    pub operator: &'b str,
    /// The operator's domain, empty for ONNX itself.
    pub domain: &'b str,
    /// Attributes by name.
    pub attributes: BTreeMap<&'b str, Attribute<'b>>,
}

/// An attribute; which of its parts count is told by its name.
#[derive(Debug, Default)]
pub struct Attribute<'b> {
    /// A number.
    pub float: Option<f32>,
    /// A whole number.
    pub number: Option<i64>,
    /// Text.
    pub text: Option<&'b [u8]>,
    /// A tensor.
    pub tensor: Option<Rc<Tensor>>,
    /// Numbers.
    pub floats: Vec<f32>,
    /// Whole numbers.
    pub numbers: Vec<i64>,
    /// Texts.
    pub texts: Vec<&'b [u8]>,
}

/// An input or an output.
#[derive(Debug, Default)]
pub struct Port<'b> {
    /// Its name.
    pub name: &'b str,
    /// Type of its numbers; 0 for sequences and what else is no tensor.
    pub data_type: i64,
    /// Its shape, as far as it is known.
    pub shape: Vec<Option<i64>>,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, last index fastest.
    pub numbers: Numbers,
}

/// The numbers of a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// 32-bit numbers.
    Floats(Vec<f32>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Texts and flags, which only labels are made of.
    Other,
}

/// Name of an element type.
#[must_use]
pub fn type_name(data_type: i64) -> String {
    const NAMES: [&str; 17] = [
        "UNDEFINED",
        "FLOAT",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "STRING",
        "BOOL",
        "FLOAT16",
        "DOUBLE",
        "UINT32",
        "UINT64",
        "COMPLEX64",
        "COMPLEX128",
        "BFLOAT16",
    ];
    let known = usize::try_from(data_type).ok().and_then(|index| NAMES.get(index));
    known.map_or_else(|| format!("type {data_type}"), |name| (*name).to_owned())
}

/// Reads a model down to its graph.
pub fn model(bytes: &[u8]) -> Result<Graph<'_>, ImportError> {
    let mut graph = None;
    for field in fields(bytes) {
        match field? {
            (7, value) if graph.is_none() => graph = Some(self::graph(value.bytes()?)?),
            (7, _) => return Err(ImportError::broken("ONNX", "one graph", "two")),
            (25, _) => return Err(ImportError::unsupported("a model that defines functions")),
            _ => {}
        }
    }
    graph.ok_or_else(|| ImportError::broken("ONNX", "a graph", "none"))
}

fn graph(bytes: &[u8]) -> Result<Graph<'_>, ImportError> {
    let mut graph = Graph::default();
    let mut parts = 0;
    for field in fields(bytes) {
        parts += 1;
        if parts > MAX_PARTS {
            return Err(ImportError::broken("ONNX", format!("at most {MAX_PARTS} steps and constants"), "more"));
        }
        match field? {
            (1, value) => graph.nodes.push(node(value.bytes()?)?),
            (5, value) => {
                let (name, tensor) = tensor(value.bytes()?)?;
                if graph.constants.insert(name, Rc::new(tensor)).is_some() {
                    return Err(ImportError::broken(format!("constant {name}"), "a name of its own", "one used before"));
                }
            }
            (15, _) => return Err(ImportError::unsupported("a sparse constant")),
            (11, value) => graph.inputs.push(port(value.bytes()?)?),
            (12, value) => graph.outputs.push(port(value.bytes()?)?),
            _ => {}
        }
    }
    Ok(graph)
}

fn node(bytes: &[u8]) -> Result<Node<'_>, ImportError> {
    let mut node = Node::default();
    let mut parts = 0;
    for field in fields(bytes) {
        parts += 1;
        if parts > MAX_PARTS {
            return Err(ImportError::broken("ONNX", format!("at most {MAX_PARTS} parts of a step"), "more"));
        }
        match field? {
            (1, value) => node.inputs.push(value.text()?),
            (2, value) => node.outputs.push(value.text()?),
            (3, value) => node.name = value.text()?,
            (4, value) => node.operator = value.text()?,
            (7, value) => node.domain = value.text()?,
            (5, value) => {
                let (name, attribute) = attribute(value.bytes()?)?;
                if node.attributes.insert(name, attribute).is_some() {
                    return Err(ImportError::broken(format!("attribute {name}"), "it once", "twice"));
                }
            }
            _ => {}
        }
    }
    Ok(node)
}

fn attribute(bytes: &[u8]) -> Result<(&str, Attribute<'_>), ImportError> {
    let mut name = "";
    let mut attribute = Attribute::default();
    for field in fields(bytes) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => attribute.float = Some(value.float()?),
            (3, value) => attribute.number = Some(value.number()?),
            (4, value) => attribute.text = Some(value.bytes()?),
            (5, value) => attribute.tensor = Some(Rc::new(tensor(value.bytes()?)?.1)),
            (7, value) => value.add_floats(&mut attribute.floats)?,
            (8, value) => value.add_numbers(&mut attribute.numbers)?,
            (9, value) => attribute.texts.push(value.bytes()?),
            (6 | 10 | 11 | 21 | 22 | 23, _) => {
                return Err(ImportError::unsupported(format!("attribute {name}, a graph, a reference or a list of tensors,")));
            }
            _ => {}
        }
    }
    Ok((name, attribute))
}

fn port(bytes: &[u8]) -> Result<Port<'_>, ImportError> {
    let mut port = Port::default();
    for field in fields(bytes) {
        match field? {
            (1, value) => port.name = value.text()?,
            // Type, then the type of a tensor, then its elements and shape.
            (2, value) => {
                for field in fields(value.bytes()?) {
                    if let (1, tensor) = field? {
                        tensor_type(&mut port, tensor)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(port)
}

fn tensor_type(port: &mut Port<'_>, tensor: Value<'_>) -> Result<(), ImportError> {
    for field in fields(tensor.bytes()?) {
        match field? {
            (1, value) => port.data_type = value.number()?,
            (2, value) => {
                for field in fields(value.bytes()?) {
                    if let (1, dimension) = field? {
                        let mut size = None;
                        for field in fields(dimension.bytes()?) {
                            if let (1, value) = field? {
                                size = Some(value.number()?);
                            }
                        }
                        port.shape.push(size);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn tensor(bytes: &[u8]) -> Result<(&str, Tensor), ImportError> {
    let mut name = "";
    let (mut dims, mut data_type, mut raw) = (Vec::new(), 0, None);
    let (mut floats, mut whole, mut doubles) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields(bytes) {
        match field? {
            (1, value) => value.add_numbers(&mut dims)?,
            (2, value) => data_type = value.number()?,
            (4, value) => value.add_floats(&mut floats)?,
            (5 | 7, value) => value.add_numbers(&mut whole)?,
            (8, value) => name = value.text()?,
            (9, value) => raw = Some(value.bytes()?),
            (10, value) => doubles.extend_from_slice(value.bytes()?),
            (13, _) | (14, Value::Number(1..)) => {
                return Err(ImportError::unsupported_but(
                    format!("constant {name} kept in another file"),
                    "one file (in PyTorch: external_data=False)",
                ));
            }
            _ => {}
        }
    }
    let mut shape = Vec::with_capacity(dims.len());
    for size in &dims {
        let size =
            usize::try_from(*size).map_err(|_| ImportError::broken(format!("constant {name}"), "sizes of 0 or more", size))?;
        shape.push(size);
    }
    let numbers = match (data_type, raw) {
        (1, Some(raw)) => Numbers::Floats(chunks(name, raw)?.map(f32::from_le_bytes).collect()),
        (1, None) => Numbers::Floats(floats),
        (6, Some(raw)) => Numbers::Whole(chunks(name, raw)?.map(|bytes| i64::from(i32::from_le_bytes(bytes))).collect()),
        (7, Some(raw)) => Numbers::Whole(chunks(name, raw)?.map(i64::from_le_bytes).collect()),
        (6 | 7, None) => Numbers::Whole(whole),
        (10, Some(raw)) => Numbers::Floats(chunks(name, raw)?.map(|bytes| half(u16::from_le_bytes(bytes))).collect()),
        (16, Some(raw)) => {
            Numbers::Floats(chunks(name, raw)?.map(|bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)).collect())
        }
        (11, raw) => {
            let wide = chunks(name, raw.unwrap_or(&doubles))?.map(f64::from_le_bytes);
            let narrow = wide.map(|wide| Some(wide as f32).filter(|narrow| f64::from(*narrow) == wide));
            Numbers::Floats(narrow.collect::<Option<_>>().ok_or_else(|| {
                ImportError::unsupported_but(format!("constant {name} of DOUBLE with numbers that FLOAT has not"), "FLOAT")
            })?)
        }
        (8 | 9, _) => return Ok((name, Tensor { shape, numbers: Numbers::Other })),
        (other, _) => {
            return Err(ImportError::unsupported_but(format!("constant {name} of {}", type_name(other)), "FLOAT or INT64"));
        }
    };
    let length = match &numbers {
        Numbers::Floats(numbers) => numbers.len(),
        Numbers::Whole(numbers) => numbers.len(),
        Numbers::Other => 0,
    };
    let expected = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    if expected == Some(length) {
        Ok((name, Tensor { shape, numbers }))
    } else {
        Err(ImportError::broken(format!("constant {name}"), format!("numbers for the shape {shape:?}"), length))
    }
}

fn chunks<'b, const N: usize>(name: &str, raw: &'b [u8]) -> Result<impl Iterator<Item = [u8; N]> + use<'b, N>, ImportError> {
    let (numbers, rest) = raw.as_chunks();
    if rest.is_empty() {
        Ok(numbers.iter().copied())
    } else {
        Err(ImportError::broken(format!("constant {name}"), format!("bytes in groups of {N}"), raw.len()))
    }
}
