/** Numbers for people: short, with their units. */
export const formatMs = (ms: number | undefined): string =>
  ms === undefined || !Number.isFinite(ms)
    ? '–'
    : ms >= 10_000
      ? `${(ms / 1000).toFixed(1)} s`
      : ms >= 100
        ? `${ms.toFixed(0)} ms`
        : `${ms.toFixed(1)} ms`;

export const formatBytes = (bytes: number): string =>
  bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(1)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toFixed(0)} MB`
      : `${(bytes / 1e3).toFixed(0)} kB`;

export const formatRate = (hz: number): string => (hz >= 100 ? hz.toFixed(0) : hz.toFixed(1));

export const formatCount = (count: number): string =>
  count >= 10_000_000
    ? `${(count / 1e6).toFixed(0)}M`
    : count >= 100_000
      ? `${(count / 1e3).toFixed(0)}k`
      : String(count);

export const formatPercent = (share: number): string =>
  share === 0 ? '0 %' : share < 0.001 ? '<0.1 %' : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

export function formatAge(ms: number): string {
  const s = Math.round(ms / 1000);
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}
