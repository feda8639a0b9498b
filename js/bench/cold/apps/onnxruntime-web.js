// ONNX Runtime scores, the rest is written by hand. The build for the CPU, one thread, as on pages that are not isolated from other
// origins; the model lies in the file.
import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm';
import { PlainRanker } from '../../plain.mjs';
import { linearModel } from '../onnx.mjs';

export async function start({ weights, bias, epsilon }) {
  env.wasm.wasmPaths = { wasm: new URL('ort-wasm-simd-threaded.wasm', import.meta.url).href };
  env.wasm.numThreads = 1;
  const session = await InferenceSession.create(linearModel(weights, bias), { executionProviders: ['wasm'] });
  const ranker = new PlainRanker(weights, bias, epsilon);
  return {
    async rank(cards) {
      const { y } = await session.run({ x: new Tensor('float32', ranker.pack(cards), [cards.length, weights.length]) });
      ranker.room(cards.length);
      ranker.scores.set(y.data);
      return ranker.placed(cards, ranker.choose(cards.length));
    },
  };
}
