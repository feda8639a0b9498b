//! What the server sent: a page of shelves of cards; and the catalogue of cards the device has met.

use std::sync::Arc;

use crate::error::{Error, shown};
use crate::log::DecisionId;
use ears_kernels::all_finite;

/// Most shelves on one page.
pub const MAX_SHELVES: usize = 200;
/// Most cards on one page, all shelves together.
pub const MAX_CARDS: usize = 10_000;
/// Most feature columns.
pub const MAX_COLUMNS: usize = 256;
/// Most cards that can be registered with one [`Catalogue`].
pub const MAX_REGISTERED: usize = 200_000;
/// Most families, and most shelf kinds, that one [`Catalogue`] tells apart; those that come later count as unknown.
pub const MAX_NAMES: usize = 10_000;
/// Longest id, title, artist or family kept, in bytes; longer titles are cut, longer ids refused.
pub const MAX_TEXT_BYTES: usize = 400;
/// Most dimensions of a card embedding.
pub const MAX_EMBEDDING: usize = 256;

/// What a card stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CardKind {
    /// Anything the app does not name.
    #[default]
    Other,
    /// An album.
    Album,
    /// A playlist or mix.
    Playlist,
    /// A podcast or show.
    Podcast,
    /// An artist.
    Artist,
    /// A single track.
    Track,
    /// One episode of a podcast.
    Episode,
}

impl CardKind {
    /// The kind called `name`; unknown names are [`CardKind::Other`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "album" => Self::Album,
            "playlist" | "mix" => Self::Playlist,
            "podcast" | "show" => Self::Podcast,
            "artist" => Self::Artist,
            "track" => Self::Track,
            "episode" => Self::Episode,
            _ => Self::Other,
        }
    }

    /// The name used in JavaScript.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Album => "album",
            Self::Playlist => "playlist",
            Self::Podcast => "podcast",
            Self::Artist => "artist",
            Self::Track => "track",
            Self::Episode => "episode",
        }
    }

    /// Whether this is spoken word followed over time: a podcast or one of its episodes.
    #[must_use]
    pub fn is_show(self) -> bool {
        matches!(self, Self::Podcast | Self::Episode)
    }
}

/// What is known of a card. Only `id` is required; the rest sharpens features and reasons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Card {
    /// The app's id; the same id is the same card on every page.
    pub id: String,
    /// Title, for reasons and local shelves.
    pub title: String,
    /// Artist, host or publisher; empty when unknown.
    pub artist: String,
    /// Family: genre or topic; empty when unknown.
    pub family: String,
    /// What it stands for.
    pub kind: CardKind,
    /// Length in milliseconds, if known.
    pub duration_ms: Option<u32>,
    /// Share of listeners who play it, 0 to 1, if known.
    pub popularity: Option<f32>,
    /// Position in the app's embedding space; empty when unknown. Scaled to length 1 when registered.
    pub embedding: Vec<f32>,
}

/// Index of a card in the [`Catalogue`] of this visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardHandle(pub(crate) u32);

impl CardHandle {
    /// The number that crosses the boundary.
    #[must_use]
    pub fn index(self) -> u32 {
        self.0
    }
}

/// Index of a shelf's identity (id, kind, title) in the [`Catalogue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShelfHandle(pub(crate) u32);

impl ShelfHandle {
    /// The number that crosses the boundary.
    #[must_use]
    pub fn index(self) -> u32 {
        self.0
    }
}

/// Distinct names, numbered in the order they came.
///
/// An open hash table with linear probing over FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo). The general map of the standard
/// library is several times the machine code, and keeps each name twice where its number must lead back to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    names: Vec<String>,
    /// Number of a name plus one, by hash; 0 is empty. At most half full.
    slots: Vec<u32>,
    most: usize,
}

