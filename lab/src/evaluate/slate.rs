//! Estimators of a policy's value from whole slates.
//!
//! A slate holds the cards of positions 0, 1, ...; its value is the sum of the rewards of its positions. Three importance weights, target over
//! logging, belong to position k: of the whole slate, of the card at k alone, and of the cards up to k (the prefix). Which of them is
//! right depends on what the reward at k may depend on:
//!
//! | estimator | weight | unbiased when the reward at k depends on |
//! |---|---|---|
//! | SIPS | whole slate | anything on the slate |
//! | IIPS | the card at k | the card at k alone |
//! | RIPS | the prefix | the cards up to k |
//! | CascadeDR | the prefix, with a model | the cards up to k; any model |
//! | PI | pseudo-inverse | the sum over positions is linear in (position, card) |

use std::fmt;
use std::str::FromStr;

use nalgebra::DMatrix;

use super::estimator::Estimate;
use super::exact::{Double, ExactSum};
use super::gram::Gram;

/// What is known of one position of a logged slate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Reward at this position.
    pub reward: f64,
    /// Weight of the whole slate.
    pub slate_weight: f64,
    /// Weight of the card at this position, whatever stands elsewhere.
    pub position_weight: f64,
    /// Weight of the cards up to this position.
    pub prefix_weight: f64,
    /// Predicted reward of the card here, given the logged prefix before it; 0 without a model.
    pub predicted: f64,
    /// Mean prediction over the card that the target policy would put here after the logged prefix; 0 without a model.
    pub expected: f64,
    /// Weight of the pseudo-inverse estimator, the same at every position: see [`pseudo_inverse_weight`].
    pub pseudo_weight: f64,
}

/// An estimator of slates, named as written and read: `SIPS`, `IIPS`, `RIPS`, `SNSIPS`, `SNIIPS`, `SNRIPS`, `CascadeDR`, `PI`, `SNPI`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlateEstimator {
    /// Standard IPS: every reward times the weight of the whole slate. Strehl et al. (2010).
    Sips,
    /// Independent IPS: the weight of the card at the position. Li, Abbasi-Yadkori, Kveton et al. (2018), "Offline evaluation of ranking
    /// policies with click models", KDD.
    Iips,
    /// Reward-interaction IPS: the weight of the prefix. McInerney, Brost, Chandar, Mehrotra, Carterette (2020), KDD.
    Rips,
    /// SIPS, each position over the mean weight of that position.
    SnSips,
    /// IIPS, self-normalised.
    SnIips,
    /// RIPS, self-normalised.
    SnRips,
    /// Cascade doubly robust. Kiyohara, Saito, Matsuhiro et al. (2022), WSDM, equation (8).
    CascadeDr,
    /// Pseudo-inverse. Swaminathan, Krishnamurthy, Agarwal et al. (2017), NeurIPS, equation (7).
    PseudoInverse,
    /// Pseudo-inverse, self-normalised (their wPI).
    SnPseudoInverse,
}

use SlateEstimator::{CascadeDr, Iips, PseudoInverse, Rips, Sips, SnIips, SnPseudoInverse, SnRips, SnSips};

impl SlateEstimator {
    /// Every one of them.
    pub const ALL: [Self; 9] = [Sips, Iips, Rips, SnSips, SnIips, SnRips, CascadeDr, PseudoInverse, SnPseudoInverse];

    /// Whether each position is divided by its mean weight.
    #[must_use]
    pub fn is_self_normalized(self) -> bool {
        matches!(self, SnSips | SnIips | SnRips | SnPseudoInverse)
    }

    /// The weight this estimator gives a position.
    #[must_use]
    pub fn weight(self, place: &Place) -> f64 {
        match self {
            Sips | SnSips => place.slate_weight,
            Iips | SnIips => place.position_weight,
            Rips | SnRips | CascadeDr => place.prefix_weight,
            PseudoInverse | SnPseudoInverse => place.pseudo_weight,
        }
    }

    /// What each position adds to the estimate of a slate, before any normalisation.
    fn terms<'a>(self, slate: &'a [Place]) -> impl Iterator<Item = f64> + 'a {
        let mut before = 1.0;
        slate.iter().map(move |place| {
            let weight = self.weight(place);
            if self == CascadeDr {
                let term = weight * (place.reward - place.predicted) + before * place.expected;
                before = weight;
                term
            } else {
                weight * place.reward
            }
        })
    }

    /// The estimate of one slate, for the estimators that are means of slates.
    #[must_use]
    pub fn term(self, slate: &[Place]) -> f64 {
        self.terms(slate).sum()
    }
}

impl fmt::Display for SlateEstimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sips => "SIPS",
            Iips => "IIPS",
            Rips => "RIPS",
            SnSips => "SNSIPS",
            SnIips => "SNIIPS",
            SnRips => "SNRIPS",
            CascadeDr => "CascadeDR",
            PseudoInverse => "PI",
            SnPseudoInverse => "SNPI",
        })
    }
}

