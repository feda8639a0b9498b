//! Factorization machines of order 2, and 3 where asked (Rendle 2010; Blondel et al. 2016).

use super::descent::{self, Model, Normals};
use super::sample::{Sample, base_margin};
use crate::error::LabError;

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Factors of each column for pairs.
    pub rank: usize,
    /// Factors of each column for triples; 0 for none.
    pub third: usize,
    /// How to descend.
    pub descent: descent::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        let descent = descent::Settings { rate: 0.005, ..descent::Settings::default() };
        Self { rank: 8, third: 0, descent }
    }
}

/// Most factors of a column, as many as a bundle may have.
pub const MAX_RANK: usize = 64;
/// Standard deviation of factors before training: small enough for the linear part to come first.
const START_SD: f32 = 0.05;

/// w0 + w . x + the sum over pairs of <v_i, v_j> x_i x_j + the sum over triples of <p_i, p_j, p_k> x_i x_j x_k.
#[derive(Clone, Debug, PartialEq)]
pub struct Factorization {
    /// Columns.
    pub width: usize,
    /// Factors for pairs.
    pub rank: usize,
    /// Factors for triples.
    pub third: usize,
    /// w0, then w, then v column by column, then p column by column.
    pub parameters: Vec<f32>,
}

/// Fits a machine to `learn`, which holds no missing values; `judge` says when to stop.
///
/// # Errors
/// When a setting is out of range, or the loss is no number any more.
pub fn fit(
    learn: &Sample,
    judge: &Sample,
    settings: &Settings,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<Factorization, LabError> {
    if !(1..=MAX_RANK).contains(&settings.rank) || settings.third > MAX_RANK {
        return Err(LabError::unreadable(format!(
            "factorization machine: expected a rank of 1 to {MAX_RANK} and a third order of 0 to {MAX_RANK}, found {} and {}",
            settings.rank, settings.third
        )));
    }
    descent::descend(Factorization::start(learn, settings), learn, judge, &settings.descent, progress)
}

impl Factorization {
    fn start(learn: &Sample, settings: &Settings) -> Self {
        let width = learn.width;
        let mut normals = Normals::new(settings.descent.seed);
        let mut parameters = vec![0.0; 1 + width];
        parameters[0] = base_margin(learn) as f32;
        parameters.extend((0..width * (settings.rank + settings.third)).map(|_| START_SD * normals.draw()));
        Self { width, rank: settings.rank, third: settings.third, parameters }
    }

    /// w.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.parameters[1..=self.width]
    }

    /// v, column by column.
    #[must_use]
    pub fn factors(&self) -> &[f32] {
        let start = 1 + self.width;
        &self.parameters[start..start + self.width * self.rank]
    }

    /// p, column by column.
    #[must_use]
    pub fn third_factors(&self) -> &[f32] {
        &self.parameters[1 + self.width * (1 + self.rank)..]
    }

    /// Makes every margin `scale` x margin + `shift`, `scale` above 0: pairs are products of two factors, triples of three.
    pub(super) fn rescale(&mut self, scale: f64, shift: f64) {
        let (linear, rest) = self.parameters.split_at_mut(1 + self.width);
        let (pairs, triples) = rest.split_at_mut(self.width * self.rank);
        linear.iter_mut().for_each(|weight| *weight *= scale as f32);
        linear[0] += shift as f32;
        pairs.iter_mut().for_each(|factor| *factor *= scale.sqrt() as f32);
        triples.iter_mut().for_each(|factor| *factor *= libm::cbrt(scale) as f32);
    }

    /// Sums over columns of the powers of v x: (first, second) for pairs and (first, second, third) for triples, factor by factor.
    fn powers(&self, row: &[f32], pairs: &mut [[f32; 2]], triples: &mut [[f32; 3]]) {
        pairs.fill([0.0; 2]);
        triples.fill([0.0; 3]);
        for (x, v) in row.iter().zip(self.factors().chunks_exact(self.rank)) {
            for (sums, v) in pairs.iter_mut().zip(v) {
                let z = v * x;
                sums[0] += z;
                sums[1] += z * z;
            }
        }
        if self.third == 0 {
            return;
        }
        for (x, p) in row.iter().zip(self.third_factors().chunks_exact(self.third)) {
            for (sums, p) in triples.iter_mut().zip(p) {
                let z = p * x;
                sums[0] += z;
                sums[1] += z * z;
                sums[2] += z * z * z;
            }
        }
    }

    /// Log-odds from the sums: Newton's identities give the elementary symmetric polynomials.
    fn margin_of(&self, row: &[f32], pairs: &[[f32; 2]], triples: &[[f32; 3]]) -> f32 {
        let linear: f32 = self.weights().iter().zip(row).map(|(w, x)| w * x).sum();
        let second: f32 = pairs.iter().map(|[a, b]| 0.5 * (a * a - b)).sum();
        let third: f32 = triples.iter().map(|[a, b, c]| (a * a * a - 3.0 * a * b + 2.0 * c) / 6.0).sum();
        self.parameters[0] + linear + second + third
    }
}

