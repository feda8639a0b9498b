//! Estimators of a policy's value from single decisions.
//!
//! Write w = P(action | target) / P(action | logging), r for the reward, q for what a reward model predicts of the logged action and d for
//! what it predicts of the target policy, sum over actions of P(action | target) q(action). Each estimator is a mean or a ratio of sums
//! over rows, so any number of logs can be summed apart and merged.

use std::fmt;
use std::str::FromStr;

use super::exact::Double;
use super::gram::Gram;
use super::interval::Unit;
use super::lanes::{map1, map2, map3, map4, wide};
use super::usual::Usual;
use super::weights::WeightSums;

/// What an estimator reads of one logged decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Importance weight w >= 0 of the logged action.
    pub weight: f64,
    /// Reward r.
    pub reward: f64,
    /// Predicted reward q of the logged action; 0 without a model.
    pub predicted: f64,
    /// Predicted reward d of the target policy in this context; 0 without a model.
    pub expected: f64,
    /// Weight of the logged action's embedding, P(embedding | target) / P(embedding | logging). Equal to `weight` where every action
    /// is its own embedding.
    pub embedding_weight: f64,
}

impl Row {
    /// A row without a reward model.
    #[must_use]
    pub fn new(weight: f64, reward: f64) -> Self {
        Self { weight, reward, predicted: 0.0, expected: 0.0, embedding_weight: weight }
    }

    /// With what a reward model predicts: of the logged action, and of the target policy.
    #[must_use]
    pub fn with_model(self, predicted: f64, expected: f64) -> Self {
        Self { predicted, expected, ..self }
    }
}

/// Rows column by column, all of one length: see [`Row`]. Predictions may be empty where no estimator reads them.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Importance weights.
    pub weight: &'a [f64],
    /// Rewards.
    pub reward: &'a [f64],
    /// Predicted rewards of the logged actions.
    pub predicted: &'a [f64],
    /// Predicted rewards of the target policy.
    pub expected: &'a [f64],
    /// Weights of the logged actions' embeddings.
    pub embedding_weight: &'a [f64],
}

/// An estimator with its parameter.
///
/// Names and parameters, as written and read by [`Display`](fmt::Display) and [`FromStr`]: `IPS`, `CIPS(5)`, `SNIPS`, `NCIS(5)`, `DM`,
/// `DR`, `SNDR`, `SwitchDR(5)`, `DRos(10)`, `SGIPS(0.05)`, `SGDR(0.05)`, `MIPS`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimator {
    /// Inverse propensity scoring, mean of w r. Unbiased. Horvitz and Thompson (1952); Strehl et al. (2010).
    Ips,
    /// Clipped IPS, mean of min(w, c) r. 0 gives 0, infinity gives IPS. Ionides (2008); Bottou et al. (2013).
    ClippedIps(f64),
    /// Self-normalised IPS, sum of w r / sum of w. Consistent. Swaminathan and Joachims (2015).
    Snips,
    /// Normalised capped importance sampling, sum of min(w, c) r / sum of min(w, c). Gilotte et al. (2018), "Offline A/B testing for
    /// recommender systems", WSDM; used by McInerney et al. (2018).
    Ncis(f64),
    /// Direct method, mean of d. As good as the reward model.
    DirectMethod,
    /// Doubly robust, mean of d + w (r - q). Unbiased whatever the model. Dudik, Langford, Li (2011).
    DoublyRobust,
    /// Self-normalised doubly robust, mean of d + w (r - q) / (mean of w). Thomas and Brunskill (2016), their weighted DR.
    SelfNormalizedDr,
    /// Doubly robust where w <= l, the model elsewhere. 0 gives DM, infinity DR. Wang, Agarwal, Dudik (2017).
    SwitchDr(f64),
    /// Doubly robust with optimistic shrinkage, w' = l w / (w^2 + l). 0 gives DM, infinity DR. Su et al. (2020), equation (6).
    ShrunkDr(f64),
    /// Sub-Gaussian IPS, w' = w / (1 - l + l w). 0 gives IPS, 1 gives the plain mean. Metelli, Russo, Restelli (2021), equation (8).
    SubGaussianIps(f64),
    /// Doubly robust with the weights of sub-Gaussian IPS.
    SubGaussianDr(f64),
    /// Marginalised IPS over action embeddings, mean of v r. Unbiased when the action matters through its embedding alone. Saito and
    /// Joachims (2022).
    MarginalizedIps,
}

