/** The compiled verifier. Made by the build. */
export function bytes(): Uint8Array<ArrayBuffer>;
