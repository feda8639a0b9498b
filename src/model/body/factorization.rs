//! Factorization machine of order 2 or 3.

use super::{check_columns, check_count, check_range, check_weights};
use crate::error::Error;

/// Most factors of each column, for either order.
pub const MAX_RANK: usize = 64;

/// intercept + sum of w_i x_i + sum over pairs of <v_i, v_j> x_i x_j, and for order 3 the sum over triples of
/// sum_f u_if u_jf u_kf x_i x_j x_k with factors u of its own.
///
/// With power sums p_n = sum_i (v_if x_i)^n, a factor f of order 2 adds (p_1^2 - p_2) / 2 and one of order 3 the third elementary
/// symmetric polynomial (p_1^3 - 3 p_1 p_2 + 2 p_3) / 6. Sums run over columns, then factors, in `f64`.
///
/// # References
/// S. Rendle (2010), "Factorization machines", ICDM, equation 3. Order 3 with linear-time sums: M. Blondel et al. (2016),
/// "Higher-order factorization machines", NIPS. As a reward model of a Home page: J. McInerney et al. (2018), "Explore, exploit, and
/// explain: personalizing explainable recommendations with bandits", RecSys, equation 3.
#[derive(Clone, Debug, PartialEq)]
pub struct Factorization {
    intercept: f64,
    weights: Vec<f64>,
    pairs: Factors,
    triples: Option<Factors>,
}

/// One row of `rank` factors for each column.
#[derive(Clone, Debug, PartialEq)]
struct Factors {
    rank: usize,
    values: Vec<f32>,
}

impl Factors {
    fn new(what: &str, columns: usize, rank: usize, values: Vec<f32>) -> Result<Self, Error> {
        check_range("factors of a column", 1, MAX_RANK, rank)?;
        check_count(what, columns * rank, values.len())?;
        check_weights(what, &mut values.iter().map(|v| f64::from(*v)))?;
        Ok(Self { rank, values })
    }

    /// The term of this order: 2 or 3.
    fn term(&self, x: &[f32], third: bool) -> f64 {
        let (mut p1, mut p2, mut p3) = ([0.0f64; MAX_RANK], [0.0f64; MAX_RANK], [0.0f64; MAX_RANK]);
        for (x, factors) in x.iter().zip(self.values.chunks_exact(self.rank)) {
            // Most columns of a one-hot row.
            if *x == 0.0 {
                continue;
            }
            for (((v, p1), p2), p3) in factors.iter().zip(&mut p1).zip(&mut p2).zip(&mut p3) {
                let vx = f64::from(*v) * f64::from(*x);
                *p1 += vx;
                *p2 += vx * vx;
                if third {
                    *p3 += vx * vx * vx;
                }
            }
        }
        let mut sum = 0.0;
        for ((p1, p2), p3) in p1.iter().zip(&p2).zip(&p3).take(self.rank) {
            sum += if third { (p1 * p1 * p1 - 3.0 * p1 * p2 + 2.0 * p3) / 6.0 } else { (p1 * p1 - p2) / 2.0 };
        }
        sum
    }
}

impl Factorization {
    /// Checks the parts.
    ///
    /// - `weights`: one for each column.
    /// - `factors`: columns x `rank`, the factors of a column side by side.
    /// - `third`: rank and factors of order 3.
    ///
    /// # Errors
    /// `bad_body` for no or too many columns or factors, another number of factors than columns x rank, or a value that is not
    /// finite or beyond [`super::MAX_WEIGHT`].
    pub fn new(
        intercept: f64,
        weights: Vec<f64>,
        rank: usize,
        factors: Vec<f32>,
        third: Option<(usize, Vec<f32>)>,
    ) -> Result<Self, Error> {
        let columns = weights.len();
        check_columns(columns)?;
        check_weights("intercept", &mut [intercept].into_iter())?;
        check_weights("weight", &mut weights.iter().copied())?;
        let pairs = Factors::new("factors", columns, rank, factors)?;
        let triples = match third {
            None => None,
            Some((rank, factors)) => Some(Factors::new("factors of order 3", columns, rank, factors)?),
        };
        Ok(Self { intercept, weights, pairs, triples })
    }

    /// The intercept.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// One weight for each column.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Rank and factors of order 2.
    #[must_use]
    pub fn factors(&self) -> (usize, &[f32]) {
        (self.pairs.rank, &self.pairs.values)
    }