use Estimator::{
    ClippedIps, DirectMethod, DoublyRobust, Ips, MarginalizedIps, Ncis, SelfNormalizedDr, ShrunkDr, Snips, SubGaussianDr,
    SubGaussianIps, SwitchDr,
};

/// How an estimator's value follows from the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Mean of one term.
    Mean,
    /// Sum of the first component over the sum of the second.
    Ratio,
    /// Mean of the first component plus the mean of the second over the mean of the third.
    Corrected,
}

impl Form {
    fn components(self) -> usize {
        match self {
            Self::Mean => 1,
            Self::Ratio => 2,
            Self::Corrected => 3,
        }
    }
}

impl Estimator {
    /// Every estimator, once, with its parameter in the middle of its range.
    pub const ALL: [Self; 12] = [
        Ips,
        ClippedIps(10.0),
        Snips,
        Ncis(10.0),
        DirectMethod,
        DoublyRobust,
        SelfNormalizedDr,
        SwitchDr(10.0),
        ShrunkDr(100.0),
        SubGaussianIps(0.05),
        SubGaussianDr(0.05),
        MarginalizedIps,
    ];

    /// Whether a reward model enters.
    #[must_use]
    pub fn needs_model(self) -> bool {
        matches!(self, DirectMethod | DoublyRobust | SelfNormalizedDr | SwitchDr(_) | ShrunkDr(_) | SubGaussianDr(_))
    }

    /// Whether the expectation of the estimate is the value of the target policy for any number of rows, any reward model and any
    /// rewards, as long as the logging policy gives every action of the target a propensity above 0. Marginalised IPS is so only under
    /// an assumption of its own.
    #[must_use]
    pub fn is_unbiased(self) -> bool {
        match self {
            Ips | DoublyRobust => true,
            ClippedIps(limit) | SwitchDr(limit) | ShrunkDr(limit) => limit == f64::INFINITY,
            SubGaussianIps(share) | SubGaussianDr(share) => share == 0.0,
            _ => false,
        }
    }

    fn form(self) -> Form {
        match self {
            Snips | Ncis(_) => Form::Ratio,
            SelfNormalizedDr => Form::Corrected,
            _ => Form::Mean,
        }
    }

    /// The weight that the estimator gives a row.
    #[must_use]
    pub fn weight(self, row: &Row) -> f64 {
        self.weighed(if self == MarginalizedIps { row.embedding_weight } else { row.weight })
    }

    /// The weight that becomes of w.
    #[inline(always)]
    fn weighed(self, w: f64) -> f64 {
        match self {
            ClippedIps(limit) | Ncis(limit) => w.min(limit),
            SwitchDr(limit) => {
                if w <= limit {
                    w
                } else {
                    0.0
                }
            }
            ShrunkDr(limit) if limit == f64::INFINITY => w,
            ShrunkDr(limit) => {
                let below = w * w + limit;
                // 0 / 0 at w = l = 0, and infinities above 1e154: the limit is 0 in both.
                if below > 0.0 && below.is_finite() { limit * w / below } else { 0.0 }
            }
            SubGaussianIps(share) | SubGaussianDr(share) => {
                let below = 1.0 - share + share * w;
                if below > 0.0 { w / below } else { 0.0 }
            }
            DirectMethod => 0.0,
            _ => w,
        }
    }

    /// What [`Accumulator::add`] adds up, column by column: one for means, reward and weight for ratios, and three for
    /// [`SelfNormalizedDr`].
    #[inline(always)]
    fn components(self, rows: &Columns<'_>, [first, second, third]: &mut [Vec<f64>; 3]) {
        let Columns { reward, predicted, expected, .. } = *rows;
        let weight = if self == MarginalizedIps { rows.embedding_weight } else { rows.weight };
        match self {
            Ips | MarginalizedIps => map2(first, weight, reward, |w, r| w * r),
            ClippedIps(limit) => map2(first, weight, reward, |w, r| w.min(limit) * r),
            SubGaussianIps(_) => map2(first, weight, reward, |w, r| self.weighed(w) * r),
            Snips => {
                map2(first, weight, reward, |w, r| w * r);
                map1(second, weight, |w| w);
            }
            Ncis(limit) => {
                map2(first, weight, reward, |w, r| w.min(limit) * r);
                map1(second, weight, |w| w.min(limit));
            }
            DoublyRobust => map4(first, [expected, weight, reward, predicted], |d, w, r, q| d + w * (r - q)),
            SwitchDr(limit) => {
                map4(first, [expected, weight, reward, predicted], |d, w, r, q| d + if w <= limit { w } else { 0.0 } * (r - q));
            }
            DirectMethod | ShrunkDr(_) | SubGaussianDr(_) => {
                map4(first, [expected, weight, reward, predicted], |d, w, r, q| d + self.weighed(w) * (r - q));
            }
            SelfNormalizedDr => {
                map1(first, expected, |d| d);
                map3(second, [weight, reward, predicted], |w, r, q| w * (r - q));
                map1(third, weight, |w| w);
            }
        }
    }

