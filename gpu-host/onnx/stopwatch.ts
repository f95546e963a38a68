/** Starts measuring; the function tells the milliseconds since. For durations inside a worker thread, which no clock reaches. */
export function stopwatch(): () => number {
  const start = process.hrtime.bigint();
  return () => Number(process.hrtime.bigint() - start) / 1e6;
}
