//! How many different values there are.

/// 4,096 registers: a standard error of 1.6 %.
const BITS: u32 = 12;

/// An estimate of the number of different values, by HyperLogLog.
///
/// # References
/// P. Flajolet, E. Fusy, O. Gandouet and F. Meunier (2007), "HyperLogLog: the analysis of a near-optimal cardinality estimation
/// algorithm"; read by the improved raw estimator of O. Ertl (2017), "New cardinality estimation algorithms for HyperLogLog
/// sketches", algorithm 6, which needs no table of corrections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    /// Empty until the first value.
    registers: Vec<u8>,
}

impl Distinct {
    /// No values yet.
    #[must_use]
    pub fn new() -> Self {
        Self { registers: Vec::new() }
    }

    /// Adds a value by its hash of 64 even bits.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.registers = vec![0; 1 << BITS];
        }
        let place = (hash >> (64 - BITS)) as usize;
        let rank = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() as u8 + 1;
        let register = &mut self.registers[place];
        *register = (*register).max(rank);
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Distinct) {
        if self.registers.is_empty() {
            self.registers.clone_from(&other.registers);
        } else {
            for (ours, theirs) in self.registers.iter_mut().zip(&other.registers) {
                *ours = (*ours).max(*theirs);
            }
        }
    }

    /// The estimate.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        if self.registers.is_empty() {
            return 0.0;
        }
        let registers = f64::from(1 << BITS);
        let longest = (64 - BITS) as usize + 1;
        let mut counts = vec![0.0; longest + 1];
        for register in &self.registers {
            counts[usize::from(*register).min(longest)] += 1.0;
        }
        let mut z = registers * tau(1.0 - counts[longest] / registers);
        for count in counts[1..longest].iter().rev() {
            z = 0.5 * (z + count);
        }
        z += registers * sigma(counts[0] / registers);
        registers * registers / (2.0 * std::f64::consts::LN_2 * z)
    }
}

impl Default for Distinct {
    fn default() -> Self {
        Self::new()
    }
}

/// x + sum over k of x^(2^k) 2^(k-1).
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// (1 - x - sum over k of (1 - x^(2^-k))^2 2^-k) / 3.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