impl Names {
    /// No names yet, and at most `most`.
    fn up_to(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Names in which the empty one has number 0, and of which there are at most `most`.
    fn with_empty(most: usize) -> Self {
        let mut names = Self::up_to(most);
        names.number("");
        names
    }

    /// The slot that holds `name`, or the empty one where it belongs.
    fn slot(&self, name: &str) -> usize {
        let hash =
            name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mask = self.slots.len() - 1;
        let mut slot = (hash ^ hash >> 32) as usize & mask;
        while self.slots[slot] != 0 && self.names[self.slots[slot] as usize - 1] != name {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// The number of a name that was given one.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        self.slots[self.slot(name)].checked_sub(1)
    }

    /// The number of a name; the next free one when it is new. When there are enough, a new one counts as the first.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.find(name) {
            return number;
        }
        if self.names.len() >= self.most {
            return 0;
        }
        if self.slots.len() < 2 * (self.names.len() + 1) {
            self.slots = vec![0; (4 * self.slots.len()).max(64)];
            for number in 0..self.names.len() {
                let slot = self.slot(&self.names[number]);
                self.slots[slot] = number as u32 + 1;
            }
        }
        let slot = self.slot(name);
        self.names.push(name.to_owned());
        self.slots[slot] = self.names.len() as u32;
        self.names.len() as u32 - 1
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) card: Card,
    pub(crate) artist: u32,
    pub(crate) family: u32,
    /// Start of the unit embedding in the flat table, or `u32::MAX`.
    embedding: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct ShelfIdentity {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) kind: u32,
}

/// The cards and shelf identities this visit has met. Kept in memory only.
#[derive(Clone, Debug)]
pub struct Catalogue {
    cards: Vec<Registered>,
    card_ids: Names,
    shelves: Vec<ShelfIdentity>,
    shelf_ids: Names,
    pub(crate) artists: Names,
    pub(crate) families: Names,
    pub(crate) shelf_kinds: Names,
    dimensions: usize,
    units: Vec<f32>,
}

impl Default for Catalogue {
    fn default() -> Self {
        Self {
            cards: Vec::new(),
            card_ids: Names::up_to(MAX_REGISTERED),
            shelves: Vec::new(),
            shelf_ids: Names::up_to(MAX_REGISTERED),
            artists: Names::with_empty(MAX_REGISTERED),
            families: Names::with_empty(MAX_NAMES),
            shelf_kinds: Names::with_empty(MAX_NAMES),
            dimensions: 0,
            units: Vec::new(),
        }
    }
}

fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

impl Catalogue {
    /// Adds a card, or updates what is known of it; the handle of an id never changes.
    ///
    /// # Errors
    /// `bad_card` for an empty or overlong id, a popularity outside [0, 1] or a non-finite embedding; `embedding_size` when the
    /// embedding has another number of dimensions than the first one; `catalogue_full` beyond [`MAX_REGISTERED`].
    pub fn register(&mut self, mut card: Card) -> Result<CardHandle, Error> {
        if card.id.is_empty() || card.id.len() > MAX_TEXT_BYTES {
            return Err(Error::page(
                "bad_card",
                format!("a card id must have 1 to {MAX_TEXT_BYTES} bytes, got {}", card.id.len()),
            ));
        }
        if let Some(popularity) = card.popularity
            && !(0.0..=1.0).contains(&popularity)
        {
            return Err(Error::page("bad_card", format!("popularity must be within 0 and 1, got {}", shown(popularity.into()))));
        }
        let size = card.embedding.len();
        if size > MAX_EMBEDDING || (size > 0 && self.dimensions > 0 && size != self.dimensions) {
            let expected = if self.dimensions > 0 { self.dimensions } else { MAX_EMBEDDING };
            return Err(Error::page("embedding_size", format!("expected {expected} dimensions, got {size}")));
        }
        if card.embedding.iter().any(|v| !v.is_finite()) {
            return Err(Error::page("bad_card", "an embedding must hold finite numbers only"));
        }
        let embedding = self.checked(&mut card);
        let artist = self.artists.number(&card.artist);
        let family = self.families.number(&card.family);
        if self.cards.len() >= MAX_REGISTERED && self.card_ids.find(&card.id).is_none() {
            return Err(Error::page("catalogue_full", format!("expected at most {MAX_REGISTERED} cards registered")));
        }
        let handle = self.card_ids.number(&card.id);
        let known = self.cards.get_mut(handle as usize);
        let mut start = known.as_ref().map_or(u32::MAX, |known| known.embedding);
        if !embedding.is_empty() {
            if start == u32::MAX {
                start = self.units.len() as u32;
                self.units.extend_from_slice(&embedding);
            } else {
                self.units[start as usize..start as usize + embedding.len()].copy_from_slice(&embedding);
            }
        }
        let registered = Registered { card, artist, family, embedding: start };
        match known {
            Some(known) => *known = registered,
            None => self.cards.push(registered),
        }
        Ok(CardHandle(handle))
    }

