/** Who has changed what. */
import type { AuditQuery } from '../schema/api/audit.ts'
import { AccountWrites } from './account-writes.ts'
import { asking, type Call, open } from './calls.ts'

export const auditHandlers = {
  listClusterAudit: async (call: Call<unknown, AuditQuery>) =>
    open(call).stub.read({ what: 'audit', query: call.query }),
  listAudit: async (call: Call<unknown, AuditQuery>) =>
    // Nothing is read that was sealed: no secret is needed.
    new AccountWrites(call.env.DB, asking(call).organisation.id, '').read(call.query),
}
