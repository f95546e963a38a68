import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;

/** Resident memory, and the event loop's delay since the call before; the histogram counts its own period, which is taken off. */
export function processVitals(): () => { rssBytes: number; loopDelayP99Ms: number } {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return () => {
    const p99Ms = histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6 - RESOLUTION_MS;
    histogram.reset();
    return { rssBytes: process.memoryUsage.rss(), loopDelayP99Ms: Math.max(0, p99Ms) };
  };
}
