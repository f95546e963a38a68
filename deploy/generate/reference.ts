import { toJson } from '../../bus/index.ts';
import { DEFAULT_PREFIX, subjects, type Subject, type TSchema } from '../../contracts/index.ts';
import { directions } from './directions.ts';
import { fieldsOf, plainSchema } from './schema.ts';

const EXAMPLE_CHARACTERS_MAX = 4000;

/** Every subject and message for people, as Markdown. */
export function reference(): string {
  const all = Object.entries(subjects) as [keyof typeof subjects, Subject][];
  const parts = [
    '# Subjects and messages',
    '',
    'Generated from `contracts/` by `npm run generate`; for machines: [asyncapi.json](asyncapi.json). When they are sent and what',
    'each side may rely on: [protocol.md](protocol.md).',
    '',
    `Every subject begins with the prefix (default \`${DEFAULT_PREFIX}\`). Messages are msgpack; JSON is understood too (not for binary:`,
    'pictures travel as msgpack or bare). Unknown fields are ignored, a version `v` that is not understood is refused by name. Times are',
    'milliseconds and *remaining*, never the time of day. A request that can not be served is answered `{ error: { code, detail, retryable } }`.',
    '',
    '| subject | from | to | public |',
    '|---|---|---|---|',
    ...all.map(([name, subject]) => {
      const { from, to } = directions[name];
      return `| [\`${subject.pattern}\`](#${anchor(name)}) | ${from} | ${to} | ${subject.public ? 'yes' : ''} |`;
    }),
    '',
  ];
  for (const [name, subject] of all) parts.push(...section(name, subject));
  return `${parts.join('\n').trimEnd()}\n`;
}

const anchor = (name: string): string => name.toLowerCase();

function section(name: keyof typeof subjects, subject: Subject): string[] {
  const { from, to } = directions[name];
  return [
    `## ${name}`,
    '',
    `\`${DEFAULT_PREFIX}.${subject.pattern}\` · ${from} → ${to} · version ${subject.version}${subject.public ? ' · public' : ''}`,
    '',
    subject.description,
    '',
    ...messageTable(subject.message.schema),
    ...example(subject.example),
    ...(subject.reply
      ? ['**Answer**', '', ...messageTable(subject.reply.schema), ...example(subject.replyExample)]
      : []),
  ];
}

const messageTable = (schema: TSchema): string[] => [
  '| field | type | |',
  '|---|---|---|',
  ...fieldsOf(plainSchema(schema)).map(
    ({ field, type, optional, description }) => `| \`${field}\`${optional ? ' ?' : ''} | ${type} | ${description} |`,
  ),
  '',
];

function example(value: unknown): string[] {
  const text = toJson(value, 2);
  const shown = text.length <= EXAMPLE_CHARACTERS_MAX ? text : toJson(value);
  return ['<details><summary>Example</summary>', '', '```json', shown, '```', '', '</details>', ''];
}
