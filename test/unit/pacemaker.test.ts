/** `holdfast import pacemaker`: what a CIB says, as a configuration; what has no counterpart is listed. */
import { describe, expect, test } from 'vitest'
import { importPacemaker } from '../../cli/pacemaker/convert.ts'
import { scoreOf, timeOf } from '../../cli/pacemaker/resources.ts'
import { configDocument } from '../../schema/api/config.ts'
import { plan } from '../../worker/core/config/plan.ts'
import { Cluster, id } from './instant-cluster.ts'

const cib = (inside: string) => `<?xml version="1.0"?>
<cib crm_feature_set="3.16.2" validate-with="pacemaker-3.8" epoch="41" num_updates="0" admin_epoch="0">
  <configuration>
    <nodes>
      <node id="1" uname="n0"/>
      <node id="2" uname="n1"/>
    </nodes>
    ${inside}
  </configuration>
  <status/>
</cib>`

const primitive = (name: string, type: string, inside = '') =>
  `<primitive id="${name}" class="ocf" provider="heartbeat" type="${type}">${inside}</primitive>`

const WEB = `
  <crm_config>
    <cluster_property_set id="o">
      <nvpair id="o1" name="no-quorum-policy" value="stop"/>
      <nvpair id="o2" name="stonith-enabled" value="true"/>
      <nvpair id="o3" name="batch-limit" value="10"/>
    </cluster_property_set>
  </crm_config>
  <resources>
    <group id="web">
      <meta_attributes id="wm"><nvpair id="wm1" name="resource-stickiness" value="100"/></meta_attributes>
      ${primitive(
        'ip',
        'IPaddr2',
        `<instance_attributes id="ia"><nvpair id="ia1" name="ip" value="10.0.0.50"/></instance_attributes>
        <operations>
          <op id="op1" name="monitor" interval="10s" timeout="20s"/>
          <op id="op2" name="start" interval="0s" timeout="1min"/>
        </operations>`,
      )}
      <primitive id="nginx" class="systemd" type="nginx">
        <meta_attributes id="nm">
          <nvpair id="nm1" name="migration-threshold" value="3"/>
          <nvpair id="nm2" name="failure-timeout" value="15min"/>
          <nvpair id="nm3" name="is-managed" value="false"/>
        </meta_attributes>
      </primitive>
    </group>
    ${primitive('db', 'pgsql', '<meta_attributes id="dm"><nvpair id="dm1" name="target-role" value="Stopped"/></meta_attributes>')}
    ${primitive('cache', 'redis')}
    <clone id="ping-clone">${primitive('ping', 'ping')}</clone>
    <primitive id="fence1" class="stonith" type="fence_ipmilan"/>
    <primitive id="old" class="lsb" type="legacy"/>
  </resources>
  <constraints>
    <rsc_location id="l1" rsc="web" node="n1" score="200"/>
    <rsc_location id="l2" rsc="web" node="n0" score="50"/>
    <rsc_location id="l3" rsc="cache" node="n0" score="-INFINITY"/>
    <rsc_location id="l4" rsc="db"><rule id="r" score="INFINITY"><expression id="e" attribute="x" operation="defined"/></rule></rsc_location>
    <rsc_order id="o-db-web" first="db" then="web" kind="Mandatory"/>
    <rsc_order id="o-cache-web" first="cache" then="nginx" kind="Optional"/>
    <rsc_colocation id="apart" rsc="cache" with-rsc="db" score="-INFINITY"/>
    <rsc_colocation id="near" rsc="web" with-rsc="db" score="500"/>
    <rsc_ticket id="t1" rsc="web" ticket="a"/>
  </constraints>`