    /// A row as resampling sees it; nothing for [`SelfNormalizedDr`], which is no ratio of two sums.
    #[must_use]
    pub fn unit(self, row: &Row) -> Option<Unit> {
        let weight = self.weight(row);
        match self.form() {
            // The mean of the full weights is known to be 1, whatever the estimator makes of them.
            Form::Mean => Some(Unit { numerator: self.term(row), denominator: 1.0, control: row.weight - 1.0 }),
            Form::Ratio => Some(Unit { numerator: weight * row.reward, denominator: weight, control: 0.0 }),
            Form::Corrected => None,
        }
    }

    /// What a row adds to the estimate, for estimators that are means; for ratios the numerator's part.
    #[must_use]
    pub fn term(self, row: &Row) -> f64 {
        let weight = self.weight(row);
        if self.needs_model() { row.expected + weight * (row.reward - row.predicted) } else { weight * row.reward }
    }
}

impl fmt::Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ips => f.write_str("IPS"),
            ClippedIps(limit) => write!(f, "CIPS({limit})"),
            Snips => f.write_str("SNIPS"),
            Ncis(limit) => write!(f, "NCIS({limit})"),
            DirectMethod => f.write_str("DM"),
            DoublyRobust => f.write_str("DR"),
            SelfNormalizedDr => f.write_str("SNDR"),
            SwitchDr(limit) => write!(f, "SwitchDR({limit})"),
            ShrunkDr(limit) => write!(f, "DRos({limit})"),
            SubGaussianIps(share) => write!(f, "SGIPS({share})"),
            SubGaussianDr(share) => write!(f, "SGDR({share})"),
            MarginalizedIps => f.write_str("MIPS"),
        }
    }
}

impl FromStr for Estimator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, parameter) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => {
                let number = rest.strip_suffix(')').and_then(|number| number.trim().parse::<f64>().ok());
                let number = number.filter(|number| *number >= 0.0);
                (name, Some(number.ok_or_else(|| format!("expected {name}(a number >= 0), got {text}"))?))
            }
        };
        let found = match (name, parameter) {
            ("IPS", None) => Some(Ips),
            ("CIPS", Some(limit)) => Some(ClippedIps(limit)),
            ("SNIPS", None) => Some(Snips),
            ("NCIS", Some(limit)) => Some(Ncis(limit)),
            ("DM", None) => Some(DirectMethod),
            ("DR", None) => Some(DoublyRobust),
            ("SNDR", None) => Some(SelfNormalizedDr),
            ("SwitchDR", Some(limit)) => Some(SwitchDr(limit)),
            ("DRos", Some(limit)) => Some(ShrunkDr(limit)),
            ("SGIPS", Some(share)) if share <= 1.0 => Some(SubGaussianIps(share)),
            ("SGDR", Some(share)) if share <= 1.0 => Some(SubGaussianDr(share)),
            ("MIPS", None) => Some(MarginalizedIps),
            _ => None,
        };
        let known = || Self::ALL.map(|estimator| estimator.to_string()).join(", ");
        found.ok_or_else(|| format!("expected an estimator such as {}, got {text}", known()))
    }
}

/// The limit of [`SwitchDr`], where these are the usual four estimators: [`Ips`], [`Snips`], [`DoublyRobust`] and [`SwitchDr`] in this order.
pub(super) fn usual_limit(estimators: &[Estimator]) -> Option<f64> {
    if let [Ips, Snips, DoublyRobust, SwitchDr(limit)] = estimators { Some(*limit) } else { None }
}

