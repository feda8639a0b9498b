// The models of the benchmark, the same for everybody: made of repeatable draws, and written as each contestant reads them.

import { random as normals, uniforms } from '../cards.mjs';

/** Repeatable draws, uniform and normal, of one sequence. */
export function random(seed) {
  const uniform = uniforms(seed);
  return { uniform, normal: normals(seed, uniform) };
}

export function linearModel(d) {
  const { normal } = random(7);
  return { d, weights: Float32Array.from({ length: d }, normal), bias: -0.5 };
}

/** d inputs, h rectified units, one output; the weights of a unit lie side by side. */
export function networkModel(d, h = 32) {
  const { normal } = random(11);
  const of = (length, scale) => Float32Array.from({ length }, () => normal() * scale);
  return { d, h, hidden: of(h * d, 1 / Math.sqrt(d)), hiddenBias: of(h, 0.1), out: of(h, 1 / Math.sqrt(h)), outBias: -0.2 };
}

/** Complete trees; the splits of one in the order of a heap. `oblivious` ones have one split for each level. */
export function treesModel(d, { trees = 100, depth = 5, oblivious = false } = {}) {
  const { uniform, normal } = random(13);
  const splits = oblivious ? depth : (1 << depth) - 1;
  const leaves = 1 << depth;
  return {
    d, trees, depth, splits, leaves, oblivious,
    column: Uint8Array.from({ length: trees * splits }, () => Math.floor(uniform() * d)),
    threshold: Float32Array.from({ length: trees * splits }, () => normal() * 0.5 / Math.sqrt(d)),
    leaf: Float64Array.from({ length: trees * leaves }, () => normal() / Math.sqrt(trees)),
  };
}

const LEAF = 0x8000_0000;

const bitsOf = (number) => new Uint32Array(Float32Array.of(number).buffer)[0];

/** Body, sections and the score of a row of zeros, as a bundle wants them. */
function networkParts({ d, h, hidden, hiddenBias, out, outBias }) {
  let score = Math.fround(outBias);
  for (let k = 0; k < h; k++) score += out[k] * Math.max(hiddenBias[k], 0);
  return {
    body: { kind: 'network', layers: [{ activation: 'relu', units: h }, { activation: 'identity', units: 1 }] },
    sections: { weights0: hidden, bias0: hiddenBias, weights1: out, bias1: Float32Array.of(outBias) },
    inputs: h, score,
  };
}

function treesParts({ trees, depth, splits, leaves, oblivious, column, threshold, leaf }) {
  const treeWords = new Uint32Array(3 * trees);
  const splitWords = new Uint32Array(4 * trees * splits);
  let score = 0;
  for (let tree = 0; tree < trees; tree++) {
    const first = tree * splits;
    const firstLeaf = tree * leaves;
    treeWords.set(oblivious ? [depth + 1, first, firstLeaf] : [0, first, 0], 3 * tree);
    for (let k = 0; k < splits; k++) {
      const child = (at) => at < splits ? first + at : LEAF + firstLeaf + at - splits;
      const children = oblivious ? [0, 0] : [child(2 * k + 1), child(2 * k + 2)];
      splitWords.set([column[first + k], bitsOf(threshold[first + k]), ...children], 4 * (first + k));
    }
    let at = 0;
    if (oblivious) for (let k = 0; k < depth; k++) at |= (0 < threshold[first + k] ? 0 : 1) << k;
    else {
      while (at < splits) at = 2 * at + (0 < threshold[first + at] ? 1 : 2);
      at -= splits;
    }
    score += leaf[firstLeaf + at];
  }
  return {
    body: { kind: 'trees' },
    sections: { intercept: Float64Array.of(0), trees: treeWords, splits: splitWords, leaves: leaf },
    inputs: trees * leaves, score: score + 0,
  };
}

const TYPES = [[Float64Array, 'f64'], [Float32Array, 'f32'], [Uint32Array, 'u32']];

