/** What is left of something that was deleted. */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { pause, type TestCluster } from './api.ts'

/** Every row of D1 that has one of these texts in it. */
export async function rowsWith(texts: readonly string[]): Promise<string[]> {
  const tables = await env.DB.prepare(
    "select name from sqlite_master where type = 'table' and name not like '\\_%' escape '\\' and name not like 'sqlite%' and name != 'd1_migrations'",
  ).all<{ name: string }>()
  const found: string[] = []
  for (const { name } of tables.results) {
    const rows = await env.DB.prepare(`select * from "${name}"`).all()
    for (const row of rows.results) {
      const text = JSON.stringify(row)
      if (texts.some((one) => text.includes(one))) found.push(`${name}: ${text}`)
    }
  }
  return found
}

/** What there is in the storage of an object, without waking what it is. */
export async function storedIn(objectId: string) {
  // The instance that emptied it goes a moment later, and whoever asks it by then with it.
  for (;;)
    try {
      return await lookInto(objectId)
    } catch (error) {
      if (!String(error).includes('the cluster was deleted')) throw error
      await pause(100)
    }
}

async function lookInto(objectId: string) {
  const stub = env.CLUSTER.get(env.CLUSTER.idFromString(objectId))
  return runInDurableObject(stub, async (_, { storage }) => ({
    tables: storage.sql
      .exec("select name from sqlite_master where name not like '\\_cf%' escape '\\'")
      .toArray(),
    keys: [...(await storage.list()).keys()],
    alarm: await storage.getAlarm(),
  }))
}

export async function objectOf(cluster: TestCluster): Promise<string> {
  const row = await env.DB.prepare('select object_id from clusters where id = ?')
    .bind(cluster.id)
    .first<{ object_id: string }>()
  return row?.object_id ?? ''
}