test('a cluster: groups, owners, order, rules and times come out as ours', () => {
  const { config, nodes } = importPacemaker(cib(WEB), 'cib.xml')
  expect(nodes).toEqual(['n0', 'n1'])
  expect(config).toEqual({
    groups: {
      web: {
        preferredOwners: ['n1', 'n0'],
        // 200 for n1 outweighs the stickiness of 100.
        failback: 'at-once',
        onlyWhile: ['db'],
        after: ['cache'],
        resources: {
          ip: {
            type: 'ocf',
            properties: {
              agent: 'ocf:heartbeat:IPaddr2',
              parameters: { ip: '10.0.0.50' },
              timeouts: { monitorMs: 20_000, startMs: 60_000 },
            },
            poll: { isAlive: '10000ms' },
          },
          nginx: {
            type: 'systemd-unit',
            properties: { unit: 'nginx.service' },
            restart: { attempts: 2, period: '900000ms' },
            dependsOn: ['ip'],
          },
        },
      },
      db: {
        resources: {
          db: { type: 'ocf', properties: { agent: 'ocf:heartbeat:pgsql' }, state: 'offline' },
        },
      },
      cache: {
        resources: {
          cache: {
            type: 'ocf',
            properties: { agent: 'ocf:heartbeat:redis' },
            possibleOwners: ['n1'],
          },
        },
      },
    },
    rules: {
      apart: { keepApart: ['cache', 'db'], hard: true },
      near: { keepTogether: ['web', 'db'], hard: false },
    },
  })
})

test('what has no counterpart is listed, each thing of it', () => {
  const { unmapped } = importPacemaker(cib(WEB), 'cib.xml')
  expect(unmapped.map(({ what, id: of }) => `${what} ${of}`)).toEqual([
    'property batch-limit',
    'property stonith-enabled',
    'meta attribute nginx is-managed',
    'clone ping-clone',
    'primitive fence1',
    'primitive old',
    'rsc_ticket t1',
    'rsc_location l4',
  ])
  for (const { why } of unmapped) expect(why.length).toBeGreaterThan(1)
})

test('it is a configuration that a cluster takes', () => {
  const cluster = new Cluster([{}, {}])
  const { config } = importPacemaker(cib(WEB), 'cib.xml')
  let made = 0
  const wanted = {
    ...{ config: configDocument.parse(config), prune: false, source: () => undefined },
    newId: () => id(6, ++made),
  }
  const planned = plan(cluster.state, wanted, cluster.nowMs)
  if ('refused' in planned) throw new Error(JSON.stringify(planned.refused))
  if (planned.request) cluster.ask(planned.request)
  expect(cluster.refused).toEqual([])
  expect(cluster.state.hive.resources.size).toBe(4)
})

describe('bad input', () => {
  test.each([
    ['no XML', '<cib><configuration>', /cib\.xml:\d+:\d+: /],
    ['no CIB', '<html/>', /no <cib> with a <configuration>/],
    ['a document type', `<!DOCTYPE cib [<!ENTITY a "b">]>${cib('')}`, /document type/],
  ])('%s', (_, text, says) => {
    expect(() => importPacemaker(text, 'cib.xml')).toThrow(says)
  })

  test('names that cannot be names here become some, and stay different', () => {
    const two = `<resources>${primitive('a b', 'Dummy')}${primitive('a:b', 'Dummy')}</resources>`
    expect(Object.keys(importPacemaker(cib(two), 'x').config.groups ?? {})).toEqual([
      'a-b',
      'a-b-2',
    ])
  })

  test('a resource set, a template, roles, Serialize: listed', () => {
    const odd = `<resources>${primitive('a', 'Dummy')}${primitive('b', 'Dummy')}
        <primitive id="c" template="t"/></resources>
      <constraints>
        <rsc_order id="set"><resource_set id="s"><resource_ref id="a"/></resource_set></rsc_order>
        <rsc_order id="serial" first="a" then="b" kind="Serialize"/>
        <rsc_colocation id="role" rsc="a" with-rsc="b" rsc-role="Promoted"/>
        <rsc_location id="less" rsc="a" node="n0" score="-10"/>
        <rsc_location id="stranger" rsc="z" node="n0" score="5"/>
      </constraints>`
    const { unmapped } = importPacemaker(cib(odd), 'x')
    expect(unmapped.map((one) => one.id)).toEqual([
      ...['c', 'set', 'serial', 'role', 'stranger', 'a on n0'],
    ])
  })
})

test.each([
  ['INFINITY', Number.POSITIVE_INFINITY],
  ['-INFINITY', Number.NEGATIVE_INFINITY],
  ['1000000', Number.POSITIVE_INFINITY],
  ['-5', -5],
  [undefined, 0],
])('a score %s is %d', (text, score) => {
  expect(scoreOf(text)).toBe(score)
})

test.each([
  ['20', 20_000],
  ['20s', 20_000],
  ['5min', 300_000],
  ['100ms', 100],
  ['soon', null],
])('a time %s is %s ms', (text, ms) => {
  expect(timeOf(text)).toBe(ms)
})
