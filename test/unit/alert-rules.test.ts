/** monitoring/alerts.yaml by Prometheus' own judgement, where its promtool is installed. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const RULES = fileURLToPath(new URL('../../monitoring/alerts.yaml', import.meta.url))
const missing =
  spawnSync('promtool', ['--version']).error === undefined
    ? null
    : 'there is no promtool here (Debian package prometheus), by which rules are tried'

const promtool = (...args: string[]) => execFileSync('promtool', args, { encoding: 'utf8' })

test('the rules are ones to Prometheus', ({ skip }) => {
  skip(missing !== null, missing ?? '')
  expect(promtool('check', 'rules', RULES)).toContain('SUCCESS')
})

interface Case {
  alert: string
  /** Series in the notation of promtool: first value, and what each minute adds. */
  series: Record<string, string>
  fires: Record<string, string>[]
}
const web = 'cluster="prod",group="web"'
const n1 = 'cluster="prod",node="n1"'
const CASES: Case[] = [
  {
    alert: 'HoldfastOutage',
    series: { 'holdfast_cluster_health{cluster="prod",state="outage"}': '1+0x70' },
    fires: [{ cluster: 'prod', state: 'outage', severity: 'critical' }],
  },
  {
    alert: 'HoldfastGroupNotRunning',
    series: {
      [`holdfast_group_state{${web},state="failed"}`]: '1+0x70',
      [`holdfast_group_state{${web},state="online"}`]: '0+0x70',
      [`holdfast_group_maintenance{${web}}`]: '0+0x70',
      'holdfast_group_state{cluster="prod",group="kept",state="failed"}': '1+0x70',
      'holdfast_group_maintenance{cluster="prod",group="kept"}': '1+0x70',
    },
    fires: [{ cluster: 'prod', group: 'web', severity: 'critical' }],
  },
  {
    alert: 'HoldfastGroupFlapping',
    series: {
      [`holdfast_failovers_total{${web},reason="resourceFailed"}`]: '0x10 1 2 3 4x50',
      'holdfast_failovers_total{cluster="prod",group="moved",reason="operatorMove"}': '0+1x70',
    },
    fires: [{ cluster: 'prod', group: 'web', severity: 'warning' }],
  },
  {
    alert: 'HoldfastSlowFailover',
    series: {
      'holdfast_failover_duration_seconds_count{cluster="prod",reason="nodeLost"}': '3x20 4x50',
      'holdfast_failover_duration_seconds_bucket{cluster="prod",reason="nodeLost",le="60.0"}':
        '3x70',
      'holdfast_failover_duration_seconds_count{cluster="prod",reason="resourceFailed"}':
        '3x20 4x50',
      'holdfast_failover_duration_seconds_bucket{cluster="prod",reason="resourceFailed",le="60.0"}':
        '3x20 4x50',
    },
    fires: [{ cluster: 'prod', reason: 'nodeLost', severity: 'warning' }],
  },
  {
    alert: 'HoldfastNoRedundancy',
    series: {
      [`holdfast_node_up{${n1}}`]: '1x70',
      [`holdfast_node_paused{${n1}}`]: '0x70',
      'holdfast_node_up{cluster="prod",node="n2"}': '1x70',
      'holdfast_node_paused{cluster="prod",node="n2"}': '1x70',
    },
    fires: [{ cluster: 'prod', severity: 'warning' }],
  },
  {
    alert: 'HoldfastNodeDown',
    series: {
      [`holdfast_node_up{${n1}}`]: '1x55 0x3 1x20',
      'holdfast_node_up{cluster="prod",node="n2"}': '0x70',
    },
    fires: [{ cluster: 'prod', node: 'n2', severity: 'warning' }],
  },
]

test('they fire for what they are for, and nothing else', ({ skip }) => {
  skip(missing !== null, missing ?? '')
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'))
  const tests = CASES.map(({ alert, series, fires }) => ({
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [
      { eval_time: '60m', alertname: alert, exp_alerts: fires.map((l) => ({ exp_labels: l })) },
    ],
  }))
  const file = join(folder, 'test.yaml')
  // JSON is YAML. Annotations are for people: they are not compared.
  const text = JSON.stringify({ rule_files: [withoutAnnotations(folder)], tests })
  writeFileSync(file, text)
  try {
    expect(promtool('test', 'rules', file)).toContain('SUCCESS')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function withoutAnnotations(folder: string): string {
  const text = execFileSync('sed', ['/annotations:/d; /summary:/d; /description:/d', RULES])
  writeFileSync(join(folder, 'rules.yaml'), text)
  return join(folder, 'rules.yaml')
}
