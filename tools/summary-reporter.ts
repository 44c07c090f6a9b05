/** Writes what vitest counted to the file that HOLDFAST_TEST_SUMMARY names, for tools/test.ts. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

export interface TestSummary {
  passed: number
  failed: number
  /** One entry for each skipped test: its name and why it was skipped. */
  skipped: { name: string; reason: string }[]
  /** How many tests each project ran. */
  projects: Record<string, number>
}

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const path = process.env['HOLDFAST_TEST_SUMMARY']
    if (!path) return
    const summary: TestSummary = {
      passed: 0,
      failed: unhandledErrors.length,
      skipped: [],
      projects: {},
    }
    for (const module of modules) addModule(summary, module)
    writeFileSync(path, JSON.stringify(summary))
  }
}

function addModule(summary: TestSummary, module: TestModule): void {
  // A file that could not be loaded holds no tests, and must not look like one that passed.
  summary.failed += module.errors().length
  for (const suite of module.children.allSuites()) summary.failed += suite.errors().length
  for (const test of module.children.allTests()) {
    const project = module.project.name
    summary.projects[project] = (summary.projects[project] ?? 0) + 1
    const result = test.result()
    if (result.state === 'passed') summary.passed += 1
    else if (result.state === 'skipped')
      summary.skipped.push({
        name: `${module.relativeModuleId}: ${test.fullName}`,
        reason: result.note ?? 'no reason given',
      })
    else summary.failed += 1
  }
}
