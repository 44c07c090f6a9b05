/** Codes about requests as such: too many, writes sent once more or told in the audit log, where webhooks may point to. */
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
  BACKUP_UNREADABLE: {
    http: 400,
    exit: 2,
    title: 'Not a whole backup',
    cause:
      'A cluster was to be made from a file that is no backup, or one that was cut off, damaged or edited (its checksum does not fit), or one of a version of Holdfast that is not known here. Nothing was changed.',
    remedy: 'Use another copy of it, or the version of Holdfast that made it.',
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
  RATE_LIMITED: {
    http: 429,
    exit: 1,
    title: 'Too many requests',
    cause:
      'This address, key, organisation or cluster has asked for more than its share in a short time, or passwords and tokens were tried, or mails asked for, too often. Nothing was changed. Sessions of hosts are not limited by it: what runs goes on, and fails over as ever.',
    remedy:
      'Wait as long as the header `Retry-After` says. To follow a cluster use its event stream in place of asking again and again.',
  },
  QUOTA_REACHED: {
    http: 409,
    exit: 8,
    title: 'A quota of the organisation is reached',
    cause:
      'Whoever runs the service says how many clusters an organisation may have, and how many nodes, groups and resources each of them. Nothing was changed.',
    remedy: 'See what there is (`holdfast usage`), remove what is no longer used, or ask for more.',
  },
  PRECONDITION_FAILED: {
    http: 412,
    exit: 7,
    title: 'The cluster is no longer at that version',
    cause:
      'The write came with `If-Match`, the version of the hive that its caller has seen, and something was changed since then: by an operator, or by the cluster itself. Nothing was changed by this write.',
    remedy: 'Read again, decide anew, and send it with the version of then.',
  },
  WEBHOOK_OFF: {
    http: 409,
    exit: 8,
    title: 'The webhook is switched off',
    cause:
      'It was switched off by an operator, or by itself because nothing got through. Nothing is sent to it, and nothing was changed.',
    remedy: 'Mend its receiver, and switch it on again: holdfast webhook change NAME --on',
  },
  WEBHOOK_TARGET_REFUSED: {
    http: 422,
    exit: 2,
    title: 'Nothing is sent to that URL',
    cause:
      'A webhook points to a public host by https: never to a private, loopback, link-local or otherwise special address, nor to a name of an inside network. Nothing was changed.',
    remedy:
      'Give another URL. In a control plane of your own, WEBHOOK_TARGETS=any allows every target.',
  },
} as const satisfies Record<string, ErrorEntry>
