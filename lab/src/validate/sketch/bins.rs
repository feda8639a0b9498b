//! How numbers are distributed.

/// Numbers in at most `capacity` bins, as fine as the capacity allows.
///
/// A number becomes a whole number of 64 bits that orders as it does; a bin holds the numbers that agree in all but the last `shift`
/// bits. `shift` is the smallest that needs no more than `capacity` bins. Adding numbers can only make it grow, so that the
/// result depends on the multiset alone: merging parts in any order equals one pass, bit for bit, and counts are exact. A bin is at
/// most 2^(shift - 52) wide relative to its numbers; [`Bins::resolution`] says how much of the data the fullest bin of several
/// numbers holds, which bounds the error of a rank.
#[derive(Clone, Debug)]
pub struct Bins {
    capacity: usize,
    shift: u32,
    len: usize,
    total: u64,
    /// Open addressing; a count of 0 marks a free place. A power of two, at most half full.
    table: Vec<(u64, u64)>,
}

/// Numbers from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Smallest number that falls into it.
    pub low: f64,
    /// Largest number that falls into it.
    pub high: f64,
    /// How many did.
    pub count: u64,
}

impl Bins {
    /// No numbers yet; room for `capacity` bins.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(2), shift: 0, len: 0, total: 0, table: Vec::new() }
    }

    /// Adds `count` times `number`, which is not NaN.
    #[inline]
    pub fn add(&mut self, number: f64, count: u64) {
        self.total += count;
        self.insert(key(number) >> self.shift, count);
        if self.len > self.capacity {
            self.coarsen(self.shift + 1);
        }
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Bins) {
        let mut other = other.clone();
        let shift = self.shift.max(other.shift);
        self.coarsen(shift);
        other.coarsen(shift);
        self.total += other.total;
        for (key, count) in other.sorted() {
            self.insert(key >> (self.shift - shift), count);
            if self.len > self.capacity {
                self.coarsen(self.shift + 1);
            }
        }
    }

    /// How many numbers were added.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bits that bins do not tell apart.
    #[must_use]
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The bins in ascending order.
    #[must_use]
    pub fn bins(&self) -> Vec<Bin> {
        self.sorted().into_iter().map(|(key, count)| bin(key, count, self.shift)).collect()
    }

    /// Share of the data in the fullest bin that may hold more than one number; 0 when bins are single numbers.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        if self.shift == 0 || self.total == 0 {
            return 0.0;
        }
        self.table.iter().map(|(_, count)| *count).max().unwrap_or(0) as f64 / self.total as f64
    }

    /// The numbers at `shares` (ascending, each in [0, 1]) of the way through the data; empty without data.
    #[must_use]
    pub fn quantiles(&self, shares: &[f64]) -> Vec<f64> {
        let bins = self.bins();
        let mut before = 0;
        let mut at = 0;
        let mut found = Vec::with_capacity(shares.len());
        for share in shares {
            let rank = share * (self.total.saturating_sub(1)) as f64;
            while at + 1 < bins.len() && (before + bins[at].count) as f64 <= rank {
                before += bins[at].count;
                at += 1;
            }
            if let Some(bin) = bins.get(at) {
                let inside = ((rank - before as f64 + 0.5) / bin.count as f64).clamp(0.0, 1.0);
                let width = bin.high - bin.low;
                found.push(if width.is_finite() { bin.low + inside * width } else { bin.low });
            }
        }
        found
    }

    /// Bins as `(key, count)` in ascending order.
    fn sorted(&self) -> Vec<(u64, u64)> {
        let mut held: Vec<_> = self.table.iter().copied().filter(|(_, count)| *count > 0).collect();
        held.sort_unstable();
        held
    }

    #[inline]
    fn insert(&mut self, key: u64, count: u64) {
        if self.len * 2 >= self.table.len() {
            self.grow();
        }
        let mask = self.table.len() - 1;
        let mut place = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        loop {
            let (held, so_far) = &mut self.table[place];
            if *so_far == 0 {
                (*held, *so_far) = (key, count);
                self.len += usize::from(count > 0);
                return;
            }
            if *held == key {
                *so_far += count;
                return;
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let held = self.sorted();
        self.table = vec![(0, 0); (self.table.len() * 2).max(16)];
        self.len = 0;
        for (key, count) in held {
            self.insert(key, count);
        }
    }

    /// Widens the bins to `shift` at least, and further until they fit.
    fn coarsen(&mut self, shift: u32) {
        let mut held = self.sorted();
        while self.shift < shift || held.len() > self.capacity {
            self.shift += 1;
            for entry in &mut held {
                entry.0 >>= 1;
            }
            held.dedup_by(|next, first| {
                let same = next.0 == first.0;
                if same {
                    first.1 += next.1;
                }
                same
            });
        }
        self.table.fill((0, 0));
        self.len = 0;
        for (key, count) in held {
            self.insert(key, count);
        }
    }
}

impl PartialEq for Bins {
    fn eq(&self, other: &Self) -> bool {
        self.shift == other.shift && self.sorted() == other.sorted()
    }
}

/// The bins of both in ascending order, equally wide, with the count of each.
#[must_use]
pub fn aligned(one: &Bins, other: &Bins) -> Vec<(Bin, u64, u64)> {
    let shift = one.shift.max(other.shift);
    let (mut one, mut other) = (one.clone(), other.clone());
    one.coarsen(shift);
    other.coarsen(shift);
    let (ours, theirs) = (one.sorted(), other.sorted());
    let mut all = Vec::with_capacity(ours.len() + theirs.len());
    let (mut i, mut j) = (0, 0);
    loop {
        let (key, a, b) = match (ours.get(i), theirs.get(j)) {
            (Some(a), Some(b)) if a.0 == b.0 => (a.0, a.1, b.1),
            (Some(a), Some(b)) if a.0 < b.0 => (a.0, a.1, 0),
            (Some(_) | None, Some(b)) => (b.0, 0, b.1),
            (Some(a), None) => (a.0, a.1, 0),
            (None, None) => return all,
        };
        i += usize::from(a > 0);
        j += usize::from(b > 0);
        all.push((bin(key, a + b, shift), a, b));
    }
}

/// A whole number that orders as `number` does; both zeros are one.
#[inline]
fn key(number: f64) -> u64 {
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

fn number(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

fn bin(key: u64, count: u64, shift: u32) -> Bin {
    let low = key << shift;
    // The last bits of a bin around the infinities would be NaN.
    let finite = |number: f64, else_: f64| if number.is_nan() { else_ } else { number };
    Bin { low: finite(number(low), f64::NEG_INFINITY), high: finite(number(low | ((1_u64 << shift) - 1)), f64::INFINITY), count }
}
