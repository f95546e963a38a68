import { toJson } from '../../bus/index.ts';
import { DEFAULT_PREFIX, ErrorReply, subjects, type Subject } from '../../contracts/index.ts';
import { directions } from './directions.ts';
import { plainSchema } from './schema.ts';

const CONTENT_TYPE = 'application/msgpack';
const asJson = (value: unknown): unknown => JSON.parse(toJson(value));
const parametersOf = (pattern: string): string[] => [...pattern.matchAll(/\{(\w+)\}/g)].map(match => match[1]!);

/** The whole registry of subjects as AsyncAPI 3.0; examples with binary as base64. */
export function asyncApi(version: string): object {
  const channels: Record<string, object> = {};
  const operations: Record<string, object> = {};
  const messages: Record<string, object> = {};
  for (const [name, subject] of Object.entries(subjects) as [keyof typeof subjects, Subject][]) {
    const { from, to, actions } = directions[name];
    const ref = `#/channels/${name}`;
    messages[name] = message(name, subject.message.schema, subject.example, subject);
    if (subject.reply)
      messages[`${name}Reply`] = message(`${name}Reply`, subject.reply.schema, subject.replyExample, subject);
    channels[name] = channel(name, subject, false);
    if (subject.reply) channels[`${name}Reply`] = channel(name, subject, true);
    for (const action of actions) {
      const reply = subject.reply && {
        reply: {
          address: { location: '$message.header#/reply', description: 'the inbox that NATS gives the asker' },
          channel: { $ref: `#/channels/${name}Reply` },
          messages: [
            { $ref: `#/channels/${name}Reply/messages/${name}Reply` },
            { $ref: `#/channels/${name}Reply/messages/errorReply` },
          ],
        },
      };
      operations[actions.length === 1 ? name : `${name}.${action}`] = {
        action,
        channel: { $ref: ref },
        summary: `${from} → ${to}`,
        messages: [{ $ref: `${ref}/messages/${name}` }],
        ...reply,
      };
    }
  }
  messages['errorReply'] = {
    name: 'errorReply',
    contentType: CONTENT_TYPE,
    summary: 'In place of a reply, when the request can not be served.',
    payload: plainSchema(ErrorReply),
  };
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Ganglion',
      version,
      license: { name: 'Apache-2.0' },
      description:
        'What the actors say on NATS. Public subjects are a promise to people outside: they change only with a new ' +
        'version of their message. Besides msgpack, JSON is understood everywhere.',
    },
    defaultContentType: CONTENT_TYPE,
    servers: { local: { host: '127.0.0.1:4222', protocol: 'nats' } },
    channels,
    operations,
    components: { messages },
  };
}

function channel(name: string, subject: Subject, isReply: boolean): object {
  const messageName = isReply ? `${name}Reply` : name;
  const named = [messageName, ...(isReply ? ['errorReply'] : [])];
  const messages = Object.fromEntries(named.map(one => [one, { $ref: `#/components/messages/${one}` }]));
  if (isReply) return { address: null, messages };
  const parameters = parametersOf(subject.pattern);
  return {
    address: `${DEFAULT_PREFIX}.${subject.pattern}`,
    description: subject.description,
    messages,
    ...(parameters.length === 0
      ? {}
      : {
          parameters: Object.fromEntries(parameters.map(one => [one, { description: 'A-Z a-z 0-9 _ -, at most 64' }])),
        }),
    'x-public': subject.public,
  };
}

const message = (
  name: string,
  schema: Parameters<typeof plainSchema>[0],
  example: unknown,
  subject: Subject,
): object => ({
  name,
  contentType: CONTENT_TYPE,
  'x-version': subject.version,
  payload: plainSchema(schema),
  examples: [{ payload: asJson(example) }],
});
