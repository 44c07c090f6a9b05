import { expect, test } from 'vitest'
import { tinyDomainXml } from '../../../demo/vm/domain.ts'
import { DEFAULT_PATHS, pathProblem } from '../../../probe/libvirt/host-paths.ts'

const xml = (image: string, serialLog = '/srv/vm/a.log') =>
  tinyDomainXml({ name: 'a', image, serialLog })

test('host policy: every path that a domain names has to be allowed', () => {
  expect(pathProblem(xml('/srv/vm/a.img'), ['/srv/vm/*'])).toBeNull()
  expect(pathProblem(xml('/etc/shadow'), ['/srv/vm/*'])).toMatch(/"\/etc\/shadow" is not among/)
  expect(pathProblem(xml('/srv/vm/a.img', '/etc/cron.d/x'), ['/srv/vm/*'])).toMatch(/cron/)
  expect(pathProblem(xml('/srv/vm/../../etc/shadow'), ['/srv/vm/*'])).toMatch(/leaves its folder/)
  expect(pathProblem(xml('/srv/vm/a.img'), DEFAULT_PATHS)).toMatch(/not among/)
})

test('host policy: paths in texts, in entities and in elements nobody thought of', () => {
  const domain = (inner: string) => `<domain><devices>${inner}</devices></domain>`
  expect(pathProblem(domain('<odd where="/etc/passwd"/>'), ['/srv/*'])).toMatch(/passwd/)
  expect(pathProblem(domain('<odd> /etc/passwd </odd>'), ['/srv/*'])).toMatch(/passwd/)
  expect(pathProblem(domain('<odd x="&#47;etc/passwd"/>'), ['/srv/*'])).toMatch(/write it out/)
  expect(pathProblem(domain('<hostdev mode="subsystem"/>'), ['/srv/*'])).toMatch(/hostdev/)
  expect(
    pathProblem(domain('<filesystem><source dir="/srv/x"/></filesystem>'), ['/srv/*']),
  ).toMatch(/filesystem/)
})
