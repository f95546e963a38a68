import test from 'ava';
import { ById } from '../../actors/prefix-batcher/by-id.ts';
import { Group } from '../../actors/prefix-batcher/group.ts';
import { invocationAt, type Invocation } from '../../actors/prefix-batcher/invocation.ts';
import { Mail } from '../../actors/prefix-batcher/mail.ts';
import { hybrid } from '../../actors/prefix-batcher/policy/index.ts';
import { Pool } from '../../actors/prefix-batcher/pool.ts';
import { subjects, type Outline, type Verdicts } from '../../contracts/index.ts';

const group = new Group<Invocation>({ models: ['m'], rateHz: 1, budgetMs: 100 });
const effects = { grant: () => {}, drop: () => {} };
const pool = new Pool<Invocation>({ name: 'pool-0', groups: [group], hosts: [], policy: hybrid(), effects });
const place = { pool, group, session: { name: 's', prefersLatency: true }, returnMs: () => 2 };
const itemOf = (id: number, router = 'router-1'): Invocation =>
  invocationAt(place, {
    id,
    book: { router, place: 0, waiting: new ById() },
    answerByMs: 100,
    arrivedAtMs: 0,
    bytes: 10,
    alone: false,
    avoid: '',
  });

function mailbox() {
  const verdicts: Verdicts[] = [];
  const outlines: Outline[] = [];
  const mail = new Mail('batcher-1', {
    verdicts: (to, message) => verdicts.push(subjects.verdicts.message.check(message, to)),
    outline: (to, message) => outlines.push(subjects.outlines.message.check(message, to)),
  });
  return { mail, verdicts, outlines };
}

test('mail: more than one message may carry is split, and every id arrives once', t => {
  const { mail, verdicts } = mailbox();
  const count = 4096 * 17 + 5;
  for (let id = 0; id < count; id++) mail.drop('router-1', 'pool-0', 'deadline', id);
  mail.send(3, 0);
  t.is(verdicts.length, 2);
  const ids = verdicts.flatMap(({ drops }) => drops.flatMap(drop => drop.ids));
  t.is(new Set(ids).size, count);
  t.is(ids.length, count);
});

test('mail: three hundred grants of one turn go in two messages, one outline each', t => {
  const { mail, verdicts, outlines } = mailbox();
  for (let i = 0; i < 300; i++) {
    const facts = { startAtMs: 5, latestAtMs: 50, expectedMs: 10, answerByMs: 17, late: false };
    mail.grant({
      id: `b-${i}`,
      pool: 'pool-0',
      host: `host-${i}`,
      models: ['m'],
      model: [0],
      items: [itemOf(i)],
      ...facts,
    });
  }
  mail.send(3, 2);
  t.deepEqual(
    verdicts.map(({ grants }) => grants.length),
    [256, 44],
  );
  t.is(outlines.length, 300);
  t.is(verdicts[0]!.grants[0]!.answerInMs, 15);
  t.deepEqual([outlines[0]!.startInMs, outlines[0]!.latestInMs, outlines[0]!.budgetMs[0]], [3, 48, 98]);
});

test('mail: nothing is said when nothing was decided, and nothing is said twice', t => {
  const { mail, verdicts } = mailbox();
  mail.send(1, 0);
  mail.refuse('router-1', 'pool-0', 'not-in-charge', 7);
  mail.send(1, 0);
  mail.send(1, 0);
  t.deepEqual(
    verdicts.map(({ refused }) => refused),
    [[{ reason: 'not-in-charge', ids: [7] }]],
  );
});
