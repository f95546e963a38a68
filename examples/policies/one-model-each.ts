import { packingPolicy, type OwnHost } from 'ganglion';

/**
 * A packing policy of your own: no device holds more than one model. Each session gets as many devices as its rate takes with the largest
 * batch that a device by itself keeps up within the objective, 2ℓ(b) ≤ L.
 *
 *     ganglion simulate examples/scenarios/traffic.yaml --policy examples/policies/one-model-each.ts
 */
export default packingPolicy('one-model-each', ({ sessions, devices, curves }) => {
  const hosts: OwnHost[] = [];
  for (const { name, model, sloMs, rateHz } of sessions) {
    const kind = devices.map(offer => offer.kind).find(one => curves.find(model, one));
    if (kind === undefined) return undefined;
    const curve = curves.get(model, kind);
    let batch = curve.batchMin;
    while (batch < curve.batchMax && 2 * curve.latencyMs(batch + 1) <= sloMs - curve.aroundMs) batch++;
    const perDeviceHz = (1000 * batch) / curve.latencyMs(batch);
    const count = Math.max(1, Math.ceil(rateHz / perDeviceHz));
    for (let i = 0; i < count; i++) hosts.push({ kind, sessions: [{ name, batch, rateHz: rateHz / count }] });
  }
  return hosts;
});
