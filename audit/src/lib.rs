//! Checks of what may leave the device, in the order in which one would ask: is the law right ([`check::law`]), is a record a line of
//! the public table ([`check::table`]), does what is sent say more than epsilon allows ([`check::draws`], [`check::pairs`]), does
//! anything but the symbol depend on the listener ([`check::twins`]), is the budget kept ([`check::ledger`]), is there one encoding
//! ([`check::codec`]).
//!
//! Every check takes a [`subject::Subject`]: the shipped code, or one of the planted faults ([`fault`]), each of which must be caught
//! by the check named for it. A check that no fault can fail would show nothing.

pub mod attack;
pub mod check;
pub mod fault;
pub mod finding;
pub mod fixture;
pub mod life;
pub mod source;
pub mod speed;
pub mod statistics;
pub mod subject;