    /// Cuts overlong text and scales the embedding to length 1.
    fn checked(&mut self, card: &mut Card) -> Vec<f32> {
        for text in [&mut card.title, &mut card.artist, &mut card.family] {
            *text = clip(std::mem::take(text));
        }
        let mut unit = std::mem::take(&mut card.embedding);
        if !unit.is_empty() {
            self.dimensions = unit.len();
            let square: f64 = unit.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
            let length = square.sqrt();
            if length > 0.0 {
                for value in &mut unit {
                    *value = (f64::from(*value) / length) as f32;
                }
            }
        }
        unit
    }

    /// Adds a shelf identity, or updates its kind and title.
    ///
    /// # Errors
    /// `bad_shelf` for an empty or overlong id.
    pub fn register_shelf(&mut self, id: &str, kind: &str, title: &str) -> Result<ShelfHandle, Error> {
        if id.is_empty() || id.len() > MAX_TEXT_BYTES {
            return Err(Error::page("bad_shelf", format!("a shelf id must have 1 to {MAX_TEXT_BYTES} bytes, got {}", id.len())));
        }
        let kind = self.shelf_kinds.number(&clip(kind.to_owned()));
        let identity = ShelfIdentity { id: id.to_owned(), title: clip(title.to_owned()), kind };
        if let Some(handle) = self.shelf_ids.find(id) {
            self.shelves[handle as usize] = identity;
            return Ok(ShelfHandle(handle));
        }
        if self.shelves.len() >= MAX_REGISTERED {
            return Err(Error::page("catalogue_full", format!("expected at most {MAX_REGISTERED} shelves registered")));
        }
        let handle = self.shelf_ids.number(id);
        self.shelves.push(identity);
        Ok(ShelfHandle(handle))
    }

    /// The handle of the card with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<CardHandle> {
        self.card_ids.find(id).map(CardHandle)
    }

    /// The handle with this number, if it has been given out.
    #[must_use]
    pub fn handle(&self, number: u32) -> Option<CardHandle> {
        ((number as usize) < self.cards.len()).then_some(CardHandle(number))
    }

    /// What is known of a card.
    #[must_use]
    pub fn card(&self, handle: CardHandle) -> &Card {
        &self.cards[handle.0 as usize].card
    }

    /// Number of cards registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cards.len()
    }

    /// Whether no card is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }

    pub(crate) fn registered(&self, handle: CardHandle) -> &Registered {
        &self.cards[handle.0 as usize]
    }

    /// The card's embedding scaled to length 1; empty when it has none.
    pub(crate) fn unit(&self, handle: CardHandle) -> &[f32] {
        let start = self.cards[handle.0 as usize].embedding;
        if start == u32::MAX { &[] } else { &self.units[start as usize..start as usize + self.dimensions] }
    }

    /// Dimensions of the app's embedding space; 0 while no card had an embedding.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The number of a shelf's kind, as [`crate::features::FeatureMaker::write`] takes it.
    #[must_use]
    pub fn kind_of(&self, shelf: ShelfHandle) -> u32 {
        self.shelf(shelf).kind
    }

    pub(crate) fn shelf(&self, handle: ShelfHandle) -> &ShelfIdentity {
        &self.shelves[handle.0 as usize]
    }

    pub(crate) fn shelf_handle(&self, number: u32) -> Option<ShelfHandle> {
        ((number as usize) < self.shelves.len()).then_some(ShelfHandle(number))
    }

    /// The shelf called `id`, if one was registered.
    #[must_use]
    pub fn find_shelf(&self, id: &str) -> Option<ShelfHandle> {
        self.shelf_ids.find(id).map(ShelfHandle)
    }

    /// Shelf kinds as names, by number.
    pub(crate) fn shelf_kind(&self, number: u32) -> &str {
        self.shelf_kinds.name(number)
    }
}

