// A linear model as ONNX, y = x w + b: the few fields of its protocol buffers that are needed, by number as in onnx.proto3.

const FLOAT = 1;

const varint = (value) => value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))];
const number = (field, value) => [field * 8, ...varint(value)];
const bytes = (field, value) => [field * 8 + 2, ...varint(value.length), ...value];
const text = (field, value) => bytes(field, [...new TextEncoder().encode(value)]);

/** TensorProto */
const tensor = (name, dims, values) => [
  ...dims.flatMap((size) => number(1, size)), ...number(2, FLOAT), ...text(8, name), ...bytes(9, new Uint8Array(Float32Array.from(values).buffer)),
];
/** ValueInfoProto of a matrix of floats; a dimension is a size or a name. */
const value = (name, dims) => {
  const shape = dims.flatMap((dim) => bytes(1, typeof dim === 'string' ? text(2, dim) : number(1, dim)));
  return [...text(1, name), ...bytes(2, bytes(1, [...number(1, FLOAT), ...bytes(2, shape)]))];
};

/** ModelProto: one Gemm. */
export function linearModel(weights, bias) {
  const d = weights.length;
  const node = [...text(1, 'x'), ...text(1, 'w'), ...text(1, 'b'), ...text(2, 'y'), ...text(4, 'Gemm')];
  const graph = [
    ...bytes(1, node), ...text(2, 'linear'), ...bytes(5, tensor('w', [d, 1], weights)), ...bytes(5, tensor('b', [1], [bias])),
    ...bytes(11, value('x', ['n', d])), ...bytes(12, value('y', ['n', 1])),
  ];
  return Uint8Array.from([...number(1, 8), ...bytes(7, graph), ...bytes(8, number(2, 13))]);
}