impl FromStr for SlateEstimator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|estimator| estimator.to_string()).join(", ");
        let found = Self::ALL.into_iter().find(|estimator| estimator.to_string() == text);
        found.ok_or_else(|| format!("expected an estimator of slates, one of {}, got {text}", known()))
    }
}

/// The sums of one estimator over slates of up to `positions` positions.
#[derive(Clone, Debug, PartialEq)]
pub struct SlateAccumulator {
    estimator: SlateEstimator,
    /// One component for each position where the estimator normalises them apart, otherwise one for the slate.
    gram: Gram,
    /// Slates that reach each position, and the sum of its weights.
    weights: Vec<(u64, ExactSum)>,
}

impl SlateAccumulator {
    /// Nothing yet. Positions beyond `positions` do not count.
    #[must_use]
    pub fn new(estimator: SlateEstimator, positions: usize) -> Self {
        let apart = if estimator.is_self_normalized() { positions } else { 1 };
        Self { estimator, gram: Gram::new(apart), weights: vec![Default::default(); positions] }
    }

    /// Which estimator.
    #[must_use]
    pub fn estimator(&self) -> SlateEstimator {
        self.estimator
    }

    /// Adds a slate, its positions in order.
    pub fn add(&mut self, slate: &[Place]) {
        let slate = &slate[..slate.len().min(self.weights.len())];
        for ((reached, sum), place) in self.weights.iter_mut().zip(slate) {
            *reached += 1;
            sum.add(self.estimator.weight(place));
        }
        if self.estimator.is_self_normalized() {
            let mut terms: Vec<f64> = self.estimator.terms(slate).collect();
            terms.resize(self.weights.len(), 0.0);
            self.gram.add(&terms);
        } else {
            self.gram.add(&[self.estimator.term(slate)]);
        }
    }

    /// Adds the slates of another accumulator of the same estimator and number of positions.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.estimator, other.estimator);
        self.gram.merge(&other.gram);
        for ((reached, sum), (more, other)) in self.weights.iter_mut().zip(&other.weights) {
            *reached += more;
            sum.merge(other);
        }
    }

    /// Sum and sum of squares of the slates' terms, for the estimators that are means of slates.
    #[must_use]
    pub fn sums(&self) -> Option<[f64; 2]> {
        let mean = !self.estimator.is_self_normalized();
        mean.then(|| [self.gram.sum(0).value(), self.gram.product(0, 0).value()])
    }

    /// The estimate; its standard error is that of independent slates. Self-normalised forms take the mean weights as known, as the Open
    /// Bandit Pipeline does.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let coefficients: Vec<(usize, Double)> = if self.estimator.is_self_normalized() {
            let scale = |(reached, sum): &(u64, ExactSum)| Double::from(*reached as f64).over(sum.double());
            self.weights.iter().map(scale).enumerate().filter(|(k, _)| self.weights[*k].0 > 0).collect()
        } else {
            vec![(0, Double::from(1.0))]
        };
        let total = coefficients.iter().fold(Double::default(), |total, (k, scale)| total.plus(scale.times(self.gram.mean(*k))));
        let rows = self.gram.rows();
        let error = self.gram.deviation(&coefficients).map(|sd| sd / libm::sqrt(rows as f64));
        Estimate { value: if rows == 0 { f64::NAN } else { total.value() }, error, rows }
    }
}

/// Marginals of a policy over small pages: P(card at position), and of a logging policy also P(card at position and card' at position').
#[derive(Clone, Debug, PartialEq)]
pub struct Marginals {
    cards: usize,
    /// P(card a at position k), at k * cards + a.
    single: Vec<f64>,
    /// P(a at k and b at l), a matrix over the same indices.
    pairs: DMatrix<f64>,
}

impl Marginals {
    /// From every slate that can occur and its probability; each slate names a card, below `cards`, for each of `positions` positions.
    pub fn of<'a>(positions: usize, cards: usize, slates: impl IntoIterator<Item = (&'a [usize], f64)>) -> Self {
        let size = positions * cards;
        let mut single = vec![0.0; size];
        let mut pairs = DMatrix::zeros(size, size);
        for (slate, probability) in slates {
            for (k, a) in slate.iter().enumerate() {
                single[k * cards + a] += probability;
                for (l, b) in slate.iter().enumerate() {
                    pairs[(k * cards + a, l * cards + b)] += probability;
                }
            }
        }
        Self { cards, single, pairs }
    }
}

