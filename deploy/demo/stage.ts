import { realClock } from '../../bus/index.ts';
import type { Bus } from '../../contracts/index.ts';
import { groupSentence } from '../apply/index.ts';
import type { ClusterEvent } from '../cluster/index.ts';
import { alternateScreen, processIo } from '../terminal/index.ts';
import { collectView, renderTop, type ViewCollector } from '../view/index.ts';
import { groupLine, type Summary } from './summary.ts';
import type { Tally } from './tally.ts';

const REDRAW_MS = 500;
const LINE_EVERY_MS = 5000;

/** Where the demo is seen: the live view of `ganglion top` on a terminal, lines elsewhere. */
export class Stage {
  readonly #live: boolean;
  readonly #io = processIo();
  readonly #startMs = realClock.nowMs();
  #timer: NodeJS.Timeout | undefined;
  #screen: ReturnType<typeof alternateScreen> | undefined;
  #collector: ViewCollector | undefined;
  readonly #said: string[] = [];

  constructor(options: { live: boolean }) {
    this.#live = options.live;
  }

  say(text: string): void {
    const seconds = ((realClock.nowMs() - this.#startMs) / 1000).toFixed(1).padStart(6);
    const line = `${seconds} s  ${text}`;
    this.#said.push(line);
    if (!this.#screen) this.#io.out(`${line}\n`);
  }

  event(event: ClusterEvent): void {
    if (event.event === 'nats') this.say(`nats-server at ${event.url}`);
    if (event.event === 'ready') this.say(`${event.actor} runs (pid ${event.pid})`);
    if (event.event === 'applied') this.say(`${event.item} ${event.change}`);
    if (event.event === 'group') this.say(groupSentence(event.group));
    if (event.event === 'gave-up') this.say(`${event.actor} gave up: ${event.detail}`);
    if (event.event === 'exited') this.say(`${event.actor} ended (${event.signal ?? `exit code ${event.code}`})`);
    if (event.event === 'log' && (event.line.level === 'error' || event.line.level === 'warn')) {
      const { level: _level, message, time: _time, actor: _actor, ...facts } = event.line;
      this.say(`${event.actor}: ${message} ${JSON.stringify(facts)}`);
    }
  }

  /** From here on the cluster is shown: live, or a line every five seconds. */
  watch(bus: Bus, prefix: string, tally: Tally): void {
    if (!this.#live) {
      this.#timer = setInterval(() => this.say(tally.line()), LINE_EVERY_MS);
      return;
    }
    this.#collector = collectView(bus, { prefix, clock: realClock });
    this.#screen = alternateScreen(this.#io);
    this.#timer = setInterval(() => this.#draw(tally), REDRAW_MS);
  }

  #draw(tally: Tally): void {
    const { width, height, color } = this.#io;
    const news = this.#said.slice(-4).map(line => line.slice(0, width - 1));
    const top = renderTop(this.#collector!.view(), { width, height: height - news.length - 3, color });
    this.#screen?.draw([top, '', tally.line().slice(0, width - 1), ...news].join('\n'));
  }

  /** The last word: the summary and whether it is good. */
  end(summary: Summary, problems: readonly string[]): void {
    const wasLive = this.#screen !== undefined;
    this.close();
    if (wasLive) for (const line of this.#said) this.#io.out(`${line}\n`);
    const rows = Object.entries(summary).map(([name, value]) => `  ${name.padEnd(16)} ${String(value)}`);
    this.#io.out(`\n${rows.join('\n')}\n\n`);
    const shared = groupLine(summary);
    if (shared !== undefined) this.#io.out(`${shared}\n`);
    for (const problem of problems) this.#io.err(`demo: ${problem}\n`);
    if (problems.length === 0) this.#io.out('Every frame has its outcome, and the scoreboard was read right.\n');
  }

  close(): void {
    clearInterval(this.#timer);
    this.#collector?.close();
    this.#screen?.leave();
    this.#collector = undefined;
    this.#screen = undefined;
  }
}
