/**
 * Numbers of libvirt's protocol and interface, as far as they are used here.
 *
 * @see libvirt, src/remote/remote_protocol.x (procedure numbers), include/libvirt/libvirt-domain.h
 */
/** virDomainState */
export const DOMAIN = {
  none: 0,
  running: 1,
  blocked: 2,
  paused: 3,
  shutdown: 4,
  shutoff: 5,
  crashed: 6,
  pmSuspended: 7,
} as const

/** virDomainEventType */
export const EVENT = {
  defined: 0,
  undefined: 1,
  started: 2,
  suspended: 3,
  resumed: 4,
  stopped: 5,
  shutdown: 6,
  pmSuspended: 7,
  crashed: 8,
} as const

/** virErrorNumber: there is no such domain. */
export const NO_DOMAIN = 42
/** virErrorNumber: not in this state, e.g. it does not run. */
export const OPERATION_INVALID = 55

export const PROCEDURE = {
  open: 1,
  defineXml: 11,
  destroy: 12,
  getXmlDesc: 14,
  getAutostart: 15,
  lookupByName: 23,
  resume: 28,
  setAutostart: 29,
  shutdown: 33,
  suspend: 34,
  authList: 66,
  getJobInfo: 163,
  abortJob: 164,
  createWithFlags: 196,
  setVcpusFlags: 199,
  setMemoryFlags: 204,
  getState: 212,
  getControlInfo: 229,
  undefineFlags: 231,
  saveFlags: 232,
  restoreFlags: 233,
  saveImageGetXmlDesc: 235,
  setMetadata: 264,
  getMetadata: 265,
  migratePerform3Params: 305,
  eventRegister: 316,
  lifecycleEvent: 318,
  getAllDomainStats: 344,
  getIothreadInfo: 351,
} as const

export const QEMU_MONITOR_COMMAND = 1
export const AUTH_NONE = 0
export const EVENT_ID_LIFECYCLE = 0
export const XML_INACTIVE = 2
export const XML_SECURE = 1
export const XML_MIGRATABLE = 8
export const AFFECT_LIVE = 1
export const AFFECT_CONFIG = 2
/** virDomainMetadataType: an element in a namespace of its own. */
export const METADATA_ELEMENT = 2
/** Throw away a saved state instead of waking it: its memory may be older than the disk (M5). */
export const START_FORCE_BOOT = 1 << 3
/** Undefine takes saved state and metadata of snapshots and checkpoints along; NVRAM stays. */
export const UNDEFINE = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 4)
export const UUID_LENGTH = 16
/**
 * Live, from libvirt to libvirt, defined there and no more here, and paused on arrival (M2). Never
 * post-copy: then neither side would have the whole guest.
 */
export const MIGRATE = (1 << 0) | (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5)
/** VIR_MIGRATE_UNSAFE: the host policies say that the storage is shared. */
export const MIGRATE_UNSAFE = 1 << 9
/** virDomainSaveRestoreFlags: it does not execute before it is resumed. */
export const RESTORE_PAUSED = 1 << 2
export const TYPED_STRING = 7
/** virTypedParameterType, by how many bytes each takes; a string says its own length. */
export const TYPED_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 4, 3: 8, 4: 8, 5: 8, 6: 4 }
/** virDomainStatsTypes: what `getState` says. It is not asked of QEMU. */
export const STATS_STATE = 1 << 0
/** As long as it takes: whoever has enough aborts the job. */
export const JOB_MS = 24 * 3_600_000
/** virDomainJobType: one of known length, or of unknown. */
export const JOB_RUNS: readonly number[] = [1, 2]