/// How much of a page the listener sees without scrolling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visible {
    /// Shelves, 1 to [`MAX_SHELVES`]; positions beyond follow in score order.
    pub shelves: usize,
    /// Cards of each shelf, 1 to [`MAX_CARDS`].
    pub cards: usize,
}

impl Default for Visible {
    fn default() -> Self {
        Self { shelves: 3, cards: 6 }
    }
}

/// A card in a place the server gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardPlace {
    /// Which card.
    pub card: CardHandle,
    /// Sponsored or pinned: keeps its place in the shelf.
    pub fixed: bool,
}

/// A shelf as the server sent it: which cards, in the server's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// Its identity.
    pub shelf: ShelfHandle,
    /// Keeps its place on the page.
    pub fixed: bool,
    /// Where its cards lie in [`Page::cards`].
    pub cards: std::ops::Range<usize>,
}

/// Which shelves the device may add from its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalShelves(pub u8);

/// A page of candidates, checked.
#[derive(Clone, Debug)]
pub struct Page {
    pub(crate) visible: Visible,
    pub(crate) local: LocalShelves,
    /// The decision that this page goes on from, further down.
    pub(crate) after: Option<DecisionId>,
    pub(crate) utc_offset_minutes: i32,
    pub(crate) context: Vec<f32>,
    pub(crate) shelves: Vec<Shelf>,
    pub(crate) cards: Vec<CardPlace>,
    pub(crate) given: usize,
    /// One row of `given` numbers for each card in `features_at`; read from words, something stands before and [`PAGE_END`] zeros behind.
    words: Arc<Vec<f32>>,
    features_at: std::ops::Range<usize>,
    /// Whether any context value is NaN, which stands for a missing one.
    pub(crate) lacks_context: bool,
}

/// First word of a packed page.
pub const PAGE_FORMAT: u32 = 1;
/// Words before the context values of a packed page.
pub const PAGE_HEADER: usize = 16;
/// Zeros that are kept behind a packed page, so that a row may be read in whole lanes.
pub(crate) const PAGE_END: usize = 4;

impl Page {
    /// Starts a page; see [`PageBuilder`].
    #[must_use]
    pub fn builder(visible: Visible) -> PageBuilder {
        PageBuilder {
            page: Self {
                visible,
                local: LocalShelves::default(),
                after: None,
                utc_offset_minutes: 0,
                context: Vec::new(),
                shelves: Vec::new(),
                cards: Vec::new(),
                given: 0,
                words: Arc::default(),
                features_at: 0..0,
                lacks_context: false,
            },
        }
    }

