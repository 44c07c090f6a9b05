import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

/** They wait for minutes, do little else, and none of it has to be in time. */
const PATIENT = [
  ...['e2e/identity', 'e2e/join-walkthrough', 'probe/modules/certify'],
  ...['probe/host-join', 'probe/host-leave', 'probe/host-doctor'],
].map((name) => `test/${name}.test.ts`)

/** Parts with sockets, processes and timers, which go on when their test has ended. */
const SHELLS = 'test/unit/review/**/*.test.ts'

/** Leases of seconds (profile `fast`), or virtual machines that move: nothing runs beside them. */
const ALONE = [
  'away',
  'chaos',
  'kill-matrix',
  'live-move',
  'live-move-fails',
  'peers',
  'quick-start',
  'tour',
].map((name) => `test/e2e/${name}.test.ts`)

/** Their processes and virtual machines share the cores with them. */
const REAL_WORKERS = 3

/** Real processes and real time: after everything that only computes. They mostly wait. */
const realProcesses = (
  name: string,
  order: number,
  workers: number,
  include: string[],
  exclude: string[] = [],
): TestProjectInlineConfiguration => ({
  test: {
    name,
    include,
    exclude,
    environment: 'node',
    maxWorkers: workers,
    // What they import is large, and the same: once for all files of a worker.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { groupOrder: order },
  },
})

/** Both cores of a small machine; of its own accord vitest leaves one of two free. */
const maxWorkers = Math.max(2, availableParallelism() - 1)
/** For those that wait for sockets, alarms and timers half of the time. */
const waitingWorkers = 2 * maxWorkers

const D1_MIGRATIONS = 'worker/d1-migrations'
const WORKER_SETUP = './test/worker/migrate.ts'

/** Inside workerd, by the same wrangler.toml as production. */
const worker: TestProjectInlineConfiguration = {
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: './wrangler.toml' },
      miniflare: {
        cf: false,
        bindings: {
          ...{ AUTH_SECRET: 'secret-of-the-suite-with-enough-letters', SIGN_UP: 'open' },
          ...{ PUBLIC_URL: 'https://holdfast.test', MAIL: 'console' },
          // Of the limits there is a test (rates.test.ts); all others would wait for them.
          RATE_FACTOR: '0',
          // Retries, and when trouble is over: within moments.
          WEBHOOK_RETRY_FACTOR: '0.002',
          TEST_MIGRATIONS: existsSync(D1_MIGRATIONS) ? await readD1Migrations(D1_MIGRATIONS) : [],
        },
      },
    })),
  ],
  test: {
    name: 'worker',
    include: ['test/worker/**/*.test.ts'],
    setupFiles: existsSync(WORKER_SETUP) ? [WORKER_SETUP] : [],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    maxWorkers: waitingWorkers,
    sequence: { groupOrder: 2 },
    deps: {
      optimizer: {
        ssr: {
          enabled: true,
          include: [
            ...['better-auth/minimal', 'better-auth/plugins', 'better-auth/api'],
            'better-auth/adapters/drizzle',
            'hono',
            'ipaddr.js',
            'standardwebhooks',
            'zod',
            'drizzle-orm',
            'drizzle-orm/d1',
            'drizzle-orm/sqlite-core',
            'drizzle-orm/durable-sqlite',
            'drizzle-orm/durable-sqlite/migrator',
          ],
          rolldownOptions: { external: [/^node:/, /^cloudflare:/] },
        },
      },
    },
  },
}

export default defineConfig({
  test: {
    passWithNoTests: true,
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/*.test.ts',
            'test/unit/**/*.test.ts',
            'test/sim/**/*.test.ts',
            'test/scenarios/**/*.test.ts',
          ],
          exclude: [SHELLS],
          environment: 'node',
          // What they import takes longer than most of them.
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'shells',
          include: [SHELLS],
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'cli',
          include: ['test/cli/**/*.test.ts'],
          environment: 'node',
          // What they import takes longer than most of them.
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: waitingWorkers,
          sequence: { groupOrder: 1 },
        },
      },
      ...(existsSync('wrangler.toml') ? [worker] : []),
      {
        test: {
          name: 'long',
          include: ['test/fuzz/**/*.test.ts', 'test/model/**/*.test.ts'],
          environment: 'node',
          testTimeout: 900_000,
          hookTimeout: 300_000,
          // Beside the Worker's, which wait.
          maxWorkers: waitingWorkers,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          // Takes all cores itself.
          name: 'many',
          include: ['test/many/**/*.test.ts'],
          environment: 'node',
          testTimeout: 900_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
      realProcesses('probe', 4, REAL_WORKERS, ['test/probe/**/*.test.ts'], PATIENT),
      realProcesses('e2e', 4, REAL_WORKERS, ['test/e2e/**/*.test.ts'], [...PATIENT, ...ALONE]),
      realProcesses('alone', 5, 1, ALONE),
      realProcesses('patient', 6, 1, PATIENT),
    ],
  },
})
