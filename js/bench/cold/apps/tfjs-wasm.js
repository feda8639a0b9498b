// TensorFlow.js scores, the rest is written by hand. Only the parts that are used are imported; one thread, as on pages that are
// not isolated from other origins.
import { add, dispose, matMul, ready, scalar, setBackend, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { PlainRanker } from '../../plain.mjs';

class Ranker extends PlainRanker {
  constructor({ weights, bias, epsilon }) {
    super(weights, bias, epsilon);
    this.w = tensor2d(weights, [weights.length, 1]);
    this.b = scalar(bias);
  }

  score(x, n) {
    const scores = tidy(() => add(matMul(tensor2d(x, [n, this.weights.length]), this.w), this.b));
    this.scores.set(scores.dataSync());
    dispose(scores);
  }
}

export async function start(model) {
  setWasmPaths(new URL('.', import.meta.url).href);
  setThreadsCount(1);
  if (!await setBackend('wasm')) throw new Error('the wasm backend did not start');
  await ready();
  const ranker = new Ranker(model);
  return { rank: (cards) => ranker.page(cards, ranker.pack(cards)) };
}
