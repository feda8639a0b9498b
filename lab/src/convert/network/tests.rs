//! Tapes of every shape against the layers made from them.

use ears_only::model::Body;
use ears_only::model::body::Activation;
use ears_only::random::{below, unit};
use rand_pcg::Pcg32;

use super::{Arithmetic, Tape};
use crate::convert::{Converted, Source};

fn numbers(count: usize, rng: &mut Pcg32) -> Vec<f32> {
    (0..count).map(|_| (unit(rng) * 2.0 - 1.0) as f32).collect()
}

/// A tape of up to ten random steps that ends in one value.
fn random_tape(rng: &mut Pcg32) -> Tape {
    let mut tape = Tape::new(1 + below(rng, 5) as usize).unwrap();
    let mut at = 0;
    let (mut dense, most) = (0, below(rng, 10));
    for _ in 0..most {
        let width = tape.width(at);
        at = match below(rng, 5) {
            0 if dense < 4 => {
                dense += 1;
                let outputs = 1 + below(rng, 5) as usize;
                let bias = if below(rng, 2) == 0 { Vec::new() } else { numbers(outputs, rng) };
                tape.dense("here", at, numbers(outputs * width, rng), bias).unwrap()
            }
            1 | 2 => {
                let arithmetic =
                    [Arithmetic::Add, Arithmetic::Subtract, Arithmetic::SubtractFrom, Arithmetic::Multiply, Arithmetic::Divide]
                        [below(rng, 5) as usize];
                // Away from 0, so that neither scale nor divisor vanishes.
                let constants = numbers(width, rng).iter().map(|x| x + 0.5_f32.copysign(*x)).collect();
                tape.elementwise("here", at, arithmetic, constants).unwrap()
            }
            3 if dense < 4 => {
                // Each may need a layer of its own.
                dense += 1;
                tape.apply(at, Activation::ALL[below(rng, 5) as usize].1).unwrap()
            }
            _ => at,
        };
    }
    let width = tape.width(at);
    at = match (width, below(rng, 2)) {
        (2, 0) => tape.difference(at).unwrap(),
        _ => tape.dense("here", at, numbers(width, rng), vec![0.25]).unwrap(),
    };
    tape.ending_at(at).unwrap()
}

#[test]
fn layers_say_what_the_tape_says() {
    let (mut linear, mut scaled, mut compared) = (0, 0, 0);
    for index in 0..2_000 {
        let mut rng = Pcg32::new(5, index);
        let tape = random_tape(&mut rng);
        let converted = Converted::new(&tape).unwrap();
        linear += u32::from(matches!(converted.body, Body::Linear(_)));
        scaled += u32::from(converted.scaling.is_some());
        for _ in 0..4 {
            let row: Vec<f32> = numbers(tape.columns(), &mut rng).iter().map(|x| x * 4.0).collect();
            let evaluation = tape.evaluate(&row);
            let deviation = (converted.margin(&row) - evaluation.margin).abs();
            assert!(deviation <= evaluation.allowed(), "tape {index}: {deviation:e} of {:e}, {tape:?}", evaluation.allowed());
            // A bound that explains everything would show nothing.
            assert!(evaluation.error < 1e-2, "tape {index}: {}", evaluation.error);
            compared += 1;
        }
    }
    assert!(linear > 100 && scaled > 100 && compared == 8_000, "{linear} {scaled}");
}

#[test]
fn refuses_what_does_not_fit() {
    let message = |made: Result<usize, crate::convert::error::ImportError>| made.unwrap_err().to_string();
    let mut tape = Tape::new(2).unwrap();
    assert_eq!(message(tape.dense("Gemm", 0, vec![1.0; 3], Vec::new())), "Gemm: expected weights of 2 inputs, found 3 numbers");
    assert_eq!(message(tape.dense("Gemm", 0, vec![1.0; 4], vec![0.0])), "Gemm: expected 2 biases, found 1");
    let wide = message(tape.dense("Gemm", 0, vec![1.0; 514], Vec::new()));
    assert_eq!(wide, "Gemm with 257 units is not supported: expected at most 256");
    assert_eq!(message(tape.elementwise("Add", 0, Arithmetic::Add, vec![0.0; 3])), "Add: expected 1 or 2 constants, found 3");
    let zero = message(tape.elementwise("Div", 0, Arithmetic::Divide, vec![1.0, 0.0]));
    assert_eq!(zero, "Div: expected divisors other than 0, found 0");
    assert_eq!(
        tape.clone().ending_at(0).unwrap_err().to_string(),
        "an output of 2 values is not supported: expected one, the log-odds"
    );
    let infinite = tape.dense("Gemm", 0, vec![1.0, f32::INFINITY], Vec::new()).unwrap();
    assert_eq!(tape.ending_at(infinite).unwrap_err().to_string(), "network: expected finite weights, found inf");
    let mut long = Tape::new(1).unwrap();
    let last = (0..300).find_map(|_| long.apply(0, Activation::Relu).err()).unwrap().to_string();
    assert_eq!(last, "network: expected at most 200 steps, found more");
    // Eight layers are the most that a device takes.
    let mut deep = Tape::new(1).unwrap();
    let mut at = 0;
    for _ in 0..9 {
        at = deep.dense("Gemm", at, vec![1.0], Vec::new()).unwrap();
    }
    let error = Converted::new(&deep.ending_at(at).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "the device's body refuses it: bad_body: expected 1 to 8 layers, got 9");
    assert!(Tape::new(0).is_err() && Tape::new(257).is_err());
}