    /// Reads a page packed as 32-bit floats.
    ///
    /// # Shapes and ranges
    /// Header of [`PAGE_HEADER`] words: format, shelves S, cards C, given columns G, visible shelves, visible cards, local shelf
    /// bits, context columns K, UTC offset in minutes, zeros. Then K context values; S x (shelf handle, card count, flags, 0);
    /// C x (card handle, flags); zeros up to a multiple of four words; C x G features, row after row. Flag 1 means fixed.
    ///
    /// # Errors
    /// `page_format` when the words do not have that shape; the codes of [`PageBuilder::build`] otherwise. Features are looked at when the page is
    /// ranked.
    pub fn from_words(mut words: Vec<f32>, catalogue: &Catalogue) -> Result<Self, Error> {
        let malformed = || Error::page("page_format", "expected a page packed as documented, got other words");
        if words.len() < PAGE_HEADER || words[0] != PAGE_FORMAT as f32 {
            return Err(malformed());
        }
        // A whole number that 32-bit floats hold exactly.
        let number = |value: f32| (value as u32 as f32 == value).then_some(value as u32);
        let limits = [
            (MAX_SHELVES, "page_too_large", "shelves"),
            (MAX_CARDS, "page_too_large", "cards"),
            (MAX_COLUMNS, "column_count", "given columns"),
            (MAX_SHELVES, "visible_range", "visible shelves"),
            (MAX_CARDS, "visible_range", "visible cards"),
            (255, "page_format", "as local shelf bits"),
            (MAX_COLUMNS, "column_count", "context columns"),
        ];
        let mut counts = [0usize; 7];
        for (count, (value, (limit, code, what))) in counts.iter_mut().zip(words[1..].iter().zip(limits)) {
            *count = match number(*value) {
                Some(number) if number as usize <= limit => number as usize,
                _ => return Err(Error::page(code, format!("expected at most {limit} {what}, got {}", shown((*value).into())))),
            };
        }
        let [shelves, cards, given, visible_shelves, visible_cards, local, context] = counts;
        let shelf_start = PAGE_HEADER + context;
        let card_start = shelf_start + 4 * shelves;
        let feature_start = (card_start + 2 * cards).next_multiple_of(4);
        let end = feature_start + cards * given;
        let offset = words[8];
        if words.len() < end || !(-1_440.0..=1_440.0).contains(&offset) {
            return Err(malformed());
        }
        let unknown = |code: &'static str, value: f32| {
            Error::page(code, format!("expected a handle given out before, got {}", shown(value.into())))
        };
        let mut page = Self {
            visible: Visible { shelves: visible_shelves, cards: visible_cards },
            local: LocalShelves(local as u8),
            after: None,
            utc_offset_minutes: offset as i32,
            context: words[PAGE_HEADER..shelf_start].to_vec(),
            shelves: Vec::with_capacity(shelves),
            cards: Vec::with_capacity(cards),
            given,
            words: Arc::default(),
            features_at: feature_start..end,
            lacks_context: false,
        };
        for place in words[card_start..card_start + 2 * cards].chunks_exact(2) {
            let card = number(place[0]).and_then(|n| catalogue.handle(n)).ok_or_else(|| unknown("unknown_card", place[0]))?;
            page.cards.push(CardPlace { card, fixed: place[1] == 1.0 });
        }
        let mut next = 0;
        for place in words[shelf_start..card_start].chunks_exact(4) {
            let shelf =
                number(place[0]).and_then(|n| catalogue.shelf_handle(n)).ok_or_else(|| unknown("unknown_shelf", place[0]))?;
            let size = number(place[1]).filter(|size| *size as usize <= cards - next).ok_or_else(malformed)? as usize;
            page.shelves.push(Shelf { shelf, fixed: place[2] == 1.0, cards: next..next + size });
            next += size;
        }
        if next != cards {
            return Err(malformed());
        }
        // A row is read with the number before it, which has to be a finite one.
        words[feature_start - 1] = 0.0;
        words.truncate(end);
        words.resize(end + PAGE_END, 0.0);
        page.words = Arc::new(words);
        page.checked()
    }

    /// Checks the page; see [`PageBuilder::build`].
    fn checked(self) -> Result<Self, Error> {
        let mut page = self;
        if page.shelves.is_empty() {
            return Err(Error::page("page_empty", "expected at least one shelf, got none"));
        }
        if page.shelves.len() > MAX_SHELVES {
            return Err(Error::page(
                "page_too_large",
                format!("expected at most {MAX_SHELVES} shelves, got {}", page.shelves.len()),
            ));
        }
        if page.cards.len() > MAX_CARDS {
            return Err(Error::page("page_too_large", format!("expected at most {MAX_CARDS} cards, got {}", page.cards.len())));
        }
        if page.visible.shelves == 0 || page.visible.cards == 0 {
            return Err(Error::page(
                "visible_range",
                format!("expected at least one visible shelf and card, got {} and {}", page.visible.shelves, page.visible.cards),
            ));
        }
        if page.features().len() != page.cards.len() * page.given {
            return Err(Error::page(
                "column_count",
                format!("expected {} x {} feature values, got {}", page.cards.len(), page.given, page.features().len()),
            ));
        }
        // One mark for each handle: the number of the last shelf that had it.
        let shelf_handles = page.shelves.iter().fold(0, |most, shelf| most.max(shelf.shelf.0 as usize + 1));
        let card_handles = page.cards.iter().fold(0, |most, place| most.max(place.card.0 as usize + 1));
        let mut shelf_marks = vec![false; shelf_handles];
        let mut card_marks = vec![u8::MAX; card_handles];
        for (index, shelf) in page.shelves.iter().enumerate() {
            if shelf.cards.is_empty() {
                return Err(Error::page("shelf_empty", format!("expected at least one card in shelf {index}, got none")));
            }
            if std::mem::replace(&mut shelf_marks[shelf.shelf.0 as usize], true) {
                return Err(Error::page("duplicate_shelf", format!("shelf {index} has the id of an earlier shelf")));
            }
            for place in &page.cards[shelf.cards.clone()] {
                if std::mem::replace(&mut card_marks[place.card.0 as usize], index as u8) == index as u8 {
                    return Err(Error::page("duplicate_card", format!("a card id stands twice in shelf {index}")));
                }
            }
        }
        if page.context.iter().any(|value| value.is_infinite()) {
            return Err(Error::page("not_finite", "expected finite context values, got an infinite number"));
        }
        page.lacks_context = page.context.iter().any(|value| value.is_nan());
        Ok(page)
    }

    /// Whether a feature is missing, which NaN says; whether a column may have none is the model's business. One pass over all of them.
    ///
    /// # Errors
    /// `not_finite` when one is infinite.
    pub(crate) fn lacks_features(&self) -> Result<bool, Error> {
        if all_finite(self.features()) {
            return Ok(false);
        }
        let infinite = self.features().iter().position(|value| value.is_infinite());
        infinite.map_or(Ok(true), |at| {
            let (card, column) = (at / self.given, at % self.given);
            let message = format!("expected finite features, got an infinite number at card {card} column {column}");
            Err(Error::page("not_finite", message))
        })
    }

    /// The words it was read from, for the next page, unless a decision keeps them.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn into_words(self) -> Option<Vec<f32>> {
        Arc::into_inner(self.words)
    }

    /// One row of given features for each card.
    pub(crate) fn features(&self) -> &[f32] {
        &self.words[self.features_at.clone()]
    }

    /// The features as they lie and where they begin, if finite numbers stand before and behind them.
    pub(crate) fn lent(&self) -> Option<(Arc<Vec<f32>>, usize)> {
        (self.features_at.start > 0).then(|| (Arc::clone(&self.words), self.features_at.start))
    }

    /// Number of shelves.
    #[must_use]
    pub fn shelf_count(&self) -> usize {
        self.shelves.len()
    }

    /// Number of cards, all shelves together.
    #[must_use]
    pub fn card_count(&self) -> usize {
        self.cards.len()
    }

    /// The cards, shelf after shelf, in the server's order.
    #[must_use]
    pub fn cards(&self) -> &[CardPlace] {
        &self.cards
    }
}

