//! Small pages, whole: every slate of visible places, and the propensities the shipped policies give it.

use ears_only::policy::{PagePolicy, Policy};
use ears_only::slate::{Candidates, Placed, PlacedShelf, Slate};

use crate::error::LabError;

/// What stands in the visible places: shelves top down, and the visible cards of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VisiblePage {
    pub(crate) shelves: Vec<u32>,
    pub(crate) cards: Vec<Vec<u32>>,
}

/// The conditionals of a page's visible places.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conditionals {
    pub(crate) shelves: Vec<f64>,
    pub(crate) cards: Vec<Vec<f64>>,
}

impl Conditionals {
    /// Probability of the whole visible page.
    pub(crate) fn joint(&self) -> f64 {
        self.shelves.iter().chain(self.cards.iter().flatten()).product()
    }
}

/// What `policy` says of `page`.
///
/// # Errors
/// When the page holds a candidate twice, or one that does not exist.
pub(crate) fn conditionals(policy: PagePolicy, candidates: &Candidates, page: &VisiblePage) -> Result<Conditionals, LabError> {
    let mut slate = Slate::default();
    for (&shelf, cards) in page.shelves.iter().zip(&page.cards) {
        let start = slate.cards.len();
        slate.cards.extend(cards.iter().map(|&index| Placed { index, propensity: 1.0 }));
        slate.shelves.push(PlacedShelf { placed: Placed { index: shelf, propensity: 1.0 }, cards: start..slate.cards.len() });
    }
    let judged = policy.propensities(candidates, &slate)?;
    let visible = &judged.shelves[..page.shelves.len()];
    Ok(Conditionals {
        shelves: visible.iter().map(|shelf| shelf.placed.propensity).collect(),
        cards: visible
            .iter()
            .zip(&page.cards)
            .map(|(shelf, cards)| judged.cards[shelf.cards.start..][..cards.len()].iter().map(|c| c.propensity).collect())
            .collect(),
    })
}

/// Calls `visit` with every page that can be drawn, in the order of indices.
///
/// # Errors
/// The first error of `visit`.
pub(crate) fn each(candidates: &Candidates, visit: &mut dyn FnMut(&VisiblePage) -> Result<(), LabError>) -> Result<(), LabError> {
    let shelves = candidates.visible.shelves.min(candidates.shelf_count());
    extend(candidates, shelves, &mut VisiblePage::default(), visit)
}

fn extend(
    candidates: &Candidates,
    shelves: usize,
    page: &mut VisiblePage,
    visit: &mut dyn FnMut(&VisiblePage) -> Result<(), LabError>,
) -> Result<(), LabError> {
    if let (Some(&shelf), Some(cards)) = (page.shelves.last(), page.cards.last()) {
        let count = candidates.cards_of(shelf).len();
        if cards.len() < candidates.visible.cards.min(count) {
            for card in 0..count as u32 {
                let row = page.cards.len() - 1;
                if !page.cards[row].contains(&card) {
                    page.cards[row].push(card);
                    extend(candidates, shelves, page, visit)?;
                    page.cards[row].pop();
                }
            }
            return Ok(());
        }
    }
    if page.shelves.len() == shelves {
        return visit(page);
    }
    for shelf in 0..candidates.shelf_count() as u32 {
        if !page.shelves.contains(&shelf) {
            page.shelves.push(shelf);
            page.cards.push(Vec::new());
            extend(candidates, shelves, page, visit)?;
            page.shelves.pop();
            page.cards.pop();
        }
    }
    Ok(())
}
