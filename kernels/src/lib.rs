//! The loops that run once for each card, compiled for speed where the rest of the core is compiled for size.
//!
//! Plain functions over slices that know nothing of cards. Every result has the same bits on every target: sums have a written order,
//! lanes are independent of each other, and nothing is fused. Each test compares with the same sum written as a scalar loop.

mod network;
mod order;
mod quadratic;
mod rows;
mod trees;

pub use network::{add_products, dense, gather, rectify};
pub use order::{falling, largest_at};
pub use quadratic::quadratic_forms;
pub use rows::{all_finite, dot, largest_product, lay_row, score_rows};
pub use trees::{Cut, EXITS, Forest, Level, Node, ROWS, Tree, add_active};
