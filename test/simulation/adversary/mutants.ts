import { Handover } from '../../../actors/allocator/handover.ts';
import { Lease } from '../../../actors/allocator/lease.ts';
import { Serving } from '../../../actors/gpu-host/serving.ts';
import { decode, encode } from '../../../bus/index.ts';
import type {
  AllocatorBeat,
  Answers,
  BatcherBeat,
  HostBeat,
  Offers,
  Order,
  Outline,
  Plan,
  RouterBeat,
  Verdicts,
} from '../../../contracts/index.ts';
import type { Process } from './process.ts';
import type { Tamper } from './process-bus.ts';
import { provocationOf, scenarioOf, type Extra, type Fault, type Scenario } from './scenario.ts';

/** A bug made on purpose, to see that the rules find it. */
export interface Mutant {
  readonly name: string;
  /** The first seed from 1 on that showed it; when the generator of scenarios or the planner changes, another one may. */
  readonly firstSeed: number;
  /** Faults that provoke it: it is looked for in storms of these alone. Default: in the scenarios of the seeds as they are. */
  readonly provokedBy?: readonly Fault['is'][];
  /** What such a storm has besides. */
  readonly provokedWith?: readonly Extra[];
  /** The rules that may find it. */
  readonly rules: readonly string[];
  /** One that stands between a process and its messages. */
  readonly tamper?: (process: Process) => Tamper;
  /** Settings beside which the rules know better ones. */
  readonly config?: (role: string) => object;
  /** Changes the program itself; the answer changes it back. */
  readonly patch?: () => () => void;
}

export const scenarioFor = ({ provokedBy, provokedWith }: Mutant, seed: number): Scenario =>
  provokedBy ? provocationOf(seed, provokedBy, provokedWith) : scenarioOf(seed);

const WARM = [1, 2, 3, 4, 5, 6, 7, 8];

/** Messages of one kind, changed by `change`; undefined: lost. */
const changed =
  <M>(family: string, change: (message: M) => M | undefined) =>
  (subject: string, data: Uint8Array): Uint8Array | undefined => {
    if (!subject.startsWith(`ganglion.${family}`)) return data;
    const message = change(decode(data) as M);
    return message && encode(message);
  };

const changedOut =
  <M>(family: string, change: (message: M) => readonly M[]) =>
  (subject: string, data: Uint8Array): readonly Uint8Array[] =>
    subject.startsWith(`ganglion.${family}`) ? change(decode(data) as M).map(message => encode(message)) : [data];

