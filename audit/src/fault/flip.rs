//! Faults in the lie: thresholds, replacement, and random words that are not what they should be.

use super::Fault;
use crate::check::{draws, law, pairs};
use crate::fixture::answers;
use crate::subject::{Bytes, Person, SYMBOL, Sources, Subject, Words, shipped_release};
use ears_only::error::Error;
use ears_only::privacy::{Coin, Epsilon, Manifest, Permit};
use ears_only::random::Entropy;
use std::cell::RefCell;
use std::rc::Rc;

pub(super) fn all() -> Vec<Fault> {
    let fault = |subject: Box<dyn Subject + Send>, what, caught_by| Fault { subject, what, caught_by };
    vec![
        fault(
            Box::new(Rule { name: "replacement drawn from all", rule: replaced_from_all }),
            "a lie is drawn from all answers, the true one among them",
            law::NAME,
        ),
        fault(
            Box::new(Rule { name: "float thresholds", rule: float_threshold }),
            "the word is compared as a 32-bit fraction",
            law::NAME,
        ),
        fault(Box::new(SharedWord), "coin and flip use the same random bytes", draws::NAME),
        fault(Box::new(MemoisedFlip), "a device lies always or never", pairs::NAME),
        fault(
            Box::new(Rule { name: "threshold rounded down", rule: threshold_rounded_down }),
            "the rounding of the threshold goes the wrong way",
            law::NAME,
        ),
        fault(Box::new(TrueAnswerWithoutEntropy), "without random bytes the true answer leaves", draws::NAME),
    ]
}

/// The record of the shipped code with the symbol of another randomiser.
fn with_symbol_of(
    subject: &dyn Subject,
    answer: u8,
    permit: Permit,
    manifest: &Manifest,
    coin: &Coin,
    flip: &mut dyn Entropy,
) -> Result<Bytes, Error> {
    let choices = answers(manifest, coin.slot.into()).get(usize::from(coin.question)).copied().unwrap_or(2);
    let symbol = subject.randomise(answer, choices, manifest.epsilon(), flip)?;
    let record = shipped_release(0, permit, manifest, coin, &mut Words::new(0))?;
    Ok(SYMBOL.set(&record, symbol.into()))
}

fn word(flip: &mut dyn Entropy) -> Result<u32, Error> {
    let mut bytes = [0; 4];
    flip.fill(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// One of the others, evenly enough for what it shows.
fn other(answer: u8, answers: u8, flip: &mut dyn Entropy) -> Result<u8, Error> {
    if answers == 2 {
        return Ok(1 - answer);
    }
    Ok((answer + 1 + (word(flip)? % (u32::from(answers) - 1)) as u8) % answers)
}

/// A randomiser with another rule.
struct Rule {
    name: &'static str,
    rule: fn(u8, u8, f64, &mut dyn Entropy) -> Result<u8, Error>,
}

impl Subject for Rule {
    fn name(&self) -> &'static str {
        self.name
    }

    fn randomise(&self, answer: u8, answers: u8, epsilon: Epsilon, flip: &mut dyn Entropy) -> Result<u8, Error> {
        (self.rule)(answer, answers, epsilon.value(), flip)
    }

    fn release(
        &self,
        answer: u8,
        permit: Permit,
        manifest: &Manifest,
        coin: &Coin,
        flip: &mut dyn Entropy,
    ) -> Result<Bytes, Error> {
        with_symbol_of(self, answer, permit, manifest, coin, flip)
    }
}

fn replaced_from_all(answer: u8, answers: u8, epsilon: f64, flip: &mut dyn Entropy) -> Result<u8, Error> {
    let weight = libm::exp(epsilon);
    let keep = (4_294_967_296.0 * weight / (weight + f64::from(answers) - 1.0)) as u32;
    if word(flip)? < keep { Ok(answer) } else { Ok((word(flip)? % u32::from(answers)) as u8) }
}

fn float_threshold(answer: u8, answers: u8, epsilon: f64, flip: &mut dyn Entropy) -> Result<u8, Error> {
    let fraction = word(flip)? as f32 / 4_294_967_296.0f32;
    let others = f32::from(answers) - 1.0;
    if fraction < others / (libm::expf(epsilon as f32) + others) { other(answer, answers, flip) } else { Ok(answer) }
}

fn threshold_rounded_down(answer: u8, answers: u8, epsilon: f64, flip: &mut dyn Entropy) -> Result<u8, Error> {
    let others = f64::from(answers) - 1.0;
    let lie = (4_294_967_296.0 * others / (libm::exp(epsilon) + others)).floor() as u32;
    if word(flip)? < lie { other(answer, answers, flip) } else { Ok(answer) }
}

/// Bytes that two readers get alike.
struct Echo {
    words: Words,
    last: Rc<RefCell<Vec<u8>>>,
}

impl Entropy for Echo {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.words.fill(bytes)?;
        *self.last.borrow_mut() = bytes.to_vec();
        Ok(())
    }
}

struct Again(Rc<RefCell<Vec<u8>>>);

impl Entropy for Again {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        // The word after hour and slot: the one that has drawn the arm.
        let last = self.0.borrow();
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = last.get(4 + at % 12).copied().unwrap_or(0);
        }
        Ok(())
    }
}

struct SharedWord;

impl Subject for SharedWord {
    fn name(&self) -> &'static str {
        "shared random word"
    }

    fn sources(&self, _: Person, _: &Manifest, coin: Words, _: Words) -> Sources {
        let last = Rc::new(RefCell::new(Vec::new()));
        (Box::new(Echo { words: coin, last: last.clone() }), Box::new(Again(last)))
    }
}

struct Stuck(Vec<u8>, Words);

impl Entropy for Stuck {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        if self.0.is_empty() {
            self.0 = vec![0; 32];
            self.1.fill(&mut self.0)?;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = self.0[at % 32];
        }
        Ok(())
    }
}

struct MemoisedFlip;

impl Subject for MemoisedFlip {
    fn name(&self) -> &'static str {
        "memoised flip"
    }

    fn sources(&self, _: Person, _: &Manifest, coin: Words, flip: Words) -> Sources {
        (Box::new(coin), Box::new(Stuck(Vec::new(), flip)))
    }
}

/// One time in ten the source of random bytes fails.
struct TrueAnswerWithoutEntropy;

impl Subject for TrueAnswerWithoutEntropy {
    fn name(&self) -> &'static str {
        "true answer when random bytes are missing"
    }

    fn release(
        &self,
        answer: u8,
        permit: Permit,
        manifest: &Manifest,
        coin: &Coin,
        flip: &mut dyn Entropy,
    ) -> Result<Bytes, Error> {
        let record = shipped_release(answer, permit, manifest, coin, flip)?;
        Ok(if coin.delay_ms % 10 == 0 { SYMBOL.set(&record, answer.into()) } else { record })
    }
}
