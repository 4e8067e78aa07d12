/** Return a word that nobody else has: of a request that is sent again it says that it is the same. `crypto.randomUUID` is not there without TLS. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
