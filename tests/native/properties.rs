//! Properties of pages of any shape.

use ears_only::page::{Card, LocalShelves, Page, Visible};
use ears_only::ranker::ShelfSource;
use proptest::prelude::*;

use super::scenario::{day, ranker};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ranked_page_is_a_permutation_with_propensities_and_fixed_places(
        sizes in prop::collection::vec(1usize..12, 1..8),
        fixed_shelves in any::<u8>(),
        fixed_cards in any::<u64>(),
        visible_shelves in 1usize..9,
        visible_cards in 1usize..13,
        seed in any::<u64>(),
    ) {
        let mut ranker = ranker(seed).unwrap();
        let mut builder = Page::builder(Visible { shelves: visible_shelves, cards: visible_cards }).with_local(LocalShelves(15));
        let mut next = 0u64;
        for (s, size) in sizes.iter().enumerate() {
            let shelf = ranker.catalogue_mut().register_shelf(&format!("s{s}"), "any", "").unwrap();
            builder.shelf(shelf, fixed_shelves >> s & 1 == 1);
            for _ in 0..*size {
                let popularity = (next * 31 % 97) as f32 / 97.0;
                let card = Card { id: format!("c{next}"), popularity: Some(popularity), ..Card::default() };
                let card = ranker.catalogue_mut().register(card).unwrap();
                builder.card(card, fixed_cards >> (next % 64) & 1 == 1);
                next += 1;
            }
        }
        let page = builder.build().unwrap();
        let ranked = ranker.rank(&page, day(0)).unwrap();
        prop_assert_eq!(ranked.shelves.len(), sizes.len());
        let mut seen: Vec<usize> = ranked.cards.iter().filter_map(|c| c.index).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..page.card_count()).collect::<Vec<_>>());
        let mut start = 0;
        let starts: Vec<usize> = sizes.iter().map(|size| { let at = start; start += size; at }).collect();
        for (position, shelf) in ranked.shelves.iter().enumerate() {
            let ShelfSource::Page(s) = shelf.source else { panic!("no history, no local shelf") };
            prop_assert!(shelf.propensity > 0.0 && shelf.propensity <= 1.0);
            if fixed_shelves >> position & 1 == 1 {
                prop_assert_eq!(s, position);
                prop_assert_eq!(shelf.propensity, 1.0);
            }
            for (place, card) in ranked.cards[shelf.cards.clone()].iter().enumerate() {
                let index = card.index.unwrap();
                prop_assert!(card.propensity > 0.0 && card.propensity <= 1.0);
                prop_assert!((starts[s]..starts[s] + sizes[s]).contains(&index));
                let fixed_here = fixed_cards >> ((starts[s] + place) % 64) & 1 == 1;
                if fixed_here {
                    prop_assert_eq!(index, starts[s] + place);
                }
                if position >= visible_shelves || place >= visible_cards {
                    prop_assert_eq!(card.propensity, 1.0);
                }
            }
        }
    }
}
