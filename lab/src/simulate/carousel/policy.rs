//! What every policy of the carousel does: fill pages, and learn when the round is over.

use super::world::{INITIAL, Public, SLOTS, Slate, World};
use super::{device, linear, pooled, segment, thompson};
use ears_only::random::{Purpose, Seed};
use rand_pcg::Pcg32;

/// Fills pages and learns from them, one round after the other.
pub trait Policy {
    /// One page for each visitor of a round.
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate>;

    /// Learns from a round that is over: for each page the position of its first stream, if any.
    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]);
}

/// Which cards count as seen when nothing was streamed. After a stream it is those up to the streamed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// All: what the users of this world do, and what the published code does.
    AllSeen,
    /// The initially visible ones: the text of Bendada et al. 2020, section 3.2.
    FirstSeen,
}

impl Rule {
    /// Number of cards seen from the left.
    #[must_use]
    pub fn seen(self, stream: Option<usize>) -> usize {
        match (stream, self) {
            (Some(position), _) => position + 1,
            (None, Self::AllSeen) => SLOTS,
            (None, Self::FirstSeen) => INITIAL,
        }
    }
}

/// A policy by name.
pub struct Named {
    /// As the report calls it.
    pub name: &'static str,
    /// What it is to the comparison.
    pub role: Role,
    make: fn(&World, Pcg32) -> Box<dyn Policy + '_>,
}

impl Named {
    /// The policy at its start, with random numbers of its own for each seed.
    #[must_use]
    pub fn start<'a>(&self, world: &'a World, seed: u64) -> Box<dyn Policy + 'a> {
        // FNV-1a of the name: the numbers of one policy do not depend on which others there are.
        let name = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        (self.make)(world, Seed::from_number(seed).stream(Purpose::Rank, name))
    }
}

/// What a policy is to the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ours.
    Ours,
    /// Learns from what it shows.
    Reference,
    /// Knows the truth, or nothing at all.
    Bound,
}

/// Every policy, ours first.
pub const ALL: &[Named] = &[
    Named { name: "pooled", role: Role::Ours, make: |world, rng| Box::new(pooled::Pooled::new(world.public(), rng)) },
    Named { name: "on-device", role: Role::Ours, make: |world, rng| Box::new(device::OnDevice::new(world.public(), rng)) },
    Named { name: "random", role: Role::Bound, make: |world, rng| Box::new(segment::Random::new(world.public(), rng)) },
    Named {
        name: "popularity",
        role: Role::Reference,
        make: |world, rng| Box::new(segment::Popularity::new(world.public(), rng)),
    },
    Named { name: "popularity-oracle", role: Role::Bound, make: |world, _| Box::new(segment::Fixed::popular(world)) },
    Named { name: "segment-oracle", role: Role::Bound, make: |world, _| Box::new(segment::Fixed::by_segment(world)) },
    Named { name: "etc-seg-explore", role: Role::Reference, make: |world, rng| explore_then_commit(world.public(), 100, rng) },
    Named { name: "etc-seg-exploit", role: Role::Reference, make: |world, rng| explore_then_commit(world.public(), 20, rng) },
    Named {
        name: "epsilon-0.1",
        role: Role::Reference,
        make: |world, rng| Box::new(segment::Epsilon::new(world.public(), 0.1, rng)),
    },
    Named {
        name: "epsilon-0.01",
        role: Role::Reference,
        make: |world, rng| Box::new(segment::Epsilon::new(world.public(), 0.01, rng)),
    },
    Named { name: "kl-ucb-seg", role: Role::Reference, make: |world, rng| Box::new(segment::KlUcb::new(world.public(), rng)) },
    Named { name: "ts-seg-naive", role: Role::Reference, make: |world, rng| beta(world.public(), 1.0, Rule::AllSeen, rng) },
    Named {
        name: "ts-seg-pessimistic",
        role: Role::Reference,
        make: |world, rng| beta(world.public(), 99.0, Rule::AllSeen, rng),
    },
    Named {
        name: "ts-seg-pessimistic@firstseen",
        role: Role::Reference,
        make: |world, rng| beta(world.public(), 99.0, Rule::FirstSeen, rng),
    },
    Named {
        name: "ts-lin-naive",
        role: Role::Reference,
        make: |world, rng| Box::new(linear::Linear::new(world.public(), 0.0, rng)),
    },
    Named {
        name: "ts-lin-pessimistic",
        role: Role::Reference,
        make: |world, rng| Box::new(linear::Linear::new(world.public(), -5.0, rng)),
    },
];

fn explore_then_commit(public: Public<'_>, least: u32, rng: Pcg32) -> Box<dyn Policy + '_> {
    Box::new(segment::ExploreThenCommit::new(public, least, rng))
}

fn beta(public: Public<'_>, failures: f64, rule: Rule, rng: Pcg32) -> Box<dyn Policy + '_> {
    Box::new(thompson::Beta::new(public, (1.0, failures), rule, rng))
}
