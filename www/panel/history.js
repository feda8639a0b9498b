// Brings a listening history from elsewhere: read here, matched here, kept here.
import { DAY, now } from '../clock.js';
import { announce, h } from '../dom.js';

export function createHistory(root, { home, catalogue, leave }) {
  const input = h('input', { type: 'file', id: 'history-files', multiple: true, accept: '.json,.jsonl,.csv,.zip,application/json,application/zip,text/csv', onchange: () => take([...input.files]) });
  const drop = h('label', { class: 'drop', for: 'history-files' },
    h('strong', {}, 'Choose your history'),
    h('span', {}, 'from Spotify, ListenBrainz or Last.fm'),
    input);
  const sample = h('button', { type: 'button', class: 'button', id: 'sample-history', onclick: () => useSample() }, 'Use a sample history');
  const progress = h('progress', { id: 'import-progress', max: 1, value: 0, hidden: true, 'aria-label': 'Import' });
  const report = h('div', { class: 'report', id: 'import-report', role: 'status' });

  for (const type of ['dragover', 'dragleave', 'drop']) {
    drop.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.toggle('over', type === 'dragover');
      if (type === 'drop') take([...event.dataTransfer.files]);
    });
  }

  root.append(
    h('h3', {}, 'Use your own history'),
    h('p', { class: 'hint' }, 'It is read in this tab and goes nowhere.'),
    drop,
    h('div', { class: 'button-row' }, sample),
    h('dl', { class: 'sources' },
      h('dt', {}, 'Spotify'), h('dd', {}, 'the “extended streaming history”, on request from the privacy page of your account: the zip, or its JSON files'),
      h('dt', {}, 'ListenBrainz'), h('dd', {}, 'the export from your settings: the zip, or its files of JSON lines'),
      h('dt', {}, 'Last.fm'), h('dd', {}, 'a CSV of your scrobbles: artist, album, track, time, or with a heading')),
    progress,
    report,
  );

  async function useSample() {
    const response = await fetch(new URL('../sample-history.json', import.meta.url));
    const file = new File([await response.blob()], 'sample-history.json');
    await take([file], true);
  }

  async function take(files, recent = false) {
    if (files.length === 0) return;
    input.disabled = sample.disabled = true;
    progress.hidden = false;
    progress.removeAttribute('value');
    report.replaceChildren('Reading…');
    try {
      // Only who brings a history needs what reads it.
      const { matchPlays, readExport } = await import('../spotify.js');
      const { plays, unreadable } = await readExport(files, ({ name, index, count }) => {
        report.replaceChildren(`Reading ${name} (${index + 1} of ${count})`);
      });
      // The sample was written once; its last play is moved to yesterday, so that it is a listener of today.
      const shift = recent ? now() - DAY - plays.at(-1).at : 0;
      const { lines, outside, names } = matchPlays(plays.map((play) => ({ ...play, at: play.at + shift })), catalogue);
      home.registerCards(catalogue.cards.values());
      progress.value = 0;
      const result = await home.importHistory(lines, { onProgress: ({ done }) => {
        progress.value = done / lines.length;
        report.replaceChildren(`${done.toLocaleString('en')} of ${lines.length.toLocaleString('en')} plays`);
      } });
      tell(result, { lines, outside, names, unreadable });
    } catch (error) {
      refuse(error);
    } finally {
      input.disabled = sample.disabled = false;
      input.value = '';
      progress.hidden = true;
    }
  }

  function tell({ accepted, matched, refused }, { lines, outside, names, unreadable }) {
    const share = accepted > 0 ? Math.round((matched / accepted) * 100) : 0;
    const year = (line) => new Date(line.at).getFullYear();
    const from = year(lines[0]);
    const to = year(lines.at(-1));
    const skipped = refused + unreadable;
    report.replaceChildren(h('div', {},
      h('p', { class: 'big', data: { accepted, matched, outside } }, `${accepted.toLocaleString('en')} plays`, h('small', {}, from === to ? `from ${from}` : `from ${from} to ${to}`)),
      h('p', {}, `${share} % belong to the catalogue. ${outside === 0 ? 'No artist or show is outside it.' : `${outside.toLocaleString('en')} artists and shows outside it become cards of your own shelves.`}`),
      h('details', {}, h('summary', {}, 'What matched, and what did not'), list('In the catalogue', names.inside), list('Outside', names.outside)),
      skipped > 0 && h('p', { class: 'hint' }, `${skipped.toLocaleString('en')} lines had no name, no time or a time to come, and were left out.`),
      h('p', {}, 'This page stays as it is. The next one knows.'),
      h('button', { type: 'button', class: 'button accent', id: 'see-new-page', onclick: () => leave('order') }, 'See your new page')));
    announce(`${accepted} plays imported`);
  }

  const list = (title, entries) => [h('h4', {}, title), entries.length === 0 ? h('p', { class: 'hint' }, 'Nothing.')
    : h('ul', { class: 'request-list' }, entries.map(([name, plays]) => h('li', {}, h('span', {}, name), h('small', {}, `${plays.toLocaleString('en')} ${plays === 1 ? 'play' : 'plays'}`))))];

  function refuse(error) {
    const known = error.name === 'ExportError';
    const text = known ? `${error.message}.`
      : error.code === 'not_personalized' ? 'Personalizing is switched off, so there is nothing to import into. Switch it on under “Left this device”.'
      : `The history could not be imported (${error.code ?? 'unknown'}): ${error.message}.`;
    report.replaceChildren(h('p', { class: 'error', data: { error: known ? 'file' : error.code ?? 'unknown' } }, text), h('p', { class: 'hint' }, 'Nothing was changed.'));
  }

  return {};
}
