// Reads a zip archive without unpacking it whole: the directory at its end, then only the entries asked for.

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 65_535;

export class ZipError extends Error {}

/** The files of the archive in `blob`, as `{ name, text() }`. */
export async function readZip(blob) {
  const tailAt = Math.max(0, blob.size - END_BYTES - LONGEST_COMMENT);
  const tail = await view(blob, tailAt, blob.size);
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new ZipError('expected a zip archive with a directory at its end, found none: the file is cut off or is no zip');

  const count = tail.getUint16(end + 10, true);
  const size = tail.getUint32(end + 12, true);
  const start = tail.getUint32(end + 16, true);
  if (count === 0xffff || start === 0xffffffff) throw new ZipError('expected a zip under 4 GB, found a larger one: unpack it and choose the JSON files');
  if (start + size > tailAt + end) throw new ZipError('expected the zip’s directory inside the file, found it past the end: the file is cut off');

  const directory = await view(blob, start, start + size);
  const entries = [];
  for (let at = 0, i = 0; i < count; i += 1) {
    if (at + 46 > size || directory.getUint32(at, true) !== ENTRY) throw new ZipError(`expected ${count} files in the zip’s directory, found ${i}`);
    const nameLength = directory.getUint16(at + 28, true);
    const entry = {
      method: directory.getUint16(at + 10, true),
      packed: directory.getUint32(at + 20, true),
      offset: directory.getUint32(at + 42, true),
    };
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, directory.byteOffset + at + 46, nameLength));
    entries.push({ name, text: () => unpack(blob, name, entry) });
    at += 46 + nameLength + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
  }
  return entries;
}

async function unpack(blob, name, { method, packed, offset }) {
  const head = await view(blob, offset, Math.min(blob.size, offset + 30));
  if (head.byteLength < 30 || head.getUint32(0, true) !== LOCAL) throw new ZipError(`expected ${name} at byte ${offset} of the zip, found something else`);
  const from = offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const body = blob.slice(from, from + packed);
  if (method === 0) return body.text();
  if (method !== 8) throw new ZipError(`expected ${name} stored or deflated, found method ${method}`);
  try {
    return await new Response(body.stream().pipeThrough(new DecompressionStream('deflate-raw'))).text();
  } catch {
    throw new ZipError(`expected ${name} to unpack, found broken data`);
  }
}

async function view(blob, from, to) {
  return new DataView(await blob.slice(from, to).arrayBuffer());
}
