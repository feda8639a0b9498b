'use client';

import { useEffect } from 'react';
import { createHome } from 'ears-only';
import { HomeProvider, useRankedPage } from 'ears-only/react';
import { transcript } from '../scenario.js';
import { page } from '../page.js';

const home = createHome({ storage: 'memory' });

function Cards() {
  const { shelves, source } = useRankedPage(page);
  return <p data-source={source}>{shelves.map((shelf) => shelf.cards.map((card) => <span key={card.id} data-card={card.id}>{card.title}</span>))}</p>;
}

export default function Shelves() {
  useEffect(() => {
    transcript(createHome).then((lines) => { globalThis.result = { lines }; }, (error) => { globalThis.result = { error: String(error) }; });
  }, []);
  return <HomeProvider home={home}><Cards /></HomeProvider>;
}