const only =
  (role: string, tamper: (process: Process) => Tamper) =>
  (process: Process): Tamper =>
    process.program.role === role ? tamper(process) : {};

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a host obeys whoever speaks: it skips the fence',
    firstSeed: 10,
    rules: ['fence', 'epoch-back'],
    tamper: only('gpu', () => {
      let orders = 0;
      let obeyed = { epoch: 0, nonce: '' };
      return {
        incoming: changed<Order>('orders.', order => {
          obeyed = order;
          return { ...order, epoch: 1e6 + ++orders, nonce: 'anybody' };
        }),
        outgoing: changedOut<HostBeat>('beats.host.', beat => {
          return [{ ...beat, epoch: obeyed.epoch, nonce: obeyed.nonce }];
        }),
      };
    }),
  },
  {
    name: 'a leader names epochs that it has not claimed: the next above all that it has heard',
    firstSeed: 52,
    rules: ['one-plan'],
    patch: () => {
      const { nextEpoch } = Lease.prototype;
      Lease.prototype.nextEpoch = epoch => epoch + 1;
      return () => void (Lease.prototype.nextEpoch = nextEpoch);
    },
  },
  {
    name: 'the leader takes a load that has begun for one that is done: it commits before all acknowledged',
    firstSeed: 1,
    rules: ['early-commit'],
    tamper: only('allocator', () => ({
      incoming: changed<HostBeat>('beats.host.', beat => ({
        ...beat,
        residents: beat.residents.map(r => (r.state === 'failed' ? r : { ...r, state: 'resident', batches: WARM })),
      })),
    })),
  },
  {
    name: 'the leader believes that all follow its plan: it releases what somebody still uses',
    firstSeed: 66,
    provokedBy: ['cut', 'revoke', 'freeze', 'version'],
    rules: ['early-release', 'failed', 'device'],
    tamper: only('allocator', () => {
      let said = { epoch: 0, nonce: '' };
      const believed = <B extends RouterBeat | BatcherBeat>(beat: B): B => ({ ...beat, ...said });
      const routers = changed<RouterBeat>('beats.router.', believed);
      const batchers = changed<BatcherBeat>('beats.batcher.', believed);
      return {
        incoming: (subject, data) => batchers(subject, routers(subject, data)!),
        outgoing: changedOut<Plan>('plans', plan => {
          said = { epoch: plan.epoch, nonce: plan.nonce };
          return [plan];
        }),
      };
    }),
  },
  {
    name: 'a leader makes room by the plan that it has put in force, whatever is followed',
    firstSeed: 21,
    provokedBy: ['schism', 'ghost', 'version', 'delete', 'power-loss'],
    provokedWith: ['group'],
    rules: ['early-release'],
    patch: () => {
      const { mayRelease } = Handover.prototype;
      Handover.prototype.mayRelease = () => true;
      return () => void (Handover.prototype.mayRelease = mayRelease);
    },
  },
  {
    name: 'the leader believes that all hosts obey it: it tells nothing to those that hold all that they should',
    firstSeed: 1,
    rules: ['early-commit'],
    tamper: only('allocator', () => {
      let nonce = '';
      return {
        incoming: changed<HostBeat>('beats.host.', beat => ({ ...beat, nonce: nonce || beat.nonce })),
        outgoing: changedOut<AllocatorBeat>('beats.allocator.', beat => {
          nonce = beat.nonce;
          return [beat];
        }),
      };
    }),
  },
  {
    name: 'a host unloads at once: not when what was granted has run',
    firstSeed: 5,
    provokedBy: ['slow', 'revoke', 'surge'],
    rules: ['device', 'failed', 'internal', 'no-loss'],
    patch: () => {
      const { batchesOf } = Serving.prototype;
      Serving.prototype.batchesOf = () => 0;
      return () => void (Serving.prototype.batchesOf = batchesOf);
    },
  },
  {
    name: 'a router offers once and never again',
    firstSeed: 44,
    rules: ['no-loss', 'one-outcome'],
    tamper: only('router', () => {
      const offered = new Set<number>();
      return {
        outgoing: changedOut<Offers>('offers.', offers => {
          const fresh = offers.ids.map(id => !offered.has(id));
          for (const id of offers.ids) offered.add(id);
          const keep = <T>(column: readonly T[]): T[] => column.filter((_, i) => fresh[i]);
          const { ids, session, budgetMs, bytes } = offers;
          const kept = { ids: keep(ids), session: keep(session), budgetMs: keep(budgetMs), bytes: keep(bytes) };
          return [{ ...offers, ...kept }];
        }),
      };
    }),
  },
  {
    name: 'a router answers twice',
    firstSeed: 1,
    rules: ['one-outcome'],
    tamper: only('router', () => ({ outgoing: changedOut('results.', result => [result, result]) })),
  },
  {
    name: 'a router forgets one answer in fifty',
    firstSeed: 1,
    rules: ['one-outcome'],
    tamper: only('router', () => {
      let results = 0;
      return { outgoing: changedOut('results.', result => (++results % 50 === 0 ? [] : [result])) };
    }),
  },
  {
    name: 'a host mixes the answers of a batch up',
    firstSeed: 1,
    rules: ['identity'],
    tamper: only('gpu', () => ({
      outgoing: changedOut<Answers>('answers.', message => [
        { ...message, answers: [...message.answers.slice(1), ...message.answers.slice(0, 1)] },
      ]),
    })),
  },
  {
    name: 'a host takes one model of a mixed batch for another',
    firstSeed: 1,
    rules: ['identity'],
    tamper: only('gpu', () => ({
      outgoing: changedOut<Answers>('answers.', message => [
        { ...message, model: [...message.model.slice(1), ...message.model.slice(0, 1)] },
      ]),
    })),
  },
  {
    name: 'a router forgets one answer in ten to whoever asked it',
    firstSeed: 12,
    rules: ['one-answer'],
    tamper: only('router', () => {
      let answers = 0;
      return {
        outgoing: (subject, data) => (subject.startsWith('_INBOX') && ++answers % 10 === 0 ? [] : [data]),
      };
    }),
  },
  {
    name: 'a router acknowledges one stored frame in ten whose result is not stored',
    firstSeed: 2,
    rules: ['converge'],
    tamper: only('router', () => {
      let results = 0;
      return {
        stored: (subject, id) => (subject.startsWith('ganglion.results.') && ++results % 10 === 0 ? undefined : id),
      };
    }),
  },
  {
    name: 'a router stores each result under a name of its own: what is tried again is stored again',
    firstSeed: 14,
    provokedBy: ['crash', 'freeze', 'store'],
    provokedWith: ['durable'],
    rules: ['durable'],
    tamper: only('router', process => {
      let results = 0;
      return { stored: (_, id) => `${id} ${process.id} ${process.incarnation} ${++results}` };
    }),
  },
  {
    name: 'a batcher grants for the plan that comes next',
    firstSeed: 1,
    rules: ['unplanned'],
    tamper: only('batcher', () => ({
      outgoing: changedOut<Outline>('outlines.', outline => [{ ...outline, epoch: outline.epoch + 1 }]),
    })),
  },
  {
    name: 'a batcher follows any plan, older ones too',
    firstSeed: 6,
    rules: ['epoch-back'],
    tamper: only('batcher', () => {
      let plans = 0;
      let followed = { epoch: 0, nonce: '' };
      return {
        incoming: changed<Plan>('plans', plan => {
          followed = { epoch: plan.epoch, nonce: plan.nonce };
          return { ...plan, epoch: 1e6 + ++plans };
        }),
        // What it says of the plan is what it heard.
        outgoing: (subject, data) =>
          [
            changedOut<BatcherBeat>('beats.batcher.', beat => [{ ...beat, ...followed }]),
            changedOut<Outline>('outlines.', outline => [{ ...outline, epoch: followed.epoch }]),
            changedOut<Verdicts>('verdicts.', verdicts => [{ ...verdicts, epoch: followed.epoch }]),
          ].reduce<readonly Uint8Array[]>((said, change) => said.flatMap(one => change(subject, one)), [data]),
      };
    }),
  },
  {
    name: 'a router takes whatever comes: its queue has no bound',
    firstSeed: 4,
    provokedBy: ['surge', 'slow'],
    rules: ['bounds'],
    config: role => (role === 'router' ? { inFlightMax: 1e6, heldBytesMax: 1e9 } : {}),
  },
];
