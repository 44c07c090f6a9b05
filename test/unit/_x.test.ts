import { expect, it } from 'vitest'
it('a', () => { expect(process.version).toBe('v24.21.0') })
it('b', (ctx) => { ctx.skip('because no KVM') })