/** A bundle (`docs/bundle.md`) of a network or of trees, as `createHome({ model })` takes it. */
export async function bundleOf(model, policy) {
  const { body, sections: parts, inputs, score } = model.hidden ? networkParts(model) : treesParts(model);
  const all = {
    ...parts,
    headSd: new Float64Array(inputs + 2).fill(0.1),
    goldenInputs: new Float64Array(model.d),
    goldenScores: Float64Array.of(score),
  };
  const sections = {};
  const placed = [];
  let end = 0;
  for (const name of Object.keys(all).sort()) {
    const values = all[name];
    end = Math.ceil(end / 8) * 8;
    sections[name] = { length: values.length, offset: end, type: TYPES.find(([type]) => values instanceof type)[1] };
    placed.push([end, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]);
    end += values.byteLength;
  }
  const header = new TextEncoder().encode(JSON.stringify({
    body, created: 0, format: 1, head: {}, minReader: 1, name: 'bench', policy,
    schema: { columns: Array.from({ length: model.d }, (_, column) => ({ name: `f${column}`, source: 'given' })) },
    sections, sequence: 1, version: 'bench',
  }));
  const start = Math.ceil((16 + header.length) / 8) * 8;
  const content = new Uint8Array(start + end);
  content.set(new TextEncoder().encode('EARSBNDL'));
  new DataView(content.buffer).setUint32(8, 1, true);
  new DataView(content.buffer).setUint32(12, header.length, true);
  content.set(header, 16);
  for (const [offset, bytes] of placed) content.set(bytes, start + offset);
  const bundle = new Uint8Array(content.length + 32);
  bundle.set(content);
  bundle.set(new Uint8Array(await crypto.subtle.digest('SHA-256', content)), content.length);
  return bundle;
}

/** The smallest ONNX file of the same linear model or network: MatMul, Add, and Relu between layers. */
export function onnxOf(model) {
  const text = (value) => [...new TextEncoder().encode(value)];
  const number = (value) => value < 128 ? [value] : [(value & 127) | 128, ...number(Math.floor(value / 128))];
  const whole = (field, value) => [field << 3, ...number(value)];
  const bytes = (field, content) => [field << 3 | 2, ...number(content.length), ...content];
  const tensor = (name, sizes, values) => bytes(5, [
    ...sizes.flatMap((size) => whole(1, size)), ...whole(2, 1), ...bytes(8, text(name)),
    ...bytes(9, [...new Uint8Array(Float32Array.from(values).buffer)]),
  ]);
  const node = (kind, inputs, output) => bytes(1, [...inputs.flatMap((name) => bytes(1, text(name))), ...bytes(2, text(output)), ...bytes(4, text(kind))]);
  const value = (field, name, width) => bytes(field, [...bytes(1, text(name)), ...bytes(2, bytes(1, [
    ...whole(1, 1), ...bytes(2, [...bytes(1, bytes(2, text('N'))), ...bytes(1, whole(1, width))]),
  ]))]);
  const graph = [];
  if (model.hidden) {
    const { d, h } = model;
    graph.push(
      ...node('MatMul', ['x', 'w0'], 'a'), ...node('Add', ['a', 'b0'], 'b'), ...node('Relu', ['b'], 'c'),
      ...node('MatMul', ['c', 'w1'], 'e'), ...node('Add', ['e', 'b1'], 'y'), ...bytes(2, text('bench')),
      ...tensor('w0', [d, h], Array.from({ length: d * h }, (_, at) => model.hidden[at % h * d + Math.floor(at / h)])),
      ...tensor('b0', [h], model.hiddenBias), ...tensor('w1', [h, 1], model.out), ...tensor('b1', [1], [model.outBias]),
    );
  } else {
    graph.push(
      ...node('MatMul', ['x', 'w'], 'a'), ...node('Add', ['a', 'b'], 'y'), ...bytes(2, text('bench')),
      ...tensor('w', [model.d, 1], model.weights), ...tensor('b', [1], [model.bias]),
    );
  }
  graph.push(...value(11, 'x', model.d), ...value(12, 'y', 1));
  return Uint8Array.from([...whole(1, 8), ...bytes(7, graph), ...bytes(8, [...bytes(1, []), ...whole(2, 13)])]);
}