    /// Rank and factors of order 3.
    #[must_use]
    pub fn third(&self) -> Option<(usize, &[f32])> {
        self.triples.as_ref().map(|triples| (triples.rank, triples.values.as_slice()))
    }

    pub(super) fn columns(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn width(&self) -> usize {
        self.weights.len() + 1 + usize::from(self.triples.is_some())
    }

    /// The margin; adds the columns and the term of each order to `inputs`.
    pub(super) fn evaluate(&self, x: &[f32], inputs: &mut Vec<f64>) -> f64 {
        let mut margin = self.intercept;
        for (x, weight) in x.iter().zip(&self.weights) {
            inputs.push(f64::from(*x));
            margin += weight * f64::from(*x);
        }
        let mut add = |term: f64| {
            inputs.push(term);
            margin += term;
        };
        add(self.pairs.term(x, false));
        if let Some(triples) = &self.triples {
            add(triples.term(x, true));
        }
        margin
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Inputs};
    use super::*;

    #[test]
    fn order_two_by_hand() {
        // <v0, v1> = 1*3 + 2*4 = 11, <v0, v2> = 1*0 + 2*1 = 2, <v1, v2> = 4.
        let factors = vec![1.0, 2.0, 3.0, 4.0, 0.0, 1.0];
        let body = Body::Factorization(Factorization::new(0.5, vec![1.0, -2.0, 0.25], 2, factors, None).unwrap());
        let mut inputs = Inputs::default();
        body.evaluate(&[1.0, 2.0, 0.5, -1.0], &mut inputs);
        let pairs = 11.0 * 2.0 * 0.5 - 2.0 * 2.0 - 4.0 * 0.5;
        assert_eq!(inputs.values, [2.0, 0.5, -1.0, pairs]);
        assert_eq!(inputs.margin, 0.5 + 2.0 - 1.0 - 0.25 + pairs);
        assert_eq!((body.columns(), body.width()), (3, 4));
    }

    #[test]
    fn order_three_is_the_sum_over_all_triples() {
        let u: Vec<f32> = (0..8).map(|i| 0.25 * (i as f32 - 3.0)).collect();
        let x: [f32; 4] = [1.5, -2.0, 0.5, 3.0];
        let machine = Factorization::new(0.0, vec![0.0; 4], 1, vec![0.0; 4], Some((2, u.clone()))).unwrap();
        let mut want = 0.0;
        for f in 0..2 {
            for i in 0..4 {
                for j in 0..i {
                    for k in 0..j {
                        let at = |c: usize| f64::from(u[2 * c + f]) * f64::from(x[c]);
                        want += at(i) * at(j) * at(k);
                    }
                }
            }
        }
        let body = Body::Factorization(machine);
        let got = body.margin(&[1.0, x[0], x[1], x[2], x[3]]);
        assert!((got - want).abs() < 1e-12 && want.abs() > 0.1, "{got} {want}");
        assert_eq!(body.width(), 6);
    }

    #[test]
    fn refuses_bad_parts() {
        let message = |rank, factors: &[f32], third| {
            let error = Factorization::new(0.0, vec![0.0; 2], rank, factors.to_vec(), third).unwrap_err();
            assert_eq!(error.code(), "bad_body");
            error.message().to_owned()
        };
        for (got, want) in [
            (message(0, &[], None), "expected 1 to 64 factors of a column, got 0"),
            (message(65, &[0.0; 130], None), "expected 1 to 64 factors of a column, got 65"),
            (message(1, &[0.0; 3], None), "expected 2 factors, got 3"),
            (message(1, &[0.0, f32::NAN], None), "factors 1 must be within -1000000 and 1000000, got NaN"),
            (message(1, &[0.0; 2], Some((1, vec![0.0]))), "expected 2 factors of order 3, got 1"),
            (
                message(1, &[0.0; 2], Some((usize::MAX, vec![0.0]))),
                "expected 1 to 64 factors of a column, got 18446744073709551615",
            ),
        ] {
            assert_eq!(got, want);
        }
        assert!(Factorization::new(0.0, Vec::new(), 1, Vec::new(), None).is_err());
        assert!(Factorization::new(0.0, vec![f64::NAN], 1, vec![0.0], None).is_err());
    }
}
