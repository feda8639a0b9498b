//! Gauss-Legendre panels over a line, and running integrals over them.

/// Nodes of one panel.
pub(super) const NODES: usize = 16;

/// Positive half of the nodes and weights of the 16-point rule on [-1, 1] (Abramowitz and Stegun 1964, table 25.4).
const HALF: [(f64, f64); NODES / 2] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_65, 0.027_152_459_411_754_095),
];

/// Node and weight by rising place on [-1, 1].
fn node(i: usize) -> (f64, f64) {
    let half = NODES / 2;
    if i < half {
        let (x, w) = HALF[half - 1 - i];
        (-x, w)
    } else {
        HALF[i - half]
    }
}

/// A line cut into panels, each with the nodes of a Gauss-Legendre rule.
pub(super) struct Panels {
    /// All nodes, rising.
    pub(super) nodes: Vec<f64>,
    /// Weight of each node.
    pub(super) weights: Vec<f64>,
    halves: Vec<f64>,
    /// tail[q][i]: weight of node i in the integral from node q to the end of a panel of half-width 1; empty before its first use.
    tail: Vec<[f64; NODES]>,
}

impl Panels {
    /// Panels from `low` to `high`; `step` gives the width of the panel that starts at a place, > 0.
    pub(super) fn new(low: f64, high: f64, step: impl Fn(f64) -> f64) -> Self {
        let mut panels = Self { nodes: Vec::new(), weights: Vec::new(), halves: Vec::new(), tail: Vec::new() };
        let mut at = low;
        while at < high {
            let next = at + step(at);
            // A step too small to move on ends the line rather than hang.
            let end = if next < high { next } else { high };
            if end <= at {
                break;
            }
            let (middle, half) = (0.5 * (at + end), 0.5 * (end - at));
            for i in 0..NODES {
                let (x, w) = node(i);
                panels.nodes.push(middle + half * x);
                panels.weights.push(half * w);
            }
            panels.halves.push(half);
            at = end;
        }
        panels
    }

    /// For each node, the integral of `values` from it to the end of the line.
    ///
    /// Within a panel the polynomial through its nodes is integrated, so the result is as accurate as the rule itself.
    pub(super) fn integral_above(&mut self, values: &[f64]) -> Vec<f64> {
        if self.tail.is_empty() {
            self.tail = tail();
        }
        let mut above = vec![0.0; values.len()];
        let mut beyond = 0.0;
        for (panel, half) in self.halves.iter().enumerate().rev() {
            let start = panel * NODES;
            let inside = &values[start..start + NODES];
            for (q, tail) in self.tail.iter().enumerate() {
                let sum: f64 = tail.iter().zip(inside).map(|(t, v)| t * v).sum();
                // Rounding must not make a chance negative.
                above[start + q] = (beyond + half * sum).max(0.0);
            }
            beyond += inside.iter().zip(&self.weights[start..]).map(|(v, w)| v * w).sum::<f64>();
        }
        above
    }
}

/// Integrals of the Lagrange polynomials of the nodes from each node to 1, by their Legendre coefficients:
/// sum_l w_i P_l(x_i) (P_(l-1)(x_q) - P_(l+1)(x_q)) / 2, with 1 - x_q for the first bracket.
fn tail() -> Vec<[f64; NODES]> {
    let legendre = |x: f64| {
        let mut p = [0.0; NODES + 1];
        (p[0], p[1]) = (1.0, x);
        for l in 1..NODES {
            let degree = l as f64;
            p[l + 1] = ((2.0 * degree + 1.0) * x * p[l] - degree * p[l - 1]) / (degree + 1.0);
        }
        p
    };
    let at: Vec<[f64; NODES + 1]> = (0..NODES).map(|i| legendre(node(i).0)).collect();
    (0..NODES)
        .map(|q| {
            let mut row = [0.0; NODES];
            for (i, value) in row.iter_mut().enumerate() {
                let first = at[i][0] * (1.0 - node(q).0);
                let rest: f64 = (1..NODES).map(|l| at[i][l] * (at[q][l - 1] - at[q][l + 1])).sum();
                *value = 0.5 * node(i).1 * (first + rest);
            }
            row
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::exp;

    #[test]
    fn integrates_and_accumulates_to_rounding() {
        let mut panels = Panels::new(-1.0, 3.0, |at| if at < 0.0 { 0.4 } else { 1.1 });
        let values: Vec<f64> = panels.nodes.iter().map(|x| exp(-x * x / 2.0)).collect();
        let whole: f64 = values.iter().zip(&panels.weights).map(|(v, w)| v * w).sum();
        let normal = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2) * (2.0 * std::f64::consts::PI).sqrt();
        assert!((whole - (normal(3.0) - normal(-1.0))).abs() < 1e-14);
        let above = panels.integral_above(&values);
        for (x, above) in panels.nodes.iter().zip(above) {
            assert!((above - (normal(3.0) - normal(*x))).abs() < 1e-13, "{x}");
        }
    }

    #[test]
    fn is_exact_for_polynomials_of_its_degree() {
        let power = |x: f64, degree: i32| (0..degree).fold(1.0, |product, _| product * x);
        let panels = Panels::new(0.0, 2.0, |_| 2.0);
        for degree in [0, 1, 7, 30, 31] {
            let sum: f64 = panels.nodes.iter().zip(&panels.weights).map(|(x, w)| power(*x, degree) * w).sum();
            let want = power(2.0, degree + 1) / f64::from(degree + 1);
            assert!((sum / want - 1.0).abs() < 1e-13, "{degree} {sum} {want}");
        }
    }

    #[test]
    fn a_step_of_nothing_ends() {
        assert!(Panels::new(0.0, 1.0, |_| 0.0).nodes.is_empty());
        assert!(Panels::new(1.0, 1.0, |_| 1.0).nodes.is_empty());
    }
}
