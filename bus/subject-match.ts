/** Subjects checked lately: the same few hundred come again and again. */
const CHECKED_MAX = 16_384;
const publishable = new Set<string>();

const describe = (subject: unknown): string => JSON.stringify(subject) ?? String(subject);

/** Asserts a subject that may be published to: non-empty tokens, no blanks, no wildcards. @throws TypeError */
export function assertPublishable(subject: string): void {
  if (publishable.has(subject)) return;
  checkTokens(subject);
  if (/(^|\.)[*>](\.|$)/.test(subject)) throw new TypeError(`can't publish to a wildcard: ${describe(subject)}`);
  if (publishable.size >= CHECKED_MAX) publishable.clear();
  publishable.add(subject);
}

/** Asserts a subject or pattern that may be subscribed to: `>` stands alone and last, `*` alone. @throws TypeError */
export function assertSubscribable(pattern: string): void {
  checkTokens(pattern);
  const tokens = pattern.split('.');
  const rest = tokens.indexOf('>');
  if (rest >= 0 && rest !== tokens.length - 1) throw new TypeError(`">" must come last: ${describe(pattern)}`);
}

function checkTokens(subject: string): void {
  if (typeof subject !== 'string' || !/^[^\s.]+(\.[^\s.]+)*$/.test(subject)) {
    throw new TypeError(`not a subject: ${describe(subject)}; it needs non-empty tokens between dots, without blanks`);
  }
}

/** Whether a subject without wildcards fits a pattern. */
export function subjectMatches(pattern: string, subject: string): boolean {
  if (pattern === '>' || pattern === subject) return true;
  const wanted = pattern.split('.');
  const got = subject.split('.');
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return got.length > i;
    if (i >= got.length || (wanted[i] !== '*' && wanted[i] !== got[i])) return false;
  }
  return wanted.length === got.length;
}

/** Whether every subject that fits the second pattern fits the first. */
export function subjectCovers(wide: string, narrow: string): boolean {
  const wides = wide.split('.');
  const narrows = narrow.split('.');
  for (let i = 0; i < wides.length; i++) {
    if (wides[i] === '>') return narrows.length > i;
    if (i >= narrows.length || narrows[i] === '>') return false;
    if (wides[i] !== '*' && wides[i] !== narrows[i]) return false;
  }
  return wides.length === narrows.length;
}