/// Adds rows that were summed already to the weights and to the sums of the usual four estimators, as [`usual_limit`] knows them.
pub(super) fn add_usual(of: &Usual, weights: &mut WeightSums, estimators: &mut [Accumulator]) {
    let [ips, snips, dr, switch] = estimators else { return };
    let [w, wr, corrected, switched, ww, wr_wr, corrected_squares, switched_squares] = of.moments;
    let rows = of.rows();
    weights.add_summed([w, ww], of.largest, of.zeros, &of.histogram);
    ips.gram.add_sums(rows, ([wr], [wr_wr]));
    snips.gram.add_sums(rows, ([wr, w], [wr_wr, of.product, ww]));
    dr.gram.add_sums(rows, ([corrected], [corrected_squares]));
    switch.gram.add_sums(rows, ([switched], [switched_squares]));
}

/// The value of a policy as estimated, with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Mean reward of a decision under the target policy.
    pub value: f64,
    /// Standard error of `value`; nothing below two rows, where it cannot be known.
    pub error: Option<f64>,
    /// Rows that it rests on.
    pub rows: u64,
}

/// The sums of one estimator: merge them over logs, then ask for the estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct Accumulator {
    estimator: Estimator,
    gram: Gram,
}

impl Accumulator {
    /// Nothing yet.
    #[must_use]
    pub fn new(estimator: Estimator) -> Self {
        Self { estimator, gram: Gram::new(estimator.form().components()) }
    }

    /// The same for long logs: [`Gram::quick`].
    #[must_use]
    pub fn quick(estimator: Estimator) -> Self {
        Self { estimator, gram: Gram::quick(estimator.form().components()) }
    }

    /// Which estimator.
    #[must_use]
    pub fn estimator(&self) -> Estimator {
        self.estimator
    }

    /// The sums themselves.
    #[must_use]
    pub fn gram(&self) -> &Gram {
        &self.gram
    }

    /// Adds a row.
    pub fn add(&mut self, row: &Row) {
        let weight = self.estimator.weight(row);
        match self.estimator.form() {
            Form::Mean => self.gram.add(&[self.estimator.term(row)]),
            Form::Ratio => self.gram.add(&[weight * row.reward, weight]),
            Form::Corrected => self.gram.add(&[row.expected, weight * (row.reward - row.predicted), weight]),
        }
    }

    /// Adds many rows. `scratch` is room for their parts, and afterwards holds them: as many columns as are given back.
    pub fn add_columns(&mut self, rows: &Columns<'_>, scratch: &mut [Vec<f64>; 3]) -> usize {
        wide(
            #[inline(always)]
            || self.estimator.components(rows, scratch),
        );
        let [first, second, third] = &*scratch;
        let columns = [&first[..], second, third];
        let count = self.estimator.form().components();
        self.gram.add_columns(&columns[..count]);
        count
    }

