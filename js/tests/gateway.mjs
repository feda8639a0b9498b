// A gateway of Oblivious HTTP (RFC 9458) on nothing but Node's primitives: HPKE (RFC 9180) and binary HTTP (RFC 9292) as their texts write them,
// with no line in common with the client.
import { createCipheriv, createDecipheriv, createHmac, createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';

const utf8 = (text) => Buffer.from(text);
const KEM = Buffer.of(0, 0x20), SUITE = Buffer.of(0, 0x20, 0, 1, 0, 1);
const hmac = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();
const extract = (salt, ikm) => hmac(salt.length ? salt : Buffer.alloc(32), ikm);
function expand(prk, info, length) {
  let [block, all] = [Buffer.alloc(0), Buffer.alloc(0)];
  for (let i = 1; all.length < length; i++) all = Buffer.concat([all, block = hmac(prk, block, info, Buffer.of(i))]);
  return all.subarray(0, length);
}
const labeled = (suite) => ({
  extract: (salt, label, ikm) => extract(salt, Buffer.concat([utf8('HPKE-v1'), suite, utf8(label), ikm])),
  expand: (prk, label, info, length) => expand(prk, Buffer.concat([Buffer.of(length >> 8, length & 255), utf8('HPKE-v1'), suite, utf8(label), info]), length),
});
const raw = (key) => Buffer.from(key.export({ format: 'jwk' }).x, 'base64url');
const point = (bytes) => createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x: Buffer.from(bytes).toString('base64url') } });

/** A gateway with a key of its own. `keys` is its configuration as an app pins it. */
export function makeGateway(id = 1) {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const keys = Buffer.concat([Buffer.of(id), KEM, raw(publicKey), Buffer.of(0, 4, 0, 1, 0, 1)]);
  return {
    keys,
    /** Opens a request: `{ message, answer }`, where `answer(status)` is the encapsulated response. */
    open(request) {
      const [header, enc, sealed] = [request.subarray(0, 7), request.subarray(7, 39), Buffer.from(request.subarray(39))];
      if (!Buffer.concat([Buffer.of(id), SUITE]).equals(Buffer.from(header))) throw new Error('expected a request for this key and suite');
      const kem = labeled(Buffer.concat([utf8('KEM'), KEM]));
      const shared = kem.expand(kem.extract(Buffer.alloc(0), 'eae_prk', diffieHellman({ privateKey, publicKey: point(enc) })), 'shared_secret', Buffer.concat([enc, raw(publicKey)]), 32);
      const hpke = labeled(Buffer.concat([utf8('HPKE'), SUITE]));
      const none = Buffer.alloc(0);
      const context = Buffer.concat([Buffer.of(0), hpke.extract(none, 'psk_id_hash', none), hpke.extract(none, 'info_hash', Buffer.concat([utf8('message/bhttp request\0'), header]))]);
      const secret = hpke.extract(shared, 'secret', none);
      const decipher = createDecipheriv('aes-128-gcm', hpke.expand(secret, 'key', context, 16), hpke.expand(secret, 'base_nonce', context, 12));
      decipher.setAuthTag(sealed.subarray(-16));
      const message = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
      return {
        message: readRequest(message),
        answer(status) {
          const nonce = randomBytes(16);
          const exported = hpke.expand(hpke.expand(secret, 'exp', context, 32), 'sec', utf8('message/bhttp response'), 16);
          const prk = extract(Buffer.concat([enc, nonce]), exported);
          const cipher = createCipheriv('aes-128-gcm', expand(prk, utf8('key'), 16), expand(prk, utf8('nonce'), 12));
          const plain = Buffer.concat([Buffer.of(1, 0x40 | status >> 8, status & 255), Buffer.of(0, 0, 0)]);
          return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
        },
      };
    },
  };
}

/** A request of known length, and whether nothing but zeros follows it. */
function readRequest(bytes) {
  let at = 0;
  const number = () => {
    const size = 1 << (bytes[at] >> 6);
    let value = bytes[at] & 63;
    for (let i = 1; i < size; i++) value = value * 256 + bytes[at + i];
    at += size;
    return value;
  };
  const part = () => { const length = number(); return bytes.subarray(at, at += length); };
  if (number() !== 0) throw new Error('expected a request of known length');
  const [method, scheme, authority, path] = Array.from({ length: 4 }, () => part().toString());
  const headers = part();
  const content = part();
  return { method, scheme, authority, path, headers: headers.length, content, size: bytes.length, padded: bytes.subarray(at).every((byte) => byte === 0) };
}
