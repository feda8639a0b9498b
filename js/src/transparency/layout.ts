// The bytes of a body, field by field, read from the bytes themselves.
import type { OutboxRecord } from '../types.js';

/** Name and bits of each field of a record, in order. */
const RECORD = [
  ['version', 4], ['epoch', 12], ['manifest', 32], ['slot', 4], ['shelfPosition', 5], ['cardPosition', 5], ['arm', 10], ['question', 6],
  ['propensity', 16], ['level', 3], ['symbol', 6], ['rest', 25],
] as const;

/** What a body consists of. */
export type FieldName = 'format' | 'nonce' | (typeof RECORD)[number][0] | 'zeros';

export interface Field {
  readonly name: FieldName;
  /** Bytes of the body from 0, or bits of its bytes. */
  readonly place: string;
  /** Hex digits of whole bytes, else binary ones. */
  readonly shown: string;
  /** The number in it, where it is one. */
  readonly value: string;
}

/** Where the record begins in the body, and where it ends. */
const RECORD_AT = 17;
const RECORD_END = 33;
const BODY_BYTES = 256;

/** The fields of the body that a record leaves in. */
export function fieldsOf({ bytes, nonce }: Pick<OutboxRecord, 'bytes' | 'nonce'>): Field[] {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  let at = 0;
  const inside = RECORD.map(([name, length]): Field => {
    const [from, digits] = [at, bits.slice(at, at += length)];
    const whole = from % 8 === 0 && length % 8 === 0;
    const place = RECORD_AT + Math.floor(from / 8);
    const last = RECORD_AT + Math.floor((at - 1) / 8);
    return {
      name,
      place: place === last ? String(place) : `${place}–${last}`,
      shown: whole ? hexOf(digits) : digits,
      value: name === 'manifest' || name === 'rest' ? '' : String(parseInt(digits, 2)),
    };
  });
  return [
    { name: 'format', place: '0', shown: '01', value: '1' },
    { name: 'nonce', place: `1–${RECORD_AT - 1}`, shown: nonce, value: '' },
    ...inside,
    { name: 'zeros', place: `${RECORD_END}–${BODY_BYTES - 1}`, shown: '00', value: '' },
  ];
}

function hexOf(digits: string): string {
  return (digits.match(/.{4}/g) ?? []).map((four) => parseInt(four, 2).toString(16)).join('');
}
