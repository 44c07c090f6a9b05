/** Which folder may import which. STYLE: decisions are pure, I/O is thin, and code meets on the wire. */

/** Folders whose modules are listed as ours, so that a new folder is not overlooked. */
const OURS = '^(schema|worker|extensions|probe|cli|client|console|sim|demo|test|bench|tools|bin)/'

const forbid = (name, comment, from, to) => ({ name, severity: 'error', comment, from, to })

module.exports = {
  forbidden: [
    forbid(
      'no-cycle',
      'Modules that need each other are one module; types may point both ways.',
      {},
      { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    ),
    forbid(
      'resolvable',
      'An import that leads nowhere.',
      { path: OURS },
      { couldNotResolve: true, pathNot: '^cloudflare:' },
    ),
    forbid(
      'schema-is-data',
      'schema/ is the contract: data and checks, so it needs zod and drizzle-orm and nothing else.',
      { path: '^schema/' },
      { pathNot: '^schema/|(^|/)node_modules/(zod|drizzle-orm)/' },
    ),
    forbid(
      'worker-core-is-pure',
      'The cluster core decides from its arguments: it sees schema/ only.',
      { path: '^worker/core/' },
      { pathNot: '^(worker/core|schema)/' },
    ),
    forbid(
      'probe-core-is-pure',
      'The node core decides from its arguments: it sees schema/ only.',
      { path: '^probe/core/' },
      { pathNot: '^(probe/core|schema)/' },
    ),
    forbid(
      'extensions-are-pure',
      'A management extension turns properties into settings and back: it sees schema/ only.',
      { path: '^extensions/' },
      { pathNot: '^(extensions|schema)/|(^|/)node_modules/(zod|fast-xml-parser)/' },
    ),
    forbid(
      'extensions-by-one-door',
      'Without management extensions nothing is missing but settings by name: one file asks them.',
      { path: OURS, pathNot: '^(extensions|test)/|^worker/settings\\.ts$' },
      { path: '^extensions/' },
    ),
    forbid(
      'extensions-by-the-registry',
      'Which extensions there are the registry alone knows, so that one can be left out.',
      { path: OURS, pathNot: '^(extensions|test)/' },
      { path: '^extensions/', pathNot: '^extensions/(extension|index)\\.ts$' },
    ),
    forbid(
      'worker-without-probe',
      'Control plane and host meet on the wire, never in code.',
      { path: '^worker/' },
      { path: '^(probe|cli|client|console|sim|demo|test|bench|tools)/' },
    ),
    forbid(
      'probe-without-worker',
      'Host and control plane meet on the wire, never in code.',
      { path: '^probe/' },
      { path: '^(worker|cli|client|console|sim|demo|test|bench|tools)/' },
    ),
    forbid(
      'surfaces-see-the-api',
      'What an operator uses goes over HTTP, so that every tool can do what it does.',
      { path: '^(cli|client|console)/' },
      { path: OURS, pathNot: '^(cli/|client/|console/|schema/api/|schema/errors\\.ts$)' },
    ),
    forbid(
      'guard-stands-alone',
      'The guard ends workloads when all else hangs (G1): no network, no modules, no packages.',
      { path: '^probe/guard/' },
      { path: '^probe/', pathNot: '^probe/((guard|gate|core|os)/|(clock|reserve)\\.ts$)' },
    ),
    forbid(
      'guard-without-packages',
      'The guard ends workloads when all else hangs (G1): of the packages only zod, by the schema.',
      { path: '^probe/guard/' },
      { path: '(^|/)node_modules/', pathNot: '(^|/)node_modules/(zod|@types)/' },
    ),
    forbid(
      'commands-load-late',
      'The guard keeps in memory what it loads: of the commands only main.ts knows, by import().',
      { path: '^probe/', pathNot: '^probe/(commands/|main\\.ts$)' },
      { path: '^probe/commands/|(^|/)node_modules/commander/' },
    ),
    forbid(
      'modules-in-rhs-only',
      'The core never calls a module (S-24): only RHS loads one.',
      { path: OURS, pathNot: '^(probe/(rhs|resources)/|test/)' },
      { path: '^probe/resources/' },
    ),
    forbid(
      'product-without-tests',
      'What is shipped does not import what tests it.',
      { path: '^(schema|worker|extensions|probe|cli|client|console|sim|bin)/' },
      { path: '^(test|bench|tools|demo)/' },
    ),
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.wrangler)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['workerd', 'import', 'types', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.d.ts'],
    },
  },
}
