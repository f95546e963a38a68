import type { ParamNames, Params, Subject } from '../../contracts/index.ts';
import type { ActorContext } from './definition.ts';

/** Addresses that are kept: more can only be names of actors long gone. */
const ADDRESSES_MAX = 4096;

/** Publishers of a subject by its one parameter: each address is looked up once. */
export function publishers<P extends string, M>(
  ctx: Pick<ActorContext<unknown, unknown>, 'publisher'>,
  subject: Subject<P, M, any>,
  param: ParamNames<P>,
): (to: string) => (message: M) => boolean {
  const known = new Map<string, (message: M) => boolean>();
  return to => {
    let publish = known.get(to);
    if (publish) return publish;
    if (known.size >= ADDRESSES_MAX) known.clear();
    publish = ctx.publisher(subject, { [param]: to } as Params<P>);
    known.set(to, publish);
    return publish;
  };
}
