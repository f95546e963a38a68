import { actor, Count, Ms, subject, subjects, Token, Type, type Result } from 'ganglion';

/**
 * An actor of your own: tells when the text in one place of the picture changes, for instance a score.
 *
 *     ganglion run examples/actors/score-alert.ts --set query=scoreboard
 *
 * It listens to `results.<tenant>.<query>.<stream>` and publishes on `alerts.<tenant>.<stream>`.
 */
const Alert = Type.Object({
  v: Type.Literal(1),
  field: Type.String({ description: 'which of the watched places' }),
  before: Type.Union([Type.String(), Type.Null()], { description: 'null: first sight' }),
  now: Type.String(),
  seq: Type.Optional(Count('frame that confirmed it')),
  latencyMs: Ms('of the answer that confirmed it'),
});

const mine = {
  ...subjects,
  alerts: subject('alerts.{tenant}.{stream}', Alert, {
    description: 'A watched text changed.',
    example: { v: 1, field: 'home', before: '2', now: '3', seq: 1042, latencyMs: 77.5 },
  }),
};

interface Reading {
  /** The text last told. */
  told: string | null;
  /** The text seen now, and in how many answers running. */
  text: string;
  times: number;
}

export default actor(mine, {
  name: 'score-alert',
  version: '1.0.0',
  description: 'Tells when a watched text, for instance a score, changes.',
  config: Type.Object({
    tenant: Type.Optional(Token('default: all tenants')),
    query: Type.Optional(Token('default: all queries')),
    stage: Type.Optional(Type.String({ description: 'only texts that this stage gives; default: all' })),
    scoreMin: Type.Number({ default: 0.8, description: 'readings less sure than this are ignored' }),
    confirmations: Type.Integer({ default: 2, minimum: 1, description: 'equal readings in a row before it is told' }),
    watch: Type.Record(Type.String(), Type.String(), {
      default: { score: '^\\d{1,3}$' },
      description: 'field → regular expression; all texts that match it, from left to right, are the value',
    }),
  }),
  state: ({ config }) => ({
    patterns: Object.entries(config.watch).map(([field, source]) => ({ field, pattern: new RegExp(source) })),
    readings: new Map<string, Reading>(),
  }),
  on: {
    results: {
      at: ({ config }) => ({
        ...(config.tenant === undefined ? {} : { tenant: config.tenant }),
        ...(config.query === undefined ? {} : { query: config.query }),
      }),
      handle: (ctx, result, { params }) => {
        if (result.outcome !== 'ok' && result.outcome !== 'late') return;
        const texts = textsFromLeftToRight(result, ctx.config.stage, ctx.config.scoreMin);
        for (const { field, pattern } of ctx.state.patterns) {
          const now = texts.filter(text => pattern.test(text)).join(' : ');
          if (now === '') continue;
          const key = `${params.tenant} ${params.stream} ${field}`;
          const reading = ctx.state.readings.get(key) ?? { told: null, text: now, times: 0 };
          ctx.state.readings.set(key, reading);
          reading.times = reading.text === now ? reading.times + 1 : 1;
          reading.text = now;
          if (reading.times < ctx.config.confirmations || reading.told === now) continue;
          const { tenant, stream } = params;
          ctx.log.info(`${stream}: ${field} ${reading.told ?? '(new)'} → ${now}`);
          ctx.publish(
            mine.alerts,
            { tenant, stream },
            {
              v: 1,
              field,
              before: reading.told,
              now,
              latencyMs: result.latencyMs,
              ...(result.seq === undefined ? {} : { seq: result.seq }),
            },
          );
          reading.told = now;
        }
      },
    },
  },
});

/** The texts that were read, ordered by where the boxes stand in the picture. */
function textsFromLeftToRight(result: Result, stage: string | undefined, scoreMin: number): string[] {
  const answers = stage === undefined ? Object.values(result.stages).flat() : (result.stages[stage] ?? []);
  return answers
    .flatMap(({ output, from, parent, item }) => {
      if (output.kind !== 'text' || output.score < scoreMin) return [];
      const origin = result.stages[from ?? '']?.[parent ?? -1]?.output;
      const box = origin?.kind === 'boxes' ? origin.boxes[item ?? -1] : undefined;
      return [{ text: output.text.trim(), x: box?.x ?? 0 }];
    })
    .sort((a, b) => a.x - b.x)
    .map(({ text }) => text);
}
