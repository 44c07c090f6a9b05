/** Codes about people: how they get in, and where they belong. */
import type { ErrorEntry } from './error-entry.ts'

export const ACCOUNT_ERRORS = {
  SIGN_UP_CLOSED: {
    http: 403,
    exit: 6,
    title: 'Sign-up is closed',
    cause:
      'This control plane takes no new accounts (SIGN_UP=closed), only those of invited people (SIGN_UP=invited), or organisations are made by its operator alone.',
    remedy: 'Ask whoever runs it; in a control plane of your own, set SIGN_UP.',
  },
  SECOND_FACTOR_NEEDED: {
    http: 401,
    exit: 6,
    title: 'A code is asked for as well',
    cause: 'The password is right, and the account has a second factor.',
    remedy: 'Send `code` as well: what the app shows, or one of the recovery codes.',
  },
  SECOND_FACTOR_THERE: {
    http: 409,
    exit: 7,
    title: 'There is a second factor already',
    cause:
      'An account has one second factor, and a new one takes its place only when it was removed.',
    remedy: 'Remove the one before: `holdfast second-factor remove`.',
  },
  ACCOUNT_EXISTS: {
    http: 409,
    exit: 7,
    title: 'There is an account for this address',
    cause:
      'A token was to make an account for an address that has one already. Said only to who has the token, and so the mail.',
    remedy: 'Log in (`holdfast login`), and accept an invitation with `holdfast member accept`.',
  },
  ALREADY_MEMBER: {
    http: 409,
    exit: 7,
    title: 'A member already',
    cause: 'Somebody was to become a member of an organisation who is one already.',
    remedy: 'Change what they may do with `holdfast member role`.',
  },
  CLUSTER_IN_USE: {
    http: 409,
    exit: 8,
    title: 'Groups of the cluster run',
    cause:
      'A cluster was to be deleted while groups have owners, or while it does not say. Nothing was deleted.',
    remedy:
      'Let its hosts leave (`holdfast-probe leave`) or remove the groups first, or delete it all the same: `holdfast cluster delete NAME --force`. Its hosts stop them when their leases end.',
  },
  ORGANISATION_IN_USE: {
    http: 409,
    exit: 8,
    title: 'Groups of the organisation run',
    cause:
      'An organisation was to be deleted while groups of its clusters have owners, or while a cluster does not say. Nothing was deleted.',
    remedy:
      'Take the groups offline first, or delete it all the same: `holdfast org delete NAME --force`. Their hosts stop them when their leases end.',
  },
  EXPORT_INCOMPLETE: {
    http: 502,
    exit: 1,
    title: 'The export of an organisation is not whole',
    cause:
      'What came of it has no last line, or a checksum that does not fit: it broke off on the way, or a journal was trimmed while it was read.',
    remedy: 'Export it again: `holdfast org export`.',
  },
  LAST_OWNER: {
    http: 409,
    exit: 8,
    title: 'An organisation keeps an owner',
    cause:
      'The only owner of an organisation was to be removed, or to become something else. Nobody could make another one then.',
    remedy: 'Make somebody else an owner first: `holdfast member role ADDRESS --role owner`.',
  },
} as const satisfies Record<string, ErrorEntry>