/// The weight of a logged slate in the pseudo-inverse estimator: q' G^+ 1(slate), with q the target's marginals and G the logging policy's
/// matrix of pairs.
///
/// Both marginals belong to the same context, with the same positions and cards. Unbiased when every (card, position) of the target
/// can occur under the logging policy and the slate's reward is a sum over its (position, card) pairs.
///
/// # References
/// A. Swaminathan, A. Krishnamurthy, A. Agarwal, M. Dudik, J. Langford, D. Jose, I. Zitouni (2017), "Off-policy evaluation for slate
/// recommendation", NeurIPS, equation (7).
#[must_use]
pub fn pseudo_inverse_weight(target: &Marginals, logging: &Marginals, slate: &[usize]) -> f64 {
    // The matrix has rank far below its size; what is numerically nothing must stay nothing.
    let Ok(inverse) = logging.pairs.clone().pseudo_inverse(1e-10) else { return f64::NAN };
    let column = |i: usize| slate.iter().enumerate().map(|(k, a)| inverse[(i, k * logging.cards + a)]).sum::<f64>();
    target.single.iter().enumerate().filter(|(_, q)| **q != 0.0).map(|(i, q)| q * column(i)).sum()
}

/// The same where the positions are drawn independently of each other: 1 + sum over positions of (weight of the card there - 1).
#[must_use]
pub fn pseudo_inverse_weight_of_independent(position_weights: impl IntoIterator<Item = f64>) -> f64 {
    position_weights.into_iter().fold(1.0, |total, weight| total + weight - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_worked_out_by_hand() {
        let place = |reward: f64, weights: [f64; 4], predicted: f64, expected: f64| Place {
            reward,
            slate_weight: weights[0],
            position_weight: weights[1],
            prefix_weight: weights[2],
            pseudo_weight: weights[3],
            predicted,
            expected,
        };
        let slates = [
            vec![place(1.0, [2.0, 1.0, 1.0, 0.5], 0.5, 0.25), place(1.0, [2.0, 4.0, 2.0, 0.5], 0.25, 0.5)],
            vec![place(0.0, [0.5, 2.0, 2.0, 1.5], 0.5, 0.5), place(1.0, [0.5, 0.5, 0.5, 1.5], 0.5, 0.25)],
        ];
        for (name, expected) in [
            ("SIPS", (2.0 + 2.0 + 0.5) / 2.0),
            ("IIPS", (1.0 + 4.0 + 0.5) / 2.0),
            ("RIPS", (1.0 + 2.0 + 0.5) / 2.0),
            ("PI", (1.0 + 1.5) / 2.0),
            ("SNSIPS", 2.0 / 2.5 + 2.5 / 2.5),
            ("SNIIPS", 1.0 / 3.0 + 4.5 / 4.5),
            ("SNRIPS", 1.0 / 3.0 + 2.5 / 2.5),
            ("SNPI", 0.5 / 2.0 + 2.0 / 2.0),
            ("CascadeDR", ((0.25 + 0.5) + (0.5 + 2.0 * 0.75) + (0.5 - 2.0 * 0.5) + (2.0 * 0.25 + 0.5 * 0.5)) / 2.0),
        ] {
            let mut sums = SlateAccumulator::new(name.parse().unwrap(), 2);
            slates.iter().for_each(|slate| sums.add(slate));
            assert!((sums.estimate().value - expected).abs() < 1e-15, "{name}: {:?} {expected}", sums.estimate());
            let mut parts = SlateAccumulator::new(name.parse().unwrap(), 2);
            for slate in slates.iter().rev() {
                let mut one = SlateAccumulator::new(name.parse().unwrap(), 2);
                one.add(slate);
                parts.merge(&one);
            }
            assert_eq!(parts.estimate(), sums.estimate(), "{name}");
        }
        assert!("XIPS".parse::<SlateEstimator>().unwrap_err().starts_with("expected an estimator of slates"));
    }

    #[test]
    fn short_slates_count_as_nothing_where_they_end() {
        let place = |reward: f64| Place { reward, slate_weight: 2.0, ..Place::default() };
        let mut sums = SlateAccumulator::new(SnSips, 2);
        sums.add(&[place(1.0), place(1.0)]);
        sums.add(&[place(1.0)]);
        // 1 play at the first position of each slate, half a play at the second: weights are alike and fall out.
        assert_eq!(sums.estimate().value, 1.5);
        assert!(SlateAccumulator::new(SnSips, 2).estimate().value.is_nan());
    }

    #[test]
    fn independent_positions_have_the_short_form() {
        let logging = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]];
        let target = [[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]];
        let slates: Vec<[usize; 2]> = (0..9).map(|i| [i / 3, i % 3]).collect();
        let marginals = |p: &[[f64; 3]; 2]| {
            let of = |slate: &[usize; 2]| p[0][slate[0]] * p[1][slate[1]];
            Marginals::of(2, 3, slates.iter().map(|slate| (&slate[..], of(slate))))
        };
        let (e, b) = (marginals(&target), marginals(&logging));
        for slate in &slates {
            let short = pseudo_inverse_weight_of_independent((0..2).map(|k| target[k][slate[k]] / logging[k][slate[k]]));
            assert!((pseudo_inverse_weight(&e, &b, slate) - short).abs() < 1e-9, "{slate:?}");
        }
    }
}
