/** Signatures by the Standard Webhooks scheme (standardwebhooks.com). */
import { Webhook } from 'standardwebhooks'

const SECRET_BYTES = 32

/** Base64 of 256 random bits behind the prefix by which scanners know it. */
export function newWebhookSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES))
  return `whsec_${btoa(String.fromCharCode(...bytes))}`
}

/** @param secrets each signs: while one replaces another there are two */
export function signedHeaders(
  secrets: readonly string[],
  id: string,
  body: string,
  nowMs: number,
): Record<string, string> {
  // To the second: what is signed is what the header says.
  const at = new Date(Math.floor(nowMs / 1_000) * 1_000)
  return {
    'content-type': 'application/json',
    'user-agent': 'Holdfast-Webhooks/1',
    'webhook-id': id,
    'webhook-timestamp': String(at.getTime() / 1_000),
    'webhook-signature': secrets.map((s) => new Webhook(s).sign(id, at, body)).join(' '),
  }
}
