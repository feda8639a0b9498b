// What else a front-end team would run a model with: TensorFlow.js and ONNX Runtime, scoring only. Order and propensities are added by the
// plain code that ranks beside them.
import { onnxOf } from './models.mjs';

const PEERS = '/js/bench/warm/node_modules';

const script = (address) => new Promise((done, failed) => {
  document.head.append(Object.assign(document.createElement('script'), { src: address, onload: done, onerror: () => failed(new Error(`cannot load ${address}`)) }));
});

/** A function from a matrix of n rows to n scores, for each library and back end that loads; else why it does not. */
export async function peers(model) {
  const found = [];
  for (const backend of ['cpu', 'wasm']) found.push([`tfjs ${backend}`, () => tfjs(backend, model)]);
  found.push(['onnxruntime-web', () => onnx(model)]);
  const made = [];
  for (const [name, make] of found) {
    try {
      made.push({ name, score: await make() });
    } catch (thrown) {
      made.push({ name, problem: String(thrown?.message ?? thrown).slice(0, 200) });
    }
  }
  return made;
}

async function tfjs(backend, model) {
  if (!globalThis.tf) await script(`${PEERS}/@tensorflow/tfjs/dist/tf.min.js`);
  const tf = globalThis.tf;
  if (backend === 'wasm' && !tf.wasm) {
    await script(`${PEERS}/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js`);
    tf.wasm.setWasmPaths(`${location.origin}${PEERS}/@tensorflow/tfjs-backend-wasm/dist/`);
  }
  if (!await tf.setBackend(backend)) throw new Error(`tfjs refused its back end ${backend}`);
  await tf.ready();
  const tensors = model.hidden
    ? {
      w0: tf.tensor2d(model.hidden, [model.h, model.d]), b0: tf.tensor1d(model.hiddenBias),
      w1: tf.tensor2d(model.out, [model.h, 1]), b1: tf.scalar(model.outBias),
    }
    : { w: tf.tensor2d(model.weights, [model.d, 1]), b: tf.scalar(model.bias) };
  return (x, n) => {
    if (tf.getBackend() !== backend) tf.setBackend(backend);
    return tf.tidy(() => {
      const rows = tf.tensor2d(x, [n, model.d]);
      const y = model.hidden
        ? rows.matMul(tensors.w0, false, true).add(tensors.b0).relu().matMul(tensors.w1).add(tensors.b1)
        : rows.matMul(tensors.w).add(tensors.b);
      return y.dataSync();
    });
  };
}

async function onnx(model) {
  const ort = await import(`${PEERS}/onnxruntime-web/dist/ort.wasm.min.mjs`);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = `${location.origin}${PEERS}/onnxruntime-web/dist/`;
  const session = await ort.InferenceSession.create(onnxOf(model));
  return async (x, n) => (await session.run({ x: new ort.Tensor('float32', x, [n, model.d]) })).y.data;
}
