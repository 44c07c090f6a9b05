/** What stands in the link of a status page. */
const BYTES = 16
const ID = /^[A-Za-z0-9_-]{22}$/

/** 128 random bits: nobody guesses one. */
export const newPublicId = (): string =>
  btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(BYTES))))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '')

export const isPublicId = (text: string): boolean => ID.test(text)