/// Puts a page together; [`PageBuilder::build`] checks it whole.
#[derive(Clone, Debug)]
pub struct PageBuilder {
    page: Page,
}

impl PageBuilder {
    /// Shelves the device may add from its history. Default: none.
    #[must_use]
    pub fn with_local(mut self, local: LocalShelves) -> Self {
        self.page.local = local;
        self
    }

    /// The page goes on below the one of this decision: its shelves follow conditional on what is shown above. Default: a new page.
    #[must_use]
    pub fn with_after(mut self, after: Option<DecisionId>) -> Self {
        self.page.after = after;
        self
    }

    /// Minutes the listener's clock is ahead of UTC. Default 0.
    #[must_use]
    pub fn with_utc_offset_minutes(mut self, minutes: i32) -> Self {
        self.page.utc_offset_minutes = minutes;
        self
    }

    /// Values of the schema's context columns, in their order. Default: none.
    #[must_use]
    pub fn with_context(mut self, values: Vec<f32>) -> Self {
        self.page.context = values;
        self
    }

    /// Starts the next shelf.
    pub fn shelf(&mut self, shelf: ShelfHandle, fixed: bool) -> &mut Self {
        let at = self.page.cards.len();
        self.page.shelves.push(Shelf { shelf, fixed, cards: at..at });
        self
    }

