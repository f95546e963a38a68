import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Option, type Command } from 'commander';
import { POLICIES, type PolicyName } from '../../allocator/index.ts';
import { realClock } from '../../bus/index.ts';
import { ConfigError, describeError } from '../../contracts/index.ts';
import { formatProblem } from '../documents/index.ts';
import {
  compareReport,
  planJson,
  planPage,
  planReport,
  planSvg,
  planWith,
  readPrevious,
  readWorkload,
  type Planned,
} from '../plan/index.ts';
import type { Io } from '../terminal/index.ts';
import { EXIT, printJson, type ExitCode } from './program.ts';

const NAMES = Object.keys(POLICIES) as PolicyName[];
/** Those that keep what they promise. */
const COMPARED: readonly PolicyName[] = ['pooled', 'nexus'];

/** Above this many sessions a view of the costs, a plan of its own for each, is made only when asked for. */
const COSTED_SESSIONS_MAX = 500;

interface PlanFlags {
  readonly policy: PolicyName;
  readonly compare?: boolean;
  readonly from?: string;
  readonly cost?: boolean;
  readonly html?: string;
  readonly svg?: string;
  readonly json?: boolean;
}

export function planCommand(program: Command, io: Io, end: (code: ExitCode) => void): void {
  program
    .command('plan')
    .argument('<file>', 'workload: devices, profiles, sessions, queries (YAML or JSON)')
    .description('Plan how many GPUs a workload takes, and what runs on each. Needs no cluster.')
    .addOption(new Option('--policy <name>', 'how to plan').choices(NAMES).default('pooled' satisfies PolicyName))
    .option('--compare', 'plan with every policy that keeps objectives and show them side by side')
    .option('--from <plan.json>', 'what runs now (a plan of --json): change as little as possible, and show the moves')
    .option('--cost', `cost of a million requests of each session; by itself up to ${COSTED_SESSIONS_MAX} sessions`)
    .option('--html <file>', "write a page with each GPU's duty cycle and memory")
    .option('--svg <file>', 'write only the picture')
    .option('--json', 'print the plan for programs, see docs/cli.md')
    .addHelpText(
      'after',
      `
Examples:
  ganglion plan examples/plans/traffic.yaml --compare
  ganglion plan examples/plans/traffic.yaml --html plan.html
  ganglion plan examples/plans/traffic.yaml --json > plan.json
  ganglion plan examples/plans/traffic.yaml --from plan.json

Ends with 0 when all are served, 3 when there is a plan that refuses somebody, 2 when the file is wrong.`,
    )
    .action(async (file: string, flags: PlanFlags) => {
      if (flags.compare && flags.svg !== undefined) {
        throw new ConfigError('--svg draws one plan, --compare makes several', {
          remedy: 'use --html, or one --policy',
        });
      }
      const workload = await readWorkload(file);
      for (const warning of workload.warnings) io.err(`${formatProblem(warning)}\n`);
      const previous = flags.from === undefined ? undefined : await readPrevious(flags.from);
      const { sessions = [], queries = [] } = workload.document;
      const costs = flags.cost ?? sessions.length + queries.length <= COSTED_SESSIONS_MAX;
      const names = flags.compare ? COMPARED : [flags.policy];
      const options = { previous, costs, nowMs: () => realClock.nowMs() };
      const all = names.map(name => planWith(POLICIES[name], workload, options));
      await writePictures(all, file, flags);
      if (flags.json) printJson(io, flags.compare ? { plans: all.map(planJson) } : planJson(all[0]!));
      else io.out(`${(flags.compare ? compareReport(all, io) : planReport(all[0]!, io)).join('\n')}\n`);
      end(all.some(({ plan }) => plan.refused.length > 0) ? EXIT.refused : EXIT.ok);
    });
}

async function writePictures(all: readonly Planned[], file: string, { html, svg }: PlanFlags): Promise<void> {
  if (html !== undefined) await write(html, planPage(all, file));
  if (svg !== undefined) await write(svg, planSvg(all[0]!));
}

async function write(file: string, content: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  } catch (error) {
    throw new ConfigError(`can't be written: ${describeError(error)}`, { file }, { cause: error });
  }
}