impl Model for Factorization {
    fn parameters(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    fn is_ridged(&self, parameter: usize) -> bool {
        parameter > 0
    }

    fn back(&self, sample: &Sample, rows: &[usize], of_margins: &mut dyn FnMut(&mut [f32]), slopes: &mut [f32]) {
        let mut pairs = vec![[0f32; 2]; self.rank * rows.len()];
        let mut triples = vec![[0f32; 3]; self.third * rows.len()];
        let mut of_rows = Vec::with_capacity(rows.len());
        for (at, &row) in rows.iter().enumerate() {
            let pairs = &mut pairs[at * self.rank..(at + 1) * self.rank];
            let triples = &mut triples[at * self.third..(at + 1) * self.third];
            self.powers(sample.row(row), pairs, triples);
            of_rows.push(self.margin_of(sample.row(row), pairs, triples));
        }
        of_margins(&mut of_rows);
        let (linear, rest) = slopes.split_at_mut(1 + self.width);
        let (of_v, of_p) = rest.split_at_mut(self.width * self.rank);
        for ((at, &row), &slope) in rows.iter().enumerate().zip(&of_rows) {
            let x = sample.row(row);
            let pairs = &pairs[at * self.rank..(at + 1) * self.rank];
            linear[0] += slope;
            linear[1..].iter_mut().zip(x).for_each(|(of_w, x)| *of_w += slope * x);
            for ((x, v), of_v) in x.iter().zip(self.factors().chunks_exact(self.rank)).zip(of_v.chunks_exact_mut(self.rank)) {
                let outer = slope * x;
                for ((of_v, v), sums) in of_v.iter_mut().zip(v).zip(pairs) {
                    *of_v += outer * (sums[0] - v * x);
                }
            }
            if self.third == 0 {
                continue;
            }
            let triples = &triples[at * self.third..(at + 1) * self.third];
            for ((x, p), of_p) in
                x.iter().zip(self.third_factors().chunks_exact(self.third)).zip(of_p.chunks_exact_mut(self.third))
            {
                let outer = slope * x;
                for ((of_p, p), sums) in of_p.iter_mut().zip(p).zip(triples) {
                    let z = p * x;
                    let others = sums[0] - z;
                    *of_p += outer * 0.5 * (others * others - (sums[1] - z * z));
                }
            }
        }
    }

    fn margins(&self, sample: &Sample) -> Vec<f64> {
        let (mut pairs, mut triples) = (vec![[0f32; 2]; self.rank], vec![[0f32; 3]; self.third]);
        let mut margin = |row: usize| {
            self.powers(sample.row(row), &mut pairs, &mut triples);
            f64::from(self.margin_of(sample.row(row), &pairs, &triples))
        };
        (0..sample.rows()).map(&mut margin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::descent::check_slopes;
    use crate::train::sample::Quality;
    use ears_only::math::sigmoid;

    fn sample(rows: u32, width: usize) -> Sample {
        let mut normals = Normals::new(3);
        let mut sample = Sample { width, ..Sample::default() };
        for row in 0..rows {
            sample.values.extend((0..width).map(|_| normals.draw()));
            sample.target.push(f64::from(row % 2));
            sample.weight.push(1.0 + f64::from(row % 3));
            sample.group.push(row);
        }
        sample
    }

    fn machine(width: usize, rank: usize, third: usize) -> Factorization {
        let mut normals = Normals::new(11);
        let parameters = (0..1 + width * (1 + rank + third)).map(|_| 0.6 * normals.draw()).collect();
        Factorization { width, rank, third, parameters }
    }

    #[test]
    fn the_margin_is_the_sum_over_pairs_and_triples() {
        let (machine, sample) = (machine(4, 2, 3), sample(5, 4));
        for (row, margin) in machine.margins(&sample).into_iter().enumerate() {
            let x: Vec<f64> = sample.row(row).iter().map(|x| f64::from(*x)).collect();
            let of = |factors: &[f32], rank: usize, columns: &[usize]| -> f64 {
                let product = |f: usize| columns.iter().map(|c| f64::from(factors[c * rank + f]) * x[*c]).product::<f64>();
                (0..rank).map(product).sum()
            };
            let mut want = f64::from(machine.parameters[0]);
            for (i, value) in x.iter().enumerate().take(4) {
                want += f64::from(machine.weights()[i]) * value;
                for j in 0..i {
                    want += of(machine.factors(), 2, &[i, j]);
                    for k in 0..j {
                        want += of(machine.third_factors(), 3, &[i, j, k]);
                    }
                }
            }
            assert!((margin - want).abs() < 1e-5, "{margin} {want}");
        }
    }

    #[test]
    fn the_slopes_are_those_of_finite_differences() {
        check_slopes(&machine(3, 2, 0), &sample(30, 3), 0.01);
        check_slopes(&machine(4, 2, 2), &sample(30, 4), 0.01);
    }

    #[test]
    fn interactions_that_made_the_data_are_found() {
        for third in [0, 1] {
            let mut machine = machine(5, 1, third);
            machine.parameters[0] = -0.5;
            let mut sample = sample(6_000, 5);
            let margins = machine.margins(&sample);
            sample.target = margins.iter().map(|margin| sigmoid(*margin)).collect();
            let (learn, judge) = sample.split(0.2, 1);
            let descent = descent::Settings { rate: 0.02, ridge: 0.0, epochs: 60, ..descent::Settings::default() };
            let found = fit(&learn, &judge, &Settings { rank: 2, third, descent }, &mut |_, _| ()).unwrap();
            let best = Quality::loss(&judge, &machine.margins(&judge));
            let loss = Quality::loss(&judge, &found.margins(&judge));
            assert!(loss < best + 0.003, "order {}: {loss}, the truth {best}", 2 + third);
        }
    }

    #[test]
    fn ranks_out_of_range_are_refused() {
        let sample = sample(10, 2);
        for (rank, third) in [(0, 0), (65, 0), (1, 65)] {
            assert!(fit(&sample, &sample, &Settings { rank, third, ..Settings::default() }, &mut |_, _| ()).is_err());
        }
    }
}