    /// Adds a card to the shelf started last.
    pub fn card(&mut self, card: CardHandle, fixed: bool) -> &mut Self {
        self.page.cards.push(CardPlace { card, fixed });
        if let Some(shelf) = self.page.shelves.last_mut() {
            shelf.cards.end = self.page.cards.len();
        }
        self
    }

    /// Sets the given features: `columns` numbers for each card, row after row.
    #[must_use]
    pub fn features(mut self, columns: usize, values: Vec<f32>) -> Self {
        self.page.given = columns;
        self.page.features_at = 0..values.len();
        self.page.words = Arc::new(values);
        self
    }

    /// Checks the page.
    ///
    /// # Errors
    /// `page_empty`, `page_too_large`, `visible_range`, `shelf_empty`, `duplicate_shelf`, `duplicate_card` (twice in one shelf),
    /// `column_count` (features are not cards x columns), `not_finite` (a feature or context value is infinite; NaN stands for a
    /// missing one).
    pub fn build(self) -> Result<Page, Error> {
        let page = self.page.checked()?;
        page.lacks_features()?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(cards: usize) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for i in 0..cards {
            catalogue.register(Card { id: format!("c{i}"), ..Card::default() }).unwrap();
        }
        catalogue.register_shelf("s0", "popular", "Popular").unwrap();
        catalogue.register_shelf("s1", "fresh", "Fresh").unwrap();
        catalogue
    }

    fn words(shelves: &[(f32, &[f32])], given: usize) -> Vec<f32> {
        let cards: usize = shelves.iter().map(|s| s.1.len()).sum();
        let mut words = vec![0.0; PAGE_HEADER];
        words[0] = 1.0;
        words[1] = shelves.len() as f32;
        words[2] = cards as f32;
        words[3] = given as f32;
        words[4] = 2.0;
        words[5] = 2.0;
        for (shelf, cards) in shelves {
            words.extend([*shelf, cards.len() as f32, 0.0, 0.0]);
        }
        for card in shelves.iter().flat_map(|s| s.1) {
            words.extend([*card, 0.0]);
        }
        words.resize(words.len().next_multiple_of(4), 0.0);
        words.extend((0..cards * given).map(|i| i as f32));
        words
    }

