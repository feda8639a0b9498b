/** The compiled client of relays. Made by the build. */
export function bytes(): Uint8Array<ArrayBuffer>;
