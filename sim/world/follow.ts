import type { Update } from '../../schema/update.ts'
import type { Disk } from './fakes/storage.ts'

export interface Follower {
  update(update: Update): void
  /** A line of the cluster log. */
  line(line: { readonly component: string; readonly node: string; readonly message: string }): void
}

/** Tells of every update and every line of the log as it is committed, in order, from now on. */
export function follow(disk: Disk, follower: Follower): void {
  const { onCommit } = disk
  let [seq, logId] = [0, 0]
  disk.onCommit = () => {
    onCommit()
    if (!disk.hasTables) return
    const { db } = disk
    for (const row of db
      .prepare('select seq, body from updates where seq > ? order by seq')
      .all(seq)) {
      seq = Number(row['seq'])
      follower.update(JSON.parse(String(row['body'])) as Update)
    }
    for (const row of db.prepare('select * from log where id > ? order by id').all(logId)) {
      logId = Number(row['id'])
      const said = (key: string) => String(row[key])
      follower.line({ component: said('component'), node: said('node'), message: said('message') })
    }
  }
}
