/** Every bound of the product in one place. Lengths are characters, sizes bytes, times milliseconds. */
export const LIMITS = {
  nameLengthMax: 64,
  detailLengthMax: 1_000,
  /** What a host may say in one frame; the platform itself allows 32 MiB. */
  frameBytesMax: 512 * 1024,
  /** A row of a Durable Object holds 2 MB: snapshots travel and rest in parts of this size. */
  snapshotPartBytes: 512 * 1024,
  bodyBytesMax: 256 * 1024,
  /** A whole cluster's configuration. */
  configBytesMax: 4 * 1024 * 1024,
  /** The hive of a backup that a cluster is made from; what is handed from Worker to object has at most 32 MiB. */
  restoreBytesMax: 24 * 1024 * 1024,
  /** Characters of the lines of a backup that are read at once. */
  backupPageLengthMax: 1024 * 1024,
  /** Requests that are carried out as one, and their size in the journal, whose rows hold 2 MB. */
  batchMax: 1_000,
  batchBytesMax: 1024 * 1024,
  sourceLengthMax: 220,
  /** Clusters of one organisation. */
  clustersMax: 1_000,
  nodesMax: 1_000,
  /** Groups of a cluster that go back to where they belong at the same time. */
  failbacksAtOnce: 4,
  drainMinMs: 1_000,
  drainMaxMs: 7 * 24 * 3_600_000,
  /** Named capacities of a node, and names that a group needs something of. */
  amountsMax: 16,
  /** Clusters, nodes, groups and resources that are in maintenance at one time, and for how long. */
  maintenancesMax: 1_000,
  maintenanceMaxMs: 30 * 24 * 3_600_000,
  rulesMax: 1_000,
  ruleGroupsMax: 100,
  groupsMax: 10_000,
  resourcesMax: 10_000,
  resourcesPerGroupMax: 1_000,
  dependenciesMax: 100,
  /** Groups that one group comes online after, or runs only while they do. */
  groupDependenciesMax: 100,
  /** Names in one expression of dependencies, once it is lists of alternatives. */
  dependencyNamesMax: 400,
  /** Types of one's own in one cluster, and files that count as one of them. */
  typesMax: 100,
  /** Of one node: its own, and those that come with the probe. */
  hostedTypesMax: 200,
  typeVersionsMax: 10,
  statusItemsMax: 1_000,
  /** Deliberate local changes that a host keeps until the hive has them. */
  intentsMax: 1_000,
  /** Of these, so much goes into one report; the others follow it. */
  intentsBytesMax: 128 * 1024,
  logEntriesMax: 500,
  logRowsKept: 20_000,
  journalRowsKept: 5_000,
  /** A snapshot of the hive is taken each time the journal has grown by this many updates. */
  snapshotEvery: 1_000,
  updatesPerFrameMax: 500,
  /** How long a moved group may be told to stay; and for how long if nothing is said. */
  stickMaxMs: 90 * 24 * 3_600_000,
  stickMs: 24 * 3_600_000,
  pageSizeMax: 1_000,
  /** Changes of owner that are told at once. */
  timelinesMax: 100,
  /** Operations that are listed at once. */
  operationsMax: 100,
  /** Open event streams of one cluster. */
  watchersMax: 64,
  /** Updates replayed to a watcher that comes back; one that missed more is told to fetch them. */
  streamReplayMax: 1_000,
  streamEventsPerFrame: 100,
  /** A watcher that was sent so many frames since its last ping does not read: it is dropped. */
  streamFramesUnheardMax: 1_000,
  /** A watcher without a ping for this long is dropped when there is something to tell. */
  streamSilentMs: 60_000,
  /** On one stream, whatever it has read of it; then it comes back with `after`. */
  streamBytesMax: 2 * 1024 * 1024,
  streamFramesPerMinuteMax: 3_000,
  /** For so long a stream needs no other look at its key; whoever goes on then comes back with `after`. */
  streamAuthorisedMs: 10 * 60_000,
  /** Clusters that are told at once that the streams of a key end. */
  streamEndsAtOnce: 20,
  /** Bytes that wait for one reader of server-sent events; who lets more pile up is cut off. */
  sseBufferMax: 256 * 1024,
  /** After so long a reader that was cut off comes back. */
  sseRetryMs: 1_000,
  /** An operation is told again at most this often. */
  operationEventsEveryMs: 250,
  /** Events that one cluster replays to all streams in a second. */
  streamReplaysPerSecondMax: 5_000,
  /** How long a target may take to answer an offer before the next candidate is asked. */
  offerAnswerMs: 2_000,
  /** How long nodes that an update does not concern may wait for it. */
  gatherMs: 500,
  fenceOptionsMax: 64,
  fenceTimeoutMaxMs: 10 * 60_000,
  fenceAttemptsMax: 10,
  /** Failures of one round that are kept for whoever asks why. */
  fenceFailuresMax: 100,
  /** Boots of a node that were declared over and are refused (F3). */
  overBootsKept: 8,
  /** A helper that has not said by then that it runs the agent is passed over. */
  fenceBeginMs: 2_000,
  /** Peers: up to so many nodes all hear each other; more form a ring with so many neighbours each. */
  peerMeshMax: 8,
  peerRingNeighbours: 6,
  peersMax: 8,
  /** How long a key of peers is in use, and how long the new one is only listened for. */
  peerKeyMs: 6 * 3_600_000,
  peerKeyOverlapMs: 60_000,
  /** The alarm of a cluster whose nodes all are heard by others: what peers report wakes it before. */
  quietAlarmMs: 60_000,
  /** Losses of a node that are remembered, to see whether it flaps. */
  lossesKept: 16,
  /** Valid keys of one organisation, what one of them may be good for, and for how long. */
  keysMax: 1_000,
  keyScopesMax: 50,
  keyTtlMaxMs: 10 * 365 * 24 * 3_600_000,
  /** How long a secret that has been replaced may be valid yet. */
  keyOverlapMaxMs: 30 * 24 * 3_600_000,
  /** The last use of a key is written at most this often. */
  keyUseNotedMs: 60_000,
  /** For so long what only looks is not looked up anew, in one isolate of the Worker, and of how many keys and clusters. */
  keyKnownMs: 5_000,
  keysKnownMax: 10_000,
  emailLengthMax: 128,
  passwordLengthMin: 10,
  passwordLengthMax: 256,
  /** Members of one organisation, its invitations that are open, and grants of one member. */
  membersMax: 1_000,
  invitationsMax: 200,
  grantsMax: 50,
  invitationTtlMs: 7 * 24 * 3_600_000,
  invitationTtlMaxMs: 30 * 24 * 3_600_000,
  /** What somebody is sent who signs up, or has forgotten their password. */
  mailedTokenMs: 3_600_000,
  /** Organisations that one person belongs to. */
  organisationsOfPersonMax: 50,
  /** A session is valid for so long, and not if it was not used for this long; the last use is noted once a minute. */
  sessionMs: 30 * 24 * 3_600_000,
  sessionIdleMs: 7 * 24 * 3_600_000,
  /** Of one person: the oldest end beyond that. */
  sessionsMax: 50,
  /** Tries within this time: of passwords and tokens, from one address, at one account, and for one from one. */
  attemptsMs: 15 * 60_000,
  attemptsOfAddress: 100,
  attemptsAtAccount: 100,
  attemptsOfAddressAtAccount: 10,
  /** Where addresses are not known, which is behind no edge, all callers count as one. */
  attemptsOfAll: 1_000,
  /** Codes of a second factor, whoever tries them: six digits are soon guessed otherwise. */
  attemptsOfCode: 10,
  recoveryCodes: 10,
  /** How long somebody may take at a provider of logins. */
  oidcFlowMs: 10 * 60_000,
  oidcTimeoutMs: 10_000,
  /** Of what a provider answers. */
  oidcBytesMax: 256 * 1_024,
  /** How long a provider's description of itself is taken for true. */
  oidcKnownMs: 60 * 60_000,
  /** Mails to one address within an hour. */
  mailsPerHour: 5,
  mailTimeoutMs: 10_000,
  /** Answers of writes that came with an Idempotency-Key: how long they are kept, and how many. */
  answersKeptMs: 24 * 3_600_000,
  answersKept: 10_000,
  /** Characters of all answers that are kept, and of one of them. */
  answersLengthMax: 16 * 1024 * 1024,
  answerLengthMax: 512 * 1024,
  /** A write that has not ended after so long no longer keeps the same one from being tried again. */
  writeRunsMs: 60_000,
  /** Answers of one API key about what is kept with the accounts. */
  answersOfKeyMax: 1_000,
  /** Entries of one audit log, and their length; what is older is in exports. */
  auditKept: 20_000,
  auditLengthMax: 64 * 1024 * 1024,
  /** Characters of the entries in one answer: a longer page ends before that. */
  auditPageLengthMax: 4 * 1024 * 1024,
  /** Refused writes of one caller that are entered in one audit log. */
  auditRefusalsPerHour: 100,
  /** Refused logins of one account there: anybody can make them who knows its address. */
  auditLoginRefusalsPerHour: 10,
  /** Logins of one person: each is told in audit logs, out of which the oldest entries go. */
  loginsPerHour: 60,
  /** Types that one host registers or unregisters; more would push out of the audit log what others have done. */
  typeAsksPerHour: 300,
  /** Webhook endpoints of one organisation, and what one of them may filter by. */
  webhooksMax: 50,
  webhookFilterMax: 100,
  /** Messages of one cluster that are kept to be delivered or replayed, and attempts that are told. */
  webhookMessagesKept: 20_000,
  webhookAttemptsKept: 5_000,
  /** Groups that a public status page names; and how long what it shows is kept, so that views wake no object. */
  statusPageGroupsMax: 200,
  statusPageKeptMs: 15_000,
  statusPagesKept: 1_000,
  /** Mails about events: addresses of one endpoint, and mails an hour to one address and of one organisation. */
  webhookAddressesMax: 10,
  alertsToAddressPerHour: 30,
  alertsOfOrganisationPerHour: 200,
  /** How often a heartbeat is pinged: usually, at most and at least; and how late decisions of a cluster that is well may be. */
  heartbeatMs: 5 * 60_000,
  heartbeatMinMs: 60_000,
  heartbeatMaxMs: 24 * 3_600_000,
  heartbeatBehindMs: 60_000,
  /** A group's trouble is over once it has been well for so long; flapping, for longer. */
  troubleCalmMs: 5 * 60_000,
  flappingCalmMs: 15 * 60_000,
  /** It flaps when trouble has begun so often within that time. */
  flappingTroubles: 3,
  flappingWindowMs: 30 * 60_000,
  /** How long a receiver may take to answer. */
  webhookTimeoutMs: 10_000,
  /** Days that usage is kept for, and how often a cluster and an isolate tell what they have counted. */
  usageDaysKept: 400,
  usageToldEveryMs: 3_600_000,
  callsWrittenEveryMs: 60_000,
  callsCountedMax: 200,
  /** Objects of clusters that are no more: deleted at once, and how often it is looked for them. */
  objectsSweptAtOnce: 50,
  /** An object whose cluster is not listed by then never will be. */
  objectUnlistedMs: 3_600_000,
  sweepEveryMs: 60_000,
  /** Requests of one cluster that are under way at the same time. */
  webhooksAtOnce: 16,
  /** An endpoint to which nothing has got through for so long is switched off. */
  webhookFailingMaxMs: 5 * 24 * 3_600_000,
  /** Requests a second over time, and how many may come at once; RATE_FACTOR makes all of them more or less. */
  rates: {
    address: { perSecond: 200, burst: 1_000 },
    /** Of one address, with keys and tokens that are not valid. */
    guesses: { perSecond: 0.5, burst: 30 },
    key: { perSecond: 50, burst: 250 },
    organisation: { perSecond: 200, burst: 1_000 },
    cluster: { perSecond: 100, burst: 500 },
  },
  /** Callers that one isolate remembers. */
  rateBucketsMax: 10_000,
  tokenUsesMax: 1_000,
  tokenTtlMaxMs: 30 * 24 * 3_600_000,
  /** Groups and resources with metrics of their own in one answer: the first by name. */
  metricGroupsMax: 1_000,
  metricResourcesMax: 2_000,
  /** Clusters that the metrics of an organisation are asked of at once, and in one answer. */
  metricClustersAtOnce: 6,
  metricClustersMax: 100,
  /** A cluster that has not answered by then is said not to have. */
  metricAnswerMs: 2_000,
  /** `step` runs its managers until nothing changes; more rounds than this is a bug. */
  stepRoundsMax: 64,
} as const
