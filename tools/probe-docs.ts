/** docs/probe.md, made from the commands of a host: `npm run docs`. */
import { EXIT_ROWS } from '../probe/commands/exit-codes.ts'
import { DEFAULT_FOLDERS, Runner } from '../probe/commands/host.ts'
import { makeProgram } from '../probe/commands/program.ts'
import { FATAL_EXITS } from '../probe/host/fatal-exits.ts'
import { commandTexts, optionTable, table } from './commands-text.ts'

export function renderProbeDocs(): string {
  const program = makeProgram(new Runner())
  const parts = [
    HEAD,
    '## Options of every command',
    optionTable(program.options),
    '## Commands',
    ...commandTexts(program),
    FILES,
    POLICY,
    SERVICE,
    '## Exit codes',
    table(
      ['code', 'means', 'with the errors'],
      EXIT_ROWS.map(({ exit, means, codes }) => [
        `${exit}`,
        means,
        codes.map((code) => `[${code}](errors/${code}.md)`).join(', ') || '–',
      ]),
    ),
    `\`run\` ends with ${FATAL_EXITS.join(', ')} for what time cannot mend, after everything has been
stopped: a service manager must not start it again. After any other code, and after a signal, it has to
start it again at once (rule A6).`,
  ]
  return `${parts.join('\n\n')}\n`
}

const HEAD = `# The \`holdfast-probe\` command

<!-- Made from the commands by \`npm run docs\`; a test fails when it is stale. -->

What runs on a host. [Join your first hosts](join-your-first-hosts.md) shows it at work.

Data goes to stdout, messages to stderr. With \`--json\` stdout is exactly one JSON document, also when
the command fails (\`{"error": …}\`). A failure says what happened, why, what to do, and where to read
about it.`

const FILES = `## Files and folders

| path | mode | is |
|---|---|---|
| \`${DEFAULT_FOLDERS.state}\` | 0700 | the state folder: it lasts |
| \`…/identity.key\` | 0600 | Ed25519 key of this host, made here; it never leaves |
| \`…/identity.json\` | 0600 | node, cluster and control plane that the key is known to |
| \`…/hive.json\` | 0600 | replica of the cluster's configuration: knowledge, not permission (rule U2) |
| \`…/local-stops.json\` | 0600 | deliberate stops on this host that the control plane may not know yet |
| \`…/attempt\` | 0600 | number of the last request to connect |
| \`…/workloads/\` | | what workloads wrote, one log each |
| \`${DEFAULT_FOLDERS.run}\` | 0711 | the run folder: of this boot, best on a tmpfs |
| \`…/guard.json\` | 0600 | leases, grants and records of the guard (rule G9) |
| \`…/guard.sock\` | 0600 | its door, for \`status\`, \`stop\` and \`leave\` |
| \`…/gate/\` | 0711 | what virtual machines are started by |
| \`…/compiled/\` | | what Node.js has compiled of the resource monitors, so that the next one starts sooner |
| \`${DEFAULT_FOLDERS.policy}\` | 0644 | the host policy |

Both folders belong to the user that runs the guard, which is root unless you have reasons, and nobody
else may write to them. Do not copy a state folder: two machines with one identity are refused
([IDENTITY_IN_USE](errors/IDENTITY_IN_USE.md)). A disk image is made before the join, or cleaned with
\`holdfast-probe leave --force\`.

Identity and key are replaced whole and synced to the disk. A join that is cut off anywhere is simply
run again: it finds the key, the control plane finds the node by it, and no second one is made.`

const POLICY = `## Host policy

What this host is willing to run. The control plane cannot override it; without the file nothing runs. It
belongs to root and may not be written by others. A change counts from the next start of the guard.

\`\`\`json
{
  "process": { "commands": ["/usr/sbin/nginx", "/opt/app/*"], "users": ["www-data"] },
  "script": { "commands": ["/etc/holdfast/scripts/*"] },
  "endpoints": { "hosts": ["10.0.0.7"] },
  "virtual-machine": { "domains": ["web-*"], "paths": ["/var/lib/libvirt/images/*"] }
}
\`\`\`

[resource-types.md](resource-types.md) says for each type what its section holds.`

const SERVICE = `## The service

\`service install\` writes a unit for systemd; its comments say why each line is there. In short:

- A dead guard is started again at once, however often it dies. With the exit codes below that time
  cannot mend it stays down.
- \`systemctl stop\` and a shutdown of the host have everything released first: the groups come up
  elsewhere. \`systemctl restart\` leaves what runs alone; the new guard adopts it (rules G10, G11).
- The guard is never started with anything secret on its command line or in its environment.
- There is no sandbox around it, since every workload would be inside. The host policy and the \`user\`
  of a resource are what bounds a workload.

Where systemd does not run the host, \`service install\` ends with
[NO_SERVICE_MANAGER](errors/NO_SERVICE_MANAGER.md) and shows how the guard is run under runit, OpenRC and
Docker.`
