//! Sums and sums of products: what every estimator and its standard error are made of.

use super::exact::{Double, ExactSum};

/// How many rows there were, the sum of each component and of each product of two.
///
/// Values are means or ratios of the sums; their variances are quadratic forms of the products. Merging is exact and commutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gram {
    rows: u64,
    sums: Vec<ExactSum>,
    /// Of components i <= j, at j (j + 1) / 2 + i.
    products: Vec<ExactSum>,
    /// Products are rounded to `f64` before they are added.
    rounded: bool,
}

impl Gram {
    /// For rows of this many components.
    #[must_use]
    pub fn new(components: usize) -> Self {
        Self {
            rows: 0,
            sums: vec![ExactSum::default(); components],
            products: vec![ExactSum::default(); components * (components + 1) / 2],
            rounded: false,
        }
    }

    /// The same with products rounded to `f64` before they are added: a third of the time, and standard deviations within 1e-8 of the
    /// mean, where whole products give them to the last digits. Sums are not touched; order still does not matter.
    #[must_use]
    pub fn rounded(components: usize) -> Self {
        Self { rounded: true, ..Self::new(components) }
    }

    /// Adds a row, one number for each component.
    pub fn add(&mut self, row: &[f64]) {
        self.rows += 1;
        let mut products = self.products.iter_mut();
        for (j, (sum, b)) in self.sums.iter_mut().zip(row).enumerate() {
            sum.add(*b);
            for (a, product) in row[..=j].iter().zip(products.by_ref()) {
                if self.rounded { product.add(a * b) } else { product.add_product(*a, *b) }
            }
        }
    }

    /// Adds rows that stand column by column, one slice for each component, all of one length: the same bits as row by row.
    pub fn add_columns(&mut self, columns: &[&[f64]]) {
        self.rows += columns.first().map_or(0, |column| column.len()) as u64;
        let mut products = self.products.iter_mut();
        for (j, (sum, b)) in self.sums.iter_mut().zip(columns).enumerate() {
            sum.add_all(b);
            for (a, product) in columns[..=j].iter().zip(products.by_ref()) {
                if self.rounded { product.add_rounded_products(a, b) } else { product.add_products(a, b) }
            }
        }
    }

    /// Adds all rows of another one of the same shape; one without components takes the other's shape.
    pub fn merge(&mut self, other: &Self) {
        if self.sums.is_empty() {
            *self = other.clone();
            return;
        }
        self.rows += other.rows;
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| a.merge(b));
        self.products.iter_mut().zip(&other.products).for_each(|(a, b)| a.merge(b));
    }

    /// Rows added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Sum of component `i`.
    #[must_use]
    pub fn sum(&self, i: usize) -> Double {
        self.sums[i].double()
    }

    /// Sum of the products of components `i` and `j`.
    #[must_use]
    pub fn product(&self, i: usize, j: usize) -> Double {
        let (low, high) = (i.min(j), i.max(j));
        self.products[high * (high + 1) / 2 + low].double()
    }

    /// Mean of component `i`; not a number without rows.
    #[must_use]
    pub fn mean(&self, i: usize) -> Double {
        self.sum(i).over(self.rows as f64)
    }

    /// Sum over rows of (constant + sum of coefficient times component) squared; never below 0.
    #[must_use]
    pub fn squares(&self, constant: Double, coefficients: &[(usize, Double)]) -> f64 {
        let mut total = constant.times(constant).times(self.rows as f64);
        for (i, a) in coefficients {
            total = total.plus(constant.times(*a).times(self.sum(*i)).times(2.0));
            for (j, b) in coefficients {
                total = total.plus(a.times(*b).times(self.product(*i, *j)));
            }
        }
        let total = total.value();
        // Rounding can leave a little less than nothing; what is no number stays so.
        if total < 0.0 { 0.0 } else { total }
    }

    /// Sample standard deviation (n - 1) of the sum of coefficient times component; nothing below two rows.
    #[must_use]
    pub fn deviation(&self, coefficients: &[(usize, Double)]) -> Option<f64> {
        if self.rows < 2 {
            return None;
        }
        let zero = Double::default();
        let total = coefficients.iter().fold(zero, |total, (i, a)| total.plus(a.times(self.sum(*i))));
        let mean = total.over(self.rows as f64);
        Some(libm::sqrt(self.squares(zero.minus(mean), coefficients) / (self.rows - 1) as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_the_definition() {
        let rows = [[1.0, 4.0], [2.0, -1.0], [4.0, 0.5]];
        let mut gram = Gram::new(2);
        rows.iter().for_each(|row| gram.add(row));
        // Of 1, 2, 4: mean 7/3, squares about it 16/9 + 1/9 + 25/9 = 42/9, over 2: 7/3.
        let first = [(0, Double::from(1.0))];
        assert!((gram.deviation(&first).unwrap() - (7.0f64 / 3.0).sqrt()).abs() < 1e-15);
        // Of 1 + 8, 2 - 2, 4 + 1: 9, 0, 5.
        let both = [(0, Double::from(1.0)), (1, Double::from(2.0))];
        let mean = 14.0f64 / 3.0;
        let squares: f64 = [9.0 - mean, mean, 5.0 - mean].iter().map(|x| x * x).sum();
        let expected = (squares / 2.0).sqrt();
        assert!((gram.deviation(&both).unwrap() - expected).abs() < 1e-14);
        assert_eq!(gram.product(1, 0).value(), 4.0 - 2.0 + 2.0);
        assert_eq!(Gram::new(1).deviation(&first), None);
    }

    #[test]
    fn columns_give_the_bits_of_rows() {
        let rows: Vec<[f64; 3]> =
            (0..5_000).map(|i| [f64::from(i) / 7.0, 1.0 / f64::from(i + 1), 1e13 * f64::from(i % 3)]).collect();
        for new in [Gram::new, Gram::rounded] {
            let (mut by_row, mut by_column) = (new(3), new(3));
            rows.iter().for_each(|row| by_row.add(row));
            let columns: Vec<Vec<f64>> = (0..3).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
            by_column.add_columns(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>());
            assert_eq!(by_row.rows(), by_column.rows());
            for i in 0..3 {
                assert_eq!(by_row.sum(i), by_column.sum(i));
                (0..=i).for_each(|j| assert_eq!(by_row.product(i, j), by_column.product(i, j)));
            }
        }
    }

    #[test]
    fn rows_that_are_all_alike_do_not_deviate() {
        let mut gram = Gram::new(1);
        (0..10_000).for_each(|_| gram.add(&[0.1]));
        // The naive formula leaves about 1e-9 here.
        assert!(gram.deviation(&[(0, Double::from(1.0))]).unwrap() < 2e-10);
    }
}
