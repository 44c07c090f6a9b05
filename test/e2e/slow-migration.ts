/** A tiny guest has moved before anything could befall it: for tests, libvirt is told to take its time. */
import { LibvirtConnection, REMOTE_PROGRAM } from '../../probe/libvirt/connection.ts'
import { PROCEDURE } from '../../probe/libvirt/constants.ts'
import { XdrWriter } from '../../probe/libvirt/xdr.ts'

/** REMOTE_PROC_DOMAIN_MIGRATE_SET_MAX_SPEED: the product has no use for it. */
const SET_MAX_SPEED = 207

/** Of the next migration from this host, until the domain ends there. */
export async function slowMigration(
  socket: string,
  domain: { name: string; uuid: string },
  mibPerSecond: number,
): Promise<void> {
  const connection = await LibvirtConnection.connect(
    socket,
    { timeoutMs: 5_000 },
    () => undefined,
    () => undefined,
  )
  const call = (procedure: number, body: XdrWriter) =>
    connection.call(REMOTE_PROGRAM, procedure, body, { timeoutMs: 5_000 })
  try {
    await call(PROCEDURE.authList, new XdrWriter())
    await call(PROCEDURE.open, new XdrWriter().optionalString('qemu:///system').int(0))
    const body = new XdrWriter()
      .string(domain.name)
      .opaque(Buffer.from(domain.uuid.replaceAll('-', ''), 'hex'))
      .int(-1)
    // An unsigned hyper, and no flags.
    await call(SET_MAX_SPEED, body.int(0).int(mibPerSecond).int(0))
  } finally {
    connection.close()
  }
}
