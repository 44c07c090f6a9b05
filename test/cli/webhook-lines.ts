/** For the contract of the command line: webhooks, what succeeds, what fails, and with which code. */
import { EXIT } from '../../cli/exit-codes.ts'

const { conflict, notFound, usage } = EXIT

type Lines = readonly (readonly [string, string, number])[]

export const WEBHOOK_LINES: Lines = [
  ['webhook types', 'webhook types extra', usage],
  ['webhook create ops --target @HOOK@ --type node.up', 'webhook create ops --target x', usage],
  ['webhook create all --target @HOOK@', 'webhook create ops --target @HOOK@', conflict],
  ['webhook create post --kind email --to a@b.example', 'webhook create post --kind x', usage],
  [
    'webhook create alive --kind heartbeat --secret-file @HOOKFILE@ --every 2m',
    'webhook create alive --kind heartbeat --every soon',
    usage,
  ],
  ['webhook list', 'webhook list extra', usage],
  ['webhook change ops --all-types --only-cluster prod --on', 'webhook change ops', usage],
  ['webhook rotate ops --overlap 1h', 'webhook rotate nosuch', notFound],
  ['webhook test ops', 'webhook test nosuch', notFound],
  ['webhook trigger node.up ops', 'webhook trigger node.up', usage],
]

/** Of what was sent by then. */
export const DELIVERY_LINES: Lines = [
  ['webhook recover ops --since 1h', 'webhook recover ops', usage],
  ['webhook deliveries ops --limit 5', 'webhook deliveries ops --state lost', usage],
  ['webhook replay ops @MESSAGE@', 'webhook replay ops nosuch', notFound],
  ['webhook delete ops --yes', 'webhook delete nosuch --yes', notFound],
]
