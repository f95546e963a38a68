import type { FoundGroup } from '../apply/index.ts';
import type { LogLine } from '../log.ts';

/** What happens in a launched cluster; with `ganglion up --json` one line each. */
export type ClusterEvent =
  /** `pid`: of the server that was started. */
  | { readonly event: 'nats'; readonly url: string; readonly started: boolean; readonly pid?: number }
  | { readonly event: 'starting'; readonly actor: string; readonly kind: string; readonly pid: number }
  | { readonly event: 'ready'; readonly actor: string; readonly pid: number; readonly afterMs: number }
  | { readonly event: 'log'; readonly actor: string; readonly line: LogLine }
  | { readonly event: 'output'; readonly actor: string; readonly text: string }
  | {
      readonly event: 'exited';
      readonly actor: string;
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** Whether somebody asked for it. */
      readonly expected: boolean;
    }
  | { readonly event: 'restarting'; readonly actor: string; readonly inMs: number; readonly failures: number }
  | { readonly event: 'gave-up'; readonly actor: string; readonly detail: string }
  | {
      readonly event: 'applied';
      readonly item: string;
      readonly change: 'created' | 'changed' | 'unchanged';
      /** What was done to it, for people. */
      readonly note?: string;
    }
  /** Models that share a leading part. */
  | { readonly event: 'group'; readonly group: FoundGroup }
  | { readonly event: 'warning'; readonly detail: string }
  | { readonly event: 'up'; readonly url: string; readonly prefix: string; readonly actors: readonly string[] }
  | { readonly event: 'stopping' }
  | { readonly event: 'stopped' };