    #[test]
    fn names_keep_their_numbers_while_the_table_grows() {
        let mut names = Names::with_empty(MAX_NAMES);
        for round in 0..2 {
            for i in 0..5_000u32 {
                assert_eq!(names.number(&format!("name {i}")), i + 1, "round {round}");
            }
        }
        assert_eq!((names.find(""), names.find("name 7"), names.find("other")), (Some(0), Some(8), None));
        assert_eq!((names.name(8), names.name(99_999)), ("name 7", ""));
        let mut few = Names::with_empty(3);
        assert_eq!(["a", "b", "c", "b"].map(|name| few.number(name)), [1, 2, 0, 2], "a name too many is unknown");
    }

    #[test]
    fn reads_a_packed_page() {
        let catalogue = catalogue(4);
        let page = Page::from_words(words(&[(0.0, &[0.0, 1.0]), (1.0, &[1.0, 2.0, 3.0])], 2), &catalogue).unwrap();
        assert_eq!(page.shelf_count(), 2);
        assert_eq!(page.shelves[1].cards, 2..5);
        assert_eq!(page.features()[9], 9.0);
    }

    #[test]
    fn refuses_what_breaks_the_rules_with_stable_codes() {
        let catalogue = catalogue(4);
        let code = |words: &[f32]| Page::from_words(words.to_vec(), &catalogue).unwrap_err().code();
        let good = words(&[(0.0, &[0.0, 1.0])], 1);
        let changed = |index: usize, value: f32| {
            let mut words = good.clone();
            words[index] = value;
            words
        };
        assert_eq!(code(&[]), "page_format");
        assert_eq!(code(&good[..good.len() - 1]), "page_format");
        assert_eq!(code(&changed(0, 2.0)), "page_format");
        assert_eq!(code(&changed(1, 201.0)), "page_too_large");
        assert_eq!(code(&changed(2, 10_001.0)), "page_too_large");
        assert_eq!(code(&changed(3, 257.0)), "column_count");
        assert_eq!(code(&changed(4, 0.0)), "visible_range");
        assert_eq!(code(&changed(5, f32::NAN)), "visible_range");
        assert_eq!(code(&changed(16, 9.0)), "unknown_shelf");
        assert_eq!(code(&changed(17, 3.0)), "page_format");
        assert_eq!(code(&changed(20, 9.0)), "unknown_card");
        assert_eq!(code(&changed(20, 1.0)), "duplicate_card");
        let infinite = Page::from_words(changed(24, f32::INFINITY), &catalogue).unwrap();
        assert_eq!(infinite.lacks_features().unwrap_err().code(), "not_finite");
        assert_eq!(code(&words(&[(0.0, &[0.0]), (0.0, &[1.0])], 0)), "duplicate_shelf");
        assert_eq!(code(&words(&[(0.0, &[0.0]), (1.0, &[])], 0)), "shelf_empty");
        assert_eq!(code(&words(&[], 0)), "page_empty");
    }

    #[test]
    fn the_same_card_may_stand_in_two_shelves() {
        let catalogue = catalogue(2);
        assert!(Page::from_words(words(&[(0.0, &[0.0]), (1.0, &[0.0])], 0), &catalogue).is_ok());
    }

    #[test]
    fn registering_twice_updates_and_keeps_the_handle() {
        let mut catalogue = catalogue(1);
        let card = Card { id: "c0".into(), title: "Kind of Blue".into(), embedding: vec![3.0, 4.0], ..Card::default() };
        let handle = catalogue.register(card).unwrap();
        assert_eq!(handle.index(), 0);
        assert_eq!(catalogue.card(handle).title, "Kind of Blue");
        assert_eq!(catalogue.unit(handle), &[0.6, 0.8]);
        let bad = Card { id: "x".into(), embedding: vec![1.0], ..Card::default() };
        assert_eq!(catalogue.register(bad).unwrap_err().code(), "embedding_size");
        let bad = Card { id: "x".into(), popularity: Some(2.0), ..Card::default() };
        assert_eq!(catalogue.register(bad).unwrap_err().code(), "bad_card");
        assert_eq!(catalogue.register(Card::default()).unwrap_err().code(), "bad_card");
    }
}
