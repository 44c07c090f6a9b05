import { env, exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
it('runs in workerd', async () => {
  console.log(Object.keys(env))
  expect(navigator.userAgent).toContain('Cloudflare')
  const r = await (exports as any).default.fetch('http://x/healthz')
  console.log(await r.text())
})
