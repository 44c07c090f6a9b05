/** Codes about writes as such: sent once more, and told in the audit log. */
import type { ErrorEntry } from './error-entry.ts'

export const WRITE_ERRORS = {
  AUDIT_BROKEN: {
    http: 409,
    exit: 1,
    title: 'An audit log is not as it was written',
    cause:
      'An entry of an export was changed, left out, put in or put elsewhere, or an entry that was noted before is not there: the hashes of the chain do not fit.',
    remedy:
      'Compare it with an export that was kept elsewhere, and find out who could write there.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    http: 422,
    exit: 7,
    title: 'The Idempotency-Key belongs to another write',
    cause:
      'This API key has sent another write with the same Idempotency-Key within 24 hours: another route, name, query or body. Nothing was changed by this one.',
    remedy:
      'Send a new key (a UUID) with each write, and the same one only to repeat the same write.',
  },
  IDEMPOTENCY_KEY_IN_USE: {
    http: 409,
    exit: 7,
    title: 'The first write with this Idempotency-Key has no answer',
    cause:
      'The same write was sent before: it is being carried out, or it was and its answer is not known. Nothing was changed by this one.',
    remedy: 'Try again in a moment, with the same key.',
  },
} as const satisfies Record<string, ErrorEntry>
