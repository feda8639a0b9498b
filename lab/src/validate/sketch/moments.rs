//! Means, spreads and correlations.

/// Count, mean, spread, smallest and largest of finite numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    count: u64,
    /// Sums are taken around the first number, so that large numbers with a small spread keep their digits.
    pivot: f64,
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Moments {
    /// No numbers yet.
    #[must_use]
    pub fn new() -> Self {
        Self { count: 0, pivot: 0.0, sum: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }

    /// Adds a finite number.
    #[inline]
    pub fn add(&mut self, number: f64) {
        if self.count == 0 {
            self.pivot = number;
        }
        let step = number - self.pivot;
        self.count += 1;
        self.sum += step;
        self.squares += step * step;
        self.min = self.min.min(number);
        self.max = self.max.max(number);
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let step = other.pivot - self.pivot;
        let count = other.count as f64;
        self.squares += other.squares + 2.0 * step * other.sum + step * step * count;
        self.sum += other.sum + step * count;
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 without numbers.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.pivot + self.sum / self.count as f64 }
    }

    /// Their variance (divided by the count); 0 without numbers.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let count = self.count as f64;
        ((self.squares - self.sum * self.sum / count) / count).max(0.0)
    }

    /// Their standard deviation.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.variance().sqrt()
    }

    /// The smallest, if there is one.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest, if there is one.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }
}

impl Default for Moments {
    fn default() -> Self {
        Self::new()
    }
}

/// Two numbers that were seen together, for their correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Joint {
    x: Moments,
    y: Moments,
    /// Sum of (x - pivot of x) (y - pivot of y).
    products: f64,
}

impl Joint {
    /// Adds a pair of finite numbers.
    #[inline]
    pub fn add(&mut self, x: f64, y: f64) {
        self.x.add(x);
        self.y.add(y);
        self.products += (x - self.x.pivot) * (y - self.y.pivot);
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Joint) {
        if self.x.count == 0 {
            *self = *other;
        } else if other.x.count > 0 {
            let (dx, dy) = (other.x.pivot - self.x.pivot, other.y.pivot - self.y.pivot);
            self.products += other.products + dx * other.y.sum + dy * other.x.sum + dx * dy * other.x.count as f64;
            self.x.merge(&other.x);
            self.y.merge(&other.y);
        }
    }

    /// How many pairs.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.x.count
    }

    /// The correlation of Pearson, in [-1, 1]; nothing when one side does not vary.
    #[must_use]
    pub fn correlation(&self) -> Option<f64> {
        let spread = (self.x.variance() * self.y.variance()).sqrt();
        let count = self.x.count as f64;
        let together = self.products / count - (self.x.sum / count) * (self.y.sum / count);
        (spread > 0.0).then(|| (together / spread).clamp(-1.0, 1.0))
    }
}