    /// Adds the rows of another accumulator of the same estimator.
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.estimator, other.estimator);
        self.gram.merge(&other.gram);
    }

    /// The estimate: not a number without rows, and for ratios without weight.
    ///
    /// The standard error of a mean is that of independent rows. A ratio's comes from its influence function (w (r - V) over the sum of w;
    /// Owen 2013, "Monte Carlo theory, methods and examples", equation (9.9)). [`SelfNormalizedDr`] takes the mean of w as known, as
    /// the Open Bandit Pipeline does.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let gram = &self.gram;
        let rows = gram.rows();
        let one = Double::from(1.0);
        let of_mean = |deviation: Option<f64>| deviation.map(|sd| sd / libm::sqrt(rows as f64));
        let (value, error) = match self.estimator.form() {
            Form::Mean => (gram.mean(0), of_mean(gram.deviation(&[(0, one)]))),
            Form::Ratio => {
                let value = gram.sum(0).over(gram.sum(1));
                let squares = gram.squares(Double::default(), &[(0, one), (1, Double::default().minus(value))]);
                let error = libm::sqrt(squares) / gram.sum(1).value();
                (value, Some(error).filter(|_| rows >= 2))
            }
            Form::Corrected => {
                let scale = one.over(gram.mean(2));
                let value = gram.mean(0).plus(gram.mean(1).times(scale));
                (value, of_mean(gram.deviation(&[(0, one), (1, scale)])))
            }
        };
        Estimate { value: value.value(), error, rows }
    }

    /// Standard deviation of a row's part (n - 1), for estimators that are means of rows.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let one = Double::from(1.0);
        match self.estimator.form() {
            Form::Mean => self.gram.deviation(&[(0, one)]),
            Form::Ratio => None,
            Form::Corrected => self.gram.deviation(&[(0, one), (1, one.over(self.gram.mean(2)))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::usual::{Logged, add};

    fn estimate(estimator: Estimator, rows: &[Row]) -> Estimate {
        let mut sums = Accumulator::new(estimator);
        rows.iter().for_each(|row| sums.add(row));
        sums.estimate()
    }

    fn rows() -> Vec<Row> {
        let row = |w: f64, r: f64, q: f64, d: f64| Row { embedding_weight: 2.0 * w, ..Row::new(w, r).with_model(q, d) };
        vec![row(0.5, 1.0, 0.25, 0.5), row(4.0, 0.0, 0.5, 0.25), row(2.0, 1.0, 0.75, 0.75), row(0.0, 1.0, 0.5, 0.5)]
    }

    #[test]
    fn values_are_those_worked_out_by_hand() {
        for (name, expected) in [
            ("IPS", (0.5 + 2.0) / 4.0),
            ("CIPS(1)", (0.5 + 1.0) / 4.0),
            ("SNIPS", 2.5 / 6.5),
            ("NCIS(1)", 1.5 / 2.5),
            ("DM", 2.0 / 4.0),
            ("DR", (2.0 + 0.5 * 0.75 - 4.0 * 0.5 + 2.0 * 0.25) / 4.0),
            ("SNDR", 0.5 + (0.5 * 0.75 - 4.0 * 0.5 + 2.0 * 0.25) / 6.5),
            ("SwitchDR(2)", (2.0 + 0.5 * 0.75 + 2.0 * 0.25) / 4.0),
            ("DRos(4)", (2.0 + 2.0 / 4.25 * 0.75 - 16.0 / 20.0 * 0.5 + 1.0 * 0.25) / 4.0),
            ("SGIPS(0.5)", (0.5 / 0.75 + 2.0 / 1.5) / 4.0),
            ("SGDR(0.5)", (2.0 + 0.5 / 0.75 * 0.75 - 4.0 / 2.5 * 0.5 + 2.0 / 1.5 * 0.25) / 4.0),
            ("MIPS", (1.0 + 4.0) / 4.0),
        ] {
            let found = estimate(name.parse().unwrap(), &rows());
            assert!((found.value - expected).abs() < 1e-15, "{name}: {} {expected}", found.value);
            assert!(found.error.unwrap() > 0.0 && found.rows == 4, "{name}");
        }
    }

    #[test]
    fn columns_give_the_bits_of_rows() {
        let many: Vec<Row> = (0..500).flat_map(|_| rows()).collect();
        let column = |get: &dyn Fn(&Row) -> f64| many.iter().map(get).collect::<Vec<f64>>();
        let (weight, reward, predicted) = (column(&|row| row.weight), column(&|row| row.reward), column(&|row| row.predicted));
        let (expected, embedding_weight) = (column(&|row| row.expected), column(&|row| row.embedding_weight));
        let columns = Columns {
            weight: &weight,
            reward: &reward,
            predicted: &predicted,
            expected: &expected,
            embedding_weight: &embedding_weight,
        };
        for estimator in Estimator::ALL {
            let (mut sums, mut quick) = (Accumulator::new(estimator), Accumulator::quick(estimator));
            sums.add_columns(&columns, &mut Default::default());
            quick.add_columns(&columns, &mut Default::default());
            let whole = estimate(estimator, &many);
            assert_eq!(sums.estimate(), whole, "{estimator}");
            let near = quick.estimate();
            assert!((near.value / whole.value - 1.0).abs() < 1e-13, "{estimator}: {near:?} {whole:?}");
            assert!((near.error.unwrap() / whole.error.unwrap() - 1.0).abs() < 1e-9, "{estimator}: {near:?} {whole:?}");
        }
    }

    #[test]
    fn the_usual_four_in_one_walk_are_those_of_each() {
        let column = |k: u32, of: f64| (0..1_003u32).map(|i| f64::from(i * (7 + k) % (31 + k)) / of).collect::<Vec<f64>>();
        let (chance, reward, predicted, expected) = (column(0, 30.0), column(1, 3.0), column(2, 3.0), column(3, 3.0));
        let propensity: Vec<f64> = column(4, 40.0).iter().map(|x| (x + 0.125).min(1.0)).collect();
        let weight: Vec<f64> = chance.iter().zip(&propensity).map(|(chance, p)| chance / p).collect();
        let stored = [&propensity, &reward, &predicted, &chance, &expected].map(|column| [bytemuck::cast_slice(column)]);
        let [p, r, q, c, d] = &stored;
        let rows = Logged { propensity: p, reward: r, predicted: q, chance: c, expected: d };
        let mut slices = [Usual::default(); 2];
        assert!(add(&[0; 1_003], rows, 5.0, &mut slices));
        let usual = [Ips, Snips, DoublyRobust, SwitchDr(5.0)];
        assert_eq!((usual_limit(&usual), usual_limit(&usual[..3]), usual_limit(&Estimator::ALL[..4])), (Some(5.0), None, None));
        let (mut together, mut each) = (usual.map(Accumulator::quick), usual.map(Accumulator::quick));
        let (mut weights, mut alone) = (WeightSums::default(), WeightSums::default());
        add_usual(&slices[0], &mut weights, &mut together);
        let (reward, predicted, expected) = (&reward[..], &predicted[..], &expected[..]);
        let rows = Columns { weight: &weight, reward, predicted, expected, embedding_weight: &weight };
        each.iter_mut().for_each(|sums| {
            sums.add_columns(&rows, &mut Default::default());
        });
        alone.add_all(&weight);
        for (one, other) in together.iter().zip(&each) {
            let (one, other) = (one.estimate(), other.estimate());
            assert_eq!(one.rows, other.rows);
            assert!(
                (one.value / other.value - 1.0).abs() < 1e-13 && (one.error.unwrap() / other.error.unwrap() - 1.0).abs() < 1e-12
            );
        }
        assert_eq!((weights.rows(), weights.max(), weights.histogram()), (alone.rows(), alone.max(), alone.histogram()));
        assert_eq!(weights.share_of_zeros(), alone.share_of_zeros());
        assert!((weights.effective_sample_size() / alone.effective_sample_size() - 1.0).abs() < 1e-13);
    }

    #[test]
    fn a_ratio_has_the_error_of_its_influence_function() {
        let v: f64 = 2.5 / 6.5;
        let squares: f64 = [0.5 * (1.0 - v), 4.0 * v, 2.0 * (1.0 - v)].iter().map(|x| x * x).sum();
        assert!((estimate(Snips, &rows()).error.unwrap() - squares.sqrt() / 6.5).abs() < 1e-15);
    }

    #[test]
    fn parameters_reach_their_ends() {
        let rows = rows();
        let value = |name: &str| estimate(name.parse().unwrap(), &rows).value;
        for (a, b) in [
            ("CIPS(inf)", "IPS"),
            ("NCIS(inf)", "SNIPS"),
            ("SwitchDR(inf)", "DR"),
            ("SwitchDR(0)", "DM"),
            ("DRos(inf)", "DR"),
            ("DRos(0)", "DM"),
            ("SGIPS(0)", "IPS"),
            ("SGDR(0)", "DR"),
        ] {
            assert_eq!(value(a), value(b), "{a} {b}");
        }
        assert_eq!(value("CIPS(0)"), 0.0);
        // With l = 1 every weight that is not 0 becomes 1.
        assert_eq!(value("SGIPS(1)"), 0.5);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for estimator in Estimator::ALL {
            assert_eq!(estimator.to_string().parse(), Ok(estimator));
        }
        for wrong in ["", "ips", "IPS(2)", "CIPS", "CIPS()", "CIPS(-1)", "CIPS(2", "CIPS(NaN)", "SGIPS(1.5)", "DRos(x)"] {
            let error = wrong.parse::<Estimator>().unwrap_err();
            assert!(error.starts_with("expected "), "{error}");
        }
    }

    #[test]
    fn nothing_gives_no_number_and_one_row_no_error() {
        for estimator in Estimator::ALL {
            let none = estimate(estimator, &[]);
            assert!(none.value.is_nan() && none.error.is_none(), "{estimator}");
            assert_eq!(estimate(estimator, &rows()[..1]).error, None, "{estimator}");
        }
    }

    #[test]
    fn extreme_weights_keep_their_digits() {
        // One row of weight 1e12 among a million of weight 1: a plain sum of squares would lose the million.
        let mut sums = Accumulator::new(Snips);
        sums.add(&Row::new(1e12, 0.5));
        for _ in 0..1_000_000 {
            sums.add(&Row::new(1.0, 1.0));
        }
        let found = sums.estimate();
        let value = (0.5e12 + 1e6) / (1e12 + 1e6);
        assert_eq!(found.value, value);
        let expected =
            libm::sqrt((1e12 * (0.5 - value)) * (1e12 * (0.5 - value)) + 1e6 * (1.0 - value) * (1.0 - value)) / (1e12 + 1e6);
        assert!((found.error.unwrap() - expected).abs() < 1e-9 * expected, "{found:?} {expected}");
    }
}
