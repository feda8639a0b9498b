// A compiled module that came as text: put together by a small module of its own (`unpack/` in the sources), which is compiled in a
// moment and does at once what a script would do slowly until it is optimised.

interface Unpacker {
  readonly memory: WebAssembly.Memory;
  room(): number;
  together(text: number, length: number): void;
}

/** The module of `length` bytes that `text` holds; `unpacker` is the small one, in hex digits. */
export function unpack(text: string, length: number, unpacker: string): Uint8Array<ArrayBuffer> {
  const small = Uint8Array.from({ length: unpacker.length >> 1 }, (_, at) => +`0x${unpacker.slice(2 * at, 2 * at + 2)}`);
  const { memory, room, together } = new WebAssembly.Instance(new WebAssembly.Module(small)).exports as unknown as Unpacker;
  const bytes = new Uint8Array(memory.buffer, room());
  new TextEncoder().encodeInto(text, bytes);
  together(text.length, length);
  return bytes.slice(text.length, text.length + length);
}
