//! Logistic regression with declared crosses.

use super::{bad_body, check_columns, check_range, check_weights};
use crate::error::Error;

/// Most crosses of a linear body.
pub const MAX_CROSSES: usize = 1_024;

/// intercept + sum of w_i x_i + sum of w_ab x_a x_b over the declared pairs (a, b), in this order, in `f64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    intercept: f64,
    weights: Vec<f64>,
    crosses: Vec<(u16, u16, f64)>,
}

impl Linear {
    /// Checks the parts.
    ///
    /// - `weights`: one for each column.
    /// - `crosses`: (column, column, weight); a column may be crossed with itself.
    ///
    /// # Errors
    /// `bad_body` for no or too many columns or crosses, a column that does not exist, or a weight that is not finite or beyond
    /// [`super::MAX_WEIGHT`].
    pub fn new(intercept: f64, weights: Vec<f64>, crosses: Vec<(u16, u16, f64)>) -> Result<Self, Error> {
        check_columns(weights.len())?;
        check_range("crosses", 0, MAX_CROSSES, crosses.len())?;
        check_weights("intercept", &mut [intercept].into_iter())?;
        check_weights("weight", &mut weights.iter().copied())?;
        check_weights("cross", &mut crosses.iter().map(|cross| cross.2))?;
        for (index, (a, b, _)) in crosses.iter().enumerate() {
            let column = usize::from(*a.max(b));
            if column >= weights.len() {
                return Err(bad_body(format!("cross {index} must name columns below {}, got {column}", weights.len())));
            }
        }
        Ok(Self { intercept, weights, crosses })
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

    /// (column, column, weight).
    #[must_use]
    pub fn crosses(&self) -> &[(u16, u16, f64)] {
        &self.crosses
    }

    pub(super) fn columns(&self) -> usize {
        self.weights.len()
    }

    /// The margin; adds columns and crosses to `inputs`.
    pub(super) fn evaluate(&self, x: &[f32], inputs: &mut Vec<f64>) -> f64 {
        let mut margin = self.intercept;
        for (x, weight) in x.iter().zip(&self.weights) {
            let x = f64::from(*x);
            inputs.push(x);
            margin += weight * x;
        }
        for (a, b, weight) in &self.crosses {
            let of = |column: u16| f64::from(x.get(usize::from(column)).copied().unwrap_or_default());
            let product = of(*a) * of(*b);
            inputs.push(product);
            margin += weight * product;
        }
        margin
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Inputs};
    use super::*;

    #[test]
    fn margin_and_inputs_by_hand() {
        let body = Body::Linear(Linear::new(0.5, vec![2.0, -1.0, 0.0], vec![(0, 1, 4.0), (2, 2, 0.5)]).unwrap());
        let mut inputs = Inputs::default();
        body.evaluate(&[1.0, 0.5, 0.25, 3.0], &mut inputs);
        // 0.5 + 1 - 0.25 + 4 (0.125) + 0.5 (9)
        assert_eq!(inputs.margin, 6.25);
        assert_eq!(inputs.values, [0.5, 0.25, 3.0, 0.125, 9.0]);
        assert_eq!((body.columns(), body.width(), body.kind()), (3, 5, "linear"));
    }

    #[test]
    fn refuses_bad_parts() {
        let message = |intercept, weights: &[f64], crosses: &[(u16, u16, f64)]| {
            let error = Linear::new(intercept, weights.to_vec(), crosses.to_vec()).unwrap_err();
            assert_eq!(error.code(), "bad_body");
            error.message().to_owned()
        };
        for (got, want) in [
            (message(0.0, &[], &[]), "expected 1 to 256 columns, got 0"),
            (message(0.0, &[0.0; 257], &[]), "expected 1 to 256 columns, got 257"),
            (message(f64::NAN, &[0.0], &[]), "intercept 0 must be within -1000000 and 1000000, got NaN"),
            (message(0.0, &[1.0, f64::INFINITY], &[]), "weight 1 must be within -1000000 and 1000000, got an infinite number"),
            (message(0.0, &[1.0], &[(0, 0, -2e6)]), "cross 0 must be within -1000000 and 1000000, got -2000000"),
            (message(0.0, &[1.0], &[(0, 0, 1.0), (0, 1, 1.0)]), "cross 1 must name columns below 1, got 1"),
            (message(0.0, &[1.0], &[(0, 0, 1.0); 1_025]), "expected 0 to 1024 crosses, got 1025"),
        ] {
            assert_eq!(got, want);
        }
    }
}
