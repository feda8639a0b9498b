// How the element looks. An app changes it through the variables here and through `::part()`.
export const STYLE = `
:host {
  --ears-ink: #16181d; --ears-soft: #525866; --ears-ground: #fff; --ears-raised: #f4f5f7; --ears-line: #d5d8de;
  --ears-accent: #0b5cad; --ears-on-accent: #fff; --ears-private: #8a3b00; --ears-danger: #a4161a; --ears-on-danger: #fff;
  --ears-font: system-ui, sans-serif; --ears-mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace; --ears-radius: 10px;
  display: block; color-scheme: light; color: var(--ears-ink); background: var(--ears-ground);
  font: 1rem/1.5 var(--ears-font); container-type: inline-size;
}
@media (prefers-color-scheme: dark) {
  :host(:not([theme="light"])) {
    --ears-ink: #eceef2; --ears-soft: #a9afbb; --ears-ground: #14161a; --ears-raised: #1e2127; --ears-line: #383d47;
    --ears-accent: #7ab8ff; --ears-on-accent: #0a1420; --ears-private: #ffb27a; --ears-danger: #ff9a9a; --ears-on-danger: #2a0507;
    color-scheme: dark;
  }
}
:host([theme="dark"]) {
  --ears-ink: #eceef2; --ears-soft: #a9afbb; --ears-ground: #14161a; --ears-raised: #1e2127; --ears-line: #383d47;
  --ears-accent: #7ab8ff; --ears-on-accent: #0a1420; --ears-private: #ffb27a; --ears-danger: #ff9a9a; --ears-on-danger: #2a0507;
  color-scheme: dark;
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.base { max-width: 46rem; margin-inline: auto; padding: 1.25rem; }
h2, h3, p, ul, ol { margin: 0; }
h2 { font-size: 1.5rem; line-height: 1.25; text-wrap: balance; }
h3 { font-size: 1.0625rem; line-height: 1.35; margin-block-end: .75rem; }
section { margin-block-start: 2rem; }
.intro { margin-block-start: .5rem; color: var(--ears-soft); max-width: 40rem; }
.hint, .choice p { color: var(--ears-soft); font-size: .875rem; }
.choice { display: grid; grid-template-columns: auto 1fr; gap: .75rem; padding-block: .625rem; }
.choice label { font-weight: 600; cursor: pointer; }
input[role="switch"] {
  appearance: none; flex: none; inline-size: 2.75rem; block-size: 1.5rem; margin: .125rem 0 0; border-radius: 1rem; cursor: pointer;
  border: 2px solid var(--ears-soft); background: var(--ears-ground); position: relative;
}
input[role="switch"]::before {
  content: ""; position: absolute; inset-block-start: .1875rem; inset-inline-start: .1875rem; inline-size: .875rem; block-size: .875rem;
  border-radius: 50%; background: var(--ears-soft);
}
input[role="switch"]:checked { background: var(--ears-accent); border-color: var(--ears-accent); }
input[role="switch"]:checked::before { background: var(--ears-on-accent); inset-inline-start: 1.4375rem; }
@media (prefers-reduced-motion: no-preference) { input[role="switch"]::before { transition: inset-inline-start .15s ease-out; } }
@media (forced-colors: active) {
  input[role="switch"] { border-color: ButtonText; }
  input[role="switch"]::before { background: ButtonText; forced-color-adjust: none; }
  input[role="switch"]:checked::before { background: Highlight; }
  .fill { fill: Highlight; } .track { fill: GrayText; }
}
.state { margin-block-start: .75rem; padding: .75rem 1rem; background: var(--ears-raised); border-radius: var(--ears-radius); }
.budget { display: grid; gap: .75rem; }
.line { display: grid; grid-template-columns: 1fr auto; gap: .25rem 1rem; }
.number { font-variant-numeric: tabular-nums; }
.meter { grid-column: 1 / -1; inline-size: 100%; block-size: .5rem; border-radius: .25rem; overflow: hidden; }
.track { fill: var(--ears-line); } .fill { fill: var(--ears-accent); }
ol { list-style: none; padding: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: .75rem; }
ul { padding-inline-start: 1.25rem; display: grid; gap: .375rem; }
article { border: 1px solid var(--ears-line); border-radius: var(--ears-radius); padding: 1rem; display: grid; grid-template-columns: minmax(0, 1fr); gap: .625rem; }
.when { font-weight: 600; }
.hex { display: block; font: .8125rem/1.6 var(--ears-mono); overflow-wrap: break-word; padding: .5rem .75rem; background: var(--ears-raised); border-radius: calc(var(--ears-radius) - 4px); }
summary { cursor: pointer; font-weight: 600; padding-block: .25rem; }
details p { margin-block: .25rem .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; inline-size: 100%; min-inline-size: 34rem; font-size: .875rem; }
th, td { text-align: start; vertical-align: top; padding: .375rem .75rem .375rem 0; border-block-end: 1px solid var(--ears-line); font-weight: 400; }
thead th { color: var(--ears-soft); white-space: nowrap; }
td code { font: .8125rem/1.5 var(--ears-mono); overflow-wrap: anywhere; }
tr.private th, tr.private td { color: var(--ears-private); font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: .75rem; margin-block-start: 1rem; }
button {
  font: inherit; font-weight: 600; min-block-size: 2.75rem; padding: .5rem 1.125rem; border-radius: var(--ears-radius); cursor: pointer;
  color: var(--ears-ink); background: var(--ears-raised); border: 1px solid var(--ears-line);
}
button.danger { color: var(--ears-danger); border-color: currentColor; background: transparent; }
dialog button.danger { color: var(--ears-on-danger); background: var(--ears-danger); }
button:hover { border-color: var(--ears-ink); }
:focus-visible { outline: 3px solid var(--ears-accent); outline-offset: 2px; }
dialog { color: inherit; background: var(--ears-ground); border: 1px solid var(--ears-line); border-radius: var(--ears-radius); padding: 1.25rem; max-inline-size: min(28rem, calc(100vw - 2rem)); }
dialog::backdrop { background: rgb(0 0 0 / .5); }
.hidden { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@container (max-width: 34rem) { .base { padding: 1rem; } .line { grid-template-columns: 1fr; } }
`;
